// The negative binomial distribution of counts with a mean m and a dispersion a: the variance is m + a m^2.
#pragma once

namespace longhand::tasks {

struct NegativeBinomial {
  double mean = 1.0;        ///< above 0
  double dispersion = 1.0;  ///< above 0

  struct Loss {
    double nats = 0.0;
    double d_mean = 0.0, d_dispersion = 0.0;
  };
  /// The negative log-likelihood of a count, and its derivatives.
  Loss loss(double count) const;
  /// P(X <= count); 0 below 0.
  double cumulative(double count) const;
  /// The smallest count whose cumulative probability is `level` or more.
  double quantile(double level) const;
  /// The sum over all counts k of (P(X <= k) - [k >= count])^2. Of a distribution wider than some 10^4 counts, the sum
  /// over some of them.
  double crps(double count) const;
};

/// The derivative of the logarithm of the gamma function, for x > 0.
double digamma(double x);
/// The regularised incomplete beta function, by its continued fraction (Abramowitz and Stegun 26.5.8).
double incomplete_beta(double a, double b, double x);

}  // namespace longhand::tasks
