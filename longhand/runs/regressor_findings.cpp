#include "longhand/runs/regressor_findings.h"

#include <algorithm>
#include <cmath>

namespace longhand::runs {
namespace {

constexpr size_t kMaxCurvePoints = 600;

void add_error(ForecastError& sum, double forecast, double actual) {
  sum.mse += (forecast - actual) * (forecast - actual);
  sum.mae += std::abs(forecast - actual);
}

}  // namespace

ForecastExaminer::ForecastExaminer(const tasks::Regressor& model, const data::Table& table, double interval)
    : model_(model),
      table_(table),
      interval_(interval),
      ahead_(model.options().series.horizon > 0),
      series_(static_cast<size_t>(model.ahead() * model.targets())) {}

bool ForecastExaminer::charted(int64_t target, int64_t step) const {
  return target < static_cast<int64_t>(kCharted) && (step == 0 || step + 1 == model_.ahead());
}

double ForecastExaminer::naive(const data::Window& window, int64_t target) const {
  const auto o = static_cast<size_t>(target);
  return ahead_ ? table_.target[o][static_cast<size_t>(window.target - 1)] : model_.scales_of(table_, window)[o].mean;
}

// The central interval of this probability; NaN if the distribution lacks its quantiles.
io::Interval ForecastExaminer::interval(const float* parameters, const data::Scale& scale, double probability,
                                        int64_t row) const {
  const auto at = [&](double level) {
    return scale.undo(model_.distribution().quantile(parameters, level, scale.deviation));
  };
  return {static_cast<double>(row + 1), at(0.5 - probability / 2.0), at(0.5 + probability / 2.0)};
}

void ForecastExaminer::add(const data::Window& window, std::span<const double> forecast,
                           std::span<const float> parameters) {
  const bool same_series =
      !windows_.empty() && table_.sequence_of(windows_.back().begin) == table_.sequence_of(window.begin);
  windows_.push_back(window);
  const bool has_intervals = !model_.distribution().is_point() && !parameters.empty();
  const auto P = static_cast<size_t>(model_.distribution().size());
  if (has_intervals && model_.ahead() > 1 && (same_series || lasts_.size() < kFans)) {
    if (!same_series) lasts_.emplace_back();
    const bool is_kept = table_.sequence_of(windows_[lasts_.back().window].begin) == table_.sequence_of(window.begin);
    if (!same_series || is_kept) {
      lasts_.back() = {windows_.size() - 1, {forecast.begin(), forecast.end()}, {parameters.begin(), parameters.end()}};
    }
  }
  for (size_t j = 0; j < series_.size(); ++j) {
    const int64_t target = static_cast<int64_t>(j) % model_.targets(),
                  step = static_cast<int64_t>(j) / model_.targets();
    const double actual = table_.target[static_cast<size_t>(target)][static_cast<size_t>(window.target + step)];
    add_error(series_[j].model, forecast[j], actual);
    add_error(series_[j].naive, naive(window, target), actual);
    if (!charted(target, step)) continue;
    series_[j].forecast.push_back(forecast[j]);
    if (!has_intervals) continue;
    series_[j].intervals.push_back(interval(parameters.data() + j * P,
                                            model_.scales_of(table_, window)[static_cast<size_t>(target)], interval_,
                                            window.target + step));
  }
}

ForecastCurves ForecastExaminer::curves(int64_t target, int64_t step) const {
  ForecastCurves out{.step = ahead_ ? step + 1 : 0};
  const Series& series = series_[static_cast<size_t>(step * model_.targets() + target)];
  const size_t last_from = windows_.size() - std::min(windows_.size(), kLast);
  for (size_t i = 0; i < windows_.size(); ++i) {
    const int64_t row = windows_[i].target + step;
    const auto x = static_cast<double>(row + 1);
    const double actual = table_.target[static_cast<size_t>(target)][static_cast<size_t>(row)];
    const double forecast = series.forecast[i], same = naive(windows_[i], target);
    out.actual.push_back({x, actual});
    out.forecast.push_back({x, forecast});
    out.residuals.push_back({x, forecast - actual});
    out.naive_residuals.push_back({x, same - actual});
    if (i < last_from) continue;
    out.last_actual.push_back({x, actual});
    out.last_forecast.push_back({x, forecast});
    out.last_naive.push_back({x, same});
    if (!series.intervals.empty()) out.last_interval.push_back(series.intervals[i]);
  }
  for (auto* points : {&out.actual, &out.forecast, &out.residuals, &out.naive_residuals}) {
    *points = io::thinned(*points, kMaxCurvePoints);
  }
  return out;
}

// The forecast of the first target in a series' last window, with some rows before it.
ForecastFan ForecastExaminer::fan(size_t last) const {
  const Last& of = lasts_[last];
  const data::Window& window = windows_[of.window];
  const int64_t A = model_.ahead(), s = table_.sequence_of(window.begin);
  const auto O = static_cast<size_t>(model_.targets()), P = static_cast<size_t>(model_.distribution().size());
  const data::Scale& scale = model_.scales_of(table_, window)[0];
  ForecastFan out{.series = table_.series.empty() ? "" : table_.series[static_cast<size_t>(s)],
                  .target = model_.columns().targets[0],
                  .actual = {},
                  .forecast = {},
                  .probabilities = {},
                  .intervals = {}};
  const int64_t first = std::max(table_.starts[static_cast<size_t>(s)], window.target - 3 * A);
  for (int64_t row = first; row < window.target + A; ++row) {
    out.actual.push_back({static_cast<double>(row + 1), table_.target[0][static_cast<size_t>(row)]});
  }
  std::vector<double> probabilities = {interval_, interval_ / 2.0};
  for (const double probability : probabilities) {
    std::vector<io::Interval> intervals;
    for (int64_t a = 0; a < A; ++a) {
      const float* p = of.parameters.data() + static_cast<size_t>(a) * O * P;
      intervals.push_back(interval(p, scale, probability, window.target + a));
    }
    if (!std::isfinite(intervals.front().low)) continue;
    out.probabilities.push_back(probability);
    out.intervals.push_back(std::move(intervals));
  }
  for (int64_t a = 0; a < A; ++a) {
    out.forecast.push_back({static_cast<double>(window.target + a + 1), of.forecast[static_cast<size_t>(a) * O]});
  }
  return out;
}

ForecastFindings ForecastExaminer::findings() const {
  ForecastFindings out{.windows = static_cast<int64_t>(windows_.size()), .naive_is_mean = !ahead_, .targets = {}};
  const auto n = static_cast<double>(windows_.size());
  for (int64_t o = 0; o < model_.targets() && !windows_.empty(); ++o) {
    TargetForecasts target{
        .name = model_.columns().targets[static_cast<size_t>(o)], .model = {}, .naive = {}, .curves = {}};
    for (int64_t a = 0; a < model_.ahead(); ++a) {
      const Series& series = series_[static_cast<size_t>(a * model_.targets() + o)];
      target.model.push_back({series.model.mse / n, series.model.mae / n});
      target.naive.push_back({series.naive.mse / n, series.naive.mae / n});
      if (charted(o, a)) target.curves.push_back(curves(o, a));
    }
    out.targets.push_back(std::move(target));
  }
  for (size_t i = 0; i < lasts_.size(); ++i) out.fans.push_back(fan(i));
  return out;
}

}  // namespace longhand::runs
