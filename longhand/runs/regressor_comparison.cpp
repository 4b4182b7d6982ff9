#include "longhand/runs/regressor_comparison.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/runs/regressor_notes.h"
#include "longhand/tasks/recalibration.h"

namespace longhand::runs {
namespace {

constexpr const char* kRidge = "ridge regression of the window";

// That of the model's forecast, or the one that was fitted beside it.
std::optional<baselines::Ridge> find_ridge(const tasks::ModelFile& file, const tasks::Regressor& model,
                                           Evaluation& evaluation) {
  std::optional<baselines::Ridge> out = model.linear(), beside;
  with_baseline(file.path(), evaluation, [&](const std::string& path) { beside = tasks::read_ridge(path, model); });
  if (!out) return beside;
  if (beside && beside->columns == out->columns && beside->coefficients == out->coefficients) {
    out->deviations = beside->deviations;  // the model's file does not have them
  }
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

std::string percent(double share) { return fmt::format("{:.3g} %", 100.0 * share); }

// ", CRPS 1.2 as a Gaussian, whose 80 % interval has 78.1 % of the values"
std::string gaussian_words(const std::optional<double>& crps, const std::optional<double>& coverage, double interval) {
  if (!crps || !coverage) return "";
  return fmt::format(", CRPS {:.6g} as a Gaussian, whose {} interval has {} of the values", *crps, percent(interval),
                     percent(*coverage));
}

std::string measure_lines(const tasks::ForecastMeasures& m, bool is_distribution) {
  std::string out = fmt::format("sMAPE                {:.4g} %\n", m.smape);
  if (m.mase) out += fmt::format("MASE                 {:.4f}\n", *m.mase);
  if (m.nse) {
    out += fmt::format(
        "Nash-Sutcliffe       {:.4f}{}\n", *m.nse,
        m.each.size() > 1 ? fmt::format(", the mean of {} series; median {:.4f}", m.each.size(), *m.nse_median) : "");
  }
  if (is_distribution) out += fmt::format("CRPS                 {:.6g}\n", m.crps);
  if (m.coverage) {
    out += fmt::format("interval             {} of the values are in the {} interval, whose mean width is {:.6g}\n",
                       percent(*m.coverage), percent(m.interval), *m.width);
  }
  return out;
}

// The value, or null.
nlohmann::ordered_json or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

// In per cent, or null.
nlohmann::ordered_json share_or_null(const std::optional<double>& share) {
  return share ? nlohmann::ordered_json(100.0 * *share) : nlohmann::ordered_json(nullptr);
}

void add_measures(const tasks::ForecastMeasures& m, const std::optional<tasks::ForecastMeasures>& ridge,
                  bool has_series, nlohmann::ordered_json& json) {
  json["smape"] = m.smape;
  json["mase"] = or_null(m.mase);
  json["nse"] = or_null(m.nse);
  json["nse_median"] = or_null(m.nse_median);
  json["crps"] = m.crps;
  json["interval"] = m.interval;
  json["coverage"] = share_or_null(m.coverage);
  json["interval_width"] = or_null(m.width);
  json["naive_crps"] = or_null(m.naive_crps);
  json["naive_coverage"] = share_or_null(m.naive_coverage);
  json["seasonal_naive_crps"] = or_null(m.seasonal_crps);
  json["seasonal_naive_coverage"] = share_or_null(m.seasonal_coverage);
  json["ridge_crps"] = ridge ? nlohmann::ordered_json(ridge->crps) : nlohmann::ordered_json(nullptr);
  json["ridge_coverage"] = ridge ? share_or_null(ridge->coverage) : nlohmann::ordered_json(nullptr);
  if (!has_series) return;
  json["series"] = nlohmann::ordered_json::array();
  for (const tasks::SeriesMeasures& one : m.each) {
    json["series"].push_back({{"series", one.series},
                              {"target", one.target},
                              {"values", one.values},
                              {"mse", one.mse},
                              {"mae", one.mae},
                              {"mase", or_null(one.mase)},
                              {"nse", or_null(one.nse)},
                              {"crps", one.crps},
                              {"coverage", share_or_null(one.coverage)}});
  }
}

void add_note(const std::string& note, Evaluation& evaluation) {
  if (!note.empty()) evaluation.note += (evaluation.note.empty() ? "" : "\n      ") + note;
}

// The windows of the last `backtest` origins of each sequence, in order.
std::vector<data::Window> rolling_origins(const data::Table& table, const std::vector<data::Window>& all,
                                          int64_t backtest, int64_t stride) {
  std::vector<data::Window> out;
  for (size_t end = all.size(); end > 0;) {
    size_t begin = end;  // first window of the sequence
    while (begin > 0 && table.sequence_of(all[begin - 1].begin) == table.sequence_of(all[end - 1].begin)) --begin;
    for (int64_t k = 0; k < backtest && k * stride < static_cast<int64_t>(end - begin); ++k) {
      out.push_back(all[end - 1 - static_cast<size_t>(k * stride)]);
    }
    end = begin;
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string regression_lines(const tasks::RegressionScore& score, const std::optional<tasks::RegressionScore>& ridge,
                             const tasks::RegressorOptions& options) {
  std::string out =
      fmt::format("mean squared error   {:.6g}\nmean absolute error  {:.6g}\nR2                   {:.4f}\n", score.mse,
                  score.mae, score.r2);
  out += measure_lines(*score.measures, options.output != "point");
  out +=
      fmt::format("naive                {:.6g} mean squared error{}{}\n", score.naive_mse,
                  options.series.horizon > 0 ? ", of repeating the last value" : ", of predicting the training mean",
                  gaussian_words(score.measures->naive_crps, score.measures->naive_coverage, score.measures->interval));
  if (score.seasonal_naive_mse) {
    out += fmt::format(
        "seasonal naive       {:.6g} mean squared error, of repeating the value {} rows before{}\n",
        *score.seasonal_naive_mse, options.season,
        gaussian_words(score.measures->seasonal_crps, score.measures->seasonal_coverage, score.measures->interval));
  } else if (options.season > 0) {
    out +=
        fmt::format("seasonal naive       not available: some windows have fewer than {} rows before their targets\n",
                    options.season);
  }
  if (ridge) {
    const std::optional<tasks::ForecastMeasures>& of = ridge->measures;
    out += fmt::format("ridge regression     {:.6g} mean squared error, of a linear function of the window{}\n",
                       ridge->mse, of ? gaussian_words(of->crps, of->coverage, of->interval) : "");
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

bool is_ridge(const BaselineFindings& baseline) { return baseline.name == kRidge; }

tasks::RegressionScore examine_forecasts(const tasks::Regressor& model, const data::Table& table,
                                         std::span<const data::Window> windows, tasks::Regressor::Workspace& workspace,
                                         const tasks::OnDone& on_done, bool charts, Findings& findings, double interval,
                                         int64_t recalibrate) {
  ForecastExaminer examiner(model, table, interval > 0.0 ? interval : model.options().interval);
  tasks::ForecastObserver observer{
      .on_window = {}, .on_done = on_done, .interval = interval, .recalibrate = recalibrate};
  std::vector<double> values;
  if (charts) {
    observer.on_window = [&](const data::Window&, auto forecast) { values.assign(forecast.begin(), forecast.end()); };
    observer.on_parameters = [&](const data::Window& window, auto parameters) {
      examiner.add(window, values, parameters);
    };
  }
  const tasks::RegressionScore score = tasks::evaluate(model, table, windows, workspace, observer);
  findings.forecasts = examiner.findings();
  findings.forecasts->measures = score.measures;
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
  if (options.recalibrate > 0) tasks::expect_recalibration(*model);
  const std::string name = shown_name(options.data);
  const data::SeriesOptions& series = model->options().series;
  data::SeriesOptions columns = series;
  columns.inputs = fmt::format("{}", fmt::join(model->columns().inputs, ","));
  columns.target = fmt::format("{}", fmt::join(model->columns().targets, ","));
  data::Table table = data::read_table(sources.table(options.data), columns, name);
  if (model->distribution().is_counts()) tasks::expect_counts(table, name);
  tasks::prepare(model->columns(), series, table, name);
  std::vector<data::Window> windows = data::windows(table, series, 0, table.rows);
  if (windows.empty()) {
    throw input_error(fmt::format("{}: too short: expected {} rows and {} ahead, found {} rows", name, series.window,
                                  series.horizon, table.rows),
                      "give more rows");
  }
  if (options.backtest > 0) {
    windows = rolling_origins(table, windows, options.backtest,
                              options.stride > 0 ? options.stride : data::steps_ahead(series));
  } else if (options.stride > 0) {
    throw usage_error("`stride`: expected `backtest` with it, found none", "give `backtest`, or leave `stride` out");
  }
  options.on_found(name + ": " + table.describe());
  if (!table.times.empty()) options.on_found(fmt::format("note: {}: {}", name, table.times));
  if (const std::string note = note_left_out(name, table, windows, "for a window"); !note.empty()) {
    options.on_found(note);
  }
  if (const std::string note = note_new(name, table, windows, model->columns()); !note.empty()) options.on_found(note);
  kernels::Context context(static_cast<int>(options.threads));
  tasks::Regressor::Workspace workspace(*model, options.engine, context);
  const tasks::RegressionScore score =
      examine_forecasts(*model, table, windows, workspace, options.on_done, options.examine, out.findings,
                        options.interval, options.recalibrate);
  add_note(note_interval(model->distribution(), score.measures->interval), out);
  if (options.interval > 0.0 && model->distribution().is_point()) {
    add_note("`interval` is that of the simpler forecasts alone: the model forecasts points", out);
  }
  add_note(options.recalibrate == 0 ? note_coverage(*model, score) : note_not_recalibrated(score.not_recalibrated),
           out);
  std::optional<tasks::RegressionScore> ridge_score;
  std::optional<tasks::ForecastMeasures> ridge_measures;
  if (ridge) ridge_score = tasks::evaluate_ridge(*model, *ridge, table, windows, options.interval);
  if (ridge_score) ridge_measures = ridge_score->measures;
  out.findings.forecasts->ridge = ridge_measures;
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
  if (ridge_score) json["ridge_mse"] = ridge_score->mse;
  add_measures(*score.measures, ridge_measures, !table.series.empty(), json);
  json["recalibrate"] = options.recalibrate;
  if (out.findings.forecasts->gain) json["residual_gain"] = *out.findings.forecasts->gain;
  out.text = regression_lines(score, ridge_score, model->options());
  if (options.recalibrate > 0) {
    out.text += fmt::format("calibration          each forecast on the last {} known values of its series\n",
                            options.recalibrate);
  }
  if (!out.findings.forecasts->remark.empty())
    out.text += "forecast             " + out.findings.forecasts->remark + "\n";
  BaselineFindings baseline = measure_simple_forecasts(*model, ridge ? &*ridge : nullptr, table, windows);
  judge(baseline, out.findings.test, forecast_advice(model->options(), is_ridge(baseline)));
  add_baseline(std::move(baseline), json, out);
  out.json = json.dump();
  return out;
}

}  // namespace longhand::runs
