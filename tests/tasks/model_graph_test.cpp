// Models of all tasks as graphs: that the executor of graphs gives what the models themselves give.
#include "longhand/tasks/model_graph.h"

#include <fmt/core.h>

#include <cmath>

#include "longhand/tasks/regressor_baselines.h"
#include "tests/graph/graphs.h"
#include "tests/tasks/model_checks.h"
#include "tests/tasks/model_graph_models.h"
#include "tests/tasks/some_series.h"

namespace longhand::tasks {
namespace {

using testing::TemporaryFolder;

// The order of sums may differ (rows of a batch, or one by one), and logits are of the order of one.
constexpr float kTolerance = 1e-5F;

std::shared_ptr<const graph::Network> network_of(const ModelFile& file, const ModelGraphOptions& options = {}) {
  return std::make_shared<const graph::Network>(model_graph(file, options), file.path());
}

void set_ints(graph::Plan& plan, const std::string& name, const std::function<int64_t(int64_t)>& value) {
  for (const graph::Plan::View& view : plan.inputs()) {
    for (int64_t i = 0; view.name == name && i < graph::count(view.dims); ++i) view.ints[i] = value(i);
  }
}

// Logits [T, B, V] of the layers of a model, for symbols [T, B].
std::vector<float> language_logits(const LanguageModel& model, const std::vector<int32_t>& symbols, int64_t rows) {
  kernels::Context context(1);
  LanguageModel::Workspace workspace(model, nn::Engine::kReference, context);
  const auto n = static_cast<int64_t>(symbols.size()), V = model.vocabulary().size();
  const float* x = model.network().forward({.steps = n / rows, .rows = rows, .symbols = symbols.data(), .masks = {}},
                                           nn::Pass::kInference, workspace);
  std::vector<float> out(static_cast<size_t>(n * V));
  model.network().output().forward({.n = n, .x = x}, out.data(), V, workspace);
  return out;
}

void expect_language_model(const LanguageModel& model, const std::string& name) {
  const TemporaryFolder folder;
  const std::shared_ptr<const graph::Network> network = network_of(written(model, folder / "model"));
  const int64_t T = 9, B = 2, V = model.vocabulary().size();
  std::vector<int32_t> symbols;
  for (int64_t i = 0; i < T * B; ++i) symbols.push_back(static_cast<int32_t>((i * i + 3 * i) % V));
  const std::vector<float> expected = language_logits(model, symbols, B);
  graph::Plan plan(network, {.batch = B, .steps = T});
  set_ints(plan, "symbols", [&](int64_t i) { return symbols[static_cast<size_t>(i % T * B + i / T)]; });
  ASSERT_TRUE(plan.run()) << plan.fault();
  float largest = 0.0F;
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t t = 0; t < T; ++t) {
      float sum = 0.0F;
      for (int64_t v = 0; v < V; ++v) {
        const int64_t at = (b * T + t) * V + v;
        largest = std::max(largest,
                           std::abs(plan.outputs()[0].floats[at] - expected[static_cast<size_t>((t * B + b) * V + v)]));
        sum += plan.outputs()[1].floats[at];
      }
      EXPECT_NEAR(sum, 1.0F, 1e-5F) << name;
    }
  }
  EXPECT_LT(largest, kTolerance) << name;
  EXPECT_EQ(plan.outputs()[0].name, "logits");
  if (model.options().lstm.bidirectional) return;
  std::vector<float> one;
  for (int64_t t = 0; t < T; ++t) one.push_back(static_cast<float>(symbols[static_cast<size_t>(t * B)]));
  const std::vector<float> in_steps = graph::in_blocks(network, one, T, 2);
  for (int64_t i = 0; i < T * V; ++i) {
    EXPECT_NEAR(in_steps[static_cast<size_t>(i)], expected[static_cast<size_t>(i / V * B * V + i % V)], kTolerance)
        << name << ", in steps";
  }
}

