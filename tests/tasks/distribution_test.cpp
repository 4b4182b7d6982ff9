// Distributions of forecasts: gradients against central differences, scores against integrals and sums written out
// here, and that calibrated intervals hold what they say.
#include "longhand/tasks/forecast_distribution.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/rng.h"
#include "longhand/tasks/negative_binomial.h"
#include "tests/testing.h"

namespace longhand::tasks {
namespace {

const std::vector<double> kLevels = {0.05, 0.2, 0.4, 0.7, 0.9};

std::vector<ForecastDistribution> all_kinds() {
  return {{"point", {}}, {"quantiles", kLevels}, {"gaussian", {}}, {"negative-binomial", {}}};
}

std::vector<float> drawn(const ForecastDistribution& of, uint64_t seed) {
  const CounterRng rng(seed, 0, RngPlace::kSample);
  std::vector<float> y;
  for (int64_t p = 0; p < of.size(); ++p) y.push_back(static_cast<float>(rng.normal(static_cast<uint64_t>(p))));
  return y;
}

TEST(Distribution, GradientsAgreeWithCentralDifferences) {
  for (const ForecastDistribution& of : all_kinds()) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      std::vector<float> y = drawn(of, seed);
      const ForecastDistribution::Place place{.base = of.is_counts() ? 0.0 : 0.3, .scale = of.is_counts() ? 7.0 : 1.7};
      const double value = of.is_counts() ? static_cast<double>(seed) / 7.0 : -2.0 + 0.2 * static_cast<double>(seed);
      std::vector<double> dy(y.size()), unused(y.size());
      of.loss(y.data(), place, value, dy.data());
      for (size_t p = 0; p < y.size(); ++p) {
        const float kept = y[p];
        constexpr float kStep = 1.0F / 1024.0F;
        y[p] = kept + kStep;
        const double above = static_cast<double>(y[p]), more = of.loss(y.data(), place, value, unused.data());
        y[p] = kept - kStep;
        const double below = static_cast<double>(y[p]), less = of.loss(y.data(), place, value, unused.data());
        y[p] = kept;
        // The pinball loss has bends: a difference over one of them says nothing.
        std::vector<double> there(y.size());
        y[p] = kept + kStep;
        of.loss(y.data(), place, value, there.data());
        y[p] = kept;
        if (of.kind() == DistributionKind::kQuantiles && std::abs(there[p] - dy[p]) > 0.01) continue;
        EXPECT_NEAR(dy[p], (more - less) / (above - below), 1e-5 * (1.0 + std::abs(dy[p])))
            << static_cast<int>(of.kind()) << ' ' << seed << ' ' << p;
      }
    }
  }
}

// Where the network's outputs are zero, the distribution is the standard one of its base and scale.
TEST(Distribution, BeginsAtBaseAndScale) {
  const ForecastDistribution gaussian("gaussian", {}), quantiles("quantiles", {0.1, 0.5, 0.9});
  const std::vector<float> zeros(3, 0.0F);
  float p[3];
  gaussian.parameters(zeros.data(), {.base = 2.0, .scale = 3.0}, p);
  EXPECT_NEAR(p[0], 2.0, 1e-6);
  EXPECT_NEAR(p[1], 3.003, 1e-6);
  quantiles.parameters(zeros.data(), {.base = 2.0, .scale = 3.0}, p);
  EXPECT_NEAR(p[0], 2.0 - 3.0 * 1.2815516, 1e-5);
  EXPECT_NEAR(p[1], 2.0, 1e-6);
  EXPECT_NEAR(p[2], 2.0 + 3.0 * 1.2815516, 1e-5);
}

TEST(Distribution, QuantilesNeverCross) {
  const ForecastDistribution of("quantiles", kLevels);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<float> y = drawn(of, seed);
    for (float& v : y) v *= 60.0F;  // beyond what softplus resolves
    const std::vector<float> widening = {20.0F, 0.05F, 1.0F, 0.05F, 3.0F};
    float p[5];
    of.parameters(y.data(), {.base = 0.0, .scale = 1.0, .gain = 0.5, .widening = widening.data()}, p);
    for (size_t k = 1; k < 5; ++k) EXPECT_LE(p[k - 1], p[k]) << seed;
  }
}

TEST(Distribution, NormalQuantilesUndoTheCumulative) {
  for (const double p : {1e-12, 1e-4, 0.01, 0.2, 0.5, 0.7, 0.975, 1.0 - 1e-9}) {
    EXPECT_NEAR(0.5 * std::erfc(-normal_quantile(p) / std::sqrt(2.0)), p, 1e-9 * p + 1e-14) << p;
  }
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
}

