// Regressors of many series: engines and gradients with every kind of column and of forecast, scales, files.
#include <cmath>
#include <sstream>
#include <tuple>

#include "longhand/tasks/regressor_baselines.h"
#include "longhand/tasks/regressor_task.h"
#include "tests/tasks/model_checks.h"

namespace longhand::tasks {
namespace {

struct Kind {
  const char* output;
  const char* residual_of;
  const char* normalise;
  const char* known;
};
std::ostream& operator<<(std::ostream& out, const Kind& kind) {
  return out << kind.output << ' ' << kind.residual_of << ' ' << kind.normalise << ' ' << kind.known;
}

RegressorOptions small(const Kind& kind) {
  RegressorOptions options;
  options.series = {.inputs = "a,y",
                    .target = "y,z",
                    .window = 5,
                    .horizon = 3,
                    .series_column = "id",
                    .statics = "size,kind",
                    .known = kind.known};
  options.output = kind.output;
  options.quantiles = "0.1,0.4,0.5,0.9";
  options.residual_of = kind.residual_of;
  options.normalise = kind.normalise;
  options.init.output = "standard-uniform";
  options.season = 4;
  options.lstm.hidden = 7;
  options.lstm.layers = 2;
  return options;
}

// Three series of different sizes, mixed; the last has no future.
std::string text_of(int64_t rows, const std::string& ids = "abc", bool future = false) {
  const CounterRng rng(9, 0, RngPlace::kSample);
  std::ostringstream text;
  text << "id,size,kind,price,a,y,z\n";
  for (int64_t i = 0; i < rows + (future ? 3 : 0); ++i) {
    for (size_t s = 0; s < ids.size(); ++s) {
      const auto at = static_cast<uint64_t>(3 * (static_cast<size_t>(i) * 8 + s));
      const double price = 1.0 + std::sin(0.7 * static_cast<double>(i + static_cast<int64_t>(s)));
      const double level = std::pow(10.0, static_cast<double>(s));
      text << ids[s] << ',' << 1.5 * static_cast<double>(s) << ',' << (s % 2 == 0 ? "even" : "odd") << ',' << price
           << ',';
      if (i >= rows) {
        text << ",,\n";
      } else {
        text << rng.normal(at) << ',' << std::round(level * (2.0 + price + std::abs(rng.normal(at + 1)))) << ','
             << std::round(level * std::abs(rng.normal(at + 2))) << '\n';
      }
    }
  }
  return text.str();
}

struct Made {
  data::Table table;
  std::unique_ptr<Regressor> model;
  std::vector<data::Window> windows;
};

Made make(const RegressorOptions& options, const std::string& text) {
  Made out;
  out.table = data::read_table(text, options.series, "t.csv");
  std::vector<RowRange> rows;
  for (int64_t s = 0; s < out.table.sequences(); ++s)
    rows.emplace_back(out.table.starts[static_cast<size_t>(s)], data::row_at(out.table, s, 0.8));
  const Columns columns = columns_of(out.table, rows, options.used_series_scale(), options.distribution().is_counts());
  prepare(columns, options.series, out.table);
  out.model = std::make_unique<Regressor>(options, columns);
  out.model->initialise(5);
  out.windows = data::windows(out.table, options.series, 0, out.table.rows);
  fit_residual(*out.model, {out.model->columns(), options.series, out.table, out.windows, out.table, {}});
  if (out.model->has_gain()) out.model->set_gain(0.75F);
  return out;
}

class ManySeries : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(
    Kinds, ManySeries,
    ::testing::Values(Kind{"point", "none", "training", ""}, Kind{"point", "linear", "training", "price"},
                      Kind{"gaussian", "linear", "window", "price"}, Kind{"gaussian", "naive", "training", ""},
                      Kind{"quantiles", "none", "training", "price"}, Kind{"quantiles", "seasonal", "training", ""},
                      Kind{"negative-binomial", "none", "training", "price"}));

TEST_P(ManySeries, EnginesGiveTheSameLossAndGradients) {
  RegressorOptions options = small(GetParam());
  options.lstm.dropout = 0.3;
  Made made = make(options, text_of(16));
  SeriesBatch batch;
  made.model->get(made.table, made.windows, true, batch);
  ASSERT_EQ(batch.rows, 3 * (16 - 5 - 3 + 1));
  EXPECT_EQ(batch.steps, made.model->reads_ahead() ? 8 : 5);
  const nn::GradientPass pass{.masks = {5, 6, 0}};
  kernels::Context context(2);
  const double expected = made.model->train(batch, pass, Using(*made.model, nn::Engine::kReference, context));
  const std::vector<float> gradients(made.model->parameters().gradients().begin(),
                                     made.model->parameters().gradients().end());
  for (const nn::Engine engine : {nn::Engine::kFused, nn::Engine::kAutograd}) {
    EXPECT_NEAR(made.model->train(batch, pass, Using(*made.model, engine, context)), expected,
                1e-5 * std::abs(expected));
    expect_close_gradients(made.model->parameters(), gradients, 5e-5, "gradients");
  }
}

TEST_P(ManySeries, GradientsAgreeWithCentralDifferences) {
  const RegressorOptions options = small(GetParam());
  Made made = make(options, text_of(9));
  SeriesBatch batch;
  made.model->get(made.table, made.windows, true, batch);
  kernels::Context context(1);
  const nn::GradientPass pass{.scale = 1.0F};
  expect_gradients_of_differences(
      *made.model, [&] { return made.model->train(batch, pass, Using(*made.model, nn::Engine::kReference, context)); },
      1e-3F);
}

TEST_P(ManySeries, SurviveSaving) {
  const RegressorOptions options = small(GetParam());
  Made made = make(options, text_of(30));
  kernels::Context context(1);
  if (made.model->has_widening()) {
    Regressor::Workspace workspace(*made.model, nn::Engine::kFused, context);
    made.model->pack(context);
    fit_widening(*made.model, made.table, made.windows, workspace);
    EXPECT_NE(made.model->widening()[0], 1.0F);
  }
  const testing::TemporaryFolder folder;
  made.model->save(folder / "model.safetensors", made.model->parameters().values());
  const std::unique_ptr<Regressor> again = Regressor::load(ModelFile::read(folder / "model.safetensors"));
  data::Table table = data::read_table(text_of(30), options.series, "t.csv");
  prepare(again->columns(), again->options().series, table);
  const RegressionScore before =
      evaluate(*made.model, made.table, made.windows, Using(*made.model, nn::Engine::kFused, context));
  const RegressionScore after = evaluate(*again, table, made.windows, Using(*again, nn::Engine::kFused, context));
  EXPECT_EQ(before.loss, after.loss);
  EXPECT_EQ(before.mse, after.mse);
  EXPECT_EQ(before.measures->crps, after.measures->crps);
}

// A file whose series, columns or scales do not fit together is refused.
TEST(ManySeriesFile, IsReadWithSuspicion) {
  const Made made = make(small({"gaussian", "none", "training", "price"}), text_of(20));
  const auto refused = [&](const std::string& field, const std::string& from, const std::string& to) {
    return refusal(*made.model, field, from, to);
  };
  EXPECT_NE(refused("vocabulary", "\"series\":[\"a\"", "\"series\":[\"b\""), "");
  EXPECT_NE(
      refused("vocabulary", "\"series_scale\":\"standard\"", "\"series_scale\":\"another\"").find("'series_scale'"),
      std::string::npos);
  EXPECT_NE(refused("vocabulary", "\"values\":[\"even\",\"odd\"]", "\"values\":[\"odd\",\"even\"]").find("'statics'"),
            std::string::npos);
  EXPECT_NE(refused("vocabulary", "\"values\":[\"even\",\"odd\"]", "\"values\":[\"even\"]"), "");
  EXPECT_NE(refused("vocabulary", "\"known\":[\"price\"]", "\"known\":[\"cost\"]").find("`known`"), std::string::npos);
  EXPECT_NE(refused("config", "\"output\":\"gaussian\"", "\"output\":\"another\""), "");
}

// A series that is unknown has the scale of its rows up to the window's end: what comes later changes nothing.
TEST(ManySeriesScale, OfAnUnknownSeriesIsThatOfItsPast) {
  const RegressorOptions options = small({"gaussian", "none", "training", ""});
  const Made made = make(options, text_of(20));
  data::Table one = data::read_table(text_of(20, "x"), options.series, "t.csv"), other = one;
  other.target[0][15] = other.input[1][15] = 1e6;
  std::vector<float> found[2];
  kernels::Context context(1);
  made.model->pack(context);
  Regressor::Workspace workspace(*made.model, nn::Engine::kFused, context);
  for (const size_t i : {size_t{0}, size_t{1}}) {
    data::Table& table = i == 0 ? one : other;
    prepare(made.model->columns(), options.series, table);
    SeriesBatch batch;
    const data::Window early{8, 5, 13}, late{12, 5, 17};
    made.model->get(table, {&early, 1}, false, batch);
    const auto read = made.model->read(batch, workspace);
    found[i].assign(read.begin(), read.end());
    const data::Scale* scale = made.model->scales_of(table, late);
    std::vector<double> past(table.target[0].begin(), table.target[0].begin() + 17);
    EXPECT_NEAR(scale->mean, data::scale_of(past, 17).mean, 1e-6 * std::abs(scale->mean));
    EXPECT_NEAR(scale->deviation, data::scale_of(past, 17).deviation, 1e-6 * scale->deviation);
  }
  EXPECT_EQ(found[0], found[1]);
  // With a horizon of 0 the past is not read.
  data::Table unknown = data::read_table(text_of(20, "x"), options.series, "t.csv");
  data::SeriesOptions now = options.series;
  now.horizon = 0;
  EXPECT_NE(testing::error_of([&] {
              prepare(made.model->columns(), now, unknown);
            }).find("found 'x', whose scale is unknown"),
            std::string::npos);
}

// The same series at another level and size has the same forecast there.
TEST(ManySeriesScale, ForecastsFollowTheSizeOfASeries) {
  RegressorOptions options = small({"gaussian", "none", "training", ""});
  options.series.statics = "";
  std::string text = "id,a,y,z\n";
  for (int i = 0; i < 60; ++i) {
    const double y = std::sin(0.5 * i), z = std::cos(0.3 * i);
    for (const auto& [name, size, level] : {std::tuple{"a", 1.0, 0.0}, std::tuple{"b", 1000.0, 50.0}}) {
      text +=
          std::string(name) + ",0," + std::to_string(level + size * y) + "," + std::to_string(level + size * z) + "\n";
    }
  }
  const Made made = make(options, text);
  kernels::Context context(1);
  made.model->pack(context);
  Regressor::Workspace workspace(*made.model, nn::Engine::kFused, context);
  std::vector<std::vector<double>> forecasts;
  evaluate(*made.model, made.table, made.windows, workspace, {.on_window = [&](const data::Window&, auto forecast) {
    forecasts.emplace_back(forecast.begin(), forecast.end());
  }});
  const size_t half = forecasts.size() / 2;
  for (size_t w = 0; w < half; ++w) {
    for (size_t j = 0; j < 6; ++j) EXPECT_NEAR(forecasts[half + w][j], 50.0 + 1000.0 * forecasts[w][j], 0.5) << w;
  }
}

// What is known ahead reaches the forecast of its step; other rows' future values do not.
TEST(ManySeriesKnown, ValuesOverTheHorizonFeedTheForecast) {
  const RegressorOptions options = small({"point", "none", "training", "price"});
  Made made = make(options, text_of(20));
  kernels::Context context(1);
  made.model->pack(context);
  Regressor::Workspace workspace(*made.model, nn::Engine::kFused, context);
  const auto read = [&](int64_t row, double price) {
    data::Table table = made.table;
    table.known[0][static_cast<size_t>(row)] += price;
    const data::Window window{2, 5, 7};
    SeriesBatch batch;
    made.model->get(table, {&window, 1}, false, batch);
    const auto out = made.model->read(batch, workspace);
    return std::vector<float>(out.begin(), out.end());
  };
  const std::vector<float> before = read(8, 0.0), after = read(8, 1.0), beyond = read(10, 1.0);
  EXPECT_EQ(before[0], after[0]);  // the step before it
  EXPECT_NE(before[2], after[2]);
  EXPECT_NE(before[4], after[4]);
  EXPECT_EQ(before, beyond);
}

// Of each measure, against sums written out here.
TEST(ManySeriesMeasures, AreWhatTheyAreCalled) {
  RegressorOptions options = small({"gaussian", "none", "training", ""});
  options.series.target = "y";
  options.series.inputs = "y";
  options.series.horizon = 2;
  options.season = 3;
  const Made made = make(options, text_of(40));
  std::vector<data::Window> windows;
  for (const data::Window& window : made.windows) {
    if (window.target - made.table.starts[static_cast<size_t>(made.table.sequence_of(window.target))] >= 30)
      windows.push_back(window);
  }
  ASSERT_EQ(windows.size(), 27U);
  kernels::Context context(1);
  std::vector<std::vector<float>> parameters;
  const RegressionScore score =
      evaluate(*made.model, made.table, windows, Using(*made.model, nn::Engine::kFused, context),
               {.on_parameters = [&](const data::Window&, auto p) { parameters.emplace_back(p.begin(), p.end()); },
                .interval = 0.5});
  double smape = 0.0, crps = 0.0, mase = 0.0, nse = 0.0, naive_crps = 0.0;
  int inside = 0;
  const std::vector<double>& y = made.table.target[0];
  for (size_t s = 0; s < 3; ++s) {
    const auto first = static_cast<size_t>(made.table.starts[s]);
    double absolute = 0.0, past = 0.0, squared = 0.0, mean = 0.0, spread = 0.0;
    double deviations[2] = {0.0, 0.0};
    for (size_t i = first + 3; i < first + 30; ++i) past += std::abs(y[i] - y[i - 3]) / 27.0;
    for (size_t a = 0; a < 2; ++a) {
      for (size_t i = first + a + 1; i < first + 30; ++i) deviations[a] += std::pow(y[i] - y[i - a - 1], 2);
      deviations[a] = std::sqrt(deviations[a] / static_cast<double>(30 - a - 1));
    }
    for (size_t w = 9 * s; w < 9 * s + 9; ++w) {
      for (size_t a = 0; a < 2; ++a) mean += y[static_cast<size_t>(windows[w].target) + a] / 18.0;
    }
    for (size_t w = 9 * s; w < 9 * s + 9; ++w) {
      const data::Scale* scale = made.model->scales_of(made.table, windows[w]);
      for (size_t a = 0; a < 2; ++a) {
        const double actual = y[static_cast<size_t>(windows[w].target) + a];
        const double centre = scale->undo(static_cast<double>(parameters[w][2 * a]));
        const double deviation = scale->deviation * static_cast<double>(parameters[w][2 * a + 1]);
        absolute += std::abs(actual - centre) / 18.0;
        squared += std::pow(actual - centre, 2);
        spread += std::pow(actual - mean, 2);
        smape += 200.0 * std::abs(actual - centre) / (std::abs(actual) + std::abs(centre)) / 54.0;
        crps += gaussian_crps(centre, deviation, actual) / 54.0;
        naive_crps += gaussian_crps(y[static_cast<size_t>(windows[w].target) - 1], deviations[a], actual) / 54.0;
        inside += std::abs(actual - centre) <= deviation * normal_quantile(0.75) ? 1 : 0;
      }
    }
    mase += absolute / past / 3.0;
    nse += (1.0 - squared / spread) / 3.0;
    EXPECT_EQ(score.measures->each[s].series, std::string(1, "abc"[s]));
    EXPECT_NEAR(score.measures->each[s].mae, absolute, 1e-9 * absolute);
  }
  EXPECT_NEAR(score.measures->smape, smape, 1e-9 * smape);
  EXPECT_NEAR(score.measures->crps, crps, 1e-6 * crps);
  EXPECT_NEAR(*score.measures->mase, mase, 1e-9 * mase);
  EXPECT_NEAR(*score.measures->nse, nse, 1e-9 * std::abs(nse));
  EXPECT_NEAR(*score.measures->coverage, inside / 54.0, 1e-12);
  EXPECT_NEAR(*score.measures->naive_crps, naive_crps, 1e-9 * naive_crps);
}

TEST(ManySeriesOptions, ThatDoNotGoTogetherAreRefused) {
  const auto usage = [](const std::function<void(RegressorOptions&)>& change) {
    RegressorOptions options = small({"negative-binomial", "none", "training", ""});
    change(options);
    return testing::error_of([&] { options.check(); }, ExitCode::kUsage);
  };
  EXPECT_NE(usage([](RegressorOptions& o) { o.residual_of = "naive"; }).find("cannot be combined with `residual-of`"),
            std::string::npos);
  EXPECT_NE(
      usage([](RegressorOptions& o) { o.normalise = "window"; }).find("cannot be combined with `normalise` window"),
      std::string::npos);
  EXPECT_NE(usage([](RegressorOptions& o) { o.series_scale = "standard"; }).find("`series-scale` standard"),
            std::string::npos);
  EXPECT_NE(usage([](RegressorOptions& o) { o.quantiles = "0.9,0.1"; }).find("`quantiles`"), std::string::npos);
  data::Table table = data::read_table("id,size,kind,price,a,y,z\na,1,x,1,1,1.5,2\n",
                                       small({"point", "none", "training", ""}).series, "t.csv");
  EXPECT_EQ(testing::error_of([&] { expect_counts(table, "t.csv"); }),
            "t.csv: column 'y': expected counts, found 1.5 in row 1 of series 'a'");
}

}  // namespace
}  // namespace longhand::tasks