TEST(ModelGraph, LanguageModelsOfAllLayersGiveWhatTheyGive) {
  for (const auto& [name, options] : all_layer_options()) {
    SCOPED_TRACE(name);
    expect_language_model(*language_model(options, 6), name);
    expect_language_model(*language_model(options, 0), name + ", one-hot");
  }
}

TEST(ModelGraph, LanguageModelsShareTheWeightsOfTiedLayers) {
  nn::LstmOptions lstm;
  lstm.hidden = 8;
  expect_language_model(*language_model(lstm, 8, true), "tied");
  const std::unique_ptr<LanguageModel> projected = language_model(lstm, 5, true);
  expect_language_model(*projected, "tied, projected");
  const TemporaryFolder folder;
  const graph::Graph graph = model_graph(written(*projected, folder / "model"));
  EXPECT_EQ(graph.parameters(), projected->parameters().count());
}

TEST(ModelGraph, EnsemblesOfLanguageModelsGiveTheMean) {
  const TemporaryFolder folder;
  nn::LstmOptions small, other;
  small.hidden = 5;
  other = small;
  other.cell = "gru";
  const std::vector<ModelFile> files = {written(*language_model(small, 6), folder / "0"),
                                        written(*language_model(other, 0, false, 6), folder / "1")};
  combine<LanguageModel>(files, folder / "all");
  const ModelFile file = ModelFile::read(folder / "all");
  const std::unique_ptr<LanguageModel> model = LanguageModel::load(file);
  const std::shared_ptr<const graph::Network> network = network_of(file);
  kernels::Context context(1);
  LanguageModel::Workspace workspace(*model, nn::Engine::kFused, context);
  LanguageModel::State state = model->new_state();
  state.reset(1);
  for (LanguageModel::State& each : state.others) each.reset(1);
  graph::Plan plan(network, {});
  for (int32_t symbol = 0; symbol < 5; ++symbol) {
    const std::span<const float> expected = model->read(symbol, state, workspace);
    set_ints(plan, "symbols", [&](int64_t) { return symbol; });
    ASSERT_TRUE(plan.run());
    for (size_t v = 0; v < expected.size(); ++v) EXPECT_NEAR(plan.outputs()[0].floats[v], expected[v], kTolerance);
  }
  EXPECT_EQ(nlohmann::json::parse(model_texts(file).at("options")).size(), 2U);
}

// Fills the inputs of a graph that reads words from a batch.
void set_words(graph::Plan& plan, const data::WordBatch& batch) {
  const int64_t T = batch.steps, B = batch.rows, S = batch.character_steps, W = batch.distinct;
  const auto cell = [&](int64_t i) { return static_cast<size_t>(i % T * B + i / T); };
  const auto slot = [&](int64_t i) { return static_cast<int64_t>(batch.slots[cell(i / S)]); };
  set_ints(plan, "words", [&](int64_t i) { return batch.words[cell(i)]; });
  set_ints(plan, "shapes", [&](int64_t i) { return batch.shapes[cell(i)]; });
  set_ints(plan, "mask", [&](int64_t i) { return i % T < batch.lengths[static_cast<size_t>(i / T)] ? 1 : 0; });
  set_ints(plan, "characters",
           [&](int64_t i) { return slot(i) < 0 ? 0 : batch.characters[static_cast<size_t>(i % S * W + slot(i))]; });
  set_ints(plan, "character_mask", [&](int64_t i) {
    return slot(i) >= 0 && i % S < batch.character_lengths[static_cast<size_t>(slot(i))] ? 1 : 0;
  });
}

graph::PlanOptions shape_of(const data::WordBatch& batch) {
  const graph::Dims characters = {batch.rows, batch.steps, batch.character_steps};
  return {
      .batch = batch.rows, .steps = batch.steps, .dims = {{"characters", characters}, {"character_mask", characters}}};
}

