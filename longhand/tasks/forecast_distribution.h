// The forecast of one value: a point, quantiles, a Gaussian, or a negative binomial distribution of counts. Maps the
// network's outputs to the distribution's parameters, computes the loss and its gradient, quantiles and the CRPS.
//
// Symbols, in units of the target's scale: base b, scale s, network outputs y [P]. softplus1(y) is
// softplus(y + log(e - 1)), which is 1 at y = 0, so zero outputs give the base and the scale.
//
//   point               b + g s y0
//   gaussian            mean b + g s y0, standard deviation s (softplus1(y1) + 0.001) w
//   quantiles           the one nearest to the median is b + s (z_m + g y_m); outwards from it, each is further by
//                       s |z_k - z_(k-1)| softplus1(y_k), with z_k the quantiles of the standard normal distribution,
//                       so quantiles cannot cross
//   negative-binomial   mean s softplus1(y0), dispersion softplus1(y1) + 0.0001; the variance is
//                       mean + dispersion mean^2
//
// g is the gain of the network's part, w [C] the widening fitted on held-out rows (see calibrate).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace longhand::tasks {

enum class DistributionKind { kPoint, kQuantiles, kGaussian, kNegativeBinomial };

class ForecastDistribution {
 public:
  /// `kind`: point, quantiles, gaussian or negative-binomial. `levels`: of quantiles, increasing, within (0, 1).
  ForecastDistribution(const std::string& kind, std::vector<double> levels);
  ForecastDistribution() : ForecastDistribution("point", {}) {}

  DistributionKind kind() const { return kind_; }
  bool is_point() const { return kind_ == DistributionKind::kPoint; }
  bool is_counts() const { return kind_ == DistributionKind::kNegativeBinomial; }
  const std::vector<double>& levels() const { return levels_; }
  /// Index of the level nearest to 0.5.
  size_t median() const { return median_; }
  /// softplus1(y) is softplus(y + kLogEMinusOne). The minima below are added to it: standard deviation of a Gaussian
  /// and mean of counts, in units of the scale, and dispersion.
  static constexpr double kLogEMinusOne = 0.54132485461291810;
  static constexpr double kLeastDeviation = 1e-3, kLeastMean = 1e-6, kLeastDispersion = 1e-4;
  /// P: the number of network outputs, and of parameters, for each value.
  int64_t size() const { return is_point() ? 1 : kind_ == DistributionKind::kQuantiles ? count() : 2; }
  /// C: the number of widening factors for each value; may be 0.
  int64_t widenings() const {
    return kind_ == DistributionKind::kQuantiles ? count() : kind_ == DistributionKind::kGaussian ? 1 : 0;
  }

  /// Base, scale and factors of one value's network outputs.
  struct Place {
    double base = 0.0;
    double scale = 1.0;
    double gain = 1.0;
    const float* widening = nullptr;  ///< [C]; null: ones
  };
  /// Writes the parameters [P] to `out`, from the network's outputs y [P]: the point; mean and standard deviation;
  /// increasing quantiles; or mean and dispersion.
  void parameters(const float* y, const Place& place, float* out) const;

  /// Returns the loss of a value and writes its gradient dy [P], with gain and widening 1. The loss is the squared
  /// error for a point, twice the mean pinball loss over the levels for quantiles, and otherwise the negative
  /// log-likelihood in nats.
  double loss(const float* y, const Place& place, double value, double* dy) const;

  /// Applies the widening factors [C] to a distribution with parameters p [P], as `Place::widening` does.
  void widen(float* p, std::span<const float> factors) const;

  // p [P] are the parameters from `parameters`. `unit` is the deviation of the target's scale; only counts use it.
  /// The point, the mean, or the quantile nearest to the median.
  double centre(const float* p) const;
  /// The quantile at `level`. NaN for a point, and for quantiles if `level` lies outside their levels.
  double quantile(const float* p, double level, double unit) const;
  /// Throws an input error for a level at which `quantile` returns NaN.
  void expect_level(double level) const;
  /// The loss that `loss` defines, computed from the parameters; in units of the scale, or in nats for counts.
  double loss_of(const float* p, double value, double unit) const;
  /// The continuous ranked probability score (CRPS; Gneiting and Raftery 2007), in units of `value`: exact for a
  /// Gaussian, a sum over counts, and the absolute error for a point. For quantiles, the CRPS is twice the integral of
  /// the pinball loss over all levels (Laio and Tamea 2007). It is exact for a quantile function that is linear between
  /// the model's levels and constant beyond them, with probabilities p_1 at the lowest and 1 - p_K at the highest
  /// quantile.
  double crps(const float* p, double value, double unit) const;

 private:
  int64_t count() const { return static_cast<int64_t>(levels_.size()); }

  DistributionKind kind_;
  std::vector<double> levels_, normal_;  // levels, and standard normal quantiles at them
  size_t median_ = 0;                    // index of the level nearest to 0.5
};

/// Parses "0.1,0.5,0.9". Throws a usage error with the option's name unless the levels increase within (0, 1).
std::vector<double> parse_levels(const std::string& text, const std::string& option);

/// The quantile of the standard normal distribution, for 0 < p < 1.
double normal_quantile(double p);
/// CRPS of a Gaussian, in units of `value`.
double gaussian_crps(double mean, double deviation, double value);

/// A held-out value, and the parameters of its forecast before widening.
struct CalibrationValue {
  const float* parameters = nullptr;  ///< [P]
  double value = 0.0;
};
/// Returns the widening factors [C] that give intervals their nominal coverage on held-out values, by split conformal
/// prediction (Vovk et al. 2005). For a Gaussian, the interval is the central one of probability `interval`. For
/// quantiles, the interval of each pair of levels p and 1 - p has one factor, which multiplies the distances of its
/// ends from the median (conformal quantile regression, Romano et al. 2019, with the scores of Kivaranovic et al.
/// 2020); a level without such a pair has its own. Returns ones for fewer than 20 values.
std::vector<float> calibrate(const ForecastDistribution& distribution, std::span<const CalibrationValue> values,
                             double interval);

}  // namespace longhand::tasks
