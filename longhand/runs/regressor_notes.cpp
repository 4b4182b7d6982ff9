#include "longhand/runs/regressor_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/tasks/recalibration.h"

namespace longhand::runs {
namespace {

constexpr size_t kNamed = 8;  // maximum number of names in a sentence

// Returns " of 12 series (a, b, c)", or " of 12 sequences" if they have no names.
std::string counted(const data::Table& table, const std::vector<std::string>& names) {
  if (table.series.empty()) return fmt::format(" of {} sequences", table.sequences());
  return fmt::format(" of {} series ({})", table.sequences(), visible(listed(names, kNamed)));
}

// Returns for each sequence whether it has one of these windows.
std::vector<bool> has_window(const data::Table& table, std::span<const data::Window> windows) {
  std::vector<bool> out(static_cast<size_t>(table.sequences()), false);
  for (const data::Window& window : windows) out[static_cast<size_t>(table.sequence_of(window.begin))] = true;
  return out;
}

bool is_constant(const std::vector<double>& column, const tasks::RowRange& rows) {
  const std::vector<double> values(column.begin() + rows.first, column.begin() + rows.second);
  return !values.empty() && !(data::spread_of(values, rows.second - rows.first).deviation > 0.0);
}

// Returns the probability of the widest central interval between the levels; 0 if they do not enclose the median.
double widest_interval(const std::vector<double>& levels) {
  return std::max(0.0, 2.0 * std::min(0.5 - levels.front(), levels.back() - 0.5));
}

}  // namespace

std::string note_left_out(const std::string& source, const data::Table& table, std::span<const data::Window> windows,
                          const std::string& purpose, std::span<const data::Window> among) {
  const std::vector<bool> has = has_window(table, windows), others = has_window(table, among);
  int64_t count = 0;
  std::vector<std::string> names;
  for (size_t s = 0; s < has.size(); ++s) {
    if (has[s] || (!among.empty() && !others[s])) continue;
    ++count;
    if (!table.series.empty()) names.push_back(table.series[s]);
  }
  if (count == 0) return "";
  return fmt::format("note: {}: {}{} {} too short {}, and left out", source, count, counted(table, names),
                     count == 1 ? "is" : "are", purpose);
}

std::string note_new(const std::string& source, const data::Table& table, std::span<const data::Window> windows,
                     const tasks::Columns& columns) {
  std::vector<std::string> series, texts;
  const std::unordered_set<std::string> known(columns.series.begin(), columns.series.end());
  const std::vector<bool> has = has_window(table, windows);
  for (size_t s = 0; s < table.series.size(); ++s) {
    if (columns.has_series_scales() && has[s] && !known.contains(table.series[s])) series.push_back(table.series[s]);
  }
  for (size_t c = 0; c < columns.statics.size(); ++c) {
    const tasks::StaticInput& input = columns.statics[c];
    if (!input.is_text) continue;
    std::set<std::string> found(table.statics[c].texts.begin(), table.statics[c].texts.end());
    for (const std::string& text : input.values) found.erase(text);
    for (const std::string& text : found) texts.push_back(input.name + " '" + text + "'");
  }
  std::string out;
  if (!series.empty()) {
    out = fmt::format("note: {}: {}{} {} new to the model, and scaled by {} own rows", source, series.size(),
                      counted(table, series), series.size() == 1 ? "is" : "are", series.size() == 1 ? "its" : "their");
  }
  if (!texts.empty()) {
    out += fmt::format("{}note: {}: static columns have texts that the model has not seen, and reads as none: {}",
                       out.empty() ? "" : "\n", source, visible(listed(texts, kNamed)));
  }
  return out;
}

std::string note_not_recalibrated(int64_t count) {
  if (count == 0) return "";
  return fmt::format("{} the model's calibration: fewer than {} earlier values are known",
                     count == 1 ? "a forecast keeps" : fmt::format("{} forecasts keep", count), tasks::kMinCalibrated);
}

std::string note_constant(const data::Table& table, std::span<const tasks::RowRange> training_rows) {
  std::vector<std::string> names;
  for (size_t o = 0; o < table.target.size(); ++o) {
    for (size_t s = 0; s < training_rows.size(); ++s) {
      if (!is_constant(table.target[o], training_rows[s])) continue;
      const std::string series = s < table.series.size() ? table.series[s] : "";
      names.push_back(series.empty() ? table.targets[o]
                                     : series + (table.targets.size() > 1 ? " " + table.targets[o] : ""));
    }
  }
  if (names.empty()) return "";
  return fmt::format("note: {} constant in the training rows ({}): their data do not say how wide an interval must be",
                     names.size() == 1 ? "a target is" : fmt::format("{} targets are", names.size()),
                     visible(listed(names, kNamed)));
}

std::string note_interval(const tasks::ForecastDistribution& distribution, double interval) {
  const std::vector<double>& levels = distribution.levels();
  if (levels.empty()) return "";
  const double widest = widest_interval(levels);
  if (interval <= widest + 1e-9) return "";
  return fmt::format(
      "no {:.3g} % interval is measured, since the model's quantiles are those from {:g} to {:g}: train with "
      "`quantiles` from {:g} to {:g}{}",
      100.0 * interval, levels.front(), levels.back(), 0.5 - interval / 2.0, 0.5 + interval / 2.0,
      widest > 0.0 ? fmt::format(", or give `interval` {:g} or less", widest) : "");
}

std::string note_coverage(const tasks::Regressor& model, const tasks::RegressionScore& score) {
  constexpr double kFar = 0.05;
  constexpr int64_t kEnough = 100;  // values
  const std::optional<double>& coverage = score.measures->coverage;
  if (!coverage || score.values < kEnough || std::abs(*coverage - score.measures->interval) <= kFar) return "";
  if (model.distribution().widenings() == 0 || model.options().series.window == 0) return "";
  const bool narrow = *coverage < score.measures->interval;
  return fmt::format(
      "the interval is too {}: these rows are {} to forecast than those it was calibrated on; `recalibrate` 250 "
      "calibrates each forecast on the latest values before it",
      narrow ? "narrow" : "wide", narrow ? "harder" : "easier");
}

std::vector<std::string> notes_without_effect(const tasks::RegressorOptions& options) {
  const tasks::RegressorOptions defaults;
  std::vector<std::string> out;
  const auto add = [&](bool is_useless, const char* option, const std::string& with) {
    if (is_useless) out.push_back(fmt::format("note: {} has no effect with {}", option, with));
  };
  const std::string output = "`output` " + options.output;
  const bool is_point = options.output == "point", is_counts = options.output == "negative-binomial";
  add(options.quantiles != defaults.quantiles && options.output != "quantiles", "`quantiles`", output);
  add(options.interval != defaults.interval && is_point, "`interval`", output);
  add(!options.calibrate && (is_point || is_counts), "turning off `calibrate`", output);
  add(options.series_scale != "auto" && options.series.series_column.empty(), "`series-scale`",
      "a table without a `series-column`");
  add(!options.shrink && options.residual_of == "none", "turning off `shrink`", "`residual-of` none");
  return out;
}

std::string forecast_advice(const tasks::RegressorOptions& options, bool is_ridge) {
  const bool is_counts = options.output == "negative-binomial", has_past = options.series.horizon > 0;
  if (is_ridge && options.is_linear()) return "more rows, other `inputs`, a smaller `hidden`, or more `dropout`";
  std::string out = "more `epochs`, other `inputs`";
  if (options.series.window > 0) out += ", a longer `window`";
  if (is_counts) {
    return out +
           (has_past ? ", or `output` gaussian with `residual-of` naive or linear, which counts cannot have" : "");
  }
  if (is_ridge) return "`residual-of` linear, with which the network learns only what the line leaves over";
  return out + (has_past && options.residual_of == "none" ? ", or `residual-of` with that forecast" : "");
}

}  // namespace longhand::runs