void expect_tagger(const ModelFile& file, const std::string& name) {
  const std::unique_ptr<Tagger> model = Tagger::load(file);
  const data::WordBatch batch = word_batch(model->lexicon());
  kernels::Context context(1);
  Tagger::Workspace workspace(*model, nn::Engine::kFused, context);
  model->read(batch, workspace);
  graph::Plan plan(network_of(file), shape_of(batch));
  set_words(plan, batch);
  ASSERT_TRUE(plan.run()) << name << plan.fault();
  const auto K = static_cast<int64_t>(model->labels().size());
  EXPECT_EQ(plan.outputs()[0].dims, (graph::Dims{batch.rows, batch.steps, K}));
  EXPECT_EQ(plan.outputs().size(), model->options().crf ? 1U : 2U);
  for (int64_t b = 0; b < batch.rows; ++b) {
    for (int64_t t = 0; t < batch.lengths[static_cast<size_t>(b)]; ++t) {
      for (int64_t k = 0; k < K; ++k) {
        EXPECT_NEAR(plan.outputs()[0].floats[(b * batch.steps + t) * K + k],
                    workspace.scores[(t * batch.rows + b) * padded(K) + k], kTolerance)
            << name;
      }
    }
  }
}

TEST(ModelGraph, TaggersReadWordsShapesAndCharacters) {
  const TemporaryFolder folder;
  for (const bool crf : {false, true}) {
    for (const int64_t characters : {0, 5}) {
      for (const int64_t shapes : {0, 3}) {
        TaggerOptions options;
        options.crf = crf;
        options.lstm.hidden = 7;
        options.lstm.layers = 2;
        options.encoder = {.embed = 9, .embed_shape = shapes, .embed_characters = 4, .hidden_characters = characters};
        expect_tagger(written(*tagger(options), folder / "model"), fmt::format("{} {} {}", crf, characters, shapes));
      }
    }
  }
  for (const auto& [name, lstm] : all_layer_options()) {
    TaggerOptions options;
    options.lstm = lstm;
    options.encoder = {.embed = 4, .embed_shape = 0, .embed_characters = 3, .hidden_characters = 3};
    expect_tagger(written(*tagger(options), folder / "model"), name);
  }
}

TEST(ModelGraph, TextsOfATaggerHaveItsLabelsAndItsCrf) {
  const TemporaryFolder folder;
  TaggerOptions options;
  options.crf = true;
  options.lstm.hidden = 3;
  const std::unique_ptr<Tagger> model = tagger(options);
  const std::map<std::string, std::string> texts = model_texts(written(*model, folder / "model"));
  EXPECT_EQ(texts.at("task"), "tagger");
  EXPECT_EQ(nlohmann::json::parse(texts.at("labels"))[1], "B-X");
  const nlohmann::json crf = nlohmann::json::parse(texts.at("crf"));
  EXPECT_EQ(crf["transitions"][1][2].get<float>(), model->crf().transitions[1 * 5 + 2]);
  EXPECT_EQ(crf["end"][4].get<float>(), model->crf().end[4]);
  EXPECT_EQ(crf["allowed"][5][2], 0);  // no sentence begins inside a chunk
  EXPECT_EQ(crf["allowed"][5][1], 1);
  EXPECT_EQ(nlohmann::json::parse(texts.at("options"))["crf"], true);
  EXPECT_EQ(nlohmann::json::parse(texts.at("vocabulary"))["words"][0], "<unk>");
}

TEST(ModelGraph, EnsemblesOfTaggersGiveTheMeanUnlessTheyHaveACrf) {
  const TemporaryFolder folder;
  std::vector<ModelFile> files;
  TaggerOptions options;
  options.lstm.hidden = 5;
  for (const int64_t characters : {0, 3}) {
    options.encoder = {.embed = 4, .embed_shape = 2, .embed_characters = 3, .hidden_characters = characters};
    files.push_back(
        written(*tagger(options, 5 + static_cast<uint64_t>(characters)), folder / std::to_string(characters)));
  }
  combine<Tagger>(files, folder / "all");
  expect_tagger(ModelFile::read(folder / "all"), "ensemble");
  options.crf = true;
  files.push_back(written(*tagger(options), folder / "crf"));
  combine<Tagger>(files, folder / "all");
  const std::string error = testing::error_of([&] { model_graph(ModelFile::read(folder / "all")); });
  EXPECT_NE(error.find("CRF"), std::string::npos) << error;
}

