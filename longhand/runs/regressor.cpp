// Regressors: settings, run, evaluation.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/runs/registry.h"
#include "longhand/runs/regressor_comparison.h"
#include "longhand/runs/regressor_notes.h"
#include "longhand/tasks/fingerprint.h"
#include "longhand/tasks/regressor_baselines.h"

namespace longhand::runs {
namespace {

class RegressorSettings : public TaskSettings<RegressorSettings, tasks::RegressorOptions> {
 public:
  RegressorSettings() {
    training.optimizer.learning_rate = 0.002;
    training.optimizer.clip_norm = 1.0;
  }

  double test_fraction = 0.0;
  bool choose_inputs = false;

  void add_to(OptionTable& table) override;
  void check() const override;
};

class RegressorRun : public Run {
 public:
  RegressorRun(const RegressorSettings& settings, Sources& sources);
  std::optional<BaselineFindings> measure_baseline(const std::string& path) override;
  std::string baseline_key() override;

 private:
  Settings& settings() override { return settings_; }
  tasks::Task& task() override { return *task_; }
  void examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) override;
  std::string baseline_advice(const BaselineFindings& baseline) const override {
    return forecast_advice(model_->options(), is_ridge(baseline));
  }
  data::Table load(const std::string& source, Sources& sources) const;
  std::vector<tasks::RowRange> split();
  const data::Table& valid_table() const { return settings_.valid.empty() ? table_ : valid_table_; }
  // What the finished model is measured on.
  const data::Table& measured_table() const {
    if (test_.empty()) return valid_table();
    return settings_.test.empty() ? table_ : test_table_;
  }
  const std::vector<data::Window>& measured() const { return test_.empty() ? valid_ : test_; }
  std::string choose(tasks::Columns& columns);
  void describe_notes(std::span<const tasks::RowRange> training_rows);
  tasks::RegressorData data(const tasks::Columns& columns) const {
    return {columns, settings_.model.series, table_, train_, valid_table(), valid_};
  }

