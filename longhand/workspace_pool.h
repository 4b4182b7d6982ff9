// Workspaces of a model that several threads use. For the sources beside it alone.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "longhand/kernels/context.h"
#include "longhand/model_parts.h"

namespace longhand {

/// Memory for one call at a time each: as many as there are calls at the same time.
template <class Workspace>
class WorkspacePool {
 public:
  template <class TaskModel>
  WorkspacePool(const TaskModel& model, Threads threads)
      : make_([&model, threads] { return std::make_unique<Worker>(model, threads); }) {
    free_.push_back(make_());  // what the system refuses is found now
  }

  struct Worker {
    template <class TaskModel>
    Worker(const TaskModel& model, Threads threads) : context(threads), workspace(model, nn::Engine::kFused, context) {}
    kernels::Context context;
    Workspace workspace;
  };

  /// Calls `use` with a workspace that no one else has.
  template <class Use>
  auto with(const Use& use) {
    struct Returned {
      ~Returned() {
        try {
          const std::lock_guard<std::mutex> lock(pool.mutex_);
          pool.free_.push_back(std::move(worker));
        } catch (...) {  // without memory to keep it, it is made again
        }
      }
      WorkspacePool& pool;
      std::unique_ptr<Worker> worker;
    } taken{*this, take()};
    return use(taken.worker->workspace);
  }

 private:
  std::unique_ptr<Worker> take() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!free_.empty()) {
        std::unique_ptr<Worker> worker = std::move(free_.back());
        free_.pop_back();
        return worker;
      }
    }
    return make_();
  }

  std::function<std::unique_ptr<Worker>()> make_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> free_;
};

/// A Model that a predictor keeps, the task's model in it, and workspaces for its calls. Throws a usage error for a
/// null pointer, and an input error for a model of another task.
template <class TaskModel>
struct LONGHAND_LOCAL UsedModel {
  UsedModel(std::shared_ptr<const Model> of, Task task, std::unique_ptr<const TaskModel> Model::Parts::*part,
            Threads threads)
      : model(std::move(of)), task_model(*(checked(task).*part)), pool(task_model, threads) {}

  const Model::Parts& checked(Task task) const {
    expect_task(model.get(), task);
    return model->parts();
  }

  std::shared_ptr<const Model> model;
  const TaskModel& task_model;
  WorkspacePool<typename TaskModel::Workspace> pool;
};

}  // namespace longhand
