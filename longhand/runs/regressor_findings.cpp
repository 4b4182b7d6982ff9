#include "longhand/runs/regressor_findings.h"

#include <cmath>

namespace longhand::runs {
namespace {

constexpr size_t kMaxCurvePoints = 600;

void add_error(ForecastError& sum, double forecast, double actual) {
  sum.mse += (forecast - actual) * (forecast - actual);
  sum.mae += std::abs(forecast - actual);
}

}  // namespace

ForecastExaminer::ForecastExaminer(const tasks::Regressor& model, const data::Table& table)
    : model_(model),
      table_(table),
      ahead_(model.options().series.horizon > 0),
      series_(static_cast<size_t>(model.ahead() * model.targets())) {}

bool ForecastExaminer::charted(int64_t target, int64_t step) const {
  return target < static_cast<int64_t>(kCharted) && (step == 0 || step + 1 == model_.ahead());
}

double ForecastExaminer::naive(const data::Window& window, int64_t target) const {
  const auto o = static_cast<size_t>(target);
  return ahead_ ? table_.target[o][static_cast<size_t>(window.target - 1)] : model_.columns().target_scales[o].mean;
}

void ForecastExaminer::add(const data::Window& window, std::span<const double> forecast) {
  windows_.push_back(window);
  for (size_t j = 0; j < series_.size(); ++j) {
    const int64_t target = static_cast<int64_t>(j) % model_.targets(),
                  step = static_cast<int64_t>(j) / model_.targets();
    const double actual = table_.target[static_cast<size_t>(target)][static_cast<size_t>(window.target + step)];
    add_error(series_[j].model, forecast[j], actual);
    add_error(series_[j].naive, naive(window, target), actual);
    if (charted(target, step)) series_[j].forecast.push_back(forecast[j]);
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
  }
  for (auto* points : {&out.actual, &out.forecast, &out.residuals, &out.naive_residuals}) {
    *points = io::thinned(*points, kMaxCurvePoints);
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
  return out;
}

}  // namespace longhand::runs
