// Models of Keras, made here with numbers by a formula. The expected numbers are those that Keras 3.15 (with JAX) gives
// with these weights; of CuDNN's layout, after the conversion that Keras 2 makes of it.
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/convert/import_file.h"
#include "longhand/convert/onnx_graph.h"
#include "tests/convert/compose_keras.h"
#include "tests/convert/imported.h"

namespace longhand::convert {
namespace {

void expect_output(const char* what, const Imported& imported, int64_t inputs, const std::vector<float>& expected) {
  expect_close(what, run_whole(imported, input_formula(4 * inputs), 4), expected, 3e-7);
}

const char* const kUnits = R"("units": 2, "return_sequences": true)";

TEST(ImportKeras, BackwardsInTheOrderOfWork) {
  const std::string config = sequential("LSTM", std::string(kUnits) + R"(, "go_backwards": true)", 2);
  const Imported imported = import_bytes(keras_file(config, "2.4.0", {{"a", {{2, 8}, {2, 8}, {8}}}}));
  EXPECT_TRUE(notes_have(imported, "'optimizer_weights' is left out"));
  expect_output(
      "backwards", imported, 2,
      {0.063144691F, -0.079361469F, 0.11009445F, -0.12951396F, 0.14515284F, -0.16999897F, 0.1244951F, 0.0076892972F});
}

TEST(ImportKeras, MergeModes) {
  const std::vector<std::pair<std::string, std::vector<float>>> cases = {
      {"concat", {0.12365022F, -0.11470702F, 0.1007525F, -0.042967692F}},
      {"sum", {0.22440273F, -0.15767471F}},
      {"mul", {0.012458068F, 0.004928696F}},
      {"ave", {0.11220136F, -0.078837357F}}};
  for (const auto& [mode, expected] : cases) {
    const std::string config = sequential(
        "Bidirectional",
        fmt::format(R"("merge_mode": "{}", "layer": {{"class_name": "LSTM", "config": {{"units": 2}}}})", mode), 2);
    const std::vector<LayerArrays> arrays = {{"a", {{2, 8}, {2, 8}, {8}, {2, 8}, {2, 8}, {8}}}};
    expect_output(mode.c_str(), import_bytes(keras_file(config, "2.4.0", arrays)), 2, expected);
  }
}

TEST(ImportKeras, GruWithTheResetGateAfterAndBefore) {
  const std::string after = sequential("GRU", std::string(kUnits) + R"(, "reset_after": true)", 2);
  expect_output(
      "reset after", import_bytes(keras_file(after, "2.4.0", {{"a", {{2, 6}, {2, 6}, {2, 6}}}})), 2,
      {0.096288629F, 0.21660583F, 0.41242868F, -0.13758431F, 0.50750291F, -0.22795358F, 0.55438501F, -0.20596427F});
  const std::string before = sequential("GRU", std::string(kUnits) + R"(, "recurrent_activation": "sigmoid")", 2);
  const Imported imported = import_bytes(keras_file(before, "2.2.4", {{"a", {{2, 6}, {2, 6}, {6}}}}));
  const std::vector<float> expected = {0.12397025F, 0.12397025F,  0.45838422F, -0.18143785F,
                                       0.54692674F, -0.28974023F, 0.58471036F, -0.29265678F};
  expect_output("reset before", imported, 2, expected);
  expect_close("step by step", run_blocks(imported, input_formula(8), 4, 1), expected, 3e-7);
}

TEST(ImportKeras, CudnnLayouts) {
  const std::string lstm2 = sequential("CuDNNLSTM", kUnits, 2), lstm3 = sequential("LSTM", kUnits, 3);
  const Imported first = import_bytes(keras_file(lstm2, "2.2.4", {{"a", {{2, 8}, {2, 8}, {16}}}}));
  EXPECT_TRUE(notes_have(first, "layout of CuDNN"));
  expect_output(
      "CuDNN", first, 2,
      {0.016991721F, -0.067385368F, 0.082992055F, 0.055051904F, 0.11943138F, 0.11732852F, 0.14138541F, 0.13584305F});
  expect_output("CuDNN, 3 inputs", import_bytes(keras_file(lstm3, "2.2.4", {{"a", {{3, 8}, {2, 8}, {16}}}})), 3,
                {0.14664648F, 0.047646109F, -0.033614133F, -0.014795225F, 0.10295769F, 0.024966247F, -0.073300481F,
                 -0.0043186457F});
  const std::string gru = sequential("CuDNNGRU", kUnits, 3);
  expect_output(
      "CuDNN GRU", import_bytes(keras_file(gru, "2.2.4", {{"a", {{3, 6}, {2, 6}, {12}}}})), 3,
      {-0.027885489F, -0.32813394F, 0.06943737F, -0.033551022F, 0.33555773F, -0.12451018F, 0.3947393F, 0.24669544F});
}

TEST(ImportKeras, Version1HasArraysOfEachGate) {
  const std::string config = R"({"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": {"name": "a",
    "batch_input_shape": [null, null, 2], "output_dim": 2, "return_sequences": true, "inner_activation": "sigmoid"}}]})";
  std::vector<std::vector<hsize_t>> shapes;
  for (int gate = 0; gate < 4; ++gate) shapes.insert(shapes.end(), {{2, 2}, {2, 2}, {2}});
  expect_output("version 1", import_bytes(keras_file(config, "", {{"a", shapes}})), 2,
                {-0.11139651F, 0.095241182F, -0.063325398F, 0.093466952F, -0.027301688F, 0.12941262F, -0.031929363F,
                 0.18292545F});
}

