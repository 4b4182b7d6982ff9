// A language model's training run: its settings, and the way from them to a folder with a model. `train` makes one,
// `compare` many.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/run_settings.h"
#include "longhand/tasks/language_model_task.h"

namespace longhand::cli {

/// Everything that makes a run, and so everything that config.toml holds.
struct LanguageSettings {
  CommonSettings common;
  int64_t max_tokens = 0;
  int64_t bptt = 64;
  std::string row_starts = "moving";
  double reset_state = 1.0;
  tasks::LanguageModelOptions model;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// Sets what an earlier version did that did not have the option, for the settings of a run that it wrote.
  void set_earlier_defaults();
  /// What was asked for and does nothing, or not what one may expect, as sentences for the user.
  std::vector<std::string> notes() const;
};

class LanguageRun {
 public:
  using Settings = LanguageSettings;
  static constexpr const char* kVerb = "lm";
  static constexpr const char* kHelp = "Train a language model on a text";
  static constexpr const char* kNoun = "symbol";  ///< what a loss is the mean over
  static constexpr const char* kExample = "give --data FILE, or try --data tale";

  /// Reads the texts and makes the model. Throws for whatever is wrong with settings or texts; nothing is on the disk
  /// by then.
  explicit LanguageRun(const LanguageSettings& settings);

  int64_t parameters() const { return model_->parameters().count(); }
  const tasks::LanguageModel& model() const { return *model_; }
  /// What was found in the data, for the user; empty: nothing to say.
  const std::string& description() const { return description_; }

  /// Trains in an existing folder, or resumes the run in it, and writes the report.
  RunResult run(const std::string& folder, bool resume, const train::Observer& observer);

 private:
  data::Corpus other_text(const std::string& normalised, const std::string& source);
  data::Corpus held_out(data::Corpus& corpus, const std::string& valid_text);
  void check_size(const data::Corpus& corpus) const;
  lab::Findings examine(const std::string& folder, const train::TrainResult& result);
  std::vector<std::string> prompts(const tasks::LanguageModel& model) const;

  LanguageSettings settings_;
  std::string description_;
  kernels::Context context_;
  std::unique_ptr<tasks::LanguageModel> model_;
  data::Corpus test_;
  std::unique_ptr<tasks::LanguageModelTask> task_;
};

}  // namespace longhand::cli
