// Recalibration uses only known values, and follows series that become harder to forecast.
#include "longhand/tasks/recalibration.h"

#include <fmt/format.h>

#include <cmath>

#include "longhand/tasks/regressor_task.h"
#include "tests/tasks/model_checks.h"

namespace longhand::tasks {
namespace {

// Two series of noise, one after the other. The standard deviation is 1 in the first `calm` rows, then 4.
data::Table noisy_table(const data::SeriesOptions& series, int64_t rows, int64_t calm) {
  const CounterRng rng(21, 0, RngPlace::kSample);
  std::string text = "id,y\n";
  for (int64_t i = 0; i < 2 * rows; ++i) {
    const double noise = rng.normal(static_cast<uint64_t>(i)) * (i % rows < calm ? 1.0 : 4.0);
    text += fmt::format("{},{:.6f}\n", i < rows ? "a" : "b", noise);
  }
  return data::read_table(text, series, "t.csv");
}

RegressorOptions noisy_options(const std::string& output, int64_t horizon) {
  RegressorOptions options;
  options.series = {.target = "y", .window = 3, .horizon = horizon, .series_column = "id"};
  options.output = output;
  options.quantiles = "0.1,0.3,0.5,0.7,0.9";
  options.series_scale = "none";
  options.init.output = "zeros";  // a standard normal distribution, at the scale of the training rows
  options.lstm.hidden = 4;
  return options;
}

class Recalibrated : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Outputs, Recalibrated, ::testing::Values("gaussian", "quantiles"));

struct Noisy {
  Noisy(const std::string& output, int64_t horizon)
      : options(noisy_options(output, horizon)), table(noisy_table(options.series, 600, 300)) {
    const RowRange training[] = {{0, 300}, {600, 900}};
    const Columns columns = columns_of(table, training, "none", false);
    prepare(columns, options.series, table);
    model = std::make_unique<Regressor>(options, columns);
    model->initialise(1);
    for (const data::Window& window : data::windows(table, options.series, 0, table.rows)) {
      if (window.target % 600 >= 450) windows.push_back(window);
    }
  }
  std::vector<std::vector<float>> forecasts(int64_t count) {
    std::vector<std::vector<float>> out;
    kernels::Context context(1);
    forecast(*model, table, windows, {count, 0.8}, Using(*model, nn::Engine::kFused, context),
             [&](const data::Window&, std::span<const float> p) { out.emplace_back(p.begin(), p.end()); }, {});
    return out;
  }

  RegressorOptions options;
  data::Table table;
  std::unique_ptr<Regressor> model;
  std::vector<data::Window> windows;
};

TEST_P(Recalibrated, FollowsSeriesThatBecomeHarder) {
  Noisy noisy(GetParam(), 2);
  kernels::Context context(1);
  Using workspace(*noisy.model, nn::Engine::kFused, context);
  const RegressionScore fixed = evaluate(*noisy.model, noisy.table, noisy.windows, workspace);
  const RegressionScore rolling = evaluate(*noisy.model, noisy.table, noisy.windows, workspace, {.recalibrate = 100});
  EXPECT_EQ(fixed.values, rolling.values);
  EXPECT_LT(*fixed.measures->coverage, 0.4);
  EXPECT_NEAR(*rolling.measures->coverage, 0.8, 0.04);
  EXPECT_LT(rolling.measures->crps, 0.95 * fixed.measures->crps);
  for (const SeriesMeasures& one : rolling.measures->each) EXPECT_NEAR(*one.coverage, 0.8, 0.06) << one.series;
  EXPECT_EQ(fixed.mse, rolling.mse);  // recalibration does not move the centre
}

// A forecast depends only on values before its first row.
TEST_P(Recalibrated, UsesKnownValuesOnly) {
  Noisy noisy(GetParam(), 3);
  const auto before = noisy.forecasts(50);
  const size_t at = noisy.windows.size() / 4;  // in the first series
  const int64_t first = noisy.windows[at].target;
  for (int64_t row = first; row < 600; ++row) noisy.table.target[0][static_cast<size_t>(row)] *= 100.0;
  const auto after = noisy.forecasts(50);
  ASSERT_EQ(before.size(), noisy.windows.size());
  for (size_t w = 0; w <= at; ++w) EXPECT_EQ(before[w], after[w]) << w;
  EXPECT_NE(before[at + 20], after[at + 20]);
  // The next series is not affected.
  const size_t second = noisy.windows.size() / 2;
  EXPECT_EQ(noisy.table.sequence_of(noisy.windows[second].begin), 1);
  EXPECT_EQ(before[second], after[second]);
}

// The factor of each step equals that of `calibrate` on the last values known at the forecast origin.
TEST(RollingCalibrationTest, IsSplitConformalOnTheLastValues) {
  Noisy noisy("gaussian", 2);
  const auto plain = noisy.forecasts(0), rolling = noisy.forecasts(60);
  const data::Window& window = noisy.windows[100];
  const data::Scale& scale = *noisy.model->scales_of(noisy.table, window);
  for (size_t a = 0; a < 2; ++a) {
    std::vector<CalibrationValue> known;
    for (int64_t row = window.target - 60; row < window.target; ++row) {
      // The untrained model gives the same forecast for every window.
      known.push_back({plain[100].data() + 2 * a, scale.apply(noisy.table.target[0][static_cast<size_t>(row)])});
    }
    const float factor = calibrate(noisy.model->distribution(), known, 0.8)[0];
    EXPECT_GT(factor, 1.5F);
    EXPECT_NEAR(rolling[100][2 * a + 1], factor * plain[100][2 * a + 1], 1e-6);
  }
}

// With fewer than 20 known values, the forecast is the model's own.
TEST(RollingCalibrationTest, LeavesForecastsWithFewKnownValuesAlone) {
  Noisy noisy("quantiles", 1);
  noisy.windows = data::windows(noisy.table, noisy.options.series, 0, 40);
  const auto plain = noisy.forecasts(0), rolling = noisy.forecasts(30);
  ASSERT_EQ(plain.size(), 37U);
  for (size_t w = 0; w < 20; ++w) EXPECT_EQ(plain[w], rolling[w]) << w;
  EXPECT_NE(plain[20], rolling[20]);
}

TEST(RollingCalibrationTest, NeedsAnInterval) {
  const auto usage = [](const char* output) {
    const RegressorOptions options = noisy_options(output, 1);
    const data::Table table = data::read_table("id,y\na,1\na,2\na,3\n", options.series, "t.csv");
    const RowRange rows[] = {{0, 3}};
    const Regressor model(options, columns_of(table, rows, "none", false));
    return testing::error_of([&] { expect_recalibration(model); }, ExitCode::kUsage);
  };
  EXPECT_NE(usage("point").find("found one of points"), std::string::npos);
  EXPECT_NE(usage("negative-binomial").find("found one of counts"), std::string::npos);
}

}  // namespace
}  // namespace longhand::tasks