TEST(ImportKeras, FunctionalModelWithAResidual) {
  const std::string config = R"({"class_name": "Functional", "config": {"name": "m", "layers": [
    {"class_name": "Dense", "name": "d", "config": {"units": 3, "activation": "softmax"}, "inbound_nodes": [[["s", 0, 0, {}]]]},
    {"class_name": "InputLayer", "name": "i", "config": {"batch_input_shape": [null, 4]}, "inbound_nodes": []},
    {"class_name": "Embedding", "name": "e", "config": {"input_dim": 5}, "inbound_nodes": [[["i", 0, 0, {}]]]},
    {"class_name": "SimpleRNN", "name": "r", "config": {"units": 2, "return_sequences": true},
     "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["e", 0, 0]}}], "kwargs": {}}]},
    {"class_name": "Add", "name": "s", "config": {}, "inbound_nodes": [[["e", 0, 0, {}], ["r", 0, 0, {}]]]}],
    "input_layers": [["i", 0, 0]], "output_layers": [["d", 0, 0]]}})";
  const Imported imported =
      import_bytes(keras_file(config, "2.4.0", {{"e", {{5, 2}}}, {"r", {{2, 2}, {2, 2}, {2}}}, {"d", {{2, 3}, {3}}}}));
  expect_close("functional", run_whole(imported, {4, 0, 2, 1}, 4),
               {0.34944975F, 0.38552311F, 0.26502714F, 0.28926224F, 0.46511039F, 0.24562746F, 0.2845228F, 0.471654F,
                0.24382314F, 0.33161771F, 0.40843302F, 0.25994924F},
               3e-7);
}

TEST(ImportKeras, ConvolutionNormalisationAndFlatten) {
  const std::string config = R"({"class_name": "Sequential", "config": {"layers": [
    {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [null, 4, 2]}},
    {"class_name": "Conv1D", "config": {"name": "c", "padding": "same", "strides": [2], "kernel_size": [2]}},
    {"class_name": "BatchNormalization", "config": {"name": "b", "axis": -1, "epsilon": 0.001}},
    {"class_name": "Flatten", "config": {"name": "f"}}, {"class_name": "Dense", "config": {"name": "d"}}]}})";
  const Imported imported = import_bytes(
      keras_file(config, "3.0.0", {{"c", {{2, 2, 3}, {3}}}, {"b", {{3}, {3}, {3}, {3}}}, {"d", {{6, 2}, {2}}}}, 5));
  expect_close("convolution", run_whole(imported, input_formula(8), 1), {0.11783111F, 0.78137946F}, 3e-7);
}

const graph::Node& only_node(const Imported& imported, const std::string& type) {
  for (const graph::Node& node : imported.graph.nodes) {
    if (node.type == type) return node;
  }
  throw std::runtime_error("no node " + type);
}

// hard_sigmoid(x) is 0.2 x + 0.5 in versions 1 and 2, and x / 6 + 0.5 in version 3, limited to 0 and 1.
TEST(ImportKeras, HardSigmoidAsItsVersionHasIt) {
  for (const auto& [version, slope] :
       std::vector<std::pair<std::string, double>>{{"1.2.2", 0.2}, {"2.2.4", 0.2}, {"3.1.0", 1.0 / 6.0}}) {
    const std::string config =
        sequential("LSTM", std::string(kUnits) + R"(, "recurrent_activation": "hard_sigmoid")", 2);
    const Imported imported = import_bytes(keras_file(config, version, {{"a", {{2, 8}, {2, 8}, {8}}}}));
    const graph::Node& lstm = only_node(imported, "lstm");
    EXPECT_EQ(lstm.attributes.at("activations"),
              graph::Attribute(std::vector<std::string>{"HardSigmoid", "Tanh", "Tanh"}));
    EXPECT_EQ(lstm.attributes.at("activation_alpha"), graph::Attribute(std::vector<double>{slope}));
    EXPECT_EQ(lstm.attributes.at("activation_beta"), graph::Attribute(std::vector<double>{0.5}));
  }
}

