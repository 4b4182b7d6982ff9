// Scales of targets: constant series, series of zeros, new series; forecasts and intervals in other units.
#include "longhand/tasks/target_scales.h"

#include <fmt/format.h>

#include <cmath>

#include "longhand/tasks/regressor.h"
#include "tests/tasks/model_checks.h"

namespace longhand::tasks {
namespace {

// Three series: a wave, a constant, and zeros. `unit` multiplies all values.
data::Table flat_table(const data::SeriesOptions& series, double unit, const std::string& names = "abc") {
  std::string text = "id,y\n";
  for (int i = 0; i < 40; ++i) {
    const double values[] = {10.0 + 3.0 * std::sin(0.7 * i), 5.0, 0.0};
    for (size_t s = 0; s < names.size(); ++s) text += fmt::format("{},{:.12g}\n", names[s], unit * values[s]);
  }
  return data::read_table(text, series, "t.csv");
}

RegressorOptions flat_options(const std::string& output, const std::string& scale) {
  RegressorOptions options;
  options.series = {.target = "y", .window = 4, .horizon = 2, .series_column = "id"};
  options.output = output;
  options.quantiles = "0.1,0.5,0.9";
  options.series_scale = scale;
  options.init.output = "standard-uniform";
  options.lstm.hidden = 5;
  return options;
}

Columns flat_columns(const RegressorOptions& options, const data::Table& table, int64_t min_rows = 0) {
  std::vector<RowRange> rows;
  for (int64_t s = 0; s < table.sequences(); ++s)
    rows.emplace_back(table.starts[static_cast<size_t>(s)], table.end_of(s));
  return columns_of(table, rows, options.used_series_scale(), options.distribution().is_counts(), min_rows);
}

// The 10 % quantile, the centre and the 90 % quantile of the last window of each series, in the data's units.
std::vector<double> last_forecasts(const RegressorOptions& options, const Columns& columns, data::Table table) {
  prepare(columns, options.series, table);
  Regressor model(options, columns);
  model.initialise(3);
  kernels::Context context(1);
  model.pack(context);
  Regressor::Workspace workspace(model, nn::Engine::kFused, context);
  std::vector<data::Window> windows;
  for (int64_t s = 0; s < table.sequences(); ++s) windows.push_back({table.end_of(s) - 4, 4, table.end_of(s)});
  SeriesBatch batch;
  model.get(table, windows, false, batch);
  const std::span<const float> read = model.read(batch, workspace);
  const auto P = static_cast<size_t>(model.distribution().size());
  std::vector<double> out;
  for (size_t w = 0; w < windows.size(); ++w) {
    const data::Scale& scale = *model.scales_of(table, windows[w]);
    const float* p = read.data() + w * 2 * P;
    for (const double level : {0.1, 0.9}) {
      out.push_back(scale.undo(model.distribution().quantile(p, level, scale.deviation)));
    }
    out.push_back(scale.undo(model.distribution().centre(p)));
  }
  return out;
}

TEST(TargetScales, OfConstantsAreInTheirUnits) {
  const data::Scale scale = scale_of_target({5.0, 5.0, 5.0}, TargetScaling::kStandard);
  EXPECT_EQ(scale.mean, 5.0);
  EXPECT_NEAR(scale.deviation, 0.5, 1e-12);
  EXPECT_NEAR(scale_of_target({-2000.0, -2000.0}, TargetScaling::kStandard).deviation, 200.0, 1e-9);
  EXPECT_EQ(scale_of_target({5.0, 5.0}, TargetScaling::kMeanAbsolute).deviation, 5.0);
  EXPECT_EQ(scale_of_target({0.0, 0.0}, TargetScaling::kStandard).deviation, 0.0);
  EXPECT_EQ(scale_of_target({0.0, 0.0}, TargetScaling::kMeanAbsolute).deviation, 0.0);
  EXPECT_EQ(scale_of_target({0.0, 0.0, 0.0}, TargetScaling::kCounts).deviation, 0.25);
  data::Scale scales[] = {{0.0, 0.0}, {1.0, 7.0}, {2.0, 3.0}};
  data::Scale* const all[] = {&scales[0], &scales[1], &scales[2]};
  fill_unknown(all);
  EXPECT_EQ(scales[0].deviation, 3.0);
  EXPECT_EQ(scales[1].deviation, 7.0);
  scales[0].deviation = 0.0;
  fill_unknown({all, 1});
  EXPECT_EQ(scales[0].deviation, 1.0);
}

// Data in thousandths give forecasts and intervals in thousandths: a wave, a constant, zeros; known and new series.
TEST(TargetScales, ForecastsAreMultipliedAsTheDataAre) {
  for (const std::string output : {"gaussian", "quantiles"}) {
    for (const std::string kind : {"standard", "mean-absolute", "none"}) {
      const RegressorOptions options = flat_options(output, kind);
      const data::Table one = flat_table(options.series, 1.0), many = flat_table(options.series, 1000.0);
      const Columns small = flat_columns(options, one), large = flat_columns(options, many);
      for (const char* names : {"abc", "xyz"}) {  // x, y and z are new to the model
        const auto expected = last_forecasts(options, small, flat_table(options.series, 1.0, names));
        const auto found = last_forecasts(options, large, flat_table(options.series, 1000.0, names));
        ASSERT_EQ(found.size(), 9U);
        for (size_t i = 0; i < found.size(); ++i) {
          EXPECT_NEAR(found[i], 1000.0 * expected[i], 1e-3 * std::abs(found[i]) + 1e-2)
              << output << ' ' << kind << ' ' << names << ' ' << i;
        }
        for (size_t s = 0; s < 3; ++s) EXPECT_LT(expected[3 * s], expected[3 * s + 1]) << "an empty interval";
      }
    }
  }
}

// The interval of a constant is narrow relative to its value.
TEST(TargetScales, AConstantHasANarrowInterval) {
  const RegressorOptions options = flat_options("gaussian", "standard");
  const data::Table table = flat_table(options.series, 1.0);
  const std::vector<double> found = last_forecasts(options, flat_columns(options, table), table);
  EXPECT_NEAR(found[5], 5.0, 1.0);
  EXPECT_LT(found[4] - found[3], 2.5);
}

// An item that is never sold: the untrained model expects 1 in 41 rows, and its 90 % quantile is 0.
TEST(TargetScales, CountsThatAreAlwaysZeroAreExpectedToStayRare) {
  RegressorOptions options = flat_options("negative-binomial", "auto");
  options.init.output = "zeros";
  std::string text = "id,y\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("busy,{}\nnever,0\n", 90 + i % 7);
  const data::Table table = data::read_table(text, options.series, "t.csv");
  const Columns columns = flat_columns(options, table);
  EXPECT_NEAR(columns.series_scales[1][0].deviation, 1.0 / 41.0, 1e-12);
  const std::vector<double> found = last_forecasts(options, columns, table);
  EXPECT_NEAR(found[2], 93.0, 5.0);
  EXPECT_NEAR(found[5], 1.0 / 41.0, 1e-4);
  EXPECT_EQ(found[4], 0.0);
}

TEST(TargetScales, ASeriesWithFewRowsRemainsNewToTheModel) {
  const RegressorOptions options = flat_options("gaussian", "standard");
  data::Table table = flat_table(options.series, 1.0);
  std::vector<RowRange> rows = {{0, 40}, {40, 44}, {80, 120}};
  const Columns columns = columns_of(table, rows, "standard", false, 6);
  EXPECT_EQ(columns.series, (std::vector<std::string>{"a", "c"}));
  ASSERT_EQ(columns.series_scales.size(), 2U);
  EXPECT_NEAR(columns.series_scales[1][0].deviation, columns.series_scales[0][0].deviation, 1e-12);
  prepare(columns, options.series, table);
  EXPECT_TRUE(table.prepared[1].scales.empty());
  EXPECT_EQ(table.prepared[1].running.size(), 40U);
}

}  // namespace
}  // namespace longhand::tasks
