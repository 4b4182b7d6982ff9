#include "longhand/tasks/negative_binomial.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace longhand::tasks {
namespace {

constexpr double kLargestCount = 1e15;  // smaller integers are exact in double

// std::lgamma sets a global sign; the arguments here are above 0.
double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

}  // namespace

// The recurrence for x below 10, then the asymptotic series (Abramowitz and Stegun 6.3.5, 6.3.18).
double digamma(double x) {
  double out = 0.0;
  for (; x < 10.0; x += 1.0) out -= 1.0 / x;
  const double y = 1.0 / (x * x);
  return out + std::log(x) - 0.5 / x -
         y * (1.0 / 12.0 - y * (1.0 / 120.0 - y * (1.0 / 252.0 - y * (1.0 / 240.0 - y * (1.0 / 132.0)))));
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0.0) return 0.0;
  if (x >= 1.0) return 1.0;
  // The continued fraction converges fast for x below the mean.
  if (x > (a + 1.0) / (a + b + 2.0)) return 1.0 - incomplete_beta(b, a, 1.0 - x);
  const double front =
      std::exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log1p(-x)) / a;
  constexpr double kTiny = 1e-300;
  const auto at_least_tiny = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1.0, d = 1.0 / at_least_tiny(1.0 - (a + b) * x / (a + 1.0)), h = d;
  for (int m = 1; m <= 10000; ++m) {  // Lentz's method
    const double n = m;
    const double even = n * (b - n) * x / ((a + 2.0 * n - 1.0) * (a + 2.0 * n));
    d = 1.0 / at_least_tiny(1.0 + even * d);
    c = at_least_tiny(1.0 + even / c);
    h *= d * c;
    const double odd = -(a + n) * (a + b + n) * x / ((a + 2.0 * n) * (a + 2.0 * n + 1.0));
    d = 1.0 / at_least_tiny(1.0 + odd * d);
    c = at_least_tiny(1.0 + odd / c);
    h *= d * c;
    if (std::abs(d * c - 1.0) < 1e-14) break;
  }
  return std::clamp(front * h, 0.0, 1.0);
}

NegativeBinomial::Loss NegativeBinomial::loss(double count) const {
  const double a = dispersion, m = mean, r = 1.0 / a;
  const double spread = std::log1p(a * m);  // log(1 + a m)
  Loss out;
  out.nats = log_gamma(count + 1.0) + log_gamma(r) - log_gamma(count + r) + (count + r) * spread -
             (count > 0.0 ? count * std::log(a * m) : 0.0);
  out.d_mean = (m - count) / (m * (1.0 + a * m));  // (87)
  // (88)
  out.d_dispersion = r * r * (digamma(count + r) - digamma(r) - spread) + (count + r) * m / (1.0 + a * m) - count * r;
  return out;
}

double NegativeBinomial::cumulative(double count) const {
  if (count < 0.0) return 0.0;
  return incomplete_beta(1.0 / dispersion, std::floor(count) + 1.0, 1.0 / (1.0 + dispersion * mean));
}

double NegativeBinomial::quantile(double level) const {
  double low = -1.0, high = std::max(1.0, std::ceil(mean));
  while (cumulative(high) < level && high < kLargestCount) {
    low = high;
    high *= 2.0;
  }
  while (high - low > 1.0) {
    const double middle = std::floor((low + high) / 2.0);
    (cumulative(middle) < level ? low : high) = middle;
  }
  return high;
}

double NegativeBinomial::crps(double count) const {
  const double first = 0.0, last = std::max(quantile(1.0 - 1e-9), count);
  constexpr double kSteps = 10000.0;
  double sum = 0.0;
  const auto term = [&](double below, double k) { return std::pow(below - (k >= count ? 1.0 : 0.0), 2); };
  if (last - first <= kSteps) {
    const double r = 1.0 / dispersion, p = dispersion * mean / (1.0 + dispersion * mean);
    double probability = std::exp(-r * std::log1p(dispersion * mean)), below = 0.0;
    if (probability > 1e-280) {  // otherwise the first terms underflow
      for (double k = 0.0; k <= last; k += 1.0) {
        below = std::min(below + probability, 1.0);
        sum += term(below, k);
        probability *= (k + r) / (k + 1.0) * p;
      }
      return sum;
    }
    for (double k = 0.0; k <= last; k += 1.0) sum += term(cumulative(k), k);
    return sum;
  }
  const double step = std::ceil((last - first) / 512.0);  // each interval is represented by its midpoint
  for (double k = 0.0; k <= last; k += step) sum += step * term(cumulative(k + std::floor(step / 2.0)), k + step / 2.0);
  return sum;
}

}  // namespace longhand::tasks
