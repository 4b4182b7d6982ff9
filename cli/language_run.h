// A language model's training run: its settings, and the way from them to a folder with a model. `train` makes one,
// `compare` many.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "longhand/tasks/language_model_task.h"
#include "longhand/train/trainer.h"

namespace longhand::cli {

/// Everything that makes a run, and so everything that config.toml holds.
struct RunSettings {
  std::string data;
  std::string valid;
  std::string test;
  double valid_fraction = 0.1;
  int64_t max_tokens = 0;
  int64_t batch = 32;  ///< 0: the whole set
  int64_t accumulate = 1;
  int64_t batch_every = 0;
  double batch_multiply = 1.0;
  double batch_divide = 1.0;
  int64_t bptt = 64;
  double label_smoothing = 0.0;
  int64_t seed = 0;
  int64_t threads = 0;
  std::string engine = "fused";
  tasks::LanguageModelOptions model;
  train::TrainOptions training;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be together.
  void check() const;
  /// What was asked for and does nothing, or not what one may expect, as sentences for the user.
  std::vector<std::string> notes() const;
};

struct RunResult {
  train::TrainResult training;
  bool was_complete = false;  ///< resumed, with nothing left to do
  std::optional<tasks::LanguageScore> test;
};

class LanguageRun {
 public:
  /// Reads the texts and makes the model. Throws for whatever is wrong with settings or texts; nothing is on the disk
  /// by then.
  explicit LanguageRun(const RunSettings& settings);

  int64_t parameters() const { return model_->parameters().count(); }
  const tasks::LanguageModel& model() const { return *model_; }

  /// Trains in a folder that exists, or goes on with the run that is there, and leaves the report.
  RunResult run(const std::string& folder, bool resume, const train::Observer& observer);

 private:
  data::Corpus other_text(const std::string& source) const;
  data::Corpus held_out(data::Corpus& corpus) const;
  void check_size(const data::Corpus& corpus) const;
  std::string sample(const std::string& folder);

  RunSettings settings_;
  kernels::Context context_;
  std::unique_ptr<tasks::LanguageModel> model_;
  data::Corpus test_;
  std::unique_ptr<tasks::LanguageModelTask> task_;
};

}  // namespace longhand::cli
