// What the trainer drives: a model together with its data.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "longhand/base/arena.h"
#include "longhand/data/buckets.h"

namespace longhand::tasks {

/// What one step of training saw.
struct StepResult {
  double loss_sum = 0.0;  ///< in nats, before any scaling
  int64_t count = 0;      ///< symbols (or whatever the task predicts)
};

/// Told from time to time how much of some work is done.
using OnDone = std::function<void(int64_t done, int64_t total)>;

/// One measure of a model on held-out data.
struct Metric {
  std::string name;  ///< as in metrics.jsonl, without `valid_`
  double value = 0.0;
  bool more_is_better = false;

  bool operator==(const Metric&) const = default;
};

/// The metric of that name, or null.
inline const Metric* find_metric(const std::vector<Metric>& metrics, const std::string& name) {
  for (const Metric& metric : metrics) {
    if (metric.name == name) return &metric;
  }
  return nullptr;
}

/// The one abstract class of the library; one virtual call a batch.
class Task {
 public:
  virtual ~Task() = default;

  virtual ParameterArena& parameters() = 0;
  /// Tells that the parameters' values have changed.
  virtual void parameters_changed() = 0;

  /// Plans an epoch's steps. The plan depends on the seed and the epoch alone.
  virtual void begin_epoch(int64_t epoch) = 0;
  /// Steps in the planned epoch, each with one update.
  virtual int64_t steps() const = 0;
  /// Sequences side by side in a step of the planned epoch.
  virtual int64_t batch() const = 0;
  /// Forward and backward for one step: overwrites the gradients with those of the mean loss. `step` counts from the
  /// start of the training and keys the random numbers.
  StepResult train_step(int64_t index, uint64_t step) { return train_shard(index, step, {}); }
  /// The same for a shard of each of the step's batches: its part of that mean. Over the shards, gradients, losses and
  /// counts sum up to those of the step, but for rounding and for other masks.
  virtual StepResult train_shard(int64_t index, uint64_t step, data::Shard shard) = 0;

  /// Whether the exponential of the loss is a perplexity.
  virtual bool has_perplexity() const { return false; }
  virtual bool has_validation() const = 0;
  /// Measures the model on the held-out data. The first metric is the one by which the best model is chosen; one is
  /// called `loss`. Only between epochs.
  virtual std::vector<Metric> validate() = 0;
  /// Measures the model on the training data, where nothing is held out. Only between epochs.
  virtual std::vector<Metric> measure_training() { return {}; }

  /// Arrays that, with the parameters, make the next step of a shard: states carried from batch to batch.
  virtual std::vector<std::pair<std::string, Buffer<float>*>> carried_state(data::Shard /*shard*/) { return {}; }
  /// Whether the carried state, as read from a checkpoint, is one from which step `index` of the planned epoch can go
  /// on.
  virtual bool carried_state_fits(int64_t /*index*/) { return true; }
  /// A text that is the same for the same data, model and batches, so that a run is resumed on nothing else.
  virtual std::string fingerprint() const = 0;
  /// The same to be compared with `other`, where there are several forms: the one of equal meaning.
  virtual std::string fingerprint_like(const std::string& /*other*/) const { return fingerprint(); }
  /// Writes a model file with the given parameter values (in the arena's layout).
  virtual void save_model(const std::string& path, std::span<const float> values) const = 0;
};

}  // namespace longhand::tasks
