// A classifier's training run: its settings, and the way from them to a folder with a model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/run_settings.h"
#include "longhand/tasks/classifier_task.h"

namespace longhand::cli {

/// Everything that makes a run, and so everything that config.toml holds.
struct ClassifierSettings {
  ClassifierSettings();

  CommonSettings common;
  data::VectorOptions vectors;
  double unknown_rate = 0.25;
  std::string class_weights = "none";
  tasks::ClassifierOptions model;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// What was asked for and does nothing, as sentences for the user.
  std::vector<std::string> notes() const;
};

class ClassifierRun {
 public:
  using Settings = ClassifierSettings;
  static constexpr const char* kVerb = "classifier";
  static constexpr const char* kHelp = "Train a classifier on labelled texts";
  static constexpr const char* kNoun = "text";
  static constexpr const char* kExample = "give --data FILE: CSV, TSV, JSON lines, or `__label__LABEL text` lines";

  /// Reads the texts and makes the model. Throws for whatever is wrong with settings or texts; nothing is on
  /// the disk by then.
  explicit ClassifierRun(const ClassifierSettings& settings);

  std::string description() const { return description_; }
  /// Trains in an existing folder, or resumes the run in it, and writes the report.
  RunResult run(const std::string& folder, bool resume, const train::Observer& observer);

 private:
  ClassifierSettings settings_;
  kernels::Context context_;
  std::unique_ptr<tasks::Classifier> model_;
  std::vector<data::LabelledText> test_;
  std::unique_ptr<tasks::ClassifierTask> task_;
  std::string description_;
};

}  // namespace longhand::cli