// The integral of (F(x) - [x >= value])^2.
double integrated_crps(const std::function<double(double)>& cumulative, double value, double low, double high) {
  constexpr int kSteps = 400000;
  double sum = 0.0;
  for (int i = 0; i < kSteps; ++i) {
    const double x = low + (high - low) * (i + 0.5) / kSteps;
    sum += std::pow(cumulative(x) - (x >= value ? 1.0 : 0.0), 2) * (high - low) / kSteps;
  }
  return sum;
}

TEST(Distribution, ScoresAreTheIntegralsThatTheyStandFor) {
  for (const double value : {-3.0, 0.4, 2.5}) {
    const auto normal = [](double x) { return 0.5 * std::erfc(-(x - 1.0) / 0.5 / std::sqrt(2.0)); };
    EXPECT_NEAR(gaussian_crps(1.0, 0.5, value), integrated_crps(normal, value, -10.0, 10.0), 1e-4);
  }
  // The CRPS of many quantiles is close to that of the distribution.
  std::vector<double> levels;
  for (int i = 0; i < 999; ++i) levels.push_back((i + 1) / 1000.0);
  const ForecastDistribution many("quantiles", levels);
  std::vector<float> p;
  for (const double level : levels) p.push_back(static_cast<float>(1.0 + 0.5 * normal_quantile(level)));
  for (const double value : {-1.0, 0.4, 1.0, 3.0}) {
    EXPECT_NEAR(many.crps(p.data(), value, 1.0), gaussian_crps(1.0, 0.5, value), 3e-4) << value;
  }
  EXPECT_NEAR(many.quantile(p.data(), 0.1234, 1.0), 1.0 + 0.5 * normal_quantile(0.1234), 1e-4);
  EXPECT_TRUE(std::isnan(many.quantile(p.data(), 0.0001, 1.0)));
}

// The quantile function of the test: linear between the levels, constant below the first and above the last.
double extended_quantile(const std::vector<double>& levels, const std::vector<float>& p, double level) {
  if (level <= levels.front()) return static_cast<double>(p.front());
  for (size_t k = 1; k < levels.size(); ++k) {
    if (level > levels[k]) continue;
    const double part = (level - levels[k - 1]) / (levels[k] - levels[k - 1]);
    return (1.0 - part) * static_cast<double>(p[k - 1]) + part * static_cast<double>(p[k]);
  }
  return static_cast<double>(p.back());
}

// Twice the integral of the pinball loss over all levels, by the midpoint rule.
TEST(QuantileCrps, IsTheIntegralOfThePinballLoss) {
  const CounterRng rng(17, 0, RngPlace::kSample);
  constexpr int kSteps = 20000;
  for (const std::vector<double>& levels :
       {std::vector<double>{0.3}, {0.05, 0.2, 0.4, 0.7, 0.9}, {0.6, 0.8}, {0.001, 0.5, 0.999}}) {
    const ForecastDistribution of("quantiles", levels);
    for (uint64_t draw = 0; draw < 12; ++draw) {
      std::vector<float> p;
      for (size_t k = 0; k < levels.size(); ++k) p.push_back(static_cast<float>(rng.normal(10 * draw + k)));
      std::sort(p.begin(), p.end());
      if (draw == 0) std::fill(p.begin(), p.end(), p.front());  // all probability at one point
      const double value = draw % 4 == 0 ? static_cast<double>(p[levels.size() / 2]) : 1.5 * rng.normal(1000 + draw);
      double sum = 0.0;
      for (int i = 0; i < kSteps; ++i) {
        const double level = (i + 0.5) / kSteps, quantile = extended_quantile(levels, p, level);
        sum += 2.0 * (value < quantile ? (1.0 - level) * (quantile - value) : level * (value - quantile)) / kSteps;
      }
      EXPECT_NEAR(of.crps(p.data(), value, 1.0), sum, 1e-6 * (1.0 + sum)) << levels.size() << ' ' << draw;
    }
  }
}