void expect_classifier(const ModelFile& file, const std::string& name) {
  const std::unique_ptr<Classifier> model = Classifier::load(file);
  const data::WordBatch batch = word_batch(model->lexicon());
  kernels::Context context(1);
  Classifier::Workspace workspace(*model, nn::Engine::kFused, context);
  const std::span<const double> expected = model->read(batch, workspace);
  graph::Plan plan(network_of(file), shape_of(batch));
  set_words(plan, batch);
  ASSERT_TRUE(plan.run()) << name << plan.fault();
  ASSERT_EQ(plan.outputs()[1].name, "probabilities");
  EXPECT_EQ(plan.outputs()[1].dims, (graph::Dims{batch.rows, 3}));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(plan.outputs()[1].floats[i], expected[i], 1e-5) << name;
    const size_t first = i - i % 3;
    const float *logits = plan.outputs()[0].floats, *p = plan.outputs()[1].floats;
    EXPECT_NEAR(std::log(p[i] / p[first]), logits[i] - logits[first], 1e-4) << name;
  }
}

TEST(ModelGraph, ClassifiersPoolEveryWay) {
  const TemporaryFolder folder;
  for (const char* pool : {"last", "mean", "max", "attention", "concat"}) {
    for (const bool bidirectional : {false, true}) {
      for (const bool residual : {false, true}) {
        ClassifierOptions options;
        options.lstm.hidden = 6;
        options.lstm.layers = 2;
        options.lstm.residual = residual;
        options.lstm.bidirectional = bidirectional;
        options.pool = pool;
        options.encoder = {.embed = 5, .embed_shape = 2, .embed_characters = 3, .hidden_characters = 4};
        expect_classifier(written(*classifier(options), folder / "model"), pool);
      }
    }
  }
}

// Without an input for a mask, all sequences are equally long.
TEST(ModelGraph, ClassifiersOfSequencesOfOneLengthHaveNoMask) {
  const TemporaryFolder folder;
  ClassifierOptions options;
  options.lstm.hidden = 6;
  options.encoder.embed = 5;
  const ModelFile file = written(*classifier(options), folder / "model");
  graph::Plan one(network_of(file, {.ragged = false}), {.batch = 1, .steps = 4});
  graph::Plan masked(network_of(file), {.batch = 1, .steps = 6});
  ASSERT_EQ(one.inputs().size(), 1U);
  set_ints(one, "words", [](int64_t i) { return i; });
  set_ints(masked, "words", [](int64_t i) { return i < 4 ? i : 0; });
  set_ints(masked, "mask", [](int64_t i) { return i < 4 ? 1 : 0; });
  ASSERT_TRUE(one.run() && masked.run());
  for (size_t k = 0; k < 3; ++k) EXPECT_NEAR(one.outputs()[1].floats[k], masked.outputs()[1].floats[k], 1e-6);
}

TEST(ModelGraph, RefusesALogisticRegressionOfWords) {
  ClassifierOptions options;
  options.lstm.hidden = 3;
  options.linear_share = 0.5;
  std::unique_ptr<Classifier> model = classifier(options);
  model->set_linear(baselines::LinearClassifier(
      {.options = {}, .classes = 3, .features = {"anna"}, .idf = {1.0F}, .weights = std::vector<float>(6, 0.5F)}));
  const TemporaryFolder folder;
  const std::string error = testing::error_of([&] { model_graph(written(*model, folder / "model")); });
  EXPECT_NE(error.find("logistic regression"), std::string::npos) << error;
}

// ---- regressors

std::unique_ptr<Regressor> regressor(const RegressorOptions& options, const data::Table& table, uint64_t seed = 5) {
  Columns columns{table.inputs, table.targets, {}, {}};
  for (const auto& column : table.input) columns.input_scales.push_back(data::scale_of(column, table.rows));
  for (const auto& column : table.target) columns.target_scales.push_back(data::scale_of(column, table.rows));
  auto out = std::make_unique<Regressor>(options, columns);
  out->initialise(seed);
  perturb(*out, seed);
  const std::vector<data::Window> all = data::windows(table, options.series, 0, table.rows);
  fit_residual(*out, {out->columns(), options.series, table, all, table, {}});
  if (out->has_gain()) out->set_gain(0.75F);
  return out;
}

