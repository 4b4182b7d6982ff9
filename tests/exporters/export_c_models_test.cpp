// Models of our tasks, and models that others trained, as C.
#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/convert/audio_json.h"
#include "longhand/convert/import_file.h"
#include "longhand/convert/network_builder.h"
#include "longhand/convert/number_table.h"
#include "longhand/tasks/model_graph.h"
#include "tests/convert/imported.h"
#include "tests/exporters/c_programs.h"
#include "tests/tasks/model_graph_models.h"

namespace longhand::exporters {

using namespace convert;  // reads the exported files back
namespace {

const std::string kCompile = std::string(LONGHAND_C_COMPILER) + " " + kStrictC + " -O2";

// Beside outputs up to about 10, sums in another order and functions with errors of 3e-7.
constexpr double kClose = 5e-6;

void expect_same(const std::vector<float>& y, const std::vector<float>& expected, const std::string& what) {
  ASSERT_EQ(y.size(), expected.size()) << what;
  testing::expect_close(y, expected, static_cast<int64_t>(y.size()), kClose, what);
}

TEST(ExportCModels, LanguageModelsOfEveryCell) {
  const TemporaryFolder folder;
  CPrograms programs;
  std::map<std::string, graph::Graph> graphs;
  for (const auto& [options, lstm] : tasks::layer_options()) {
    for (const int64_t embed : {0, 4}) {
      const std::string name = fmt::format("lm_{}", graphs.size());
      const auto model = tasks::language_model(lstm, embed);
      graphs[name] = tasks::model_graph(tasks::written(*model, folder / "model"));
      programs.add(name, graphs[name]);
    }
  }
  ASSERT_TRUE(programs.compile(kCompile));
  for (const auto& [name, graph] : graphs) {
    const std::vector<int32_t> x = testing::random_symbols(30, 7, 3);
    expect_same(programs.run(name, x), own_steps(graph, x), name);
  }
}

// One sequence of words, or of words and shapes, as a whole.
std::vector<float> whole(const graph::Graph& graph, int64_t steps, const std::vector<std::vector<int32_t>>& inputs,
                         size_t output) {
  graph::Plan plan(std::make_shared<const graph::Network>(graph, "test"), {.steps = steps});
  for (size_t i = 0; i < plan.inputs().size(); ++i) {
    const graph::Plan::View& view = plan.inputs()[i];
    for (int64_t k = 0; k < graph::count(view.dims); ++k) view.ints[k] = inputs[i][static_cast<size_t>(k)];
  }
  EXPECT_TRUE(plan.run());
  return values(plan.outputs()[output]);
}

TEST(ExportCModels, ClassifiersThatPoolAsTheyRead) {
  const TemporaryFolder folder;
  CPrograms programs;
  std::map<std::string, graph::Graph> graphs;
  for (const char* pool : {"last", "mean", "max", "attention", "concat"}) {
    tasks::ClassifierOptions options;
    options.lstm.hidden = 6;
    options.lstm.bidirectional = false;
    options.encoder.embed = 5;
    options.encoder.embed_shape = 0;
    options.encoder.hidden_characters = 0;
    options.pool = pool;
    const std::string name = std::string("by_") + pool;
    const tasks::ModelFile file = tasks::written(*tasks::classifier(options), folder / "model");
    programs.add(name, {.graph = tasks::model_graph(file), .name = name, .texts = tasks::model_texts(file)});
    graphs[name] = tasks::model_graph(file, {.ragged = false});
  }
  ASSERT_TRUE(programs.compile(kCompile));
  for (const auto& [name, graph] : graphs) {
    const std::vector<int32_t> x = testing::random_symbols(17, 8, 5);
    std::vector<float> y = programs.run(name, x);
    if (name == "by_last") y.erase(y.begin(), y.end() - 3);  // it has an answer after each step
    expect_same(y, whole(graph, 17, {x}, 1), name);
  }
}

// Both directions read a whole sequence, of any length up to that of the header.
TEST(ExportCModels, BothDirectionsOverSequencesOfDifferentLengths) {
  const TemporaryFolder folder;
  CPrograms programs;
  std::map<std::string, graph::Graph> graphs;
  for (const bool shapes : {false, true}) {
    for (const char* pool : {"", "last", "mean", "max", "attention"}) {
      nn::WordEncoderOptions encoder;
      encoder.embed = 5;
      encoder.embed_shape = shapes ? 3 : 0;
      encoder.hidden_characters = 0;
      const std::string name = fmt::format("{}{}", *pool == 0 ? "tagger" : pool, shapes ? "_shapes" : "");
      tasks::TaggerOptions tagger;
      tagger.lstm.hidden = 6;
      tagger.lstm.bidirectional = true;
      tagger.encoder = encoder;
      tagger.crf = false;
      tasks::ClassifierOptions classifier;
      classifier.lstm = tagger.lstm;
      classifier.encoder = encoder;
      classifier.pool = pool;
      const tasks::ModelFile file = *pool == 0 ? tasks::written(*tasks::tagger(tagger), folder / "model")
                                               : tasks::written(*tasks::classifier(classifier), folder / "model");
      programs.add(name, {.graph = tasks::model_graph(file), .name = name, .texts = tasks::model_texts(file)},
                   {.steps = 12});
      graphs[name] = tasks::model_graph(file, {.ragged = false});
    }
  }
  ASSERT_TRUE(programs.compile(kCompile));
  for (const auto& [name, graph] : graphs) {
    for (const int32_t length : {12, 7, 1}) {
      const std::vector<int32_t> words = testing::random_symbols(12, 8, 5), shapes = testing::random_symbols(12, 3, 6);
      std::vector<int32_t> given = {length};
      given.insert(given.end(), words.begin(), words.end());
      if (graph.inputs.size() > 1) given.insert(given.end(), shapes.begin(), shapes.end());
      std::vector<float> y = programs.run(name, given);
      const std::vector<float> expected = whole(graph, length, {words, shapes}, 1);
      ASSERT_GE(y.size(), expected.size()) << name;
      y.resize(expected.size());
      expect_same(y, expected, fmt::format("{}, {} steps", name, length));
    }
  }
}

TEST(ExportCModels, TaggersThatReadCharacters) {
  const TemporaryFolder folder;
  CPrograms programs;
  std::map<std::string, graph::Graph> graphs;
  for (const bool both : {false, true}) {
    tasks::TaggerOptions options;
    options.lstm.hidden = 6;
    options.lstm.bidirectional = both;
    options.encoder = {.embed = 5, .embed_shape = 2, .embed_characters = 3, .hidden_characters = 4};
    const std::string name = both ? "both" : "forward";
    const tasks::ModelFile file = tasks::written(*tasks::tagger(options), folder / "model");
    programs.add(name, {.graph = tasks::model_graph(file), .name = name, .texts = tasks::model_texts(file)},
                 {.steps = both ? 5 : 0});
    graphs[name] = tasks::model_graph(file, {.ragged = false});
  }
  ASSERT_TRUE(programs.compile(kCompile));
  constexpr int64_t kWords = 5, kLength = 48;
  const std::vector<int32_t> words = testing::random_symbols(kWords, 8, 5),
                             shapes = testing::random_symbols(kWords, 3, 6);
  std::vector<int32_t> characters = testing::random_symbols(kWords * kLength, 6, 7), mask(characters.size(), 0);
  for (int64_t t = 0; t < kWords; ++t) std::fill_n(mask.begin() + t * kLength, 3 + 2 * t, 1);
  for (const auto& [name, graph] : graphs) {
    std::vector<int32_t> given;
    const std::vector<std::vector<int32_t>> all = {words, shapes, characters, mask};
    if (name == "both") given.push_back(kWords);
    for (int64_t call = 0; call < (name == "both" ? 1 : kWords); ++call) {
      for (const std::vector<int32_t>& each : all) {
        const int64_t n = static_cast<int64_t>(each.size()) / (name == "both" ? 1 : kWords);
        given.insert(given.end(), each.begin() + call * n, each.begin() + (call + 1) * n);
      }
    }
    graph::Plan plan(
        std::make_shared<const graph::Network>(graph, "test"),
        {.steps = kWords, .dims = {{"characters", {1, kWords, kLength}}, {"character_mask", {1, kWords, kLength}}}});
    for (size_t i = 0; i < all.size(); ++i) std::copy(all[i].begin(), all[i].end(), plan.inputs()[i].ints);
    ASSERT_TRUE(plan.run());
    expect_same(programs.run(name, given), values(plan.outputs()[1]), name);
  }
}

// Windows of the data, each a call.
TEST(ExportCModels, Regressors) {
  const TemporaryFolder folder;
  constexpr int64_t kRows = 6;
  CPrograms programs;
  std::map<std::string, graph::Graph> graphs;
  for (const std::string kind : {"levels", "difference", "window", "both"}) {
    tasks::RegressorOptions options;
    options.series = {.inputs = "a,b", .target = "b,c", .window = kRows, .horizon = 3};
    options.difference = kind == "difference";
    if (kind == "window") options.normalise = kind;
    options.lstm.hidden = 7;
    options.lstm.bidirectional = kind == "both";
    const tasks::Columns columns{{"a", "b"}, {"b", "c"}, {{1.0, 2.0}, {-3.0, 0.5}}, {{-3.0, 0.5}, {10.0, 4.0}}};
    tasks::Regressor model(options, columns);
    model.initialise(3);
    tasks::perturb(model, 4);
    const tasks::ModelFile file = tasks::written(model, folder / "model");
    graphs[kind] = tasks::model_graph(file);
    programs.add(kind, {.graph = graphs[kind], .name = kind, .texts = tasks::model_texts(file)}, {.steps = kRows});
  }
  ASSERT_TRUE(programs.compile(kCompile));
  for (const auto& [kind, graph] : graphs) {
    graph::Plan plan(std::make_shared<const graph::Network>(graph, "test"), {.steps = kRows});
    std::vector<float> given, expected;
    const bool anew = kind == "window" || kind == "both";  // others could go on from window to window
    for (uint32_t window = 0; window < (anew ? 3 : 1); ++window) {
      plan.reset();
      for (const graph::Plan::View& view : plan.inputs()) {
        const std::vector<float> x = testing::random_vector<float>(graph::count(view.dims), 4.0, window);
        std::copy_n(x.begin(), graph::count(view.dims), view.floats);
        given.insert(given.end(), view.floats, view.floats + graph::count(view.dims));
      }
      ASSERT_TRUE(plan.run());
      const std::vector<float> y = values(plan.outputs()[0]);
      expected.insert(expected.end(), y.begin(), y.end());
    }
    if (kind == "both") {  // a length before each window
      std::vector<float> with_lengths;
      const size_t each = given.size() / 3;
      for (size_t window = 0; window < 3; ++window) {
        with_lengths.push_back(std::bit_cast<float>(int32_t{kRows}));
        with_lengths.insert(with_lengths.end(), given.begin() + static_cast<int64_t>(window * each),
                            given.begin() + static_cast<int64_t>((window + 1) * each));
      }
      given = with_lengths;
    }
    expect_same(programs.run(kind, given), expected, kind);
  }
}

// The mean of two members, run symbol by symbol, against the output of the ensemble.
TEST(ExportCModels, Ensembles) {
  const TemporaryFolder folder;
  nn::LstmOptions small, other;
  small.hidden = 5;
  other = small;
  other.cell = "gru";
  const std::vector<tasks::ModelFile> files = {
      tasks::written(*tasks::language_model(small, 6), folder / "0"),
      tasks::written(*tasks::language_model(other, 0, false, 6), folder / "1")};
  tasks::combine<tasks::LanguageModel>(files, folder / "all");
  const tasks::ModelFile file = tasks::ModelFile::read(folder / "all");
  CPrograms programs;
  programs.add("pair", {.graph = tasks::model_graph(file), .name = "pair", .texts = tasks::model_texts(file)});
  ASSERT_TRUE(programs.compile(kCompile));
  const std::vector<int32_t> x = testing::random_symbols(30, 7, 3);
  const std::vector<float> y = programs.run("pair", x);
  const std::unique_ptr<tasks::LanguageModel> model = tasks::LanguageModel::load(file);
  kernels::Context context(1);
  tasks::LanguageModel::Workspace workspace(*model, nn::Engine::kFused, context);
  tasks::LanguageModel::State state = model->new_state();
  state.reset(1);
  for (tasks::LanguageModel::State& each : state.others) each.reset(1);
  std::vector<float> expected;
  for (const int32_t symbol : x) {
    for (const float logit : model->read(symbol, state, workspace)) expected.push_back(std::exp(logit));
  }
  expect_same(y, expected, "an ensemble");
}

// What `longhand quantise` keeps of a model is what the header has.
TEST(ExportCModels, Int8IsThatOfQuantisedModels) {
  const TemporaryFolder folder;
  CPrograms programs;
  std::map<std::string, graph::Graph> graphs;
  for (const int64_t embed : {0, 6}) {
    nn::LstmOptions lstm;
    lstm.hidden = 12;
    lstm.layers = 2;
    lstm.proj = 8;
    const tasks::ModelFile file = tasks::written(*tasks::language_model(lstm, embed), folder / "model");
    file.write_quantised(folder / "quantised", kernels::WeightType::kInt8);
    const std::string name = fmt::format("lm_{}", embed);
    programs.add(name, tasks::model_graph(file), {.weights = "int8"});
    graphs[name] = tasks::model_graph(tasks::ModelFile::read(folder / "quantised"));
    programs.add(name + "_again", graphs[name], {.weights = "int8"});
  }
  ASSERT_TRUE(programs.compile(kCompile));
  for (const auto& [name, graph] : graphs) {
    const std::vector<int32_t> x = testing::random_symbols(30, 7, 3);
    expect_same(programs.run(name, x), own_steps(graph, x), name);
    expect_same(programs.run(name + "_again", x), own_steps(graph, x), name + ", of the quantised file");
  }
}

// What others trained, step by step, beside what its own player answers. The bounds are those of the importers' tests.
class OthersInC {
 public:
  void add(const std::string& name, Imported imported) {
    for (const char* weights : {"float", "int8"}) {
      programs_.add(fmt::format("{}_{}", name, weights), imported.graph, {.weights = weights});
    }
    graphs_[name] = std::move(imported.graph);
  }
  bool compile() { return programs_.compile(kCompile); }