  RegressorSettings settings_;
  std::unique_ptr<tasks::Regressor> model_;
  data::Table table_, valid_table_, test_table_;
  std::vector<data::Window> train_, valid_, test_;
  std::unique_ptr<tasks::RegressorTask> task_;
};

void RegressorSettings::add_to(OptionTable& table) {
  add_data_to(table, "table", "just before the test data");
  table.add("test-fraction", test_fraction, "fraction of the data, at its end, to test the finished model", fraction());
  table.add("choose-inputs", choose_inputs,
            "use only those inputs that reduce the held-out error of a ridge regression, by forward selection");
  table.begin_group("Model");
  model.add_to(table);
  add_batches_to(table);
  add_training_to(table);
}

void RegressorSettings::check() const {
  model.check();
  Settings::check();
  if (!test.empty() && test_fraction > 0.0) {
    throw usage_error("`test-fraction`: cannot be combined with `test`", "leave one of the two out");
  }
  if (choose_inputs && data::split_names(model.series.inputs).size() < 2) {
    throw usage_error("`choose-inputs`: expected two columns or more in `inputs`, found fewer",
                      "name the columns to choose from with `inputs`");
  }
  if (choose_inputs && model.series.window == 0) {
    throw usage_error("`choose-inputs`: expected `window` of at least 1, found 0", "leave it out, or set `window`");
  }
  if (test_fraction + valid_fraction >= 1.0) {
    throw usage_error("`test-fraction` and `valid-fraction`: expected a sum below 1",
                      "leave some of the data for training");
  }
}

data::Table RegressorRun::load(const std::string& source, Sources& sources) const {
  return data::read_table(sources.table(source), settings_.model.series, shown_name(source));
}

// Splits the rows (of each series) in order into training, validation and test. Windows of a later part may read rows
// of earlier parts, as in use; their targets lie in their own part. Returns the training rows.
std::vector<tasks::RowRange> RegressorRun::split() {
  const data::SeriesOptions& series = settings_.model.series;
  const double test_begins = 1.0 - settings_.test_fraction, valid_begins = test_begins - settings_.valid_fraction;
  std::vector<tasks::RowRange> training;
  if (!table_.observed.empty()) {
    train_ = data::windows_of_part(table_, series, 0.0, valid_begins);
    valid_ = data::windows_of_part(table_, series, valid_begins, test_begins);
    test_ = data::windows_of_part(table_, series, test_begins, 1.0);
    for (int64_t s = 0; s < table_.sequences(); ++s) {
      training.emplace_back(table_.starts[static_cast<size_t>(s)], data::row_at(table_, s, valid_begins));
    }
  } else {
    const auto cut = [&](double kept) {
      auto row = static_cast<int64_t>(std::floor(static_cast<double>(table_.rows) * kept));
      if (series.window == 0) {  // the last boundary between sequences
        row = *(std::upper_bound(table_.starts.begin(), table_.starts.end(), row) - 1);
      }
      return row;
    };
    training.emplace_back(0, cut(valid_begins));
    train_ = data::windows(table_, series, 0, training.front().second);
    valid_ = data::windows(table_, series, training.front().second, cut(test_begins));
    test_ = data::windows(table_, series, cut(test_begins), table_.rows);
  }
  if (train_.empty()) {
    int64_t most = 0;
    for (const auto& [begin, end] : training) most = std::max(most, end - begin);
    throw input_error(
        fmt::format("{}: too short to train on: expected windows of {} rows and {} ahead, found {} rows{}",
                    shown_name(settings_.data), series.window, series.horizon, most,
                    table_.sequences() > 1 && !table_.observed.empty() ? " in the longest series" : ""),
        "give more rows, or a smaller `window`, `horizon`, `valid-fraction` or `test-fraction`");
  }
  return training;
}

RegressorRun::RegressorRun(const RegressorSettings& settings, Sources& sources) : Run(settings), settings_(settings) {
  settings_.check();
  table_ = load(settings_.data, sources);
  const std::vector<tasks::RowRange> training_rows = split();
  tasks::RegressorOptions options = settings_.model;
  const bool counts = options.distribution().is_counts();
  if (counts) tasks::expect_counts(table_, shown_name(settings_.data));
  // A series too short for a training window is new to the model. With a horizon of 0, the model does not read past
  // targets, so it scales each series by its training rows, however few.
  const int64_t min_rows = options.series.horizon > 0 ? options.series.window + options.series.horizon : 0;
  tasks::Columns columns = tasks::columns_of(table_, training_rows, options.used_series_scale(), counts, min_rows);
  tasks::prepare(columns, options.series, table_, shown_name(settings_.data));
  const auto load_all = [&](const std::string& source, data::Table& table, std::vector<data::Window>& windows) {
    if (source.empty()) return;
    table = load(source, sources);
    if (counts) tasks::expect_counts(table, shown_name(source));
    tasks::prepare(columns, options.series, table, shown_name(source));
    windows = data::windows(table, settings_.model.series, 0, table.rows);
    if (windows.empty()) throw input_error(shown_name(source) + ": too short for a single window", "give more rows");
  };
  load_all(settings_.valid, valid_table_, valid_);
  load_all(settings_.test, test_table_, test_);
  options.shrink = options.shrink && !valid_.empty();
  options.calibrate = options.calibrate && !valid_.empty();
  std::string chosen;
  if (settings_.choose_inputs) chosen = choose(columns);
  options.series.inputs =
      settings_.choose_inputs ? fmt::format("{}", fmt::join(columns.inputs, ",")) : options.series.inputs;
  model_ = std::make_unique<tasks::Regressor>(options, columns);
  model_->initialise(settings_.seed_number());
  const std::string residual = tasks::fit_residual(*model_, data(columns));
  description_ =
      fmt::format("{}: {}\n{} in {}; {}, {} held out, {} to test; {} parameters", shown_name(settings_.data),
                  table_.describe(), format_count(table_.rows, "row"),
                  settings_.model.series.series_column.empty() ? format_count(table_.sequences(), "sequence")
                                                               : fmt::format("{} series", table_.sequences()),
                  format_count(static_cast<int64_t>(train_.size()), "training window"),
                  format_count(static_cast<double>(valid_.size())), format_count(static_cast<double>(test_.size())),
                  format_count(static_cast<double>(model_->parameters().count())));
  describe(chosen);
  describe(residual);
  describe_notes(training_rows);
  task_ = std::make_unique<tasks::RegressorTask>(
      *model_, table_, train_, valid_table(), valid_,
      tasks::RegressorTaskOptions{.groups = settings_.groups(), .engine = settings_.used_engine()}, context_);
  settings_.training.check(*task_);
}

// Reports data that are left out and options that have no effect.
void RegressorRun::describe_notes(std::span<const tasks::RowRange> training_rows) {
  const std::string name = shown_name(settings_.data);
  if (!table_.times.empty()) describe(fmt::format("note: {}: {}", name, table_.times));
  if (!table_.observed.empty()) {
    describe(note_left_out(name, table_, train_, "to train on"));
    if (!valid_.empty() && settings_.valid.empty()) {
      describe(note_left_out(name, table_, valid_, "for held-out rows", train_));
    }
    if (!test_.empty() && settings_.test.empty()) describe(note_left_out(name, table_, test_, "for test rows", train_));
  } else if (settings_.model.series.window > 0) {
    std::vector<data::Window> all = train_;
    if (settings_.valid.empty()) all.insert(all.end(), valid_.begin(), valid_.end());
    if (settings_.test.empty()) all.insert(all.end(), test_.begin(), test_.end());
    describe(note_left_out(name, table_, all, "for a window"));
  }
  const auto other = [&](const std::string& source, const data::Table& table, std::span<const data::Window> windows) {
    if (source.empty()) return;
    if (!table.times.empty()) describe(fmt::format("note: {}: {}", shown_name(source), table.times));
    describe(note_left_out(shown_name(source), table, windows, "for a window"));
    describe(note_new(shown_name(source), table, windows, model_->columns()));
  };
  other(settings_.valid, valid_table_, valid_);
  other(settings_.test, test_table_, test_);
  if (!model_->distribution().is_point()) describe(note_constant(table_, training_rows));
  for (const std::string& note : notes_without_effect(settings_.model)) describe(note);
  if (const std::string note = note_interval(model_->distribution(), model_->options().interval); !note.empty()) {
    describe("note: " + note);
  }
}

// Leaves those inputs in the columns and tables that help. Returns a line for the user.
std::string RegressorRun::choose(tasks::Columns& columns) {
  const tasks::ChosenInputs chosen = tasks::choose_inputs(data(columns));
  const auto keep = [&](auto& all) {
    auto kept = all;
    kept.clear();
    for (const size_t c : chosen.columns) kept.push_back(all[c]);
    all = std::move(kept);
  };
  keep(columns.inputs);
  keep(columns.input_scales);
  for (data::Table* table : {&table_, &valid_table_, &test_table_}) {
    if (table->input.empty()) continue;
    keep(table->inputs);
    keep(table->input);
  }
  return chosen.description;
}

void RegressorRun::examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) {
  if (test_.empty() && valid_.empty()) return;
  const std::unique_ptr<tasks::Regressor> kept = tasks::Regressor::load(tasks::ModelFile::read(folder));
  tasks::Regressor::Workspace workspace(*kept, settings_.used_engine(), context_);
  const bool tests = !test_.empty();
  findings.examined = tests ? "test data" : "held-out data";
  const tasks::RegressionScore score =
      examine_forecasts(*kept, measured_table(), measured(), workspace, on_done, true, findings);
  if (tests) findings.test = score.metrics();
}

