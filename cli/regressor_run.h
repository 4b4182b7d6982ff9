// A regressor's training run: its settings, and the way from them to a folder with a model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/run_settings.h"
#include "longhand/tasks/regressor_task.h"

namespace longhand::cli {

/// Everything that makes a run, and so everything that config.toml holds.
struct RegressorSettings {
  RegressorSettings();

  CommonSettings common;
  double test_fraction = 0.0;
  tasks::RegressorOptions model;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// What was asked for and does nothing, as sentences for the user.
  std::vector<std::string> notes() const;
};

class RegressorRun {
 public:
  using Settings = RegressorSettings;
  static constexpr const char* kVerb = "regressor";
  static constexpr const char* kHelp = "Train a regressor on a table of numbers";
  static constexpr const char* kNoun = "window";
  static constexpr const char* kExample = "give --data FILE, a table with a header, or try --data sines";

  /// Reads the table and makes the model. Throws for whatever is wrong with settings or table; nothing is on
  /// the disk by then.
  explicit RegressorRun(const RegressorSettings& settings);

  std::string description() const { return description_; }
  /// Trains in an existing folder, or resumes the run in it, and writes the report.
  RunResult run(const std::string& folder, bool resume, const train::Observer& observer);

 private:
  RegressorSettings settings_;
  kernels::Context context_;
  std::unique_ptr<tasks::Regressor> model_;
  void split();
  data::Table load(const std::string& source) const;
  /// What the model in the folder makes of the test.
  std::vector<tasks::Metric> tested(const std::string& folder);

  data::Table table_, valid_table_, test_table_;
  std::vector<data::Window> train_, valid_, test_;
  std::unique_ptr<tasks::RegressorTask> task_;
  std::string description_;
};

}  // namespace longhand::cli
