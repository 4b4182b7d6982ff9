// The passes over all parameters, update rules, clipping, norm and average: fused against reference.
#include "longhand/kernels/optimizer.h"

#include <algorithm>

#include "longhand/kernels/reference.h"
#include "tests/testing.h"

namespace longhand::kernels {
namespace {

using testing::expect_close;
using testing::random_vector;

constexpr double kRounding = 6e-8;  // half a unit in the last place of 1
constexpr int64_t kSizes[] = {1, 15, 16, 17, 33, 1000};
constexpr int64_t kThreadsShareIt = 100003;  // elements, enough that three threads get some each
constexpr float kUntouched = 7.0F;

constexpr UpdateRule kRules[] = {UpdateRule::kSgd,     UpdateRule::kMomentum, UpdateRule::kNesterov,
                                 UpdateRule::kAdagrad, UpdateRule::kAdadelta, UpdateRule::kRmsprop,
                                 UpdateRule::kAdam,    UpdateRule::kNadam};

// Arrays of an update of n elements, whose scalars all make a difference; past them is what no kernel may touch.
template <class T>
struct Arrays {
  Arrays(UpdateRule rule, int64_t n)
      : w(random_vector<T>(n, 1.0, 1)),
        dw(random_vector<T>(n, 1.0, 2)),
        m(random_vector<T>(n, 1.0, 3)),
        v(random_vector<T>(n, 1.0, 4)) {
    for (T& x : v) x = std::abs(x) + T(0.01);
    if (rule == UpdateRule::kAdadelta) {  // a mean of squares
      for (T& x : m) x = std::abs(x);
    }
    for (std::vector<T>* array : {&w, &m, &v}) std::fill(array->begin() + n, array->end(), T(kUntouched));
    all = {0, n};
    args = {.rule = rule,
            .where = {&all, 1},
            .w = w.data(),
            .dw = dw.data(),
            .m = m.data(),
            .v = v.data(),
            .gradient_scale = T(0.5),
            .l2 = T(0.3),
            .keep = T(0.9),
            .rate = T(0.2),
            .beta1 = T(0.8),
            .beta2 = T(0.7),
            .epsilon = T(0.05),
            .v_scale = T(1.5),
            .d_rate = T(0.4)};
  }
  std::vector<T> w, dw, m, v;
  Range all;
  ParameterUpdate<T> args;
};

TEST(Optimizer, UpdatesAgreeWithTheReferenceOnEveryTarget) {
  for (const UpdateRule rule : kRules) {
    SCOPED_TRACE(static_cast<int>(rule));
    for (const int64_t n : kSizes) {
      Arrays<double> expected(rule, n);
      reference::update_parameters(expected.args);
      testing::on_every_target([&] {
        Context context(2);
        Arrays<float> actual(rule, n);
        update_parameters(actual.args, context);
        const auto all = static_cast<int64_t>(actual.w.size());
        // The longest chain, Nadam's, has about twelve operations, each on values below 7.
        expect_close(actual.w, expected.w, all, 12 * kRounding, "w");
        expect_close(actual.m, expected.m, all, 12 * kRounding, "m");
        expect_close(actual.v, expected.v, all, 12 * kRounding, "v");
        for (size_t i = static_cast<size_t>(n); i < actual.w.size(); ++i) {
          ASSERT_TRUE(actual.w[i] == kUntouched && actual.m[i] == kUntouched && actual.v[i] == kUntouched) << i;
        }
      });
    }
  }
}

// So that the comparison above says something of each scalar: a rule that has no use for one comes out the same.
TEST(Optimizer, EveryRuleUsesItsScalarsAndNoOthers) {
  const std::pair<const char*, double ParameterUpdate<double>::*> scalars[] = {
      {"beta1", &ParameterUpdate<double>::beta1},     {"beta2", &ParameterUpdate<double>::beta2},
      {"epsilon", &ParameterUpdate<double>::epsilon}, {"v_scale", &ParameterUpdate<double>::v_scale},
      {"d_rate", &ParameterUpdate<double>::d_rate},   {"gradient_scale", &ParameterUpdate<double>::gradient_scale},
      {"l2", &ParameterUpdate<double>::l2},           {"keep", &ParameterUpdate<double>::keep},
      {"rate", &ParameterUpdate<double>::rate}};
  const std::string used[] = {"",
                              "beta1",
                              "beta1",
                              "epsilon",
                              "beta2 epsilon",
                              "beta2 epsilon",
                              "beta1 beta2 epsilon v_scale",
                              "beta1 beta2 epsilon v_scale d_rate"};
  for (const UpdateRule rule : kRules) {
    Arrays<double> plain(rule, 3);
    reference::update_parameters(plain.args);
    for (const auto& [name, member] : scalars) {
      Arrays<double> other(rule, 3);
      other.args.*member *= 1.01;
      reference::update_parameters(other.args);
      const bool always = std::string("gradient_scale l2 keep rate").find(name) != std::string::npos;
      const bool uses = always || used[static_cast<size_t>(rule)].find(name) != std::string::npos;
      EXPECT_EQ(other.w != plain.w, uses) << name << " in rule " << static_cast<int>(rule);
    }
  }
}

TEST(Optimizer, UpdatesAreBitIdenticalOnAnyNumberOfThreads) {
  Context one(1), three(3);
  for (const UpdateRule rule : kRules) {
    Arrays<float> a(rule, kThreadsShareIt), b(rule, kThreadsShareIt);
    update_parameters(a.args, one);
    update_parameters(b.args, three);
    EXPECT_EQ(a.w, b.w) << static_cast<int>(rule);
    EXPECT_EQ(a.m, b.m) << static_cast<int>(rule);
    EXPECT_EQ(a.v, b.v) << static_cast<int>(rule);
  }
}

// Stretches of all sizes, one of which is longer than the pieces in which threads work.
TEST(Optimizer, UpdatesNothingElseThanTheStretchesGiven) {
  const std::vector<Range> where = {{0, 1}, {3, 10}, {10, 11}, {40, 57}, {1000, 20007}, {99999, kThreadsShareIt}};
  const auto is_in = [&](size_t i) {
    const auto at = static_cast<int64_t>(i);
    return std::any_of(where.begin(), where.end(), [at](const Range& r) { return r.begin <= at && at < r.end; });
  };
  for (const UpdateRule rule : kRules) {
    Context three(3);
    Arrays<float> expected(rule, kThreadsShareIt), original(rule, kThreadsShareIt), actual(rule, kThreadsShareIt);
    update_parameters(expected.args, three);
    actual.args.where = where;
    update_parameters(actual.args, three);
    for (size_t i = 0; i < actual.w.size(); ++i) {
      const Arrays<float>& from = is_in(i) ? expected : original;
      ASSERT_TRUE(actual.w[i] == from.w[i] && actual.m[i] == from.m[i] && actual.v[i] == from.v[i]) << i;
    }
    double squares = 0.0;
    for (size_t i = 0; i < actual.dw.size(); ++i) {
      squares += is_in(i) ? static_cast<double>(actual.dw[i]) * static_cast<double>(actual.dw[i]) : 0.0;
    }
    EXPECT_NEAR(squared_norm(actual.dw.data(), where, three), squares, 1e-12 * squares);
  }
}

TEST(Optimizer, ClipsEachValueOnEveryTarget) {
  for (const int64_t n : {int64_t{1}, int64_t{15}, int64_t{16}, int64_t{17}, int64_t{33}, kThreadsShareIt}) {
    auto expected = random_vector<float>(n, 1.0, 1);
    expected[0] = -3.0F;
    std::fill(expected.begin() + n, expected.end(), kUntouched);
    const auto original = expected;
    for (int64_t i = 0; i < n; ++i) {
      float& x = expected[static_cast<size_t>(i)];
      x = std::clamp(x, -0.3F, 0.3F);
    }
    testing::on_every_target([&] {
      for (const int threads : {1, 3}) {
        Context context(threads);
        auto actual = original;
        const Range all{0, n};
        clip_values(actual.data(), {&all, 1}, 0.3F, context);
        EXPECT_EQ(actual, expected) << n;
      }
    });
  }
}

TEST(Optimizer, MovesTheAverageOnEveryTarget) {
  for (const int64_t n : {int64_t{1}, int64_t{15}, int64_t{16}, int64_t{17}, int64_t{33}, kThreadsShareIt}) {
    const auto w = random_vector<float>(n, 1.0, 1);
    auto original = random_vector<float>(n, 1.0, 2);
    std::fill(original.begin() + n, original.end(), kUntouched);
    std::vector<double> expected(original.begin(), original.end());
    for (int64_t i = 0; i < n; ++i) {
      double& x = expected[static_cast<size_t>(i)];
      x += 0.25 * (static_cast<double>(w[static_cast<size_t>(i)]) - x);
    }
    testing::on_every_target([&] {
      auto one = original;
      for (const int threads : {1, 3}) {
        Context context(threads);
        auto actual = original;
        const Range all{0, n};
        update_average(actual.data(), w.data(), {&all, 1}, 0.25F, context);
        if (threads == 1) one = actual;
        EXPECT_EQ(actual, one) << n;
        // Three operations on values up to 2.
        for (size_t i = 0; i < actual.size(); ++i) {
          ASSERT_NEAR(static_cast<double>(actual[i]), expected[i], 3 * 2 * kRounding) << i;
        }
      }
    });
  }
}

TEST(Optimizer, TheNormIsThatOfTheReferenceAndBitIdenticalOnAnyNumberOfThreads) {
  for (const int64_t n : {int64_t{1}, int64_t{15}, int64_t{17}, int64_t{4097}, kThreadsShareIt}) {
    const auto values = random_vector<float>(n, 1.0, 1);
    testing::on_every_target([&] {
      Context one(1);
      const double norm = squared_norm(values.data(), n, one), expected = reference::squared_norm(values.data(), n);
      EXPECT_NEAR(norm, expected, 1e-12 * expected);
      for (const int threads : {2, 3, 4}) {
        Context context(threads);
        EXPECT_EQ(squared_norm(values.data(), n, context), norm);
      }
    });
  }
}

}  // namespace
}  // namespace longhand::kernels