  template <class T>
  void check(const std::string& name, const std::vector<T>& x, std::vector<float> expected, double bound) {
    const std::vector<float> y = programs_.run(name + "_float", x);
    ASSERT_GE(y.size(), expected.size());
    expect_close((name + " and our own steps").c_str(), y, own_steps(graphs_.at(name), x), bound);
    expect_close((name + " and its player").c_str(), {y.begin(), y.begin() + static_cast<int64_t>(expected.size())},
                 expected, bound);
    std::cout << name << " as int8: largest difference " << largest_difference(programs_.run(name + "_int8", x), y)
              << "\n";
  }

 private:
  CPrograms programs_;
  std::map<std::string, graph::Graph> graphs_;
};

// Frames of 512 samples after the last 64 of the frame before.
std::vector<float> with_context(const std::vector<float>& sound) {
  std::vector<float> out;
  for (size_t at = 0; at + 512 <= sound.size(); at += 512) {
    for (size_t i = 0; i < 64; ++i) out.push_back(at == 0 ? 0.0F : sound[at - 64 + i]);
    out.insert(out.end(), sound.begin() + static_cast<int64_t>(at), sound.begin() + static_cast<int64_t>(at) + 512);
  }
  return out;
}

TEST(ExportCModels, ModelsOfOthers) {
  if (!is_here(kModels)) return;
  OthersInC others;
  for (const char* name : {"lstm", "lstm_1d", "lstm_torch"}) {
    others.add(std::string("rtneural_") + name, import_file(fmt::format("{}rtneural/{}.json", kModels, name)));
  }
  others.add("nam", import_file(kModels + "nam/core_example_lstm.nam"));
  others.add("noaa", import_file(kModels + "noaa_streamflow/model_epoch009.pt"));
  others.add("shakespeare", import_file(kModels + "ml5_charrnn_shakespeare"));
  others.add("mask", import_file(kModels + "dtln/model_1.onnx"));
  others.add("frames", import_file(kModels + "dtln/model_2.onnx"));
  ImportOptions silero;
  silero.values["sr"] = graph::array_of_ints({}, {16000});
  silero.dims["input"] = {-1, 576};
  others.add("silero", import_file(kModels + "silero_vad/silero_vad_16k_op15.onnx", silero));
  ASSERT_TRUE(others.compile());
  const auto column = [](const std::string& path) { return io::floats(read_number_table(path).numbers, path); };
  for (const char* name : {"lstm", "lstm_1d", "lstm_torch"}) {
    const std::string base = fmt::format("{}rtneural/{}", kModels, name);
    others.check(std::string("rtneural_") + name, column(base + "_x_python.csv"), column(base + "_y_python.csv"),
                 1.4e-6);
  }
  others.check("nam", testing::random_vector<float>(500, 0.5, 2), {}, 9e-7);
  others.check("noaa", npy(kModels + "noaa_streamflow/input.npy"), npy(kModels + "noaa_streamflow/expected.npy"), 3e-5);
  const nlohmann::json ids = nlohmann::json::parse(io::read_file(kModels + "ml5_charrnn_shakespeare/ids.json"));
  others.check("shakespeare", ids.get<std::vector<int32_t>>(),
               npy(kModels + "ml5_charrnn_shakespeare/expected_logits.npy"), 1e-4);  // logits up to 33
  std::vector<float> probabilities = npy(kModels + "silero_vad/expected_probs.npy");
  others.check("silero", with_context(npy(kModels + "silero_vad/input.npy")), probabilities, 2e-5);
  others.check("mask", testing::random_vector<float>(257 * 20, 1.0, 3), {}, 1e-5);
  others.check("frames", testing::random_vector<float>(512 * 20, 0.5, 4), {}, 1e-5);
}

// Imported bidirectional models: each sequence in one call, against expected outputs.
class WholeInC {
 public:
  WholeInC(std::string name, Imported imported, int64_t steps) : name_(std::move(name)), steps_(steps) {
    for (const char* weights : {"float", "int8"}) {
      programs_.add(fmt::format("{}_{}", name_, weights), imported.graph, {.weights = weights, .steps = steps});
    }
    graph_ = std::move(imported.graph);
  }

