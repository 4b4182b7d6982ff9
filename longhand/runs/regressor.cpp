// Regressors: settings, run, evaluation.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/runs/registry.h"
#include "longhand/tasks/regressor_task.h"

namespace longhand::runs {
namespace {

class RegressorSettings : public TaskSettings<RegressorSettings, tasks::RegressorOptions> {
 public:
  RegressorSettings() {
    training.optimizer.learning_rate = 0.002;
    training.optimizer.clip_norm = 1.0;
  }

  double test_fraction = 0.0;

  void add_to(OptionTable& table) override;
  void check() const override;
};

class RegressorRun : public Run {
 public:
  RegressorRun(const RegressorSettings& settings, Sources& sources);

 private:
  Settings& settings() override { return settings_; }
  tasks::Task& task() override { return *task_; }
  void examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) override;
  data::Table load(const std::string& source, Sources& sources) const;
  int64_t split();

  RegressorSettings settings_;
  std::unique_ptr<tasks::Regressor> model_;
  data::Table table_, valid_table_, test_table_;
  std::vector<data::Window> train_, valid_, test_;
  std::unique_ptr<tasks::RegressorTask> task_;
};

void RegressorSettings::add_to(OptionTable& table) {
  add_data_to(table, "table", "just before the test data");
  table.add("test-fraction", test_fraction, "fraction of the data, at its end, to test the finished model", fraction());
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
  if (test_fraction + valid_fraction >= 1.0) {
    throw usage_error("`test-fraction` and `valid-fraction`: expected a sum below 1",
                      "leave some of the data for training");
  }
}

data::Table RegressorRun::load(const std::string& source, Sources& sources) const {
  return data::read_table(sources.table(source), settings_.model.series, shown_name(source));
}

// Rows in the order of the file: training, then what is held out, then the test. Windows of the later parts may read
// rows of the earlier ones, as they would in use; what they predict is their own. Returns the rows of the training.
int64_t RegressorRun::split() {
  const data::SeriesOptions& series = settings_.model.series;
  const auto cut = [&](double kept) {
    auto row = static_cast<int64_t>(std::floor(static_cast<double>(table_.rows) * kept));
    if (series.window == 0) {  // between sequences
      row = *(std::upper_bound(table_.starts.begin(), table_.starts.end(), row) - 1);
    }
    return row;
  };
  const int64_t test_begins = cut(1.0 - settings_.test_fraction);
  const int64_t valid_begins = cut(1.0 - settings_.test_fraction - settings_.valid_fraction);
  train_ = data::windows(table_, series, 0, valid_begins);
  valid_ = data::windows(table_, series, valid_begins, test_begins);
  test_ = data::windows(table_, series, test_begins, table_.rows);
  if (train_.empty()) {
    throw input_error(fmt::format("{}: too short to train on: expected windows of {} rows and {} ahead, found {} rows",
                                  shown_name(settings_.data), series.window, series.horizon, valid_begins),
                      "give more rows, or a smaller `window`, `horizon`, `valid-fraction` or `test-fraction`");
  }
  return valid_begins;
}

RegressorRun::RegressorRun(const RegressorSettings& settings, Sources& sources) : Run(settings), settings_(settings) {
  settings_.check();
  table_ = load(settings_.data, sources);
  const int64_t training_rows = split();
  tasks::Columns columns{table_.inputs, table_.targets, {}, {}};
  for (const auto& column : table_.input) columns.input_scales.push_back(data::scale_of(column, training_rows));
  for (const auto& column : table_.target) columns.target_scales.push_back(data::scale_of(column, training_rows));
  model_ = std::make_unique<tasks::Regressor>(settings_.model, columns);
  model_->initialise(settings_.seed_number());
  const auto load_all = [&](const std::string& source, data::Table& table, std::vector<data::Window>& windows) {
    if (source.empty()) return;
    table = load(source, sources);
    windows = data::windows(table, settings_.model.series, 0, table.rows);
    if (windows.empty()) throw input_error(shown_name(source) + ": too short for a single window", "give more rows");
  };
  load_all(settings_.valid, valid_table_, valid_);
  load_all(settings_.test, test_table_, test_);
  description_ = fmt::format(
      "{}: {}\n{} in {}; {}, {} held out, {} to test; {} parameters", shown_name(settings_.data), table_.describe(),
      format_count(table_.rows, "row"), format_count(static_cast<int64_t>(table_.starts.size()) - 1, "sequence"),
      format_count(static_cast<int64_t>(train_.size()), "training window"),
      format_count(static_cast<double>(valid_.size())), format_count(static_cast<double>(test_.size())),
      format_count(static_cast<double>(model_->parameters().count())));
  task_ = std::make_unique<tasks::RegressorTask>(
      *model_, table_, train_, settings_.valid.empty() ? table_ : valid_table_, valid_,
      tasks::RegressorTaskOptions{.groups = settings_.groups(), .engine = settings_.used_engine()}, context_);
  settings_.training.check(*task_);
}

// Measures, and adds what is found.
tasks::RegressionScore examine_forecasts(const tasks::Regressor& model, const data::Table& table,
                                         std::span<const data::Window> windows, tasks::Regressor::Workspace& workspace,
                                         const tasks::OnDone& on_done, Findings& findings) {
  ForecastExaminer examiner(model, table);
  const tasks::RegressionScore score =
      tasks::evaluate(model, table, windows, workspace,
                      {.on_window = [&](const data::Window& window, auto forecast) { examiner.add(window, forecast); },
                       .on_done = on_done});
  findings.forecasts = examiner.findings();
  return score;
}

void RegressorRun::examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) {
  if (test_.empty() && valid_.empty()) return;
  const std::unique_ptr<tasks::Regressor> kept = tasks::Regressor::load(tasks::ModelFile::read(folder));
  tasks::Regressor::Workspace workspace(*kept, settings_.used_engine(), context_);
  if (test_.empty()) {
    findings.examined = "held-out data";
    examine_forecasts(*kept, settings_.valid.empty() ? table_ : valid_table_, valid_, workspace, on_done, findings);
    return;
  }
  findings.examined = "test data";
  const bool of_its_own = !settings_.test.empty();
  findings.test =
      examine_forecasts(*kept, of_its_own ? test_table_ : table_, test_, workspace, on_done, findings).metrics();
  // What a model with no layers would have made of the same windows.
  if (of_its_own) return;
  if (const auto line = tasks::evaluate_least_squares(*kept, table_, train_, test_)) {
    findings.test.push_back({"least_squares_mse", line->mse});
    findings.test.push_back({"least_squares_r2", line->r2, true});
  }
}

