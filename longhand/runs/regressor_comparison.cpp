#include "longhand/runs/regressor_comparison.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/io/file.h"

namespace longhand::runs {
namespace {

std::string ridge_path(const std::string& folder) { return folder + "/baseline.safetensors"; }

// That of the model's forecast, or the one that was fitted beside it.
std::optional<baselines::Ridge> find_ridge(const tasks::ModelFile& file, const tasks::Regressor& model) {
  if (model.linear()) return model.linear();
  const std::filesystem::path folder = std::filesystem::path(file.path()).parent_path();
  const std::string path = ridge_path(folder.empty() ? "." : folder.string());
  if (!io::exists(path)) return std::nullopt;
  return tasks::read_ridge(path, model);
}

std::string described_gain(const tasks::Regressor& model) {
  const std::string& base = model.options().residual_of;
  if (model.gain() == 0.0F) {
    return fmt::format("forecast: the {} forecast alone, since what the network adds did not reduce the held-out error",
                       base);
  }
  return fmt::format("forecast: {} forecast plus {:.3g} times what the network adds (chosen on held-out rows)", base,
                     static_cast<double>(model.gain()));
}

// What usually helps where a simpler forecast is as good.
std::string advice(const tasks::Regressor& model, bool of_line) {
  if (!of_line) return "a longer `window`, more `epochs`, or `residual-of` with that forecast";
  return model.options().is_linear()
             ? "more rows, other `inputs`, a smaller `hidden`, or more `dropout`"
             : "`residual-of` linear, with which the network learns only what the line leaves over";
}

// What the user should know of the model beside simpler forecasts: lines, or nothing.
std::vector<std::string> remarks_of(const tasks::Regressor& model, const tasks::RegressionScore& score) {
  constexpr double kEqual = 1e-4;  // relative difference that is none
  std::vector<std::string> out;
  if (model.has_gain()) out.push_back(described_gain(model));
  std::string best = "naive";
  double least = score.naive_mse;
  const auto consider = [&](const char* name, const std::optional<double>& mse) {
    if (!mse || *mse >= least) return;
    best = name;
    least = *mse;
  };
  consider("seasonal naive", score.seasonal_naive_mse);
  consider("ridge", score.ridge_mse);
  if (score.mse < least * (1.0 - kEqual)) return out;
  out.push_back(
      fmt::format("the model is not better than the {} forecast: mean squared error {:.6g} and {:.6g}; what "
                  "usually helps: {}",
                  best, score.mse, least, advice(model, best == "ridge")));
  return out;
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
  if (score.ridge_mse) {
    out += fmt::format("ridge regression     {:.6g} mean squared error, of a linear function of the window\n",
                       *score.ridge_mse);
  }
  return out + fmt::format("values               {} in {} windows\n", format_count(static_cast<double>(score.values)),
                           format_count(static_cast<double>(score.windows)));
}

}  // namespace

void write_ridge(const baselines::Ridge& ridge, const std::string& folder) {
  baselines::BaselineWriter file(baselines::Ridge::kKind);
  ridge.write(file);
  file.write(ridge_path(folder));
}

tasks::RegressionScore examine_forecasts(const tasks::Regressor& model, const baselines::Ridge* ridge,
                                         const data::Table& table, std::span<const data::Window> windows,
                                         tasks::Regressor::Workspace& workspace, const tasks::OnDone& on_done,
                                         bool charts, Findings& findings) {
  ForecastExaminer examiner(model, table);
  tasks::ForecastObserver observer{.on_window = {}, .on_done = on_done};
  if (charts) observer.on_window = [&](const data::Window& window, auto forecast) { examiner.add(window, forecast); };
  tasks::RegressionScore score = tasks::evaluate(model, table, windows, workspace, observer);
  if (ridge != nullptr) score.ridge_mse = tasks::evaluate_ridge(model, *ridge, table, windows).mse;
  findings.forecasts = examiner.findings();
  findings.forecasts->remarks = remarks_of(model, score);
  return score;
}

Evaluation evaluate_regressor(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources) {
  const std::unique_ptr<tasks::Regressor> model = tasks::Regressor::load(file);
  const std::optional<baselines::Ridge> ridge = find_ridge(file, *model);
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
  const tasks::RegressionScore score = examine_forecasts(*model, ridge ? &*ridge : nullptr, table, windows, workspace,
                                                         options.on_done, options.examine, out.findings);
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
  if (score.ridge_mse) json["ridge_mse"] = *score.ridge_mse;
  out.text = regression_lines(score, model->options());
  for (const std::string& remark : out.findings.forecasts->remarks) out.text += remark + "\n";
  out.json = json.dump();
  return out;
}

}  // namespace longhand::runs
