// A training run: from settings to data, model and trainer, and on to a folder with a model and a report. It prints
// nothing.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/runs/report.h"
#include "longhand/runs/settings.h"

namespace longhand::runs {

struct RunResult {
  train::TrainResult training;
  bool was_complete = false;  ///< resumed, with nothing left to do
  Findings findings;          ///< of the kept model
};

/// Each task has its own, in a file of its own; `task_of` (registry.h) makes them. The constructors read the data and
/// make the model: they throw for whatever is wrong with settings or data, and write nothing.
class Run {
 public:
  virtual ~Run() = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// What was found in the data, for the user; empty: nothing to say.
  const std::string& description() const { return description_; }
  const ParameterArena& parameters() { return task().parameters(); }

  /// Trains in an existing folder, or resumes the run in it, and writes model, configuration and report. A run that was
  /// interrupted is not tested. `on_saved` is called once all that the run needs is in the folder.
  RunResult train(const std::string& folder, bool resume, const train::Observer& observer,
                  const std::function<void()>& on_saved = {});

 protected:
  explicit Run(const Settings& settings) : context_(settings.used_threads()) {
    context_.precision = settings.used_precision();
  }

  virtual Settings& settings() = 0;
  virtual tasks::Task& task() = 0;
  /// The metrics of the model in the folder on the test data; empty: there are none.
  virtual std::vector<tasks::Metric> test(const std::string& folder) = 0;
  /// All else that the report says of the model in the folder.
  virtual Findings examine(const std::string& /*folder*/, const train::TrainResult& /*result*/) { return {}; }

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
