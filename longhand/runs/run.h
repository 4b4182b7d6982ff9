// A training run: from settings to data, model and trainer, and on to a folder with a model and a report. It prints
// nothing.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/runs/findings.h"
#include "longhand/runs/settings.h"

namespace longhand::runs {

struct RunResult {
  train::TrainResult training;
  bool was_complete = false;  ///< resumed, with nothing left to do
  Findings findings;          ///< of the kept model
};

/// How to train a run.
struct TrainRequest {
  std::string folder;     ///< exists
  bool resume = false;    ///< the run in it
  int64_t until_epoch{};  ///< pause at the end of this epoch; 0: go on to the last
  std::string command{};  ///< for the report's foot
  train::Observer observer{};
  distributed::Communicator* ranks = nullptr;  ///< several processes, all of which call `train`; null: one
  std::function<void()> on_saved{};            ///< called once all that the run needs is in the folder
  /// Called with what is known of the finished model, before it is examined and again before the baseline is fitted:
  /// for a caller that may be interrupted in between. Not called where the training was interrupted or paused.
  std::function<void(const RunResult&)> on_result{};
  tasks::OnDone on_examined{};          ///< progress on the data that the kept model is examined on
  std::function<void()> on_baseline{};  ///< called before the baseline is fitted
};

/// Each task has its own, in a file of its own; `task_of` (registry.h) makes them. The constructors read the data and
/// make the model: they throw for whatever is wrong with settings or data, and write nothing.
class Run {
 public:
  virtual ~Run() = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// Fits the task's baseline on the training data and measures it on the test data, or else on the held-out data; if
  /// `path` is not empty, it is written there. Nothing where there are neither, or for a task without one. It needs no
  /// trained model.
  virtual std::optional<BaselineFindings> measure_baseline(const std::string& path) = 0;
  /// A text that is the same where the baseline and its figures are.
  virtual std::string baseline_key() = 0;
  /// What was found in the data, for the user; empty: nothing to say.
  const std::string& description() const { return description_; }
  const ParameterArena& parameters() { return task().parameters(); }

  /// Trains, and writes model, configuration and report. A run that was interrupted or paused is not tested. Of
  /// several ranks, the first writes, and alone calls what the request has to be called; the others return when the
  /// training is done.
  RunResult train(const TrainRequest& request);

 protected:
  explicit Run(const Settings& settings) : context_(settings.used_threads()) {
    context_.precision = settings.used_precision();
  }

  virtual Settings& settings() = 0;
  virtual tasks::Task& task() = 0;
  /// What the report says of the model in the folder whether it is finished or not, and what takes little time.
  virtual Findings look(const std::string& /*folder*/, const train::TrainResult& /*result*/) { return {}; }
  /// Adds what is found in the test data, with their metrics, or else in the held-out data.
  virtual void examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) = 0;

  /// What usually helps a model that is not better than this baseline.
  virtual std::string baseline_advice(const BaselineFindings& baseline) const = 0;
  /// Adds the baseline and how the model compares with it.
  void compare_with_baseline(const TrainRequest& request, RunResult& result);

  /// Adds a line, unless it is empty.
  void describe(const std::string& line) {
    if (!line.empty()) description_ += (description_.empty() ? "" : "\n") + line;
  }

  std::string description_;
  kernels::Context context_;
};

/// Moves a random part of the items out, so that both parts have the same distribution in any order of the file. The
/// draw depends on the number of items alone: runs with other seeds are measured on the same.
template <class T>
std::vector<T> hold_out(std::vector<T>& items, double fraction) {
  const CounterRng rng(0, items.size(), RngPlace::kHeldOut);
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i, i)]);
  order.resize(static_cast<size_t>(static_cast<double>(items.size()) * fraction));
  std::sort(order.begin(), order.end());
  std::vector<T> kept, out;
  for (size_t i = 0, next = 0; i < items.size(); ++i) {
    const bool taken = next < order.size() && order[next] == i;
    next += taken ? 1 : 0;
    (taken ? out : kept).push_back(std::move(items[i]));
  }
  items = std::move(kept);
  return out;
}

/// What is to be said of data to measure on with labels that the training data lack: nothing, or a line for the user.
/// Throws an input error where that is all of them. `noun`: "text", "word".
std::string describe_unseen(const std::string& source, int64_t unseen, int64_t all, const std::string& noun);

}  // namespace longhand::runs
