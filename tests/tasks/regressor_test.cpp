// The regressor: that its engines agree, its gradients are right, its scores are what they are called, and its file
// gives it back.
#include "longhand/tasks/regressor.h"

#include <cmath>
#include <limits>

#include "longhand/tasks/regressor_baselines.h"
#include "longhand/tasks/regressor_task.h"
#include "tests/tasks/model_checks.h"
#include "tests/tasks/some_series.h"

namespace longhand::tasks {
namespace {

// What the forecast is made of; "window": inputs and outputs in units of each window.
RegressorOptions small(const std::string& kind = "levels") {
  RegressorOptions options;
  options.series = {.inputs = "a,b", .target = "b,c", .window = 5, .horizon = 3};
  options.difference = kind == "difference";
  if (kind == "linear" || kind == "naive" || kind == "seasonal") options.residual_of = kind;
  if (kind == "linear of windows") options.residual_of = "linear";
  if (kind == "window" || kind == "linear of windows") options.normalise = "window";
  options.init.output = "standard-uniform";  // with zeros there would be little to check
  options.season = 4;
  options.lstm.hidden = 7;
  options.lstm.layers = 2;
  return options;
}

std::unique_ptr<Regressor> make(const RegressorOptions& options, const data::Table& table) {
  Columns columns{table.inputs, table.targets, {}, {}};
  for (const auto& column : table.input) columns.input_scales.push_back(data::scale_of(column, table.rows));
  for (const auto& column : table.target) columns.target_scales.push_back(data::scale_of(column, table.rows));
  auto model = std::make_unique<Regressor>(options, columns);
  model->initialise(5);
  const std::vector<data::Window> all = data::windows(table, options.series, 0, table.rows);
  fit_residual(*model, {model->columns(), options.series, table, all, table, {}});
  if (model->has_gain()) model->set_gain(0.75F);
  return model;
}

class Regressors : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Kinds, Regressors,
                         ::testing::Values("levels", "difference", "linear", "naive", "seasonal", "window",
                                           "linear of windows"));

TEST_P(Regressors, EnginesGiveTheSameLossAndGradients) {
  RegressorOptions options = small(GetParam());
  options.lstm.dropout = 0.3;
  const data::Table data = table(options.series, 40);
  const std::unique_ptr<Regressor> model = make(options, data);
  SeriesBatch batch;
  model->get(data, data::windows(data, options.series, 0, 40), true, batch);
  ASSERT_EQ(batch.rows, 40 - 5 - 3 + 1);
  const nn::GradientPass pass{.masks = {5, 6, 0}};
  kernels::Context context(2);
  const double expected = model->train(batch, pass, Using(*model, nn::Engine::kReference, context));
  const std::vector<float> gradients(model->parameters().gradients().begin(), model->parameters().gradients().end());
  for (const nn::Engine engine : {nn::Engine::kFused, nn::Engine::kAutograd}) {
    EXPECT_NEAR(model->train(batch, pass, Using(*model, engine, context)), expected, 1e-5 * expected);
    expect_close_gradients(model->parameters(), gradients, 2e-5, "gradients");
  }
}

TEST_P(Regressors, GradientsAgreeWithCentralDifferences) {
  const RegressorOptions options = small(GetParam());
  const data::Table data = table(options.series, 12);
  const std::unique_ptr<Regressor> model = make(options, data);
  SeriesBatch batch;
  model->get(data, data::windows(data, options.series, 0, 12), true, batch);
  kernels::Context context(1);
  const nn::GradientPass pass{.scale = 1.0F};
  expect_gradients_of_differences(
      *model, [&] { return model->train(batch, pass, Using(*model, nn::Engine::kReference, context)); });
}

TEST_P(Regressors, SurviveSaving) {
  const RegressorOptions options = small(GetParam());
  const data::Table data = table(options.series, 60);
  const std::unique_ptr<Regressor> model = make(options, data);
  const std::vector<data::Window> windows = data::windows(data, options.series, 0, 60);
  const testing::TemporaryFolder folder;
  model->save(folder / "model.safetensors", model->parameters().values());
  const std::unique_ptr<Regressor> again = Regressor::load(ModelFile::read(folder / "model.safetensors"));
  kernels::Context context(1);
  const RegressionScore before = evaluate(*model, data, windows, Using(*model, nn::Engine::kFused, context));
  const RegressionScore after = evaluate(*again, data, windows, Using(*again, nn::Engine::kFused, context));
  EXPECT_EQ(before.mse, after.mse);
  EXPECT_EQ(before.mae, after.mae);
  EXPECT_EQ(again->columns().targets, (std::vector<std::string>{"b", "c"}));
}

// The penalties on activations are means over all rows that an update reads.
TEST_P(Regressors, ActivationPenaltiesAreMeansOverSteps) {
  RegressorOptions options = small(GetParam());
  options.lstm.activation_reg = 2.0;
  const data::Table data = table(options.series, 40);
  const std::unique_ptr<Regressor> model = make(options, data);
  const std::vector<data::Window> windows = data::windows(data, options.series, 0, 40);
  SeriesBatch batch;
  model->get(data, windows, true, batch);
  kernels::Context context(1);
  model->train(batch, {.penalty_scale = 1.0F / static_cast<float>(5 * windows.size())},
               Using(*model, nn::Engine::kFused, context));
  const std::vector<float> expected(model->parameters().gradients().begin(), model->parameters().gradients().end());
  RegressorTask task(*model, data, windows, data, {}, {.groups = {.batch = 64}}, context);
  task.begin_epoch(0);
  task.train_step(0, 0);
  expect_close_gradients(model->parameters(), expected, 1e-5, "update");
}

// Against sums written out here, from the model's own predictions.
TEST_P(Regressors, ScoresAreWhatTheyAreCalled) {
  const RegressorOptions options = small(GetParam());
  const data::Table data = table(options.series, 50);
  const std::unique_ptr<Regressor> model = make(options, data);
  const std::vector<data::Window> windows = data::windows(data, options.series, 20, 50);
  ASSERT_EQ(windows.size(), 28U);
  ASSERT_EQ(windows.front().target, 20);
  kernels::Context context(1);
  const RegressionScore score = evaluate(*model, data, windows, Using(*model, nn::Engine::kFused, context));
  SeriesBatch batch;
  model->get(data, windows, false, batch);
  Regressor::Workspace workspace(*model, nn::Engine::kFused, context);
  const std::span<const float> predicted = model->read(batch, workspace);
  double squared = 0.0, absolute = 0.0, naive = 0.0, seasonal = 0.0, r2 = 0.0;
  for (size_t o = 0; o < 2; ++o) {
    double own = 0.0, mean = 0.0, spread = 0.0;
    for (size_t w = 0; w < windows.size(); ++w) {
      for (size_t a = 0; a < 3; ++a) mean += data.target[o][20 + w + a] / 84.0;
    }
    for (size_t w = 0; w < windows.size(); ++w) {
      for (size_t a = 0; a < 3; ++a) {
        const double actual = data.target[o][20 + w + a];
        const double value = model->columns().target_scales[o].undo(static_cast<double>(predicted[w * 6 + a * 2 + o]));
        own += std::pow(value - actual, 2);
        absolute += std::abs(value - actual) / 168.0;
        naive += std::pow(data.target[o][19 + w] - actual, 2) / 168.0;
        seasonal += std::pow(data.target[o][16 + w + a] - actual, 2) / 168.0;
        spread += std::pow(actual - mean, 2);
      }
    }
    squared += own / 168.0;
    r2 += (1.0 - own / spread) / 2.0;
  }
  EXPECT_NEAR(score.mse, squared, 1e-9 * squared);
  EXPECT_NEAR(score.mae, absolute, 1e-9 * absolute);
  EXPECT_NEAR(score.r2, r2, 1e-9);
  EXPECT_NEAR(score.naive_mse, naive, 1e-9 * naive);
  ASSERT_TRUE(score.seasonal_naive_mse);
  EXPECT_NEAR(*score.seasonal_naive_mse, seasonal, 1e-9 * seasonal);
}

// A run is not resumed on other windows of the same numbers.
TEST(RegressorTask, ItsFingerprintKnowsWhereSequencesEnd) {
  RegressorOptions options = small();
  const data::Table whole = table(options.series, 60);
  data::Table halves = whole, others = whole;
  halves.starts = {0, 30, 60};
  others.starts = {0, 31, 60};
  const std::unique_ptr<Regressor> model = make(options, whole);
  kernels::Context context(1);
  const auto fingerprint = [&](const data::Table& data) {
    return RegressorTask(*model, data, data::windows(data, options.series, 0, 50), data,
                         data::windows(data, options.series, 50, 60), {}, context)
        .fingerprint();
  };
  EXPECT_NE(fingerprint(whole), fingerprint(halves));
  EXPECT_NE(fingerprint(halves), fingerprint(others));
  EXPECT_EQ(fingerprint(halves), fingerprint(data::Table(halves)));
}

TEST(RegressorRidge, FitsWhatIsLinear) {
  RegressorOptions options = small();
  options.series.target = "c";
  options.series.horizon = 1;
  const data::Table data = table(options.series, 80);
  const std::unique_ptr<Regressor> model = make(options, data);
  const auto train = data::windows(data, options.series, 0, 50), valid = data::windows(data, options.series, 50, 60),
             test = data::windows(data, options.series, 60, 80);
  const auto fit = fit_ridge({model->columns(), options.series, data, train, data, valid});
  ASSERT_TRUE(fit);
  EXPECT_GT(evaluate_ridge(*model, fit->ridge, data, test).r2, 0.999999);  // c is 3 a[t-2] - b[t-1]
}

// Before it has learned anything, a model with a linear part is that part; and with a gain of 0 it always is.
TEST(RegressorRidge, TheModelBeginsAtTheLine) {
  RegressorOptions options = small("linear");
  options.init.output = "same";
  const data::Table data = table(options.series, 80);
  const std::unique_ptr<Regressor> model = make(options, data);
  const auto windows = data::windows(data, options.series, 20, 80);
  kernels::Context context(1);
  const double line = evaluate_ridge(*model, *model->linear(), data, windows).mse;
  const auto mse = [&](Regressor& of) {
    return evaluate(of, data, windows, Using(of, nn::Engine::kFused, context)).mse;
  };
  EXPECT_NEAR(mse(*model), line, 1e-5 * line);
  const std::unique_ptr<Regressor> drawn = make(small("linear"), data);
  EXPECT_GT(std::abs(mse(*drawn) - line), 1e-3 * line);
  drawn->set_gain(0.0F);
  EXPECT_NEAR(mse(*drawn), line, 1e-5 * line);
}

// What the network learns has a mean square of 1 in each of its outputs.
TEST_P(Regressors, TheNetworkLearnsNumbersOfSizeOne) {
  const RegressorOptions options = small(GetParam());
  const data::Table data = table(options.series, 60);
  const std::unique_ptr<Regressor> model = make(options, data);
  EXPECT_EQ(model->residual_scales().size(), options.residual_of == "none" ? 0U : 6U);
  if (options.residual_of == "none") return;
  SeriesBatch batch;
  model->get(data, data::windows(data, options.series, 0, 60), true, batch);
  for (size_t j = 0; j < 6; ++j) {
    double squares = 0.0;
    for (size_t i = j; i < batch.targets.size(); i += 6) {
      squares += std::pow(static_cast<double>((batch.targets[i] - batch.base[i]) / batch.scale[i]), 2);
    }
    EXPECT_NEAR(squares / static_cast<double>(batch.rows), 1.0, 1e-4) << j;
  }
}

// The seasonal forecast is that of the seasonal-naive baseline, the naive one that of the naive baseline.
TEST(RegressorBase, IsTheBaselineOfItsName) {
  for (const std::string kind : {"naive", "seasonal"}) {
    const RegressorOptions options = small(kind);
    const data::Table data = table(options.series, 60);
    const std::unique_ptr<Regressor> model = make(options, data);
    model->set_gain(0.0F);
    kernels::Context context(1);
    const RegressionScore score =
        evaluate(*model, data, data::windows(data, options.series, 20, 60), Using(*model, nn::Engine::kFused, context));
    EXPECT_NEAR(score.mse, kind == "naive" ? score.naive_mse : *score.seasonal_naive_mse, 1e-5 * score.mse);
  }
}

// The same series at another level and of another size has the same forecast at that level and of that size.
TEST(RegressorBase, NormalisedWindowsForgetLevelAndSize) {
  RegressorOptions options = small("window");
  options.series.inputs = options.series.target = "c";
  const data::Table data = table(options.series, 60);
  data::Table moved = data;
  for (auto* column : {&moved.input[0], &moved.target[0]}) {
    for (double& value : *column) value = 40.0 + 2.0 * value;
  }
  const std::unique_ptr<Regressor> model = make(options, data);
  const std::vector<data::Window> windows = data::windows(data, options.series, 20, 60);
  kernels::Context context(1);
  Regressor::Workspace workspace(*model, nn::Engine::kFused, context);
  std::vector<std::vector<double>> forecasts(2);
  for (const size_t i : {size_t{0}, size_t{1}}) {
    evaluate(*model, i == 0 ? data : moved, windows, workspace,
             {.on_window = [&](const data::Window&, std::span<const double> forecast) {
               forecasts[i].insert(forecasts[i].end(), forecast.begin(), forecast.end());
             }});
  }
  // What is added to the variance of a window moves it a little.
  for (size_t i = 0; i < forecasts[0].size(); ++i) EXPECT_NEAR(forecasts[1][i], 40.0 + 2.0 * forecasts[0][i], 0.1);
}

// The gain is the one of the smallest error, and kept between 0 and 1.
TEST(RegressorGain, IsTheBestFromZeroToOne) {
  const RegressorOptions options = small("linear");
  const data::Table data = table(options.series, 80);
  const std::unique_ptr<Regressor> model = make(options, data);
  const auto windows = data::windows(data, options.series, 10, 80);
  kernels::Context context(1);
  Regressor::Workspace workspace(*model, nn::Engine::kFused, context);
  const auto loss = [&](float gain) {
    model->set_gain(gain);
    return evaluate(*model, data, windows, workspace).loss;
  };
  const size_t count = model->parameters().values().size();
  for (const float sign : {1.0F, -1.0F}) {
    const float best = best_gain(*model, data, windows, workspace);
    EXPECT_GE(best, 0.0F);
    EXPECT_LE(best, 1.0F);
    for (const float other : {0.0F, 0.25F, 0.5F, 1.0F})
      EXPECT_LE(loss(best), loss(other) + 1e-6) << best << ' ' << sign;
    // A network that adds the opposite is turned off where the first one was of use, or the other way round.
    for (size_t p = 0; p < model->parameters().parameters().size(); ++p) {
      const Parameter& parameter = model->parameters().parameters()[p];
      if (parameter.name.find("output.") != 0) continue;
      for (int64_t i = 0; i < parameter.size; ++i) model->parameters().value(p)[i] *= -1.0F;
    }
    model->parameters_changed();
    model->pack(context);
  }
  EXPECT_EQ(model->parameters().values().size(), count);
}

TEST(RegressorFile, RefusesLinearPartsThatDoNotFit) {
  const RegressorOptions options = small("linear");
  const data::Table data = table(options.series, 60);
  const std::unique_ptr<Regressor> model = make(options, data);
  const std::string window = "\"window\":" + std::to_string(model->linear()->window);
  EXPECT_NE(refusal(*model, "vocabulary", window, "\"window\":6"), "");
  EXPECT_NE(refusal(*model, "vocabulary", window, "\"window\":0"), "");
  EXPECT_NE(refusal(*model, "vocabulary", window, "\"window\":\"1\""), "");
  EXPECT_NE(refusal(*model, "vocabulary", "\"linear\":", "\"other\":"), "");
  EXPECT_NE(refusal(*model, "vocabulary", "\"penalty\":", "\"price\":"), "");
  EXPECT_NE(refusal(*model, "vocabulary", "\"residual_scales\":[", "\"residual_scales\":[-1.0,"), "");
  EXPECT_NE(refusal(*model, "vocabulary", "\"residual_scales\":[", "\"residual_scales\":[1.0,"), "");
  EXPECT_NE(refusal(*model, "config", "\"linear\"", "\"naive\""), "");
}

TEST(RegressorOptions, AreCheckedTogether) {
  const auto refused = [](auto&& change) {
    RegressorOptions options = small();
    change(options);
    try {
      options.check();
    } catch (const Error&) {
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refused([](RegressorOptions&) {}));
  EXPECT_FALSE(refused([](RegressorOptions& o) { o.difference = true, o.residual_of = "naive"; }));
  EXPECT_TRUE(refused([](RegressorOptions& o) { o.difference = true, o.residual_of = "linear"; }));
  EXPECT_TRUE(refused([](RegressorOptions& o) { o.residual_of = "seasonal", o.season = 6; }));
  EXPECT_TRUE(refused([](RegressorOptions& o) { o.residual_of = "seasonal", o.season = 0; }));
  for (const char* residual_of : {"naive", "none"}) {
    EXPECT_TRUE(refused([&](RegressorOptions& o) {
      o.series = {.inputs = "a", .target = "b", .window = 5, .horizon = 0};
      o.season = 0;
      o.residual_of = residual_of;
      if (o.residual_of == "none") o.normalise = "window";
    }));
  }
}

TEST(RegressorFile, RefusesAlteredFiles) {
  Regressor model(small(), {.inputs = {"a", "b"},
                            .targets = {"b", "c"},
                            .input_scales = {{0.5, 2.0}, {0.0, 1.0}},
                            .target_scales = {{0.0, 1.0}, {0.25, 4.0}}});
  model.initialise(1);
  EXPECT_NE(refusal(model, "config", "\"regressor\"", "\"lm\""), "");
  EXPECT_NE(refusal(model, "config", "\"horizon\":3", "\"horizon\":4"), "");
  EXPECT_NE(refusal(model, "config", "\"window\":5", "\"window\":-5"), "");
  for (const char* scale :
       {"[0.5,0.0]", "[0.5,-2.0]", "[0.5,\"2\"]", "[null,2.0]", "[1e999,2.0]", "[0.5]", "[]", "0.5"}) {
    EXPECT_NE(refusal(model, "vocabulary", "[0.5,2.0]", scale), "") << scale;
  }
  EXPECT_NE(refusal(model, "vocabulary", "[\"a\",\"b\"]", "[\"a\"]"), "");
  EXPECT_NE(refusal(model, "vocabulary", "[\"b\",\"c\"]", "[\"b\",7]"), "");
}

}  // namespace
}  // namespace longhand::tasks
