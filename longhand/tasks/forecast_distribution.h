// What a regressor says of one value to come: a point, quantiles, a Gaussian, or a negative binomial distribution of
// counts. How the network's outputs become its parameters, the loss with its gradient, and what is read from it.
//
// All is of one value, in units of its scale: base b, scale s, outputs y of the network [P], value t. softplus1 is
// softplus(y + log(e - 1)), which is 1 at 0: so a network whose outputs are 0 gives base and scale as they are.
//
//   point               b + g s y0
//   gaussian            mean b + g s y0, standard deviation s (softplus1(y1) + 0.001) w
//   quantiles           the one nearest to the median is b + s (z_m + g y_m); from it outwards, each is further by
//                       s |z_k - z_(k-1)| softplus1(y_k), with z_k the quantiles of the standard normal distribution:
//                       they cannot cross
//   negative-binomial   mean s softplus1(y0), dispersion softplus1(y1) + 0.0001; the variance is
//                       mean + dispersion mean^2
//
// g is the gain of what the network adds, w [C] the widening that held-out rows ask for (see calibrate).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace longhand::tasks {

enum class DistributionKind { kPoint, kQuantiles, kGaussian, kNegativeBinomial };

class ForecastDistribution {
 public:
  /// `kind`: point, quantiles, gaussian or negative-binomial. `levels`: of quantiles, rising, above 0 and below 1.
  ForecastDistribution(const std::string& kind, std::vector<double> levels);
  ForecastDistribution() : ForecastDistribution("point", {}) {}

  DistributionKind kind() const { return kind_; }
  bool is_point() const { return kind_ == DistributionKind::kPoint; }
  bool is_counts() const { return kind_ == DistributionKind::kNegativeBinomial; }
  const std::vector<double>& levels() const { return levels_; }
  /// P: outputs of the network, and parameters, for each value.
  int64_t size() const { return is_point() ? 1 : kind_ == DistributionKind::kQuantiles ? count() : 2; }
  /// C: numbers of the widening; 0: it has none.
  int64_t widenings() const {
    return kind_ == DistributionKind::kQuantiles ? count() : kind_ == DistributionKind::kGaussian ? 1 : 0;
  }

  /// Where the network's outputs are added, and what multiplies them.
  struct Place {
    double base = 0.0;
    double scale = 1.0;
    double gain = 1.0;
    const float* widening = nullptr;  ///< [C]; null: ones
  };
  /// From the network's outputs y [P] to the parameters [P]: point; mean and deviation; quantiles, rising; mean and
  /// dispersion.
  void parameters(const float* y, const Place& place, float* out) const;

  /// The loss of a value, and its gradient in each output [P] (with a gain and a widening of 1): the squared error; the
  /// negative log-likelihood in nats; twice the mean pinball loss over the levels, an estimate of the CRPS.
  double loss(const float* y, const Place& place, double value, double* dy) const;

  // Of parameters as `parameters` gives them; `unit` is the deviation of the target's scale, which counts alone need.
  /// Point, mean, or the quantile nearest to the median.
  double centre(const float* p) const;
  /// The quantile of this level. NaN for one that is not between the levels of quantiles, and of a point.
  double quantile(const float* p, double level, double unit) const;
  /// Throws an input error for a level that `quantile` has no value for.
  void expect_level(double level) const;
  /// The loss, as `loss` gives it, in units of the scale; of counts, in nats.
  double loss_of(const float* p, double value, double unit) const;
  /// The continuous ranked probability score of a value (Gneiting and Raftery 2007), in its units: exact of a Gaussian,
  /// summed over counts, the integral of the pinball losses over the levels of quantiles, the absolute error of a
  /// point.
  double crps(const float* p, double value, double unit) const;

 private:
  int64_t count() const { return static_cast<int64_t>(levels_.size()); }

  DistributionKind kind_;
  std::vector<double> levels_, normal_;  // levels and the normal quantiles of them
  size_t median_ = 0;                    // the level nearest to a half
};

/// The numbers of "0.1,0.5,0.9". Throws a usage error naming the option unless they rise, above 0 and below 1.
std::vector<double> parse_levels(const std::string& text, const std::string& option);

/// The quantile of the standard normal distribution, for 0 < p < 1.
double normal_quantile(double p);
/// CRPS of a Gaussian, in its units.
double gaussian_crps(double mean, double deviation, double value);

/// A value of a held-out row with its forecast, without a gain's and a widening's help.
struct CalibrationValue {
  const float* parameters = nullptr;  ///< [P]
  double value = 0.0;
};
/// The widening [C] with which held-out values lie in the intervals as often as these say (split conformal prediction,
/// Vovk et al. 2005; Romano et al. 2019): of a Gaussian, in the central interval of probability `interval`; of
/// quantiles, between each pair of levels p and 1 - p, by their distances from the median (below one without a pair).
/// Ones where there are fewer than 20 values.
std::vector<float> calibrate(const ForecastDistribution& distribution, std::span<const CalibrationValue> values,
                             double interval);

}  // namespace longhand::tasks
