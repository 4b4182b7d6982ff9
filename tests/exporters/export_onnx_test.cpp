// Models and networks as ONNX: what the files have, and that they give the same numbers when they are read again.
#include "longhand/exporters/export_onnx.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhand/convert/import_file.h"
#include "longhand/exporters/onnx_maker.h"
#include "longhand/exporters/onnx_write.h"
#include "longhand/graph/description.h"
#include "longhand/tasks/model_graph.h"
#include "tests/exporters/round_trip.h"
#include "tests/tasks/model_graph_models.h"

namespace longhand::exporters {

using namespace convert;  // reads the exported files back
namespace {

using testing::error_of;
using testing::TemporaryFolder;

bool has_operator(const OnnxModel& model, const std::string& type) {
  return std::any_of(model.graph.nodes.begin(), model.graph.nodes.end(),
                     [&](const OnnxNode& node) { return node.op_type == type; });
}

std::string shown(const OnnxValue& value) {
  std::string out = value.name + " " + io::name_of(*value.dtype);
  for (const OnnxExtent& each : value.shape) out += " " + (each.value >= 0 ? std::to_string(each.value) : each.name);
  return out;
}

graph::Graph drawn(const std::string& toml) {
  return graph::with_drawn_weights(graph::read_description(toml, "test.toml"), 1, "test.toml");
}

TEST(OnnxFiles, AreReadAsTheyWereWritten) {
  OnnxModel model;
  model.ir_version = 7;
  model.producer = "someone";
  model.producer_version = "1.2";
  model.opsets = {{"", 14}, {"other", 3}};
  model.texts = {{"key", "text"}, {"empty", ""}};
  model.graph.name = "graph";
  model.graph.initialisers.resize(2);
  model.graph.initialisers[0].name = "numbers";
  model.graph.initialisers[0].array = io::make_array({2}, std::vector<float>{1.5F, -2.0F});
  model.graph.initialisers[1].name = "scalar";
  model.graph.initialisers[1].array = io::make_array({}, std::vector<int64_t>{int64_t{-1} << 40});
  model.graph.inputs = {onnx_value("x", io::DType::kI32, {{.value = -1, .name = "batch"}, {.value = 3, .name = ""}})};
  OnnxNode node;
  node.name = "node";
  node.op_type = "Op";
  node.domain = "other";
  node.inputs = {"x", "", "numbers"};
  node.outputs = {"y"};
  OnnxGraph body;
  body.name = "body";
  body.nodes.push_back(node);
  node.attributes = {onnx::whole("whole", -3), onnx::wholes("wholes", {1, -1}),
                     onnx::real("real", 0.25), onnx::reals("reals", {0.5, 2}),
                     onnx::text("text", "a"),  onnx::texts("texts", {"a", ""}),
                     onnx::body("body", body), onnx::tensor("tensor", graph::array_of_ints({2}, {7, 8}))};
  model.graph.nodes = {node};
  model.graph.outputs = {onnx_value("y", io::DType::kBool, {})};
  const OnnxModel again = read_onnx("model.onnx", onnx_bytes(model));
  EXPECT_EQ(again.ir_version, 7);
  EXPECT_EQ(again.producer_version, "1.2");
  EXPECT_EQ(again.opsets, model.opsets);
  EXPECT_EQ(again.texts, model.texts);
  EXPECT_EQ(again.graph.initialisers[1].array.bytes, model.graph.initialisers[1].array.bytes);
  EXPECT_TRUE(again.graph.initialisers[1].array.shape.empty());
  EXPECT_EQ(shown(again.graph.inputs[0]), "x int32 batch 3");
  EXPECT_EQ(shown(again.graph.outputs[0]), "y bool");
  const OnnxNode& read = again.graph.nodes.at(0);
  EXPECT_EQ(read.domain, "other");
  EXPECT_EQ(read.inputs, node.inputs);
  ASSERT_EQ(read.attributes.size(), node.attributes.size());
  EXPECT_EQ(read.attribute("whole")->integer, -3);
  EXPECT_EQ(read.attribute("wholes")->integers, (std::vector<int64_t>{1, -1}));
  EXPECT_EQ(read.attribute("reals")->reals, (std::vector<float>{0.5F, 2.0F}));
  EXPECT_EQ(read.attribute("texts")->texts, (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(read.attribute("body")->graphs.at(0).nodes.at(0).op_type, "Op");
  EXPECT_EQ(io::integers(read.attribute("tensor")->tensors.at(0).array, "t"), (std::vector<int64_t>{7, 8}));
}

TEST(ExportOnnx, ALanguageModelHasNamedAxesStatesAndTexts) {
  const TemporaryFolder folder;
  nn::LstmOptions lstm;
  lstm.hidden = 6;
  lstm.train_initial_state = true;
  const tasks::ModelFile file = tasks::written(*tasks::language_model(lstm, 4), folder / "model");
  const OnnxModel model = exported_onnx(tasks::model_graph(file), tasks::model_texts(file));
  EXPECT_EQ(model.opsets, (std::map<std::string, int64_t>{{"", 14}}));
  EXPECT_EQ(model.producer, "longhand");
  EXPECT_EQ(model.graph.name, "model");
  ASSERT_EQ(model.graph.inputs.size(), 3U);
  EXPECT_EQ(shown(model.graph.inputs[0]), "symbols int64 batch time");
  EXPECT_EQ(shown(model.graph.inputs[1]), "lstm_0_h_in float32 1 batch 6");
  EXPECT_EQ(shown(model.graph.inputs[2]), "lstm_0_c_in float32 1 batch 6");
  ASSERT_EQ(model.graph.outputs.size(), 4U);
  EXPECT_EQ(shown(model.graph.outputs[0]), "logits float32 batch time 8");
  EXPECT_EQ(shown(model.graph.outputs[1]), "probabilities float32 batch time 8");
  EXPECT_EQ(shown(model.graph.outputs[2]), "lstm_0_h_out float32 1 batch 6");
  EXPECT_TRUE(has_operator(model, "LSTM"));
  EXPECT_EQ(model.texts.at("task"), "language_model");
  EXPECT_EQ(nlohmann::json::parse(model.texts.at("symbols")).size(), 8U);
  const nlohmann::json states = nlohmann::json::parse(model.texts.at("states"));
  EXPECT_EQ(states[1]["output"], "lstm_0_c_out");
  EXPECT_EQ(states[0]["initial"].size(), 6U);
  const Imported again = onnx_to_graph(model, "model.onnx");
  EXPECT_EQ(again.graph.states.size(), 2U);
  EXPECT_EQ(again.graph.states[0].initial, "lstm_0_h_in.initial");
  EXPECT_EQ(again.graph.symbols.size(), 8U);
  EXPECT_EQ(again.graph.inputs[0].time_axis, 1);
}

TEST(ExportOnnx, LayersThatOperatorsHoldAreOperatorsAndOthersAreWrittenOut) {
  const TemporaryFolder folder;
  for (const auto& [name, lstm] : tasks::all_layer_options()) {
    SCOPED_TRACE(name);
    const tasks::ModelFile file = tasks::written(*tasks::language_model(lstm, 5), folder / "model");
    const OnnxModel model = expect_round_trip(name, tasks::model_graph(file));
    const bool more =
        lstm.proj > 0 || lstm.layer_norm || lstm.zoneout > 0.0 || lstm.zoneout_cell > 0.0 || lstm.cell_clip > 0.0;
    EXPECT_EQ(has_operator(model, "Scan"), more);
    EXPECT_EQ(has_operator(model, lstm.cell == "lstm" ? "LSTM" : lstm.cell == "gru" ? "GRU" : "RNN"), !more);
  }
}

TEST(ExportOnnx, LanguageModelsOneHotTiedAndEnsembles) {
  const TemporaryFolder folder;
  nn::LstmOptions lstm;
  lstm.hidden = 8;
  expect_round_trip("one-hot", tasks::model_graph(tasks::written(*tasks::language_model(lstm, 0), folder / "0")));
  expect_round_trip("tied", tasks::model_graph(tasks::written(*tasks::language_model(lstm, 8, true), folder / "1")));
  expect_round_trip("projected",
                    tasks::model_graph(tasks::written(*tasks::language_model(lstm, 5, true), folder / "2")));
  tasks::combine<tasks::LanguageModel>(
      std::vector{tasks::ModelFile::read(folder / "0"), tasks::ModelFile::read(folder / "1")}, folder / "all");
  expect_round_trip("ensemble", tasks::model_graph(tasks::ModelFile::read(folder / "all")));
}

// The tied weights are in the file once.
TEST(ExportOnnx, TiedWeightsAreKeptOnce) {
  const TemporaryFolder folder;
  nn::LstmOptions lstm;
  lstm.hidden = 8;
  const OnnxModel model =
      exported_onnx(tasks::model_graph(tasks::written(*tasks::language_model(lstm, 8, true), folder / "model")));
  int matrices = 0;
  for (const OnnxTensor& tensor : model.graph.initialisers) {
    matrices += tensor.array.shape == std::vector<int64_t>{8, 8} ? 1 : 0;
  }
  EXPECT_EQ(matrices, 1);
}

TEST(ExportOnnx, TaggersAndClassifiersReadMaskedWords) {
  const TemporaryFolder folder;
  const std::vector<TrialSizes> trials = {{1, 1, 3}, {1, 6, 5}, {3, 9, 7}};
  for (const auto& [name, lstm] : tasks::all_layer_options()) {
    tasks::TaggerOptions options;
    options.lstm = lstm;
    options.encoder = {.embed = 4, .embed_shape = 2, .embed_characters = 3, .hidden_characters = 3};
    const tasks::ModelFile file = tasks::written(*tasks::tagger(options), folder / "tagger");
    SCOPED_TRACE(name);
    const graph::Graph graph = tasks::model_graph(file);
    if (lstm.bidirectional) expect_round_trip("tagger, " + name, graph, 1e-5, trials, tasks::model_texts(file));
  }
  for (const char* pool : {"last", "mean", "max", "attention", "concat"}) {
    tasks::ClassifierOptions options;
    options.lstm.hidden = 5;
    options.lstm.layers = 2;
    options.lstm.residual = pool == std::string("last");
    options.pool = pool;
    options.encoder = {.embed = 4, .embed_shape = 2, .embed_characters = 3, .hidden_characters = 3};
    const tasks::ModelFile file = tasks::written(*tasks::classifier(options), folder / "classifier");
    expect_round_trip(pool, tasks::model_graph(file), 1e-5, trials);
    expect_round_trip(std::string(pool) + ", no mask", tasks::model_graph(file, {.ragged = false}), 1e-5, trials);
  }
}

// Layers of networks over sequences: each kind, in TOML.
TEST(ExportOnnx, NetworksOfAllKindsOfLayers) {
  const std::vector<TrialSizes> trials = {{1, 1}, {2, 9}};
  const std::vector<std::pair<const char*, const char*>> networks = {{"causal convolutions", R"(
[[inputs]]
size = 3
[[layers]]
type = "conv1d"
units = 4
kernel = 3
dilation = 2
padding = "causal"
[[layers]]
type = "gelu"
[[layers]]
type = "conv1d"
units = 6
kernel = 2
groups = 2
padding = "causal"
bias = false
[[layers]]
type = "layer-norm"
)"},
                                                                     {"frames", R"(
[[inputs]]
size = 16
[[layers]]
type = "context"
size = 4
[[layers]]
type = "reshape"
shape = [20, 1]
[[layers]]
type = "pad"
right = 4
mode = "reflect"
[[layers]]
type = "conv1d"
units = 6
kernel = 4
stride = 2
bias = false
[[layers]]
type = "magnitude"
[[layers]]
type = "conv1d"
units = 4
kernel = 3
padding = "same"
mode = "replicate"
[[layers]]
type = "max-pool1d"
kernel = 2
[[layers]]
type = "transpose"
[[layers]]
type = "flatten"
[[layers]]
type = "lstm"
units = 5
layers = 2
residual = true
[[layers]]
type = "silu"
)"},
                                                                     {"branches", R"(
outputs = ["joined", "flipped"]
[[inputs]]
name = "x"
size = 4
[[layers]]
type = "linear"
name = "a"
from = "x"
units = 4
[[layers]]
type = "tanh"
name = "b"
from = "x"
[[layers]]
type = "multiply"
name = "c"
from = ["a", "b"]
[[layers]]
type = "subtract"
name = "d"
from = ["c", "x"]
[[layers]]
type = "max"
name = "e"
from = ["d", "a", "b"]
[[layers]]
type = "slice"
name = "f"
start = 1
end = 3
[[layers]]
type = "concat"
name = "joined"
from = ["e", "f"]
[[layers]]
type = "reverse"
name = "flipped"
from = "e"
)"},
                                                                     {"recurrent layers of frames", R"(
[[inputs]]
size = 12
[[layers]]
type = "reshape"
shape = [4, 3]
[[layers]]
type = "gru"
units = 3
bidirectional = true
[[layers]]
type = "rnn"
units = 4
activation = "relu"
return = "last"
[[layers]]
type = "lstm"
units = 3
)"},
                                                                     {"unusual cells", R"(
[[inputs]]
size = 3
[[layers]]
type = "gru"
units = 4
reset_after = false
[[layers]]
type = "gru"
units = 4
activations = ["HardSigmoid", "Softsign"]
[[layers]]
type = "rnn"
units = 4
activation = "Elu"
[[layers]]
type = "lstm"
units = 4
activations = ["Sigmoid", "Mish", "Gelu"]
[[layers]]
type = "lstm"
units = 4
bidirectional = true
merge = "ave"
[[layers]]
type = "lstm"
units = 4
go_backwards = true
)"},
                                                                     {"averages", R"(
[[inputs]]
size = 3
[[layers]]
type = "avg-pool1d"
kernel = 3
stride = 1
padding = [1, 1]
[[layers]]
type = "pool"
kind = "attention"
)"}};
  for (const auto& [name, toml] : networks) {
    SCOPED_TRACE(name);
    expect_round_trip(name, drawn(toml), 1e-5, trials);
  }
}

TEST(ExportOnnx, FunctionsOfEachNumber) {
  for (const std::string type :
       {"relu",     "leaky-relu", "thresholded-relu", "elu",        "celu", "selu", "gelu",
        "sigmoid",  "silu",       "hard-sigmoid",     "hard-swish", "mish", "tanh", "scaled-tanh",
        "softsign", "softplus",   "affine",           "exp",        "abs",  "neg",  "clip",
        "softmax",  "log-softmax"}) {
    std::string toml = "[[inputs]]\nsize = 5\n[[layers]]\ntype = \"" + type + "\"\n";
    if (type == "clip") toml += "min = -0.1\nmax = 0.2\n";
    if (type == "gelu") toml += "approximate = \"tanh\"\n";
    if (type == "hard-sigmoid" || type == "scaled-tanh" || type == "affine") toml += "alpha = 0.3\nbeta = 0.7\n";
    expect_round_trip(type, drawn(toml), 1e-6, {{2, 6}});
  }
}

TEST(ExportOnnx, NamesThatAreTakenAreLeftToWhoHasThem) {
  graph::Graph graph =
      drawn("[[inputs]]\nname = \"lstm_h_in\"\nsize = 3\n[[layers]]\ntype = \"lstm\"\nname = \"lstm\"\nunits = 3\n");
  const OnnxModel model = expect_round_trip("names", graph);
  ASSERT_EQ(model.graph.inputs.size(), 3U);
  EXPECT_EQ(model.graph.inputs[1].name, "lstm_h_in_");
}

TEST(ExportOnnx, RefusesWhatOnnxCannotHold) {
  graph::Graph graph;
  graph.inputs = {{.name = "x", .dims = {-1, 4}, .batch_axis = 0}};
  graph.outputs = {{.name = "y", .dims = {}}};
  graph.nodes = {{.type = "QuantizeLinear",
                  .name = "quantise",
                  .inputs = {"x", "scale"},
                  .outputs = {"y"},
                  .attributes = {{"low", int64_t{0}}, {"high", int64_t{255}}}}};
  graph.arrays["scale"] = graph::array({}, {0.1F});
  const std::string error = error_of([&] { exported_onnx(graph); });
  EXPECT_NE(error.find("quantise"), std::string::npos) << error;
  EXPECT_NE(error.find("8-bit"), std::string::npos) << error;
}

// Logits of four symbols after the third and the fifth of the symbols 3 1 4 1 5, as onnxruntime 1.32 gives them for the
// exported files.
TEST(ExportOnnx, GivesWhatOnnxruntimeGives) {
  const std::map<std::string, std::vector<float>> expected = {
      {"plain", {0.5039005F, -0.7728032F, -0.4400759F, 0.8217342F, 0.02527778F, -0.2537425F, -0.2457039F, 0.2917125F}},
      {"everything",
       {0.6262861F, -0.3535885F, 0.04219577F, -0.1580723F, 0.6027001F, -0.6286834F, -0.001854379F, -0.03608215F}},
      {"gru, initial state",
       {0.7524537F, -0.1163411F, 0.9351496F, 0.2535141F, 0.799527F, -0.1150885F, -0.6261094F, 1.325099F}},
      {"activations",
       {0.3350541F, -0.5680634F, -0.2900767F, 0.5017253F, 0.03095656F, -0.2882868F, -0.1821017F, 0.1936816F}},
      {"layer norm, both directions",
       {-0.2073828F, 0.3020447F, -0.2654605F, 0.009724557F, -0.5530483F, 0.6172587F, 0.3660114F, 0.09569576F}},
      {"peepholes", {1.458805F, 0.1898156F, 0.290692F, 0.9670457F, 1.179007F, -0.164803F, 0.786018F, 0.8293421F}},
      {"rnn, both directions",
       {0.7382106F, -0.9776338F, 0.9272478F, -2.635345F, 0.9509653F, -0.5156854F, 0.07848698F, -3.174465F}}};
  const TemporaryFolder folder;
  size_t seen = 0;
  for (const auto& [name, lstm] : tasks::all_layer_options()) {
    if (!expected.contains(name)) continue;
    ++seen;
    const tasks::ModelFile file = tasks::written(*tasks::language_model(lstm, 5), folder / "model");
    const NetworkPointer network = network_of(
        onnx_to_graph(exported_onnx(tasks::model_graph(file), tasks::model_texts(file)), "model.onnx").graph);
    graph::Plan plan(network, {.batch = 1, .steps = 5});
    const std::vector<float> symbols = {3, 1, 4, 1, 5};
    fill(plan.inputs().at(0), symbols.data());
    ASSERT_TRUE(plan.run());
    const std::vector<float> all = values(plan.outputs().at(0));
    const std::vector<float> found = {all[16], all[17], all[18], all[19], all[32], all[33], all[34], all[35]};
    EXPECT_LE(largest_difference(found, expected.at(name)), 2e-6) << name;
  }
  EXPECT_EQ(seen, expected.size());
}

// Trained models that others made: read, exported, and read again.
TEST(ExportOnnx, ModelsOfOthersGiveTheSameAgain) {
  if (!is_here(kModels)) return;
  for (const char* file : {"dtln/model_1.onnx", "dtln/model_2.onnx", "silero_vad/silero_vad_16k_sequence.onnx",
                           "rtneural/lstm.json", "nam/core_example_lstm.nam", "metapredict/v2.pt",
                           "icu_thai/Thai_codepoints_exclusive_model4_heavy/weights.json", "ml5_charrnn_shakespeare",
                           "noaa_streamflow/model_epoch009.pt"}) {
    SCOPED_TRACE(file);
    const Imported imported = import_file(kModels + file);
    const bool over_time = imported.graph.inputs.front().time_axis >= 0;
    expect_round_trip(file, imported.graph, 1e-5, {{1, over_time ? 7 : 1}});
  }
}

}  // namespace
}  // namespace longhand::exporters
