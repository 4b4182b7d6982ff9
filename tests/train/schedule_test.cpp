// The learning rate's courses: PyTorch's, those that it does not have by hand, warm-up, and going on from a state.
#include "longhand/train/schedule.h"

#include <algorithm>

#include "tests/fixture.h"
#include "tests/testing.h"

namespace longhand::train {
namespace {

using testing::Fixture;

constexpr double kFloat = 0x1p-24;  // the fixture's rates are rounded to single precision

class PyTorchSchedule : public ::testing::Test {
 protected:
  // Compares the rates of the schedule at these moments with the fixture's.
  void compare(const ScheduleOptions& options, const std::vector<Moment>& moments) const {
    const std::vector<float> expected = fixture.get(name_in_fixture(options.schedule));
    ASSERT_EQ(moments.size(), expected.size());
    Schedule schedule(options, fixture.real("lr"));
    for (size_t i = 0; i < moments.size(); ++i) {
      const auto rate = static_cast<double>(expected[i]);
      EXPECT_NEAR(schedule.rate(moments[i]), rate, 2.0 * kFloat * rate) << options.schedule << " " << i;
    }
  }
  static std::string name_in_fixture(std::string name) {
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
  }
  const Fixture fixture{"schedules"};
};

// Epochs of three updates each, of which the first is asked for.
std::vector<Moment> epochs(int64_t count) {
  std::vector<Moment> out;
  for (int64_t e = 0; e < count; ++e) {
    out.push_back({.step = 3 * e, .epoch = e, .done = static_cast<double>(e) / static_cast<double>(count)});
  }
  return out;
}

TEST_F(PyTorchSchedule, StepAndExponential) {
  compare({.schedule = "step", .factor = fixture.real("step.gamma"), .every = fixture.number("step.step_size")},
          epochs(12));
  compare({.schedule = "exponential", .factor = fixture.real("exponential.gamma")}, epochs(12));
}

TEST_F(PyTorchSchedule, Cosine) {
  const int64_t last = fixture.number("cosine.T_max");
  std::vector<Moment> moments;
  for (int64_t t = 0; t <= last; ++t) {
    moments.push_back({.step = t, .epoch = 0, .done = static_cast<double>(t) / static_cast<double>(last)});
  }
  compare({.schedule = "cosine", .min = fixture.real("cosine.eta_min")}, moments);
}

// PyTorch's steps are whole: up from the first to the one where the rate is highest, down from there to the last.
TEST_F(PyTorchSchedule, OneCycle) {
  const double peak_at = fixture.real("one_cycle.pct_start");
  const int64_t steps = fixture.number("one_cycle.total_steps");
  const double top = peak_at * static_cast<double>(steps) - 1.0, last = static_cast<double>(steps) - 1.0;
  std::vector<Moment> moments;
  for (int64_t i = 0; i < steps; ++i) {
    const auto t = static_cast<double>(i);
    const double done = t <= top ? peak_at * t / top : peak_at + (1.0 - peak_at) * (t - top) / (last - top);
    moments.push_back({.step = i, .epoch = 0, .done = done});
  }
  compare({.schedule = "one-cycle",
           .peak_at = peak_at,
           .start_divisor = fixture.real("one_cycle.div_factor"),
           .end_divisor = fixture.real("one_cycle.final_div_factor")},
          moments);
}

TEST_F(PyTorchSchedule, Plateau) {
  const ScheduleOptions options{.schedule = "plateau",
                                .factor = fixture.real("plateau.factor"),
                                .patience = fixture.number("plateau.patience"),
                                .threshold = fixture.real("plateau.threshold"),
                                .cooldown = fixture.number("plateau.cooldown"),
                                .min = fixture.real("plateau.min_lr")};
  const std::vector<float> losses = fixture.get("plateau_losses"), expected = fixture.get("plateau");
  Schedule schedule(options, fixture.real("lr"));
  std::vector<double> seen;
  for (size_t e = 0; e < losses.size(); ++e) {
    schedule.observe(static_cast<double>(losses[e]));
    const double rate = schedule.rate({.step = static_cast<int64_t>(e), .epoch = static_cast<int64_t>(e), .done = 0.0});
    EXPECT_NEAR(rate, static_cast<double>(expected[e]), 2.0 * kFloat * rate) << "epoch " << e;
    if (seen.empty() || rate != seen.back()) seen.push_back(rate);
  }
  EXPECT_GE(seen.size(), 5U);  // four reductions, the last one to the floor
  EXPECT_EQ(seen.back(), options.min);
}

double rate_at(const ScheduleOptions& options, const Moment& moment) { return Schedule(options, 0.5).rate(moment); }

TEST(Schedule, ConstantStaysAndTheInverseRootFalls) {
  for (const int64_t step : {0, 1, 24, 1000}) {
    const auto t = static_cast<double>(step + 1);
    EXPECT_EQ(rate_at({}, {.step = step, .epoch = step, .done = 0.5}), 0.5);
    EXPECT_DOUBLE_EQ(rate_at({.schedule = "inverse-sqrt"}, {.step = step}), 0.5 / std::sqrt(t));
  }
}

TEST(Schedule, ReducesFirstAfterTheGivenEpochs) {
  const double step[] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125};         // after five, then every two
  const double exponential[] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.125, 0.0625};  // from the sixth on
  for (int64_t e = 0; e < 9; ++e) {
    const Moment moment{.step = 7 * e + 3, .epoch = e};
    EXPECT_DOUBLE_EQ(rate_at({.schedule = "step", .factor = 0.5, .every = 2, .after = 5}, moment), step[e]) << e;
    EXPECT_DOUBLE_EQ(rate_at({.schedule = "exponential", .factor = 0.5, .after = 5}, moment), exponential[e]) << e;
  }
}