TEST(QuantileCrps, HasItsClosedForms) {
  // The median alone: the absolute error, as for a point.
  const float median = 1.5F;
  for (const double value : {-3.0, 1.5, 4.0}) {
    EXPECT_NEAR(ForecastDistribution("quantiles", {0.5}).crps(&median, value, 1.0), std::abs(value - 1.5), 1e-12);
    const float same[] = {1.5F, 1.5F, 1.5F};
    EXPECT_NEAR(ForecastDistribution("quantiles", {0.1, 0.5, 0.9}).crps(same, value, 1.0), std::abs(value - 1.5),
                1e-12);
  }
  // The uniform distribution on [0, 1]: x^2 - x + 1/3 within it, and the distance plus 1/3 outside.
  const ForecastDistribution uniform("quantiles", {1e-5, 0.25, 1.0 - 1e-5});
  const float p[] = {0.0F, 0.25F, 1.0F};
  for (const double value : {0.0, 0.1, 0.25, 0.7, 1.0}) {
    EXPECT_NEAR(uniform.crps(p, value, 1.0), value * value - value + 1.0 / 3.0, 1e-4) << value;
  }
  EXPECT_NEAR(uniform.crps(p, -2.0, 1.0), 2.0 + 1.0 / 3.0, 1e-4);
  EXPECT_NEAR(uniform.crps(p, 5.0, 1.0), 4.0 + 1.0 / 3.0, 1e-4);
  // Probability 0.1 at 0 and 0.2 at 1, and 0.7 uniform between: the integral of (F(x) - [x >= v])^2.
  const ForecastDistribution mixed("quantiles", {0.1, 0.8});
  const float ends[] = {0.0F, 1.0F};
  const auto cumulative = [](double x) { return x < 0.0 ? 0.0 : x >= 1.0 ? 1.0 : 0.1 + 0.7 * x; };
  for (const double value : {-1.0, 0.4, 2.0}) {
    EXPECT_NEAR(mixed.crps(ends, value, 1.0), integrated_crps(cumulative, value, -3.0, 3.0), 1e-4) << value;
  }
}

// For values from a Gaussian, its nine quantiles score slightly worse than the Gaussian itself.
TEST(QuantileCrps, OfFewLevelsIsNoAdvantage) {
  const auto relative = [](const std::vector<double>& levels) {
    const ForecastDistribution of("quantiles", levels);
    std::vector<float> p;
    for (const double level : levels) p.push_back(static_cast<float>(normal_quantile(level)));
    double of_levels = 0.0, of_all = 0.0;
    constexpr int kValues = 20000;
    for (int i = 0; i < kValues; ++i) {
      const double value = normal_quantile((i + 0.5) / kValues);
      of_levels += of.crps(p.data(), value, 1.0);
      of_all += gaussian_crps(0.0, 1.0, value);
    }
    return of_levels / of_all;
  };
  EXPECT_NEAR(relative({0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}), 1.0091, 2e-4);
  EXPECT_NEAR(relative({0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99}), 1.00014, 5e-5);
}

double log_probability(const NegativeBinomial& of, double k) {
  const double r = 1.0 / of.dispersion;
  return std::lgamma(k + r) - std::lgamma(k + 1.0) - std::lgamma(r) - r * std::log1p(of.dispersion * of.mean) +
         (k > 0.0 ? k * std::log(of.dispersion * of.mean / (1.0 + of.dispersion * of.mean)) : 0.0);
}

TEST(NegativeBinomial, IsTheDistributionOfItsMeanAndDispersion) {
  for (const NegativeBinomial of :
       {NegativeBinomial{0.3, 2.0}, NegativeBinomial{12.0, 0.5}, NegativeBinomial{900.0, 1e-4}}) {
    double sum = 0.0, mean = 0.0, square = 0.0, below = 0.0, crps = 0.0;
    double quantile = -1.0;
    for (double k = 0.0; k < 3000.0; k += 1.0) {
      const double p = std::exp(log_probability(of, k));
      sum += p;
      mean += k * p;
      square += k * k * p;
      below += p;
      crps += std::pow(below - (k >= 7.0 ? 1.0 : 0.0), 2);
      if (quantile < 0.0 && below >= 0.9) quantile = k;
      if (k < 40.0) {
        EXPECT_NEAR(of.cumulative(k), below, 1e-9);
        EXPECT_NEAR(of.loss(k).nats, -log_probability(of, k), 1e-9 * (1.0 - log_probability(of, k)));
      }
    }
    EXPECT_NEAR(sum, 1.0, 1e-9);
    EXPECT_NEAR(mean, of.mean, 1e-6 * of.mean);
    EXPECT_NEAR(square - mean * mean, of.mean + of.dispersion * of.mean * of.mean, 1e-4 * of.mean * (1.0 + of.mean));
    EXPECT_EQ(of.quantile(0.9), quantile);
    EXPECT_NEAR(of.crps(7.0), crps, 1e-6 * crps);
  }
}

// A distribution too wide to sum each count is summed in steps.
TEST(NegativeBinomial, SumsWideDistributionsInSteps) {
  const NegativeBinomial wide{50000.0, 0.2};
  double below = 0.0, crps = 0.0;
  for (double k = 0.0; k < 600000.0; k += 1.0) {
    below += std::exp(log_probability(wide, k));
    crps += std::pow(below - (k >= 40000.0 ? 1.0 : 0.0), 2);
  }
  EXPECT_NEAR(wide.crps(40000.0), crps, 0.01 * crps);
}