std::optional<BaselineFindings> RegressorRun::measure_baseline(const std::string& path) {
  if (measured().empty()) return std::nullopt;
  std::optional<baselines::Ridge> ridge = model_->linear();
  if (!ridge) {
    if (auto fit = tasks::fit_ridge(data(model_->columns()))) ridge = std::move(fit->ridge);
  }
  if (ridge && !path.empty()) write_ridge(*ridge, path);
  BaselineFindings out = measure_simple_forecasts(*model_, ridge ? &*ridge : nullptr, measured_table(), measured());
  out.measured = test_.empty() ? "held-out data" : "test data";
  return out;
}

std::string RegressorRun::baseline_key() {
  if (measured().empty()) return "";
  tasks::TextHash hash;
  const data::Table* const tables[] = {&table_, &valid_table(), &measured_table()};
  for (const data::Table* table : tables) {
    for (const auto* columns : {&table->input, &table->target}) {
      for (const std::vector<double>& column : *columns) {
        hash.add({reinterpret_cast<const char*>(column.data()), column.size() * sizeof(double)});
      }
    }
  }
  const tasks::RegressorOptions& options = model_->options();
  if (!options.series.series_column.empty()) {
    hash.add(options.used_series_scale());
    for (const data::Table* table : tables) {
      for (const int64_t start : table->starts) hash.add(std::to_string(start));
    }
  }
  for (const size_t number :
       {train_.size(), valid_.size(), measured().size(), static_cast<size_t>(options.season),
        static_cast<size_t>(options.series.window), static_cast<size_t>(options.series.horizon)}) {
    hash.add(std::to_string(number));
  }
  return fmt::format("{:016x}", hash.value());
}

}  // namespace

TaskRow regressor_row() {
  return {.verb = "regressor",
          .task = tasks::Regressor::kTask,
          .name = "regressor",
          .help = "Train a regressor on a table of numbers",
          .noun = "window",
          .example = "give `data` FILE, a table with a header, or try `data` sines",
          .settings = new_settings<RegressorSettings>,
          .read = &Sources::table,
          .run = new_run<RegressorRun, RegressorSettings>,
          .evaluate = evaluate_regressor,
          .summary = summary_of<tasks::Regressor>,
          .combine = tasks::combine<tasks::Regressor>};
}

}  // namespace longhand::runs