void expect_regressor(const ModelFile& file, const data::Table& table, const std::string& name) {
  const std::unique_ptr<Regressor> model = Regressor::load(file);
  const std::vector<data::Window> windows = data::windows(table, model->options().series, 0, table.rows);
  SeriesBatch batch;
  model->get(table, windows, false, batch);
  kernels::Context context(1);
  Regressor::Workspace workspace(*model, nn::Engine::kFused, context);
  const std::span<const float> expected = model->read(batch, workspace);
  graph::Plan plan(network_of(file), {.batch = batch.rows, .steps = batch.steps});
  for (const graph::Plan::View& view : plan.inputs()) {
    const auto& columns = view.name == "inputs" ? table.input : table.target;
    for (int64_t i = 0; i < graph::count(view.dims); ++i) {
      const int64_t c = i % view.dims[2], t = i / view.dims[2] % batch.steps, b = i / view.dims[2] / batch.steps;
      view.floats[i] = static_cast<float>(
          columns[static_cast<size_t>(c)][static_cast<size_t>(windows[static_cast<size_t>(b)].begin + t)]);
    }
  }
  ASSERT_TRUE(plan.run()) << name;
  const int64_t n = model->ahead() * model->targets();
  EXPECT_EQ(plan.outputs()[0].dims, (graph::Dims{batch.rows, n})) << name;
  for (int64_t i = 0; i < batch.rows * n; ++i) {
    const data::Scale& scale = model->columns().target_scales[static_cast<size_t>(i % model->targets())];
    EXPECT_NEAR(scale.apply(static_cast<double>(plan.outputs()[0].floats[i])), expected[static_cast<size_t>(i)], 3e-5)
        << name;
  }
}

TEST(ModelGraph, RegressorsForecastInTheUnitsOfTheData) {
  const TemporaryFolder folder;
  for (const std::string kind :
       {"levels", "difference", "linear", "naive", "seasonal", "window", "linear of windows", "naive of windows"}) {
    for (const std::string columns : {"a,b to b,c", "a,b,c to c,b", "b to b"}) {
      RegressorOptions options;
      options.series = {.inputs = columns.substr(0, columns.find(' ')),
                        .target = columns.substr(columns.rfind(' ') + 1),
                        .window = 5,
                        .horizon = 3};
      options.difference = kind == "difference";
      if (kind == "linear" || kind == "naive" || kind == "seasonal") options.residual_of = kind;
      if (kind == "linear of windows") options.residual_of = "linear";
      if (kind == "naive of windows") options.residual_of = "naive";
      if (kind.find("window") != std::string::npos) options.normalise = "window";
      options.season = 2;
      options.lstm.hidden = 7;
      options.lstm.layers = 2;
      options.lstm.residual = kind == "levels";
      options.lstm.bidirectional = kind == "naive";
      const data::Table data = table(options.series, 40);
      expect_regressor(written(*regressor(options, data), folder / "model"), data, kind + ", " + columns);
    }
  }
}

TEST(ModelGraph, EnsemblesOfRegressorsGiveTheMean) {
  const TemporaryFolder folder;
  RegressorOptions options;
  options.series = {.inputs = "a,b", .target = "c", .window = 4, .horizon = 2};
  options.lstm.hidden = 5;
  const data::Table data = table(options.series, 30);
  const std::vector<ModelFile> files = {written(*regressor(options, data), folder / "0"),
                                        written(*regressor(options, data, 9), folder / "1")};
  combine<Regressor>(files, folder / "all");
  const ModelFile file = ModelFile::read(folder / "all");
  expect_regressor(file, data, "ensemble");
  EXPECT_EQ(model_texts(file).at("outputs"), "[\"c+1\",\"c+2\"]");
}

}  // namespace
}  // namespace longhand::tasks