  void add(const std::vector<int32_t>& x, const std::vector<float>& expected) {
    given_.push_back(static_cast<int32_t>(x.size()));
    given_.insert(given_.end(), x.begin(), x.end());
    given_.resize(given_.size() + static_cast<size_t>(steps_) - x.size());
    lengths_.push_back(x.size());
    expected_.insert(expected_.end(), expected.begin(), expected.end());
    graph::Plan plan(std::make_shared<const graph::Network>(graph_, name_), {.steps = static_cast<int64_t>(x.size())});
    std::copy(x.begin(), x.end(), plan.inputs()[0].ints);
    ASSERT_TRUE(plan.run());
    const std::vector<float> y = values(plan.outputs()[0]);
    own_.insert(own_.end(), y.begin(), y.end());
  }

  void check(double bound) {
    ASSERT_TRUE(programs_.compile(kCompile));
    const std::vector<float> y = outputs("float");
    expect_close((name_ + " and our own").c_str(), y, own_, bound);
    expect_close((name_ + " and its player").c_str(), y, expected_, bound);
    const double int8 = largest_difference(outputs("int8"), y);
    std::cout << name_ << " as int8: largest difference " << int8 << "\n";
    EXPECT_LT(int8, 0.05);
  }

 private:
  // Returns the outputs without those that a call writes after the end of its sequence.
  std::vector<float> outputs(const char* weights) {
    const std::vector<float> all = programs_.run(fmt::format("{}_{}", name_, weights), given_);
    const size_t calls = lengths_.size(), width = all.size() / calls / static_cast<size_t>(steps_);
    EXPECT_EQ(all.size(), calls * static_cast<size_t>(steps_) * width);
    std::vector<float> out;
    for (size_t i = 0; i < calls; ++i) {
      const auto begin = all.begin() + static_cast<int64_t>(i * width) * steps_;
      out.insert(out.end(), begin, begin + static_cast<int64_t>(lengths_[i] * width));
    }
    return out;
  }

