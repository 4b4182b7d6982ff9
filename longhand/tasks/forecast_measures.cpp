#include "longhand/tasks/forecast_measures.h"

#include <algorithm>
#include <cmath>

#include "longhand/tasks/regressor.h"

namespace longhand::tasks {
namespace {

constexpr int64_t kMostPast = 4'000'000;  // maximum number of naive errors for the deviations

std::optional<double> mean_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

std::optional<double> median_of(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2.0;
}

}  // namespace

ForecastMeasurer::ForecastMeasurer(const Regressor& model, const ForecastDistribution& distribution,
                                   const data::Table& table, std::span<const data::Window> windows, double interval)
    : model_(model), distribution_(distribution), table_(table), interval_(interval) {
  const int64_t O = model.targets();
  sums_.resize(static_cast<size_t>(table.sequences() * O));
  std::vector<int64_t> first(static_cast<size_t>(table.sequences()), table.rows);
  for (const data::Window& window : windows) {
    int64_t& row = first[static_cast<size_t>(table.sequence_of(window.begin))];
    row = std::min(row, window.target);
  }
  for (int64_t s = 0; s < table.sequences(); ++s) {
    if (first[static_cast<size_t>(s)] == table.rows) continue;
    for (int64_t o = 0; o < O; ++o)
      measure_past(s, o, first[static_cast<size_t>(s)], sums_[static_cast<size_t>(s * O + o)]);
  }
}

// Measures the errors of the naive forecasts on the rows of a sequence before `first_row`.
void ForecastMeasurer::measure_past(int64_t sequence, int64_t target, int64_t first_row, Sums& sums) const {
  const int64_t A = model_.ahead(), season = model_.options().season;
  const int64_t begin =
      std::max(table_.starts[static_cast<size_t>(sequence)], first_row - std::max(kMostPast / A, 2 + A));
  const auto deviations = [&](int64_t period, std::vector<double>& out) {
    for (int64_t a = 0; a < A; ++a) {
      const int64_t lag = period > 1 ? period * (1 + a / period) : a + 1;
      double squares = 0.0;
      for (int64_t row = begin + lag; row < first_row; ++row)
        squares += std::pow(value(target, row) - value(target, row - lag), 2);
      const int64_t n = first_row - begin - lag;
      if (n < 2) return out.clear();
      out.push_back(std::sqrt(squares / static_cast<double>(n)));
    }
  };
  if (model_.options().series.horizon > 0) {
    deviations(1, sums.naive.deviations);
    if (season > 0) deviations(std::max<int64_t>(season, 1), sums.seasonal.deviations);
  }
  const int64_t lag = std::max<int64_t>(season, 1);
  for (int64_t row = begin + lag; row < first_row; ++row) {
    sums.naive_error +=
        std::abs(value(target, row) - value(target, row - lag)) / static_cast<double>(first_row - begin - lag);
  }
}

void ForecastMeasurer::add_value(Sums& sums, const float* parameters, const data::Scale& scale, double actual) const {
  const ForecastDistribution& of = distribution_;
  const double unit = scale.deviation, z = scale.apply(actual), forecast = scale.undo(of.centre(parameters));
  const double error = forecast - actual, size = std::abs(forecast) + std::abs(actual);
  ++sums.values;
  sums.absolute += std::abs(error);
  sums.squared += error * error;
  sums.smape += size > 0.0 ? 200.0 * std::abs(error) / size : 0.0;
  sums.crps += of.crps(parameters, z, unit) * unit;
  const double before = actual - sums.mean;
  sums.mean += before / static_cast<double>(sums.values);
  sums.spread += before * (actual - sums.mean);
  const double low = of.quantile(parameters, 0.5 - interval_ / 2.0, unit);
  const double high = of.quantile(parameters, 0.5 + interval_ / 2.0, unit);
  if (!std::isfinite(low) || !std::isfinite(high)) return;
  ++sums.intervals;
  // Tolerance for the rounding of scaled counts.
  const double rounding = of.is_counts() ? 1e-9 * std::max(1.0, std::abs(z)) : 0.0;
  sums.covered += z >= low - rounding && z <= high + rounding ? 1 : 0;
  sums.width += (high - low) * unit;
}

void ForecastMeasurer::add_naive(Naive& naive, double forecast, int64_t step, double actual) const {
  if (naive.deviations.empty()) return;
  const double deviation = naive.deviations[static_cast<size_t>(step)];
  ++naive.values;
  naive.crps += gaussian_crps(forecast, deviation, actual);
  naive.covered += std::abs(actual - forecast) <= deviation * normal_quantile(0.5 + interval_ / 2.0) ? 1 : 0;
}

void ForecastMeasurer::add(const data::Window& window, std::span<const float> parameters) {
  const int64_t A = model_.ahead(), O = model_.targets(), P = distribution_.size();
  const int64_t s = table_.sequence_of(window.begin), season = model_.options().season;
  const data::Scale* scales = model_.scales_of(table_, window);
  for (int64_t a = 0; a < A; ++a) {
    for (int64_t o = 0; o < O; ++o) {
      Sums& sums = sums_[static_cast<size_t>(s * O + o)];
      const double actual = value(o, window.target + a);
      add_value(sums, parameters.data() + (a * O + o) * P, scales[o], actual);
      if (!sums.naive.deviations.empty()) add_naive(sums.naive, value(o, window.target - 1), a, actual);
      if (!sums.seasonal.deviations.empty()) {
        add_naive(sums.seasonal, value(o, window.target + a % season - season), a, actual);
      }
    }
  }
}

ForecastMeasures ForecastMeasurer::measures() const {
  ForecastMeasures out{.interval = interval_};
  Sums all;
  std::vector<double> mase, nse;
  const auto O = static_cast<size_t>(model_.targets());
  const auto add = [](Naive& to, const Naive& from) {
    to.crps += from.crps;
    to.covered += from.covered;
    to.values += from.values;
  };
  for (size_t i = 0; i < sums_.size(); ++i) {
    const Sums& sums = sums_[i];
    if (sums.values == 0) continue;
    const auto n = static_cast<double>(sums.values);
    SeriesMeasures& one = out.each.emplace_back();
    one.series = table_.series.empty() ? "" : table_.series[i / O];
    one.target = model_.columns().targets[i % O];
    one.values = sums.values;
    one.mse = sums.squared / n;
    one.mae = sums.absolute / n;
    one.crps = sums.crps / n;
    if (sums.naive_error > 0.0) mase.push_back(*(one.mase = one.mae / sums.naive_error));
    if (sums.spread > 1e-12 * n * sums.mean * sums.mean) nse.push_back(*(one.nse = 1.0 - sums.squared / sums.spread));
    if (sums.intervals > 0) one.coverage = static_cast<double>(sums.covered) / static_cast<double>(sums.intervals);
    all.values += sums.values;
    all.smape += sums.smape;
    all.crps += sums.crps;
    all.covered += sums.covered;
    all.intervals += sums.intervals;
    all.width += sums.width;
    add(all.naive, sums.naive);
    add(all.seasonal, sums.seasonal);
  }
  if (all.values == 0) return out;
  const auto n = static_cast<double>(all.values);
  out.smape = all.smape / n;
  out.crps = all.crps / n;
  out.mase = mean_of(mase);
  out.nse = mean_of(nse);
  out.nse_median = median_of(nse);
  if (all.intervals > 0) {
    out.coverage = static_cast<double>(all.covered) / static_cast<double>(all.intervals);
    out.width = all.width / static_cast<double>(all.intervals);
  }
  // Only if known for all values, so that all figures are means over the same values.
  const auto naive = [&](const Naive& from, std::optional<double>& crps, std::optional<double>& coverage) {
    if (from.values != all.values) return;
    crps = from.crps / n;
    coverage = static_cast<double>(from.covered) / n;
  };
  naive(all.naive, out.naive_crps, out.naive_coverage);
  naive(all.seasonal, out.seasonal_crps, out.seasonal_coverage);
  return out;
}

}  // namespace longhand::tasks
