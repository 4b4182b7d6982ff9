// Calibration: widens or narrows distributions by held-out values.
#include <algorithm>
#include <cmath>

#include "longhand/tasks/forecast_distribution.h"
#include "longhand/tasks/recalibration.h"

namespace longhand::tasks {
namespace {

// The score number ceil((n + 1) level) of n, in rising order: a new score is at most this
// with probability `level` or more.
double conformal_quantile(std::vector<double>& scores, double level) {
  const auto n = static_cast<double>(scores.size());
  const auto rank = static_cast<size_t>(std::clamp(std::ceil((n + 1.0) * level), 1.0, n));
  const auto at = scores.begin() + static_cast<int64_t>(rank - 1);
  std::nth_element(scores.begin(), at, scores.end());
  return *at;
}

}  // namespace

void ForecastDistribution::widen(float* p, std::span<const float> factors) const {
  if (kind_ == DistributionKind::kGaussian) p[1] *= factors[0];
  if (kind_ != DistributionKind::kQuantiles) return;
  const float centre = p[median_];
  const auto widened = [&](size_t k) { return centre + factors[k] * (p[k] - centre); };
  for (size_t k = median_ + 1; k < levels_.size(); ++k) p[k] = std::max(widened(k), p[k - 1]);
  for (size_t k = median_; k-- > 0;) p[k] = std::min(widened(k), p[k + 1]);
}

std::vector<float> calibrate(const ForecastDistribution& distribution, std::span<const CalibrationValue> values,
                             double interval) {
  std::vector<float> out(static_cast<size_t>(distribution.widenings()), 1.0F);
  if (static_cast<int64_t>(values.size()) < kMinCalibrated) return out;
  std::vector<double> scores;
  const auto found = [&](double level) {
    // Beyond these bounds the forecast itself is wrong, and rescaling does not help.
    return static_cast<float>(std::clamp(conformal_quantile(scores, level), 0.05, 20.0));
  };
  if (distribution.kind() == DistributionKind::kGaussian) {
    for (const CalibrationValue& v : values) {
      scores.push_back(std::abs(v.value - static_cast<double>(v.parameters[0])) / static_cast<double>(v.parameters[1]) /
                       normal_quantile(0.5 + interval / 2.0));
    }
    out[0] = found(interval);
    return out;
  }
  const std::vector<double>& levels = distribution.levels();
  const auto score = [&](const CalibrationValue& v, size_t k) {  // distance from the median, relative to quantile k's
    const double centre = distribution.centre(v.parameters), distance = static_cast<double>(v.parameters[k]) - centre;
    return distance != 0.0 ? (v.value - centre) / distance : 0.0;
  };
  for (size_t k = 0; k < out.size(); ++k) {
    const size_t other = levels.size() - 1 - k;
    const bool is_pair = other != k && std::abs(levels[k] + levels[other] - 1.0) < 1e-9;
    scores.clear();
    for (const CalibrationValue& v : values) {
      scores.push_back(is_pair ? std::max(score(v, k), score(v, other)) : score(v, k));
    }
    const double outer = std::max(levels[k], 1.0 - levels[k]);
    // For a level below the median, a score of at most c means that the value is above the widened quantile.
    if (levels[k] != 0.5) out[k] = found(is_pair ? 2.0 * outer - 1.0 : outer);
  }
  return out;
}

}  // namespace longhand::tasks