  std::string name_;
  int64_t steps_;
  graph::Graph graph_;
  CPrograms programs_;
  std::vector<int32_t> given_;
  std::vector<size_t> lengths_;
  std::vector<float> own_, expected_;
};

TEST(ExportCModels, DisorderOfProteins) {
  const std::string folder = kModels + "metapredict/", letters = "ACDEFGHIKLMNPQRSTVWY";
  if (!is_here(folder)) return;
  const auto sequences = nlohmann::json::parse(io::read_file(folder + "sequences.json"));
  for (const std::string version : {"v1", "v2"}) {
    Imported imported = import_file(fmt::format("{}{}.pt", folder, version));
    std::vector<std::string> symbols;
    for (const char c : letters) symbols.emplace_back(1, c);
    read_symbols(imported, symbols);
    WholeInC network("metapredict_" + version, std::move(imported), 1200);
    const auto expected = nlohmann::json::parse(io::read_file(fmt::format("{}expected_{}.json", folder, version)));
    for (const auto& [name, sequence] : sequences.items()) {
      std::vector<int32_t> x;
      for (const char c : sequence.get<std::string>()) x.push_back(static_cast<int32_t>(letters.find(c)));
      network.add(x, expected[name].get<std::vector<float>>());
    }
    network.check(9e-6);
  }
}

TEST(ExportCModels, ThaiWords) {
  const std::string folder = kModels + "icu_thai/Thai_codepoints_exclusive_model4_heavy/";
  if (!is_here(folder)) return;
  WholeInC network("icu_thai", import_file(folder + "weights.json"), 36);
  for (const auto& each : nlohmann::json::parse(io::read_file(folder + "expected.json"))) {
    std::vector<float> expected;
    for (const auto& row : each["probs"]) {
      for (const auto& p : row) expected.push_back(p.get<float>());
    }
    network.add(each["ids"].get<std::vector<int32_t>>(), expected);
  }
  network.check(4e-6);
}

}  // namespace
}  // namespace longhand::exporters
