// Networks for audio in the formats of plug-ins, and back.
#include <nlohmann/json.hpp>

#include "longhand/exporters/export_audio.h"
#include "tests/exporters/exported.h"

namespace longhand::exporters {

using namespace convert;  // reads the exported files back
namespace {

const std::string kAmplifier = R"(
sample_rate = 48000
[[inputs]]
size = 1
[[layers]]
type = "lstm"
name = "lstm"
units = 5
layers = 2
[[layers]]
type = "linear"
name = "head"
units = 1
)";

const std::string kAllLayers = R"(
[[inputs]]
size = 2
[[layers]]
type = "conv1d"
name = "conv"
units = 6
kernel = 3
dilation = 2
padding = "causal"
[[layers]]
type = "tanh"
[[layers]]
type = "conv1d"
name = "groups"
units = 4
kernel = 2
groups = 2
padding = "causal"
bias = false
[[layers]]
type = "batch-norm"
name = "norm"
epsilon = 0.001
[[layers]]
type = "leaky-relu"
alpha = 0.3
[[layers]]
type = "gru"
name = "gru"
units = 3
[[layers]]
type = "dropout"
rate = 0.1
[[layers]]
type = "lstm"
name = "lstm"
units = 4
layers = 2
[[layers]]
type = "linear"
name = "dense"
units = 3
[[layers]]
type = "elu"
[[layers]]
type = "linear"
name = "out"
units = 2
bias = false
[[layers]]
type = "softmax"
)";

Exported rtneural(const graph::Graph& graph) { return export_rtneural({.graph = graph}, {}); }
Exported nam(const graph::Graph& graph) { return export_nam({.graph = graph}, {}); }

TEST(ExportAudio, RtNeuralHasAllOfItsLayers) {
  const graph::Graph graph = drawn(kAllLayers);
  const Exported exported = rtneural(graph);
  ASSERT_EQ(exported.files.size(), 1U);
  const nlohmann::json json = nlohmann::json::parse(file_of(exported, ".json"));
  std::vector<std::string> types, activations;
  for (const auto& layer : json["layers"]) {
    types.push_back(layer["type"]);
    activations.push_back(layer["activation"]);
    EXPECT_TRUE(layer.contains("weights") && layer["shape"].size() == 3 && layer["shape"][0].is_null())
        << layer["type"];
  }
  EXPECT_EQ(types, (std::vector<std::string>{"conv1d", "conv1d", "batchnorm", "prelu", "gru", "lstm", "lstm", "dense",
                                             "dense"}));
  EXPECT_EQ(activations, (std::vector<std::string>{"tanh", "", "", "", "tanh", "tanh", "tanh", "elu", "softmax"}));
  EXPECT_EQ(json["layers"][0]["kernel_size"][0], 3);
  EXPECT_EQ(json["layers"][0]["dilation"][0], 2);
  EXPECT_EQ(json["layers"][1]["groups"], 2);
  EXPECT_EQ(json["layers"][4]["weights"][2].size(), 2U);  // a GRU has two biases
  EXPECT_EQ(json["in_shape"].back(), 2);
  const Imported back = imported_from(file_of(exported, ".json"), "model.json");
  // Biases of LSTM layers are added before, not as they are used: a rounding each.
  expect_close("RTNeural and back", answers(back.graph), answers(graph), 1e-6);
}

TEST(ExportAudio, RtNeuralAgainIsTheSameFile) {
  const std::string first = file_of(rtneural(drawn(kAllLayers)), ".json");
  EXPECT_EQ(file_of(rtneural(imported_from(first, "model.json").graph), ".json"), first);
}

TEST(ExportAudio, RtNeuralKeepsGainsAndTheSkip) {
  const graph::Graph graph =
      imported_from(R"({"in_shape": [null, null, 1], "in_gain": 6, "out_gain": -3.5, "in_skip": 1,
      "samplerate": 44100, "layers": [{"type": "dense", "activation": "", "shape": [null, null, 1],
      "weights": [[[0.5]], [0.25]]}]})",
                    "model.json")
          .graph;
  EXPECT_EQ(graph.sample_rate, 44100);
  const Exported exported = rtneural(graph);
  const nlohmann::json json = nlohmann::json::parse(file_of(exported, ".json"));
  EXPECT_NEAR(json["in_gain"].get<double>(), 6.0, 1e-5);
  EXPECT_NEAR(json["out_gain"].get<double>(), -3.5, 1e-5);
  EXPECT_EQ(json["in_skip"], 1);
  const Imported back = imported_from(file_of(exported, ".json"), "model.json");
  EXPECT_EQ(back.graph.sample_rate, 44100);
  EXPECT_LE(largest_difference(answers(back.graph), answers(graph)), 1e-6);  // decibels are rounded
}