TEST(NegativeBinomial, HasSafeGradients) {
  for (const double mean : {1e-6, 0.1, 30.0, 1e7}) {
    for (const double dispersion : {1e-4, 0.3, 50.0}) {
      for (const double count : {0.0, 1.0, 1e3, 1e9}) {
        const NegativeBinomial of{mean, dispersion};
        const NegativeBinomial::Loss loss = of.loss(count);
        EXPECT_TRUE(std::isfinite(loss.nats) && std::isfinite(loss.d_mean) && std::isfinite(loss.d_dispersion));
        EXPECT_TRUE(std::isfinite(of.crps(count)) && of.crps(count) >= 0.0) << mean << ' ' << dispersion;
        const double h = 1e-3 * dispersion;       // of a small one the logarithms of gamma have few digits
        if (count > 1e4 || mean > 1e4) continue;  // differences have no digits
        const double difference = (NegativeBinomial{mean, dispersion + h}.loss(count).nats -
                                   NegativeBinomial{mean, dispersion - h}.loss(count).nats) /
                                  (2.0 * h);
        EXPECT_NEAR(loss.d_dispersion, difference, 1e-3 * (1.0 + std::abs(difference))) << mean << ' ' << dispersion;
      }
    }
  }
}

// Forecasts that are too narrow by two hold what they say once they are calibrated on other values.
TEST(Calibration, GivesIntervalsTheirProbability) {
  const CounterRng rng(3, 0, RngPlace::kSample);
  for (const ForecastDistribution& of :
       {ForecastDistribution("gaussian", {}), ForecastDistribution("quantiles", {0.1, 0.3, 0.5, 0.7, 0.9})}) {
    const std::vector<float> zeros(static_cast<size_t>(of.size()), 0.0F);
    std::vector<float> narrow(zeros.size());
    of.parameters(zeros.data(), {.base = 0.0, .scale = 0.5}, narrow.data());
    std::vector<CalibrationValue> values;
    for (uint64_t i = 0; i < 2000; ++i) values.push_back({narrow.data(), rng.normal(i)});
    const std::vector<float> widening = calibrate(of, values, 0.8);
    ASSERT_EQ(widening.size(), static_cast<size_t>(of.widenings()));
    std::vector<float> wide(zeros.size());
    of.parameters(zeros.data(), {.base = 0.0, .scale = 0.5, .widening = widening.data()}, wide.data());
    const double low = of.quantile(wide.data(), 0.1, 1.0), high = of.quantile(wide.data(), 0.9, 1.0);
    int inside = 0;
    for (uint64_t i = 0; i < 5000; ++i) {
      const double value = rng.normal(10000 + i);
      inside += value >= low && value <= high ? 1 : 0;
    }
    EXPECT_NEAR(inside / 5000.0, 0.8, 0.03);
    EXPECT_EQ(calibrate(of, std::span(values).first(19), 0.8), std::vector<float>(widening.size(), 1.0F));
  }
}

// `widen` gives the same parameters as `parameters` with the factors.
TEST(Calibration, WidensWhatWasMade) {
  for (const ForecastDistribution& of : all_kinds()) {
    const std::vector<float> y = drawn(of, 8);
    std::vector<float> factors;
    for (int64_t c = 0; c < of.widenings(); ++c) factors.push_back(0.4F + 0.5F * static_cast<float>(c));
    std::vector<float> made(y.size()), later(y.size());
    of.parameters(y.data(), {.base = 0.7, .scale = 1.3, .widening = factors.data()}, made.data());
    of.parameters(y.data(), {.base = 0.7, .scale = 1.3}, later.data());
    of.widen(later.data(), factors);
    for (size_t p = 0; p < y.size(); ++p) EXPECT_NEAR(later[p], made[p], 1e-6) << p;
  }
}

TEST(Levels, AreRisingProbabilities) {
  EXPECT_EQ(parse_levels("0.1, 0.5,0.9", "quantiles"), (std::vector<double>{0.1, 0.5, 0.9}));
  for (const char* text : {"", "0", "1", "0.5,0.5", "0.9,0.1", "x", "0.5x", "nan", "0.1,,0.2"}) {
    EXPECT_NE(testing::error_of([&] { parse_levels(text, "quantiles"); }, ExitCode::kUsage)
                  .find("`quantiles`: expected rising"),
              std::string::npos)
        << text;
  }
}

}  // namespace
}  // namespace longhand::tasks