void expect_refused(const std::string& bytes, const std::string& what) {
  try {
    import_bytes(bytes);
    ADD_FAILURE() << "expected an error that names " << what;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
  }
}

TEST(ImportKeras, RefusesByName) {
  const std::vector<LayerArrays> lstm = {{"a", {{2, 8}, {2, 8}, {8}}}};
  expect_refused(keras_file("", "2.4.0", lstm), "weights alone");
  expect_refused(keras_file(sequential("ConvLSTM1D", kUnits, 2), "2.4.0", lstm), "layer 'a' (ConvLSTM1D)");
  expect_refused(keras_file(sequential("LSTM", R"("units": 3)", 2), "2.4.0", lstm), "weights of 3 units, found 2");
  expect_refused(keras_file(sequential("LSTM", kUnits, 3), "2.4.0", lstm), "kernel of 3 rows");
  expect_refused(keras_file(sequential("LSTM", kUnits, 2), "2.4.0", {{"a", {{2, 8}, {2, 8}, {7}}}}), "bias of 8");
  expect_refused(keras_file(sequential("LSTM", kUnits, 2), "2.4.0", {{"a", lstm[0].shapes}, {"z", {{2}}}}), "'z'");
  expect_refused(keras_file(sequential("LSTM", std::string(kUnits) + R"(, "activation": "gelu2")", 2), "2.4.0", lstm),
                 "'gelu2'");
  expect_refused(keras_file("{", "2.4.0", lstm), "not valid JSON");
  expect_refused(keras_file(R"({"class_name": "Sequential", "config": {"layers": []}})", "2.4.0", lstm), "layers");
  expect_refused(keras_file(R"({"class_name": "Functional", "config": {"layers": [{"class_name": "Add", "name": "a",
    "config": {}, "inbound_nodes": [[["a", 0, 0, {}]]]}], "output_layers": [["a", 0, 0]]}})",
                            "2.4.0", {{"a", {}}}),
                 "itself");
}

// Files of weights alone, by a description and some of their layers.
TEST(ImportKeras, DtlnByDescriptions) {
  const std::string folder = kModels + "dtln/";
  if (!is_here(folder)) return;
  ImportOptions options;
  options.part = "lstm,lstm_1,dense";
  options.description = R"([[inputs]]
name = "magnitude"
size = 257
[[layers]]
type = "lstm"
name = "lstm"
[[layers]]
type = "lstm"
name = "lstm_1"
[[layers]]
type = "linear"
name = "dense"
[[layers]]
type = "sigmoid"
)";
  const Imported mask = import_file(folder + "model.h5", options);
  options.part = "conv1d,layer_normalization,lstm_2,lstm_3,dense_1,conv1d_1";
  options.description = R"([[inputs]]
name = "frame"
size = 512
[[layers]]
type = "conv1d"
name = "conv1d"
bias = false
[[layers]]
type = "layer-norm"
name = "layer_normalization"
epsilon = 1e-7
[[layers]]
type = "lstm"
name = "lstm_2"
[[layers]]
type = "lstm"
name = "lstm_3"
[[layers]]
type = "linear"
name = "dense_1"
[[layers]]
type = "sigmoid"
[[layers]]
type = "multiply"
from = ["conv1d", "sigmoid_1"]
[[layers]]
type = "conv1d"
name = "conv1d_1"
bias = false
)";
  const Imported frames = import_file(folder + "model.h5", options);
  const auto onnx = [&](const char* file) { return onnx_to_graph(read_onnx(folder + file), file); };
  const std::vector<float> audio = npy(folder + "input.npy");
  std::vector<float> magnitudes(audio.begin(), audio.begin() + 40 * 257),
      pieces(audio.begin(), audio.begin() + 40 * 512);
  for (float& each : magnitudes) each = 10.0F * std::abs(each);
  expect_close("model.h5, mask", run_blocks(mask, magnitudes, 40, 1),
               run_blocks(onnx("model_1.onnx"), magnitudes, 40, 1), 1e-5);
  expect_close("model.h5, frames", run_blocks(frames, pieces, 40, 8), run_blocks(onnx("model_2.onnx"), pieces, 40, 1),
               5e-6);
}

}  // namespace
}  // namespace longhand::convert
