#include "longhand/tasks/forecast_distribution.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numbers>

#include "longhand/base/error.h"
#include "longhand/data/series.h"
#include "longhand/tasks/negative_binomial.h"

namespace longhand::tasks {
namespace {

constexpr size_t kMostLevels = 200;

double softplus1(float y) {
  const double x = static_cast<double>(y) + ForecastDistribution::kLogEMinusOne;
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

double softplus1_slope(float y) {
  return 1.0 / (1.0 + std::exp(-(static_cast<double>(y) + ForecastDistribution::kLogEMinusOne)));
}

DistributionKind parse_kind(const std::string& text) {
  if (text == "quantiles") return DistributionKind::kQuantiles;
  if (text == "gaussian") return DistributionKind::kGaussian;
  return text == "point" ? DistributionKind::kPoint : DistributionKind::kNegativeBinomial;
}

double pinball(double quantile, double level, double value) {
  return value < quantile ? (1.0 - level) * (quantile - value) : level * (value - quantile);
}

struct QuantilePoint {
  double level = 0.0, quantile = 0.0;
};

// Returns twice the integral of the pinball loss over the levels from a to b. The quantile function is linear between
// them, and both quantiles lie on the same side of `value`.
double one_sided_integral(const QuantilePoint& a, const QuantilePoint& b, double value) {
  const double width = b.level - a.level, from_a = a.quantile - value, from_b = b.quantile - value;
  // Exact, since the integrand is a product of two linear functions: level times distance.
  const double of_level = width * (from_a * (2.0 * a.level + b.level) + from_b * (a.level + 2.0 * b.level)) / 3.0;
  return from_a + from_b > 0.0 ? width * (from_a + from_b) - of_level : -of_level;
}

// Returns the same integral for any value: splits the range at the level whose quantile is `value`.
double pinball_integral(const QuantilePoint& a, const QuantilePoint& b, double value) {
  if (value <= a.quantile || value >= b.quantile) return one_sided_integral(a, b, value);
  const double part = (value - a.quantile) / (b.quantile - a.quantile);
  const QuantilePoint middle{a.level + part * (b.level - a.level), value};
  return one_sided_integral(a, middle, value) + one_sided_integral(middle, b, value);
}

double normal_cumulative(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }
double normal_density(double z) { return std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi); }

}  // namespace

double normal_quantile(double p) {
  LONGHAND_CHECK(p > 0.0 && p < 1.0);
  if (p > 0.5) return -normal_quantile(1.0 - p);
  // Newton's method on the log of the cumulative distribution, which is concave: from below it does not overshoot.
  double z = p < 1e-2 ? -std::sqrt(-2.0 * std::log(p)) : -2.5;
  for (int i = 0; i < 60; ++i) {
    const double below = normal_cumulative(z);
    const double step = (std::log(p) - std::log(below)) * below / normal_density(z);
    z += step;
    if (std::abs(step) < 1e-15 * std::max(1.0, std::abs(z))) break;
  }
  return z;
}

double gaussian_crps(double mean, double deviation, double value) {
  if (!(deviation > 0.0)) return std::abs(value - mean);
  const double z = (value - mean) / deviation;
  return deviation * (z * (2.0 * normal_cumulative(z) - 1.0) + 2.0 * normal_density(z) - std::numbers::inv_sqrtpi);
}

ForecastDistribution::ForecastDistribution(const std::string& kind, std::vector<double> levels)
    : kind_(parse_kind(kind)), levels_(std::move(levels)) {
  if (kind_ != DistributionKind::kQuantiles) levels_.clear();
  for (const double level : levels_) {
    normal_.push_back(normal_quantile(level));
    if (std::abs(level - 0.5) < std::abs(levels_[median_] - 0.5)) median_ = normal_.size() - 1;
  }
}

void ForecastDistribution::parameters(const float* y, const Place& place, float* out) const {
  const double s = place.scale;
  switch (kind_) {
    case DistributionKind::kPoint:
      out[0] = static_cast<float>(place.base + place.gain * s * static_cast<double>(y[0]));
      return;
    case DistributionKind::kGaussian: {
      const double widening = place.widening != nullptr ? static_cast<double>(place.widening[0]) : 1.0;
      out[0] = static_cast<float>(place.base + place.gain * s * static_cast<double>(y[0]));
      out[1] = static_cast<float>(s * (softplus1(y[1]) + kLeastDeviation) * widening);
      return;
    }
    case DistributionKind::kNegativeBinomial:
      out[0] = static_cast<float>(softplus1(y[0]) + kLeastMean);
      out[1] = static_cast<float>(softplus1(y[1]) + kLeastDispersion);
      return;
    case DistributionKind::kQuantiles: break;
  }
  const size_t m = median_, Q = levels_.size();
  const auto widened = [&](double distance, size_t k) {
    return place.widening != nullptr ? distance * static_cast<double>(place.widening[k]) : distance;
  };
  const double centre = place.base + s * (normal_[m] + place.gain * static_cast<double>(y[m]));
  out[m] = static_cast<float>(centre);
  double distance = 0.0;
  for (size_t k = m + 1; k < Q; ++k) {
    distance += s * (normal_[k] - normal_[k - 1]) * softplus1(y[k]);
    out[k] = std::max(static_cast<float>(centre + widened(distance, k)), out[k - 1]);
  }
  distance = 0.0;
  for (size_t k = m; k-- > 0;) {
    distance += s * (normal_[k + 1] - normal_[k]) * softplus1(y[k]);
    out[k] = std::min(static_cast<float>(centre - widened(distance, k)), out[k + 1]);
  }
}

double ForecastDistribution::loss(const float* y, const Place& place, double value, double* dy) const {
  const double s = place.scale;
  switch (kind_) {
    case DistributionKind::kPoint: {
      const double error = place.base + s * static_cast<double>(y[0]) - value;
      dy[0] = 2.0 * error * s;
      return error * error;
    }
    case DistributionKind::kGaussian: {
      const double deviation = s * (softplus1(y[1]) + kLeastDeviation);
      const double z = (place.base + s * static_cast<double>(y[0]) - value) / deviation;
      dy[0] = z / deviation * s;  // (84)
      dy[1] = (1.0 - z * z) / deviation * s * softplus1_slope(y[1]);
      return std::log(deviation) + 0.5 * z * z + 0.5 * std::log(2.0 * std::numbers::pi);
    }
    case DistributionKind::kNegativeBinomial: {
      const NegativeBinomial of{s * (softplus1(y[0]) + kLeastMean), softplus1(y[1]) + kLeastDispersion};
      const NegativeBinomial::Loss loss = of.loss(std::max(0.0, std::round(value * s)));
      dy[0] = loss.d_mean * s * softplus1_slope(y[0]);
      dy[1] = loss.d_dispersion * softplus1_slope(y[1]);
      return loss.nats;
    }
    case DistributionKind::kQuantiles: break;
  }
  const size_t m = median_, Q = levels_.size();
  const double centre = place.base + s * (normal_[m] + static_cast<double>(y[m])), each = 2.0 / static_cast<double>(Q);
  double loss = each * pinball(centre, levels_[m], value);
  // (85) and (86): quantiles from the median outwards, then gradients summed from the outermost quantile inwards.
  const auto slope = [&](double quantile, size_t k) { return each * ((value < quantile ? 1.0 : 0.0) - levels_[k]); };
  dy[m] = s * slope(centre, m);
  double quantile = centre;
  for (size_t k = m + 1; k < Q; ++k) {
    quantile += s * (normal_[k] - normal_[k - 1]) * softplus1(y[k]);
    loss += each * pinball(quantile, levels_[k], value);
    dy[k] = slope(quantile, k);
  }
  double sum = 0.0;
  for (size_t k = Q; k-- > m + 1;) {
    sum += dy[k];
    dy[k] = sum * s * (normal_[k] - normal_[k - 1]) * softplus1_slope(y[k]);
  }
  dy[m] += s * sum;
  quantile = centre;
  for (size_t k = m; k-- > 0;) {
    quantile -= s * (normal_[k + 1] - normal_[k]) * softplus1(y[k]);
    loss += each * pinball(quantile, levels_[k], value);
    dy[k] = slope(quantile, k);
  }
  sum = 0.0;
  for (size_t k = 0; k < m; ++k) {
    sum += dy[k];
    dy[k] = -sum * s * (normal_[k + 1] - normal_[k]) * softplus1_slope(y[k]);
  }
  dy[m] += s * sum;
  return loss;
}

double ForecastDistribution::centre(const float* p) const {
  return static_cast<double>(p[kind_ == DistributionKind::kQuantiles ? median_ : 0]);
}

double ForecastDistribution::quantile(const float* p, double level, double unit) const {
  switch (kind_) {
    case DistributionKind::kPoint: return std::numeric_limits<double>::quiet_NaN();
    case DistributionKind::kGaussian:
      return static_cast<double>(p[0]) + static_cast<double>(p[1]) * normal_quantile(level);
    case DistributionKind::kNegativeBinomial:
      return NegativeBinomial{static_cast<double>(p[0]) * unit, static_cast<double>(p[1])}.quantile(level) / unit;
    case DistributionKind::kQuantiles: break;
  }
  constexpr double kSame = 1e-9;
  for (size_t k = 0; k < levels_.size(); ++k) {
    if (std::abs(level - levels_[k]) < kSame) return static_cast<double>(p[k]);
    if (k == 0 || level > levels_[k] || level < levels_[k - 1]) continue;
    const double part = (level - levels_[k - 1]) / (levels_[k] - levels_[k - 1]);
    return (1.0 - part) * static_cast<double>(p[k - 1]) + part * static_cast<double>(p[k]);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

void ForecastDistribution::expect_level(double level) const {
  if (is_point()) {
    throw input_error("expected a model that forecasts a distribution, found one of points",
                      "train with `output` quantiles, gaussian or negative-binomial");
  }
  if (!(level > 0.0 && level < 1.0)) {
    throw input_error(fmt::format("expected levels above 0 and below 1, found {}", level), "give probabilities");
  }
  if (levels_.empty() || (level > levels_.front() - 1e-9 && level < levels_.back() + 1e-9)) return;
  throw input_error(
      fmt::format("expected levels from {} to {}, as the model has, found {}", levels_.front(), levels_.back(), level),
      "train with more `quantiles`, or with another `output`");
}

double ForecastDistribution::loss_of(const float* p, double value, double unit) const {
  const double centre = static_cast<double>(p[0]);
  switch (kind_) {
    case DistributionKind::kPoint: return std::pow(value - centre, 2);
    case DistributionKind::kGaussian: {
      const double deviation = static_cast<double>(p[1]);
      return std::log(deviation) + 0.5 * std::pow((value - centre) / deviation, 2) +
             0.5 * std::log(2.0 * std::numbers::pi);
    }
    case DistributionKind::kNegativeBinomial:
      return NegativeBinomial{centre * unit, static_cast<double>(p[1])}
          .loss(std::max(0.0, std::round(value * unit)))
          .nats;
    case DistributionKind::kQuantiles: break;
  }
  double sum = 0.0;
  for (size_t k = 0; k < levels_.size(); ++k) sum += pinball(static_cast<double>(p[k]), levels_[k], value);
  return 2.0 * sum / static_cast<double>(levels_.size());
}

double ForecastDistribution::crps(const float* p, double value, double unit) const {
  switch (kind_) {
    case DistributionKind::kPoint: return std::abs(static_cast<double>(p[0]) - value);
    case DistributionKind::kGaussian: return gaussian_crps(static_cast<double>(p[0]), static_cast<double>(p[1]), value);
    case DistributionKind::kNegativeBinomial:
      return NegativeBinomial{static_cast<double>(p[0]) * unit, static_cast<double>(p[1])}.crps(
                 std::round(value * unit)) /
             unit;
    case DistributionKind::kQuantiles: break;
  }
  const auto q = [&](size_t k) { return static_cast<double>(p[k]); };
  const size_t last = levels_.size() - 1;
  double sum = pinball_integral({0.0, q(0)}, {levels_.front(), q(0)}, value) +
               pinball_integral({levels_.back(), q(last)}, {1.0, q(last)}, value);
  for (size_t k = 0; k < last; ++k) sum += pinball_integral({levels_[k], q(k)}, {levels_[k + 1], q(k + 1)}, value);
  return sum;
}

std::vector<double> parse_levels(const std::string& text, const std::string& option) {
  const auto refuse = [&](const std::string& found) {
    return usage_error(fmt::format("`{}`: expected rising numbers above 0 and below 1, found {}", option, found),
                       "give probabilities such as 0.1,0.5,0.9");
  };
  std::vector<double> out;
  for (const std::string& part : data::split_names(text)) {
    double level = 0.0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), level);
    if (error != std::errc() || stop != part.data() + part.size() || !(level > 0.0 && level < 1.0)) {
      throw refuse("'" + part + "'");
    }
    if (!out.empty() && level <= out.back() + 1e-6) throw refuse(fmt::format("{} after {}", level, out.back()));
    out.push_back(level);
  }
  if (out.empty()) throw refuse("none");
  if (out.size() > kMostLevels)
    throw refuse(fmt::format("{} of them, and at most {} are allowed", out.size(), kMostLevels));
  return out;
}

}  // namespace longhand::tasks
