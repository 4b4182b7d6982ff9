// The negative binomial distribution of counts, with mean m, dispersion a and variance m + a m^2.
#pragma once

namespace longhand::tasks {

struct NegativeBinomial {
  double mean = 1.0;        ///< above 0
  double dispersion = 1.0;  ///< above 0

  struct Loss {
    double nats = 0.0;
    double d_mean = 0.0, d_dispersion = 0.0;
  };
  /// The negative log-likelihood of a count in nats, and its derivatives by mean and dispersion.
  Loss loss(double count) const;
  /// P(X <= count); 0 for a negative count.
  double cumulative(double count) const;
  /// The smallest count whose cumulative probability is `level` or more.
  double quantile(double level) const;
  /// The CRPS: the sum over all k of (P(X <= k) - [k >= count])^2. Above 10^4 terms, approximated from about 512.
  double crps(double count) const;
};

/// The digamma function, the derivative of log gamma(x), for x > 0.
double digamma(double x);
/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz and Stegun 26.5.8).
double incomplete_beta(double a, double b, double x);

}  // namespace longhand::tasks