std::string regression_lines(const tasks::RegressionScore& score, const tasks::RegressorOptions& options) {
  std::string out =
      fmt::format("mean squared error   {:.6g}\nmean absolute error  {:.6g}\nR2                   {:.4f}\n", score.mse,
                  score.mae, score.r2);
  out +=
      fmt::format("naive                {:.6g} mean squared error{}\n", score.naive_mse,
                  options.series.horizon > 0 ? ", of repeating the last value" : ", of predicting the training mean");
  if (score.seasonal_naive_mse) {
    out += fmt::format("seasonal naive       {:.6g} mean squared error, of repeating the value {} rows before\n",
                       *score.seasonal_naive_mse, options.season);
  } else if (options.season > 0) {
    out +=
        fmt::format("seasonal naive       not available: some windows have fewer than {} rows before their targets\n",
                    options.season);
  }
  return out + fmt::format("values               {} in {} windows\n", format_count(static_cast<double>(score.values)),
                           format_count(static_cast<double>(score.windows)));
}

Evaluation evaluate_regressor(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources) {
  const std::unique_ptr<tasks::Regressor> model = tasks::Regressor::load(file);
  const std::string name = shown_name(options.data);
  const data::SeriesOptions& series = model->options().series;
  data::SeriesOptions columns = series;
  columns.inputs = fmt::format("{}", fmt::join(model->columns().inputs, ","));
  columns.target = fmt::format("{}", fmt::join(model->columns().targets, ","));
  const data::Table table = data::read_table(sources.table(options.data), columns, name);
  const std::vector<data::Window> windows = data::windows(table, series, 0, table.rows);
  if (windows.empty()) {
    throw input_error(fmt::format("{}: too short: expected {} rows and {} ahead, found {} rows", name, series.window,
                                  series.horizon, table.rows),
                      "give more rows");
  }
  options.on_found(name + ": " + table.describe());
  kernels::Context context(static_cast<int>(options.threads));
  tasks::Regressor::Workspace workspace(*model, options.engine, context);
  Evaluation out;
  const tasks::RegressionScore score =
      options.examine
          ? examine_forecasts(*model, table, windows, workspace, options.on_done, out.findings)
          : tasks::evaluate(*model, table, windows, workspace, {.on_window = {}, .on_done = options.on_done});
  out.findings.test = score.metrics();
  nlohmann::ordered_json json = {{"mse", score.mse},
                                 {"mae", score.mae},
                                 {"r2", score.r2},
                                 {"naive_mse", score.naive_mse},
                                 {"seasonal_naive_mse", nullptr},
                                 {"windows", score.windows},
                                 {"values", score.values}};
  if (score.seasonal_naive_mse) json["seasonal_naive_mse"] = *score.seasonal_naive_mse;
  out.text = regression_lines(score, model->options());
  out.json = json.dump();
  return out;
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
