// Notes on series that are left out, on options without effect, and on intervals.
#include "longhand/runs/regressor_notes.h"

#include <fmt/core.h>

#include "tests/testing.h"

namespace longhand::runs {
namespace {

data::SeriesOptions shops_options() { return {.target = "y", .window = 3, .horizon = 1, .series_column = "id"}; }

data::Table shops_table() {
  return data::read_table("id,y\na,1\na,2\na,3\na,4\na,5\nb,7\nc,1\nc,1\nc,1\nc,1\nc,1\n", shops_options(), "f");
}

TEST(RegressorNotes, NameTheSeriesThatAreLeftOut) {
  const data::Table table = shops_table();
  const std::vector<data::Window> all = data::windows(table, shops_options(), 0, table.rows);
  EXPECT_EQ(note_left_out("f", table, all, "to train on"),
            "note: f: 1 of 3 series (b) is too short to train on, and left out");
  EXPECT_EQ(note_left_out("f", table, std::span(all).first(1), "for a window"),
            "note: f: 2 of 3 series (b, c) are too short for a window, and left out");
  data::Table whole = table;
  whole.starts = {0, table.rows};
  EXPECT_EQ(note_left_out("f", whole, all, "to train on"), "");
  // Counts only series with a window in `among`.
  EXPECT_EQ(note_left_out("f", table, {}, "for test rows", std::span(all).first(1)),
            "note: f: 1 of 3 series (a) is too short for test rows, and left out");
  // Names only the first of 1000 series.
  data::Table many;
  for (int64_t s = 0; s < 1000; ++s) {
    many.series.push_back(fmt::format("s{}", s));
    many.starts.push_back(s + 1);
  }
  many.rows = 1000;
  const std::string note = note_left_out("f", many, {}, "to train on");
  EXPECT_NE(note.find("1000 of 1000 series (s0, s1,"), std::string::npos) << note;
  EXPECT_LT(note.size(), 200U);
}

TEST(RegressorNotes, NameSeriesAndTextsThatAreNew) {
  tasks::Columns columns;
  columns.series_scale = "standard";
  columns.series = {"a"};
  columns.statics = {{.name = "kind", .is_text = true, .scale = {}, .values = {"north", "south"}}};
  data::Table table = shops_table();
  table.statics = {{.name = "kind", .texts = {"south", "north", "south"}, .numbers = {}}};
  const std::vector<data::Window> windows = data::windows(table, shops_options(), 0, table.rows);
  EXPECT_EQ(note_new("f", table, windows, columns),
            "note: f: 1 of 3 series (c) is new to the model, and scaled by its own rows");
  columns.series.push_back("c");
  EXPECT_EQ(note_new("f", table, windows, columns), "");
  table.statics[0].texts[1] = "west";
  EXPECT_EQ(note_new("f", table, windows, columns),
            "note: f: static columns have texts that the model has not seen, and reads as none: kind 'west'");
}

TEST(RegressorNotes, NameForecastsThatKeepTheirCalibration) {
  EXPECT_EQ(note_not_recalibrated(0), "");
  EXPECT_EQ(note_not_recalibrated(7),
            "7 forecasts keep the model's calibration: fewer than 20 earlier values are known");
}

TEST(RegressorNotes, NameConstantTargets) {
  const data::Table table = shops_table();
  const tasks::RowRange rows[] = {{0, 4}, {5, 5}, {6, 10}};
  EXPECT_NE(note_constant(table, rows).find("a target is constant in the training rows (c)"), std::string::npos);
  EXPECT_EQ(note_constant(table, {rows, 2}), "");
}

TEST(RegressorNotes, NameOptionsWithoutEffect) {
  const auto notes = [](const std::function<void(tasks::RegressorOptions&)>& change) {
    tasks::RegressorOptions options;
    change(options);
    return notes_without_effect(options);
  };
  using Options = tasks::RegressorOptions;
  EXPECT_TRUE(notes([](Options&) {}).empty());
  EXPECT_EQ(notes([](Options& o) { o.quantiles = "0.1,0.9"; }),
            std::vector<std::string>{"note: `quantiles` has no effect with `output` point"});
  EXPECT_EQ(notes([](Options& o) { o.interval = 0.9; }).size(), 1U);
  EXPECT_EQ(notes([](Options& o) { o.calibrate = false; }),
            std::vector<std::string>{"note: turning off `calibrate` has no effect with `output` point"});
  EXPECT_EQ(notes([](Options& o) { o.series_scale = "none"; }),
            std::vector<std::string>{"note: `series-scale` has no effect with a table without a `series-column`"});
  EXPECT_EQ(notes([](Options& o) { o.shrink = false; }).size(), 1U);
  const auto all = [](Options& o) {
    o.output = "quantiles";
    o.quantiles = "0.1,0.9";
    o.interval = 0.6;
    o.calibrate = o.shrink = false;
    o.series_scale = "none";
    o.series.series_column = "id";
    o.residual_of = "naive";
  };
  EXPECT_TRUE(notes(all).empty());
  EXPECT_EQ(notes([&](Options& o) {
              all(o);
              o.output = "gaussian";
            }),
            std::vector<std::string>{"note: `quantiles` has no effect with `output` gaussian"});
}

TEST(RegressorNotes, SayThatAnIntervalIsNotMeasured) {
  const tasks::ForecastDistribution nine("quantiles", {0.1, 0.5, 0.9}), high("quantiles", {0.6, 0.9});
  EXPECT_EQ(note_interval(nine, 0.8), "");
  EXPECT_EQ(note_interval(tasks::ForecastDistribution("gaussian", {}), 0.99), "");
  EXPECT_EQ(note_interval(nine, 0.95),
            "no 95 % interval is measured, since the model's quantiles are those from 0.1 to 0.9: train with "
            "`quantiles` from 0.025 to 0.975, or give `interval` 0.8 or less");
  EXPECT_EQ(note_interval(high, 0.8),
            "no 80 % interval is measured, since the model's quantiles are those from 0.6 to 0.9: train with "
            "`quantiles` from 0.1 to 0.9");
}

// Advice never names an option that cannot be combined with the model's.
TEST(RegressorNotes, AdviseWhatCanBeDone) {
  tasks::RegressorOptions options;
  EXPECT_NE(forecast_advice(options, true).find("`residual-of` linear"), std::string::npos);
  EXPECT_NE(forecast_advice(options, false).find("`residual-of` with that forecast"), std::string::npos);
  options.residual_of = "linear";
  EXPECT_EQ(forecast_advice(options, true).find("residual-of"), std::string::npos);
  EXPECT_EQ(forecast_advice(options, false).find("residual-of"), std::string::npos);
  options.residual_of = "none";
  options.output = "negative-binomial";
  for (const bool is_ridge : {true, false}) {
    EXPECT_NE(forecast_advice(options, is_ridge).find("`output` gaussian with `residual-of`"), std::string::npos);
  }
  options.output = "point";
  options.series.horizon = 0;
  EXPECT_EQ(forecast_advice(options, false).find("residual-of"), std::string::npos);
  options.series.window = 0;
  EXPECT_EQ(forecast_advice(options, false).find("window"), std::string::npos);
}

}  // namespace
}  // namespace longhand::runs
