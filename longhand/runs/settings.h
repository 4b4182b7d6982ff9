// The settings of a training run: everything that makes it, and so everything that config.toml holds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/data/buckets.h"
#include "longhand/nn/engine.h"
#include "longhand/nn/lstm_options.h"
#include "longhand/runs/starting_point.h"
#include "longhand/train/trainer.h"

namespace longhand::runs {

/// The options that all tasks share. A task's settings derive from these and add their own, in groups of the same
/// names.
class Settings {
 public:
  virtual ~Settings() = default;

  std::string data;
  std::string valid;
  std::string test;
  double valid_fraction = 0.1;
  int64_t batch = 32;  ///< 0: the whole set
  int64_t accumulate = 1;
  int64_t shards = 0;  ///< of a batch; 0: resolve() chooses
  int64_t batch_every = 0;
  double batch_multiply = 1.0;
  double batch_divide = 1.0;
  double label_smoothing = 0.0;
  bool sparse_embedding = false;
  int64_t seed = 0;
  int64_t threads = 0;
  std::string engine = "fused";
  std::string precision = "float32";
  bool baseline = true;  ///< fit the task's baseline once the training is done
  train::TrainOptions training;
  StartOptions start;
  Executor* executor = nullptr;  ///< a host's threads, in place of `threads`; no option
  int ranks = 0;                 ///< processes that a launcher started for this training; 0: none did; no option
  int ranks_here = 1;            ///< and of them, those on this machine, which share its processors; no option
  std::string resumed;           ///< folder of the run that is resumed; no option

  virtual std::unique_ptr<Settings> copy() const = 0;
  /// Registers every option, with its present value as the default.
  virtual void add_to(OptionTable& table) = 0;
  /// Throws a usage error for options that cannot be combined.
  virtual void check() const;
  /// What was given and does nothing, or not what one may expect, as sentences for the user. `table` has the present
  /// values, and their defaults.
  virtual std::vector<std::string> notes(const OptionTable& table) const;
  /// What updates of a large embedding [rows, width] cost without `sparse_embedding`: nothing, or a line for the user.
  std::string describe_dense_updates(int64_t rows, int64_t width) const;
  /// Call it once all options of `table` are set: validation data make `valid_fraction` 0, `shards` of 0 becomes 1 or
  /// what suits several processes, and options that follow from the models that a new run starts from are set. Throws a
  /// usage error where one was given another value.
  void resolve(OptionTable& table);
  /// Sets the options of a TOML file, and returns their names. Throws what io::read_toml throws.
  virtual std::vector<std::string> read_config(const std::string& path, OptionTable& table);
  /// Sets what an earlier version did that did not have the option, for the settings of a run that it wrote.
  virtual void set_earlier_defaults() {}

  data::GroupOptions groups() const;
  Threads used_threads() const;
  uint64_t seed_number() const { return static_cast<uint64_t>(seed); }
  kernels::Precision used_precision() const {
    return precision == "bf16" ? kernels::Precision::kBf16 : kernels::Precision::kFloat;
  }
  nn::Engine used_engine() const { return nn::parse_engine(engine); }

 private:
  /// Sequences of a batch.
  int64_t rows() const;
  int64_t usual_shards() const;

 protected:
  Settings() = default;
  Settings(const Settings&) = default;
  Settings& operator=(const Settings&) = default;

  virtual const nn::LstmOptions& lstm() const = 0;
  /// `noun` is what a data file is of: "text", "sentences".
  /// `held_out` says which part `valid-fraction` takes.
  void add_data_to(OptionTable& table, const std::string& noun, const std::string& held_out);
  void add_batches_to(OptionTable& table);
  /// For tasks with an embedding.
  void add_sparse_to(OptionTable& table);
  void add_training_to(OptionTable& table);
  /// Whether it is a language model that starts from others.
  virtual bool of_language_model() const { return false; }
};

/// What a task's settings have besides: the options of its model.
template <class Own, class ModelOptions>
class TaskSettings : public Settings {
 public:
  ModelOptions model;

  std::unique_ptr<Settings> copy() const override { return std::make_unique<Own>(static_cast<const Own&>(*this)); }

 protected:
  const nn::LstmOptions& lstm() const override { return model.lstm; }
};

/// Whether an option may change when a run is resumed: it cannot change the numbers, or names a file, which may move.
bool is_free(const std::string& option);
/// The others, with their values.
train::FixedOptions fixed_options(const OptionTable& table);

}  // namespace longhand::runs
