// What every training run is made of, whatever its task: data, recipe, and the way from a task to a folder with a
// model.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "longhand/data/buckets.h"
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
  /// Throws a usage error for options that cannot be together.
  void check() const;
  /// What of all options was given and does nothing, as sentences for the user. `table` has the present values, and
  /// their defaults.
  std::vector<std::string> notes(const OptionTable& table) const;

  data::GroupOptions groups() const;
  uint64_t seed_number() const { return static_cast<uint64_t>(seed); }
};

/// Takes a part of the items out, evenly spread, so that both parts hold the like whatever order a file has.
template <class T>
std::vector<T> hold_out_spread(std::vector<T>& items, double fraction) {
  std::vector<T> kept, out;
  for (size_t i = 0; i < items.size(); ++i) {
    const auto taken = [&](size_t n) { return static_cast<int64_t>(static_cast<double>(n) * fraction); };
    (taken(i + 1) > taken(i) ? out : kept).push_back(std::move(items[i]));
  }
  items = std::move(kept);
  return out;
}

struct RunResult {
  train::TrainResult training;
  bool was_complete = false;        ///< resumed, with nothing left to do
  std::vector<tasks::Metric> test;  ///< of the kept model; empty without test data
};

/// Trains in a folder that exists, or goes on with the run that is there, and leaves configuration and report; `sample`
/// is called once the model is on the disk, for a text to show in the report.
RunResult train_in_folder(tasks::Task& task, const CommonSettings& settings, const OptionTable& resolved,
                          const std::string& folder, bool resume, const train::Observer& observer,
                          kernels::Context& context, const std::function<std::string()>& sample);

}  // namespace longhand::cli
