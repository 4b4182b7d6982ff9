// What every training run is made of, whatever its task: data, recipe, and the way from a task to a folder with a
// model.
#pragma once

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/data/buckets.h"
#include "longhand/lab/report.h"
#include "longhand/train/trainer.h"

namespace longhand::cli {

/// The options that all tasks share. A task's own settings hold these and add its own, in groups of the same names.
struct CommonSettings {
  std::string data;
  std::string valid;
  std::string test;
  double valid_fraction = 0.1;
  int64_t batch = 32;  ///< 0: the whole set
  int64_t accumulate = 1;
  int64_t batch_every = 0;
  double batch_multiply = 1.0;
  double batch_divide = 1.0;
  double label_smoothing = 0.0;
  int64_t seed = 0;
  int64_t threads = 0;
  std::string engine = "fused";
  train::TrainOptions training;

  /// `noun` is what a data file is of: "text", "sentences".
  /// `held_out` says which part --valid-fraction takes.
  void add_data_to(OptionTable& table, const std::string& noun, const std::string& held_out);
  void add_batches_to(OptionTable& table);
  void add_training_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// What of all options was given and does nothing, as sentences for the user. `table` has the present values, and
  /// their defaults.
  std::vector<std::string> notes(const OptionTable& table) const;

  data::GroupOptions groups() const;
  uint64_t seed_number() const { return static_cast<uint64_t>(seed); }
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

struct RunResult {
  train::TrainResult training;
  bool was_complete = false;  ///< resumed, with nothing left to do
  lab::Findings findings;     ///< of the kept model
};

/// Called with the finished model; empty if there is nothing to do.
struct Finished {
  std::function<std::vector<tasks::Metric>()> test;
  std::function<lab::Findings(const train::TrainResult&)> examine;  ///< all but the test
};

/// The options of a run but for those that may change when it is resumed, and the names of its files, which may move.
train::FixedOptions fixed_options(const OptionTable& table);

/// Trains in an existing folder, or resumes the run in it, and writes configuration and report. A run
/// that was interrupted is not tested.
RunResult train_in_folder(tasks::Task& task, const CommonSettings& settings, const OptionTable& resolved,
                          const std::string& folder, bool resume, const train::Observer& observer,
                          kernels::Context& context, const Finished& finished);

}  // namespace longhand::cli
