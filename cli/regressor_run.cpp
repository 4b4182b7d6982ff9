#include "cli/regressor_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "cli/progress.h"
#include "cli/text_source.h"
#include "longhand/base/error.h"

namespace longhand::cli {

RegressorSettings::RegressorSettings() {
  common.training.optimizer.learning_rate = 0.002;
  common.training.optimizer.clip_norm = 1.0;
}

void RegressorSettings::add_to(OptionTable& table) {
  common.add_data_to(table, "table", "just before the test data");
  table.add("test-fraction", test_fraction, "fraction of the data, at its end, to test the finished model", fraction());
  table.begin_group("Model");
  model.add_to(table);
  common.add_batches_to(table);
  common.add_training_to(table);
}

void RegressorSettings::check() const {
  model.check();
  model.lstm.engine(common.engine);
  common.check();
  if (!common.test.empty() && test_fraction > 0.0) {
    throw usage_error("--test-fraction: cannot be combined with --test", "leave one of the two out");
  }
  if (test_fraction + common.valid_fraction >= 1.0) {
    throw usage_error("--test-fraction and --valid-fraction: expected a sum below 1",
                      "leave some of the data for training");
  }
}

std::vector<std::string> RegressorSettings::notes() const {
  std::vector<std::string> out = model.lstm.without_effect();
  RegressorSettings mine;
  OptionTable table;
  mine.add_to(table);  // with the defaults
  mine = *this;
  for (std::string& note : common.notes(table)) out.push_back(std::move(note));
  return out;
}

RegressorRun::RegressorRun(const RegressorSettings& settings)
    : settings_(settings), context_(static_cast<int>(settings.common.threads)) {
  settings_.check();
  table_ = load(settings_.common.data);
  split();
}

data::Table RegressorRun::load(const std::string& source) const {
  return data::read_table(load_numbers(source), settings_.model.series, shown_name(source));
}

// Rows in the order of the file: training, then what is held out, then the test. Windows of the later parts may read
// rows of the earlier ones, as they would in use; what they predict is their own.
void RegressorRun::split() {
  const CommonSettings& common = settings_.common;
  const data::SeriesOptions& series = settings_.model.series;
  const auto cut = [&](double kept) {
    auto row = static_cast<int64_t>(std::floor(static_cast<double>(table_.rows) * kept));
    if (series.window == 0) {  // between sequences
      row = *(std::upper_bound(table_.starts.begin(), table_.starts.end(), row) - 1);
    }
    return row;
  };
  const int64_t test_begins = cut(1.0 - settings_.test_fraction);
  const int64_t valid_begins = cut(1.0 - settings_.test_fraction - common.valid_fraction);
  train_ = data::windows(table_, series, 0, valid_begins);
  valid_ = data::windows(table_, series, valid_begins, test_begins);
  test_ = data::windows(table_, series, test_begins, table_.rows);
  if (train_.empty()) {
    throw input_error(fmt::format("{}: too short to train on: expected windows of {} rows and {} ahead, found {} rows",
                                  shown_name(common.data), series.window, series.horizon, valid_begins),
                      "give more rows, or a smaller --window, --horizon, --valid-fraction or --test-fraction");
  }
  tasks::Columns columns{table_.inputs, table_.targets, {}, {}};
  for (const auto& column : table_.input) columns.input_scales.push_back(data::scale_of(column, valid_begins));
  for (const auto& column : table_.target) columns.target_scales.push_back(data::scale_of(column, valid_begins));
  model_ = std::make_unique<tasks::Regressor>(settings_.model, columns);
  model_->initialise(common.seed_number());
  const auto load_all = [&](const std::string& source, data::Table& table, std::vector<data::Window>& windows) {
    if (source.empty()) return;
    table = load(source);
    windows = data::windows(table, series, 0, table.rows);
    if (windows.empty()) throw input_error(shown_name(source) + ": too short for a single window", "give more rows");
  };
  load_all(common.valid, valid_table_, valid_);
  load_all(common.test, test_table_, test_);
  description_ = fmt::format(
      "{}: {}\n{} in {}; {}, {} held out, {} to test; {} parameters", shown_name(common.data), table_.describe(),
      format_count(table_.rows, "row"), format_count(static_cast<int64_t>(table_.starts.size()) - 1, "sequence"),
      format_count(static_cast<int64_t>(train_.size()), "training window"),
      format_count(static_cast<double>(valid_.size())), format_count(static_cast<double>(test_.size())),
      format_count(static_cast<double>(model_->parameters().count())));
  task_ = std::make_unique<tasks::RegressorTask>(
      *model_, table_, train_, common.valid.empty() ? table_ : valid_table_, valid_,
      tasks::RegressorTaskOptions{.groups = common.groups(), .engine = settings_.model.lstm.engine(common.engine)},
      context_);
  common.training.check(*task_);
}

RunResult RegressorRun::run(const std::string& folder, bool resume, const train::Observer& observer) {
  RegressorSettings resolved = settings_;
  OptionTable table;
  resolved.add_to(table);
  Finished finished;
  if (!test_.empty()) finished.test = [&] { return tested(folder); };
  return train_in_folder(*task_, settings_.common, table, folder, resume, observer, context_, finished);
}

std::vector<tasks::Metric> RegressorRun::tested(const std::string& folder) {
  const std::unique_ptr<tasks::Regressor> kept = tasks::Regressor::load(tasks::ModelFile::read(folder));
  const bool of_its_own = !settings_.common.test.empty();
  tasks::Regressor::Workspace workspace(*kept, kept->options().lstm.engine(settings_.common.engine), context_);
  std::vector<tasks::Metric> out =
      tasks::evaluate(*kept, of_its_own ? test_table_ : table_, test_, workspace).metrics();
  // What a model with no layers would have made of the same windows.
  if (of_its_own) return out;
  if (const auto line = tasks::evaluate_least_squares(*kept, table_, train_, test_)) {
    out.push_back({"least_squares_mse", line->mse});
    out.push_back({"least_squares_r2", line->r2, true});
  }
  return out;
}

}  // namespace longhand::cli
