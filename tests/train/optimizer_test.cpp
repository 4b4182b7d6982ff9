// The optimizers against PyTorch's, step by step; clipping; when averaging begins, and what it averages.
#include "longhand/train/optimizer.h"

#include <algorithm>

#include "tests/fixture.h"
#include "tests/testing.h"

namespace longhand::train {
namespace {

using testing::Fixture;

constexpr double kUlp = 0x1p-23;  // of floats from 1 to 2

// Our name for the rule of a fixture, and our options for PyTorch's.
OptimizerOptions options_of(const std::string& name, const Fixture& fixture) {
  OptimizerOptions o{.optimizer = name.substr(0, name.find('_')), .clip_norm = 0.0};
  const auto set = [&](const char* key, double& to) {
    if (fixture.has_option(key)) to = fixture.real(key);
  };
  set("lr", o.learning_rate);
  set("weight_decay", o.optimizer == "adamw" ? o.weight_decay : o.l2);
  if (o.optimizer == "asgd") {
    set("lambd", o.asgd_lambda);
    o.average_after = fixture.number("t0");
    return o;
  }
  if (o.optimizer == "momentum" || o.optimizer == "nesterov") set("momentum", o.momentum);
  set("beta1", o.beta1);
  set("beta2", o.beta2);
  set("alpha", o.beta2);
  set("rho", o.beta2);
  set("eps", o.epsilon);
  return o;
}

class PyTorchOptimizer : public ::testing::TestWithParam<std::string> {};

TEST_P(PyTorchOptimizer, TakesTheSameSteps) {
  const Fixture fixture("optimizer_" + GetParam());
  const OptimizerOptions options = options_of(GetParam(), fixture);
  const std::vector<float> w0 = fixture.get("w0"), weights = fixture.get("weights");
  const std::vector<float> averages = fixture.has("averages") ? fixture.get("averages") : std::vector<float>();
  std::vector<float> gradients = fixture.get("gradients");
  const size_t n = w0.size(), steps = gradients.size() / n;
  ASSERT_EQ(steps, 10U);
  testing::on_every_target([&] {
    Optimizer optimizer(options, static_cast<int64_t>(n));
    kernels::Context context(1);
    std::vector<float> w = w0;
    std::vector<double> allowed(n);
    for (size_t t = 0; t < steps; ++t) {
      const std::vector<float> before = w;
      optimizer.update(w, std::span(gradients).subspan(t * n, n), 0.0, options.learning_rate, static_cast<int64_t>(t),
                       context);
      const std::span<const float> average = optimizer.averages();
      EXPECT_EQ(!average.empty(), options.average_after >= 0 && static_cast<int64_t>(t) >= options.average_after);
      for (size_t i = 0; i < n; ++i) {
        const auto expected = static_cast<double>(weights[t * n + i]);
        // A step rounds the weight, at most twice on either side, and each of about eight operations of what it moves.
        allowed[i] += kUlp * (2.0 * std::abs(expected) + 8.0 * std::abs(expected - static_cast<double>(before[i])));
        EXPECT_NEAR(static_cast<double>(w[i]), expected, allowed[i]) << "step " << t + 1 << ", element " << i;
        if (averages.empty()) continue;
        EXPECT_NEAR(static_cast<double>(average.empty() ? w[i] : average[i]), static_cast<double>(averages[t * n + i]),
                    allowed[i])
            << "average, step " << t + 1 << ", element " << i;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Fixtures, PyTorchOptimizer,
                         ::testing::Values("sgd", "sgd_l2", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop",
                                           "adam", "adam_l2", "adamw", "nadam", "asgd", "asgd_merity"),
                         [](const auto& test) { return test.param; });

OptimizerOptions sgd() { return {.optimizer = "sgd", .clip_norm = 0.0}; }

double norm_of(const std::vector<float>& values) {
  double square = 0.0;
  for (const float v : values) square += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(square);
}

// The steps that SGD with rate 1 takes from these gradients: what clipping made of them.
std::vector<float> clipped(const OptimizerOptions& options, std::vector<float> gradients) {
  kernels::Context context(1);
  std::vector<float> w(gradients.size());
  Optimizer optimizer(options, static_cast<int64_t>(w.size()));
  optimizer.update(w, gradients, norm_of(gradients), 1.0, 0, context);
  for (float& x : w) x = -x;
  return w;
}

TEST(Optimizer, ClipsByValueAndThenByTheNormThatIsLeft) {
  const std::vector<float> gradients = {3.0F, -0.5F, 0.0F, -4.0F};
  OptimizerOptions options = sgd();
  EXPECT_EQ(clipped(options, gradients), gradients);
  options.clip_value = 1.0;
  EXPECT_EQ(clipped(options, gradients), (std::vector<float>{1.0F, -0.5F, 0.0F, -1.0F}));
  options.clip_norm = 0.75;  // half of what is left: the root of 1 + 0.25 + 1
  EXPECT_EQ(clipped(options, gradients), (std::vector<float>{0.5F, -0.25F, 0.0F, -0.5F}));
  options.clip_norm = 2.0;  // the norm was above it before the values were clipped, and is below it now
  EXPECT_EQ(clipped(options, gradients), (std::vector<float>{1.0F, -0.5F, 0.0F, -1.0F}));
  options.clip_value = 0.0;
  options.clip_norm = 5.0;
  EXPECT_NEAR(norm_of(clipped(options, gradients)), 5.0, 5.0 * kUlp);
  EXPECT_NEAR(static_cast<double>(clipped(options, gradients)[0]), 3.0 * 5.0 / std::sqrt(25.25), 3.0 * kUlp);
}

// Every rule scales the gradient alone, and not what the L2 penalty adds to it.
TEST(Optimizer, ClipsBeforeThePenaltyOnTheWeights) {
  for (const char* rule : {"sgd", "momentum"}) {
    kernels::Context context(1);
    std::vector<float> w = {2.0F}, gradient = {10.0F};
    OptimizerOptions options{.optimizer = rule, .l2 = 0.5, .clip_norm = 1.0};
    Optimizer(options, 1).update(w, gradient, 10.0, 0.25, 0, context);
    EXPECT_EQ(w[0], 2.0F - 0.25F * (1.0F + 0.5F * 2.0F)) << rule;
  }
}

// The numbers are those of PyTorch's SparseAdam in double.
TEST(Optimizer, UpdatesTheRowsThatOccurAsSparseAdamDoes) {
  const std::vector<double> expected = {
      0.8182120634820973,  -1.9097892183205225, 0.5, 0.25, 2.9434163208722097, -1.2616336700250388,
      0.11619794121201477, 1.9764567656015388};
  struct Step {
    std::vector<int64_t> rows;
    std::vector<float> gradients;
  };
  const std::vector<Step> steps = {{{0, 2}, {1.0F, -0.5F, 0.25F, 2.0F}},
                                   {{2}, {-1.0F, 0.5F}},
                                   {{0, 3}, {0.5F, 0.5F, -2.0F, 1.0F}},
                                   {{2, 3}, {1.0F, 1.0F, 0.125F, -3.0F}}};
  kernels::Context context(2);
  Optimizer optimizer({.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-12, .clip_norm = 0.0}, 8);
  std::vector<float> w = {1.0F, -2.0F, 0.5F, 0.25F, 3.0F, -1.0F, 0.0F, 2.0F};
  for (size_t t = 0; t < steps.size(); ++t) {
    std::vector<float> gradients(8);
    std::vector<Range> where;
    for (size_t i = 0; i < steps[t].rows.size(); ++i) {
      where.push_back({2 * steps[t].rows[i], 2 * steps[t].rows[i] + 2});
      std::copy_n(steps[t].gradients.begin() + static_cast<std::ptrdiff_t>(2 * i), 2,
                  gradients.begin() + static_cast<std::ptrdiff_t>(where.back().begin));
    }
    const RatedPart part{.where = where};
    optimizer.update(w, gradients, {&part, 1}, part.where, 0.0, 0.1, static_cast<int64_t>(t), context);
  }
  for (size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(static_cast<double>(w[i]), expected[i], 1e-6) << i;
}

TEST(Optimizer, DecoupledDecayIsApartFromTheGradient) {
  kernels::Context context(1);
  for (const auto& [rule, decay, kept] :
       {std::tuple("adamw", -1.0, 1.0F - 0.01F * 0.5F), {"adam", -1.0, 1.0F}, {"momentum", 0.5, 1.0F - 0.5F * 0.5F}}) {
    std::vector<float> w = {1.0F}, gradient = {0.0F};
    Optimizer({.optimizer = rule, .weight_decay = decay}, 1).update(w, gradient, 0.0, 0.5, 0, context);
    EXPECT_EQ(w[0], kept) << rule;
  }
}

// Merity et al.'s algorithm 1: the newest loss against the best of all but the last few before it.
TEST(NonMonotone, IsALossAboveTheBestOfThoseLongAgo) {
  struct Case {
    std::vector<double> losses;
    int64_t patience;
    bool expected;
  };
  const Case cases[] = {{{}, 5, false},
                        {{3}, 0, false},
                        {{3, 4}, 0, true},
                        {{3, 3}, 0, false},                     // no worse
                        {{5, 4, 3, 3.5}, 1, false},             // worse than the last, which does not count yet
                        {{5, 4, 3, 3.5, 3.2}, 1, true},         // still above the best
                        {{5, 4, 3, 3.5, 2.9}, 1, false},        // a new best
                        {{1, 9, 9, 9, 9, 9}, 5, false},         // too few to say
                        {{1, 9, 9, 9, 9, 9, 9}, 5, true},       // now the first counts
                        {{9, 1, 8, 7, 6, 5, 4}, 5, false},      // below the first, which alone counts
                        {{9, 1, 8, 7, 6, 5, 4, 3}, 5, true},    // above the second
                        {{9, 8, 7, 6, 5, 4, 3, 2}, 5, false}};  // monotone
  for (const Case& c : cases) {
    EXPECT_EQ(non_monotone(c.losses, c.patience), c.expected) << c.losses.size() << " losses, patience " << c.patience;
  }
}

TEST(Optimizer, AveragesTheWeightsSinceItWasTold) {
  kernels::Context context(1);
  OptimizerOptions options = sgd();
  options.optimizer = "asgd";
  Optimizer optimizer(options, 1);
  std::vector<float> w = {0.0F};
  const auto step = [&](int64_t t) {  // the weight is 1, 2, 4, 8, ... after step 0, 1, 2, 3, ...
    std::vector<float> gradient = {w[0] - std::exp2(static_cast<float>(t))};
    optimizer.update(w, gradient, 0.0, 1.0, t, context);
  };
  for (int64_t t = 0; t < 3; ++t) step(t);
  EXPECT_TRUE(optimizer.waits_for_trigger());
  EXPECT_TRUE(optimizer.averages().empty());
  optimizer.begin_averaging(3, w);
  EXPECT_FALSE(optimizer.waits_for_trigger());
  EXPECT_EQ(optimizer.averages()[0], 4.0F);
  // The first two are taken whole, and from the second on the average is the mean.
  const double expected[] = {8.0, 16.0, (16.0 + 32.0) / 2, (16.0 + 32.0 + 64.0) / 3};
  for (int64_t t = 3; t < 7; ++t) {
    step(t);
    EXPECT_NEAR(static_cast<double>(optimizer.averages()[0]), expected[t - 3], 64.0 * kUlp) << t;
  }
  EXPECT_EQ(optimizer.averaging_since(), 3);
  options.average_after = 2;
  EXPECT_FALSE(Optimizer(options, 1).waits_for_trigger());
  EXPECT_FALSE(Optimizer(sgd(), 1).waits_for_trigger());
}

TEST(Optimizer, AveragesTheWeightsOfAnyRule) {
  kernels::Context context(1);
  const auto gradients = testing::random_vector<float>(12 * 20, 1.0, 2);
  for (const std::string rule : {"sgd", "momentum", "adam", "rmsprop"}) {
    for (const std::string average : {"swa", "ema"}) {
      SCOPED_TRACE(rule + " " + average);
      OptimizerOptions options{.optimizer = rule, .average = average, .average_decay = 0.4, .average_start = 0.25};
      OptimizerOptions none = options;
      none.average = "none";
      Optimizer optimizer(options, 20), plain(none, 20);
      EXPECT_FALSE(optimizer.waits_for_trigger());
      EXPECT_FALSE(plain.starts_averaging(1.0));
      std::vector<float> w(20, 3.0F), same = w;
      std::vector<double> expected(w.begin(), w.end());
      // All elements are averaged, those too that stay.
      const RatedPart rows{.where = {{3, 7}, {12, 16}}};
      const Range all{0, 20};
      for (int64_t t = 0; t < 12; ++t) {
        const double done = static_cast<double>(t) / 12.0;
        EXPECT_EQ(optimizer.starts_averaging(done), average == "swa" && t == 3);
        if (optimizer.starts_averaging(done)) optimizer.begin_averaging(t, w);
        std::vector<float> gradient(gradients.begin() + 20 * t, gradients.begin() + 20 * (t + 1)), copy = gradient;
        optimizer.update(w, gradient, {&rows, 1}, {&all, 1}, norm_of(gradient), 0.1, t, context);
        plain.update(same, copy, {&rows, 1}, {&all, 1}, norm_of(copy), 0.1, t, context);
        EXPECT_EQ(w, same);
        const auto n = static_cast<double>(t);
        const double share = average == "ema" ? 1.0 - std::min(0.4, (1.0 + n) / (10.0 + n)) : 1.0 / (n - 2.0);
        if (average == "swa" && t < 3) {
          EXPECT_TRUE(optimizer.averages().empty());
          continue;
        }
        for (size_t i = 0; i < w.size(); ++i) {
          if (average == "swa" && t == 3) expected[i] = 0.0;
          expected[i] += share * (static_cast<double>(w[i]) - expected[i]);
          EXPECT_NEAR(static_cast<double>(optimizer.averages()[i]), expected[i], 30.0 * kUlp) << t << ' ' << i;
        }
      }
      EXPECT_TRUE(plain.averages().empty());
      EXPECT_NE(std::vector<float>(optimizer.averages().begin(), optimizer.averages().end()), w);
    }
  }
}

// What is in a checkpoint is enough to go on bit for bit, and has the same names before and after.
TEST(Optimizer, ContinuesFromItsState) {
  const auto gradients = testing::random_vector<float>(12 * 20, 1.0, 1);
  for (const auto& [rule, names] : {std::pair("sgd", std::vector<std::string>{}),
                                    {"asgd", {"optimizer.average"}},
                                    {"momentum", {"optimizer.m"}},
                                    {"nesterov", {"optimizer.m"}},
                                    {"adagrad", {"optimizer.v"}},
                                    {"adadelta", {"optimizer.m", "optimizer.v"}},
                                    {"rmsprop", {"optimizer.v"}},
                                    {"adam", {"optimizer.m", "optimizer.v"}},
                                    {"adamw", {"optimizer.m", "optimizer.v"}},
                                    {"nadam", {"optimizer.m", "optimizer.v"}}}) {
    OptimizerOptions options{.optimizer = rule, .average_after = 2};
    kernels::Context context(1);
    Optimizer through(options, 20);
    std::vector<float> w(20), at_five(20);
    const auto step = [&](Optimizer& optimizer, std::vector<float>& weights, int64_t t) {
      std::vector<float> gradient(gradients.begin() + 20 * t, gradients.begin() + 20 * (t + 1));
      optimizer.update(weights, gradient, norm_of(gradient), 0.1, t, context);
    };
    const auto names_of = [](Optimizer& optimizer) {
      std::vector<std::string> out;
      for (const auto& [name, array] : optimizer.state()) out.push_back(name);
      return out;
    };
    EXPECT_EQ(names_of(through), names) << rule;
    for (int64_t t = 0; t < 5; ++t) step(through, w, t);
    EXPECT_EQ(names_of(through), names) << rule;
    Optimizer resumed(options, 20);
    for (size_t i = 0; i < names.size(); ++i) {
      const std::span<const float> from = through.state()[i].second->span();
      std::copy(from.begin(), from.end(), resumed.state()[i].second->data());
    }
    resumed.set_averaging_since(through.averaging_since());
    at_five = w;
    for (int64_t t = 5; t < 12; ++t) {
      step(through, w, t);
      step(resumed, at_five, t);
    }
    EXPECT_EQ(at_five, w) << rule;
    const std::span<const float> a = through.averages(), b = resumed.averages();
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << rule;
  }
}

}  // namespace
}  // namespace longhand::train