// Howard and Ruder 2018, equation 3: T = 100 updates, of which the first 10 rise.
TEST(Schedule, RisesAndFallsInStraightLines) {
  const ScheduleOptions options{.schedule = "slanted-triangular"};
  for (const auto& [t, p] : {std::pair(0, 0.0), {5, 0.5}, {10, 1.0}, {55, 0.5}, {91, 0.1}, {100, 0.0}}) {
    const double rate = rate_at(options, {.step = t, .done = t / 100.0});
    EXPECT_NEAR(rate, 0.5 * (1.0 + p * (32.0 - 1.0)) / 32.0, 1e-12) << t;
  }
  EXPECT_EQ(rate_at({.schedule = "slanted-triangular", .cut_fraction = 0.5, .ratio = 4.0}, {.step = 1, .done = 0.75}),
            0.3125);
}

TEST(Schedule, CapsTheMinimumAtTheRate) {
  EXPECT_EQ(rate_at({.schedule = "cosine", .min = 2.0}, {.step = 9, .epoch = 1, .done = 1.0}), 0.5);
  EXPECT_EQ(rate_at({.schedule = "plateau", .min = 2.0}, {.step = 9}), 0.5);
}

constexpr const char* kSchedules[] = {"constant", "step",         "exponential", "plateau",
                                      "cosine",   "inverse-sqrt", "one-cycle",   "slanted-triangular"};

constexpr int64_t kWarmup = 7, kSteps = 40, kStepsInEpoch = 8;

// What a trainer would say of an update of a run of five epochs.
Moment moment_at(int64_t step) {
  return {.step = step, .epoch = step / kStepsInEpoch, .done = static_cast<double>(step) / static_cast<double>(kSteps)};
}

// The rates of updates begin .. end; epochs' losses get no better.
std::vector<double> rates(Schedule& schedule, int64_t begin, int64_t end) {
  std::vector<double> out;
  for (int64_t step = begin; step < end; ++step) {
    out.push_back(schedule.rate(moment_at(step)));
    if ((step + 1) % kStepsInEpoch == 0) schedule.observe(3.0 + 0.1 * static_cast<double>(step));
  }
  return out;
}

TEST(Schedule, WarmsUpBeforeEachOfThem) {
  for (const char* name : kSchedules) {
    ScheduleOptions options{.schedule = name, .patience = 0, .warmup = kWarmup};
    Schedule schedule(options, 0.5);
    const std::vector<double> all = rates(schedule, 0, kSteps);
    for (int64_t t = 0; t < kWarmup; ++t) {
      EXPECT_DOUBLE_EQ(all[static_cast<size_t>(t)], 0.5 * static_cast<double>(t + 1) / 7.0) << name;
    }
    // Then the schedule itself, which has the rest of the run for what it does in shares of it.
    options.warmup = 0;
    Schedule plain(options, 0.5);
    const auto at = [&](int64_t step) { return all[static_cast<size_t>(step)]; };
    const std::string schedule_name = name;
    if (schedule_name == "cosine" || schedule_name == "one-cycle" || schedule_name == "slanted-triangular") {
      for (int64_t step = kWarmup; step < kSteps; ++step) {
        const double done = static_cast<double>(step - kWarmup) / static_cast<double>(kSteps - kWarmup);
        EXPECT_NEAR(at(step), plain.rate({.step = step - kWarmup, .epoch = 0, .done = done}), 1e-12) << name << step;
      }
    } else if (schedule_name == "inverse-sqrt") {
      EXPECT_DOUBLE_EQ(at(kWarmup), 0.5 * std::sqrt(7.0 / 8.0));
      EXPECT_DOUBLE_EQ(at(27), 0.5 * std::sqrt(7.0 / 28.0));
    } else {
      const std::vector<double> expected = rates(plain, 0, kSteps);
      for (int64_t step = kWarmup; step < kSteps; ++step) {
        EXPECT_EQ(at(step), expected[static_cast<size_t>(step)]) << name << " " << step;
      }
    }
    EXPECT_EQ(all.back() < 0.26, schedule_name != "constant") << name;
  }
}

TEST(Schedule, ContinuesFromItsState) {
  for (const char* name : kSchedules) {
    for (const int64_t warmup : {int64_t{0}, kWarmup}) {
      const ScheduleOptions options{.schedule = name, .patience = 1, .cooldown = 1, .warmup = warmup};
      Schedule whole(options, 0.5);
      const std::vector<double> expected = rates(whole, 0, kSteps);
      for (int64_t stop = 0; stop < kSteps; ++stop) {
        Schedule first(options, 0.5), second(options, 0.5);
        std::vector<double> actual = rates(first, 0, stop);
        second.set_state(first.state(), 1, 1);
        const std::vector<double> rest = rates(second, stop, kSteps);
        actual.insert(actual.end(), rest.begin(), rest.end());
        EXPECT_EQ(actual, expected) << name << ", stopped at " << stop;
      }
    }
  }
}

}  // namespace
}  // namespace longhand::train