TEST(ExportAudio, NamIsTheLstmWithItsHead) {
  graph::Graph graph = drawn(kAmplifier);
  const Exported exported = nam(graph);
  const nlohmann::json json = nlohmann::json::parse(file_of(exported, ".nam"));
  EXPECT_EQ(json["architecture"], "LSTM");
  EXPECT_EQ(json["sample_rate"], 48000);
  EXPECT_EQ(json["config"]["num_layers"], 2);
  EXPECT_EQ(json["weights"].size(), 4U * 5 * 6 + 30 + 4 * 5 * 10 + 30 + 6);
  const Imported back = imported_from(file_of(exported, ".nam"), "amp.nam");
  EXPECT_EQ(back.graph.sample_rate, 48000);
  expect_close("NAM and back", answers(back.graph), answers(graph), 1e-6);
  EXPECT_EQ(file_of(nam(back.graph), ".nam"), file_of(exported, ".nam"));
}

std::string with_layer(const std::string& layer) {
  return "[[inputs]]\nsize = 1\n[[layers]]\n" + layer + "\n[[layers]]\ntype = \"linear\"\nname = \"head\"\nunits = 1\n";
}

TEST(ExportAudio, RefusesByName) {
  const auto lstm = [](const char* more) {
    return drawn(with_layer(std::string("type = \"lstm\"\nname = \"low\"\nunits = 4\n") + more));
  };
  for (auto* write : {export_rtneural, export_nam}) {
    expect_export_refused(write, lstm("bidirectional = true"), "layer 'low' (lstm): ");
    expect_export_refused(write, lstm("bidirectional = true"), "both directions");
    expect_export_refused(write, lstm("projection = 2"), "a projection");
    expect_export_refused(write, lstm("layer_norm = true"), "layer normalisation");
    expect_export_refused(write, lstm("return = \"last\""), "the last output alone");
    expect_export_refused(write, lstm("clip = 3.0"), "clip");
    expect_export_refused(write, drawn(with_layer("type = \"reverse\"\nname = \"back\"")), "layer 'back' (reverse)");
    expect_export_refused(write,
                          drawn("[[inputs]]\nsymbols = 3\n[[layers]]\ntype = \"embedding\"\nname = \"e\"\nsymbols "
                                "= 3\nunits = 2\n"),
                          "one input of numbers");
  }
  graph::Graph begins = lstm("initial_state = true\n");
  begins.arrays.at("low.h_0_l0").floats[1] = 0.5F;
  expect_export_refused(export_rtneural, begins, "a trained initial state");
  expect_export_refused(export_rtneural,
                        drawn(with_layer("type = \"conv1d\"\nname = \"c\"\nunits = 1\nkernel = 3\npadding = \"same\"")),
                        "not causal");
  expect_export_refused(export_nam, drawn(with_layer("type = \"gru\"\nname = \"g\"\nunits = 3")), "layer 'g' (gru)");
  expect_export_refused(export_nam,
                        drawn("[[inputs]]\nsize = 2\n[[layers]]\ntype = \"lstm\"\nname = \"l\"\nunits = 2\n"
                              "[[layers]]\ntype = \"linear\"\nname = \"h\"\nunits = 1\n"),
                        "one channel, found 2");
  expect_export_refused(export_nam,
                        drawn("[[inputs]]\nsize = 1\n[[layers]]\ntype = \"lstm\"\nname = \"l\"\nunits = 2\n"),
                        "a linear layer with one output");
}

// All numbers of a JSON, in order.
void add_numbers(const nlohmann::json& json, std::vector<float>& out) {
  if (json.is_number()) out.push_back(json.get<float>());
  if (json.is_array()) {
    for (const auto& each : json) add_numbers(each, out);
  }
}

TEST(ExportAudio, FilesOfOthersComeBackWithTheirWeights) {
  for (const std::string name : {"rtneural/lstm.json", "rtneural/lstm_1d.json", "nam/core_example_lstm.nam"}) {
    if (!is_here(kModels + name)) return;
    const Imported imported = import_file(kModels + name);
    const bool is_nam = name.ends_with(".nam");
    const std::string written =
        file_of(is_nam ? nam(imported.graph) : rtneural(imported.graph), is_nam ? ".nam" : ".json");
    const auto theirs = nlohmann::json::parse(io::read_file(kModels + name)), ours = nlohmann::json::parse(written);
    std::vector<float> expected, found;
    if (is_nam) {
      add_numbers(theirs["weights"], expected);
      add_numbers(ours["weights"], found);
      EXPECT_EQ(ours["config"], theirs["config"]);
    } else {
      for (const auto& layer : theirs["layers"]) add_numbers(layer["weights"], expected);
      for (const auto& layer : ours["layers"]) add_numbers(layer["weights"], found);
    }
    EXPECT_EQ(found, expected) << name;
    EXPECT_EQ(answers(imported_from(written, is_nam ? "a.nam" : "a.json").graph), answers(imported.graph)) << name;
  }
}

}  // namespace
}  // namespace longhand::exporters
