#include "longhand/runs/regressor_comparison.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/format.h"

namespace longhand::runs {
namespace {

constexpr const char* kRidge = "ridge regression of the window";

// That of the model's forecast, or the one that was fitted beside it.
std::optional<baselines::Ridge> find_ridge(const tasks::ModelFile& file, const tasks::Regressor& model,
                                           Evaluation& evaluation) {
  std::optional<baselines::Ridge> out = model.linear();
  if (out) return out;
  with_baseline(file.path(), evaluation, [&](const std::string& path) { out = tasks::read_ridge(path, model); });
  return out;
}

std::string described_gain(const tasks::Regressor& model) {
  const std::string& base = model.options().residual_of;
  if (model.gain() == 0.0F) {
    return fmt::format("the {} forecast alone, since what the network adds did not reduce the held-out error", base);
  }
  return fmt::format("{} forecast plus {:.3g} times what the network adds (chosen on held-out rows)", base,
                     static_cast<double>(model.gain()));
}

std::string regression_lines(const tasks::RegressionScore& score, const std::optional<double>& ridge_mse,
                             const tasks::RegressorOptions& options) {
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
  if (ridge_mse) {
    out +=
        fmt::format("ridge regression     {:.6g} mean squared error, of a linear function of the window\n", *ridge_mse);
  }
  return out + fmt::format("values               {} in {} windows\n", format_count(static_cast<double>(score.values)),
                           format_count(static_cast<double>(score.windows)));
}

}  // namespace

void write_ridge(const baselines::Ridge& ridge, const std::string& path) {
  baselines::BaselineWriter file(baselines::Ridge::kKind);
  ridge.write(file);
  file.write(path);
}

BaselineFindings measure_simple_forecasts(const tasks::Regressor& model, const baselines::Ridge* ridge,
                                          const data::Table& table, std::span<const data::Window> windows) {
  tasks::RegressionScore naive;
  tasks::add_naive(model, table, windows, naive);
  BaselineFindings out{
      .name = "naive forecast", .note = {}, .measured = {}, .metrics = {{"mse", naive.naive_mse}}, .verdict = {}};
  const std::optional<double>& seasonal = naive.seasonal_naive_mse;
  if (seasonal && *seasonal < naive.naive_mse) {
    out.name = "seasonal naive forecast";
    out.metrics = {{"mse", *seasonal}};
  }
  if (ridge == nullptr) return out;
  const tasks::RegressionScore line = tasks::evaluate_ridge(model, *ridge, table, windows);
  if (line.mse >= out.metrics.front().value) return out;
  out.name = kRidge;
  out.metrics = {{"mse", line.mse}, {"mae", line.mae}, {"r2", line.r2, true}, {"loss", line.loss}};
  return out;
}

std::string forecast_advice(const tasks::Regressor& model, const BaselineFindings& baseline) {
  if (baseline.name != kRidge) return "a longer `window`, more `epochs`, or `residual-of` with that forecast";
  return model.options().is_linear()
             ? "more rows, other `inputs`, a smaller `hidden`, or more `dropout`"
             : "`residual-of` linear, with which the network learns only what the line leaves over";
}

tasks::RegressionScore examine_forecasts(const tasks::Regressor& model, const data::Table& table,
                                         std::span<const data::Window> windows, tasks::Regressor::Workspace& workspace,
                                         const tasks::OnDone& on_done, bool charts, Findings& findings) {
  ForecastExaminer examiner(model, table);
  tasks::ForecastObserver observer{.on_window = {}, .on_done = on_done};
  if (charts) observer.on_window = [&](const data::Window& window, auto forecast) { examiner.add(window, forecast); };
  const tasks::RegressionScore score = tasks::evaluate(model, table, windows, workspace, observer);
  findings.forecasts = examiner.findings();
  if (model.has_gain() && !model.is_ensemble()) {
    findings.forecasts->remark = described_gain(model);
    findings.forecasts->gain = static_cast<double>(model.gain());
  }
  return score;
}

Evaluation evaluate_regressor(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources) {
  const std::unique_ptr<tasks::Regressor> model = tasks::Regressor::load(file);
  Evaluation out;
  const std::optional<baselines::Ridge> ridge = find_ridge(file, *model, out);
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
  const tasks::RegressionScore score =
      examine_forecasts(*model, table, windows, workspace, options.on_done, options.examine, out.findings);
  std::optional<double> ridge_mse;
  if (ridge) ridge_mse = tasks::evaluate_ridge(*model, *ridge, table, windows).mse;
  out.findings.test = score.metrics();
  nlohmann::ordered_json json = {{"mse", score.mse},
                                 {"mae", score.mae},
                                 {"r2", score.r2},
                                 {"naive_mse", score.naive_mse},
                                 {"seasonal_naive_mse", nullptr},
                                 {"ridge_mse", nullptr},
                                 {"windows", score.windows},
                                 {"values", score.values}};
  if (score.seasonal_naive_mse) json["seasonal_naive_mse"] = *score.seasonal_naive_mse;
  if (ridge_mse) json["ridge_mse"] = *ridge_mse;
  if (out.findings.forecasts->gain) json["residual_gain"] = *out.findings.forecasts->gain;
  out.text = regression_lines(score, ridge_mse, model->options());
  if (!out.findings.forecasts->remark.empty())
    out.text += "forecast             " + out.findings.forecasts->remark + "\n";
  BaselineFindings baseline = measure_simple_forecasts(*model, ridge ? &*ridge : nullptr, table, windows);
  judge(baseline, out.findings.test, forecast_advice(*model, baseline));
  add_baseline(std::move(baseline), json, out);
  out.json = json.dump();
  return out;
}

}  // namespace longhand::runs
