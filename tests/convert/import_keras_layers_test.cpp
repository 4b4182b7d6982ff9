// Layers and models of Keras beyond the plain ones: masks, states as inputs and outputs, models within models, layers
// that are used again. The numbers of the arrays are those of the formula; the expected ones are what the Keras named
// in each test gives with them.
#include "longhand/base/error.h"
#include "longhand/convert/verify.h"
#include "longhand/convert/zip_file.h"
#include "tests/convert/compose_keras.h"
#include "tests/convert/imported.h"

namespace longhand::convert {
namespace {

const std::vector<std::vector<hsize_t>> kLstm2 = {{2, 8}, {2, 8}, {8}};
const std::vector<float> kIds = {0, 3, 0, 1, 4, 0};

void expect_steps(const char* what, const std::string& bytes, const std::vector<float>& expected) {
  expect_close(what, run_whole(import_bytes(bytes), input_formula(8), 4), expected, 3e-7);
}

std::string embedded(const std::string& layer, const std::string& config) {
  return R"({"class_name": "Sequential", "config": {"name": "m", "layers": [
    {"class_name": "Embedding", "config": {"name": "e", "batch_input_shape": [null, null], "input_dim": 5, "mask_zero": true}},
    {"class_name": ")" +
         layer + R"(", "config": {"name": "a")" + (config.empty() ? "" : ", ") + config + "}}]}}";
}

const char* const kUnits2 = R"("units": 2, "return_sequences": true)";

// Keras 2.2.4, whose gates are hard sigmoids unless they are told otherwise, and Keras 3.15.
TEST(ImportKerasLayers, HardSigmoidOfBothVersions) {
  const std::string hard = std::string(kUnits2) + R"(, "recurrent_activation": "hard_sigmoid")";
  const std::string lstm = sequential("LSTM", hard, 2), gru = sequential("GRU", hard, 2);
  expect_steps(
      "LSTM, 2", keras_file(lstm, "2.2.4", {{"a", kLstm2}}),
      {0.090553731F, 0.057566304F, 0.14658068F, -0.092155479F, 0.14896448F, -0.1265225F, 0.12788355F, -0.11363669F});
  expect_steps(
      "LSTM, 3", keras_file(lstm, "3.15.1", {{"a", kLstm2}}),
      {0.087375671F, 0.060368646F, 0.14879178F, -0.091021359F, 0.1524929F, -0.12543073F, 0.13102147F, -0.11289052F});
  expect_steps(
      "GRU, 2", keras_file(gru, "2.2.4", {{"a", {{2, 6}, {2, 6}, {6}}}}),
      {0.12817754F, 0.12817754F, 0.44624677F, -0.18129084F, 0.53937048F, -0.28815144F, 0.58057988F, -0.29195461F});
  const std::string after = sequential("GRU", hard + R"(, "reset_after": true)", 2);
  expect_steps(
      "GRU, 3", keras_file(after, "3.15.1", {{"a", {{2, 6}, {2, 6}, {2, 6}}}}),
      {0.10767958F, 0.21877635F, 0.39948136F, -0.11722951F, 0.50121367F, -0.20545287F, 0.55240762F, -0.18901491F});
}

TEST(ImportKerasLayers, OtherActivationsOfCells) {
  const std::string swish = sequential("LSTM", std::string(kUnits2) + R"(, "activation": "swish")", 2);
  const std::vector<float> expected = {0.029839786F, 0.017006641F, 0.053636272F, -0.015214199F,
                                       0.05553215F,  -0.02753569F, 0.046649117F, -0.028073613F};
  const Imported imported = import_bytes(keras_file(swish, "3.15.1", {{"a", kLstm2}}));
  expect_close("swish", run_whole(imported, input_formula(8), 4), expected, 3e-7);
  expect_close("step by step", run_blocks(imported, input_formula(8), 4, 1), expected, 3e-7);
  const std::string gru = sequential("Bidirectional", R"("merge_mode": "sum", "layer": {"class_name": "GRU", "config": {
    "units": 2, "return_sequences": true, "activation": "relu", "recurrent_activation": "hard_sigmoid",
    "reset_after": true}})",
                                     2);
  expect_steps(
      "GRU by relu", keras_file(gru, "2.2.4", {{"a", {{2, 6}, {2, 6}, {2, 6}, {2, 6}, {2, 6}, {2, 6}}}}),
      {0.42147559F, 0.54655385F, 0.92525876F, 0.10582053F, 1.0168778F, 0.043033876F, 0.96101153F, 0.016379328F});
}

// tf.keras 2.15
TEST(ImportKerasLayers, BackwardLayerOfItsOwn) {
  const std::string config = sequential("Bidirectional", R"("merge_mode": "concat",
    "layer": {"class_name": "LSTM", "config": {"units": 2, "return_sequences": true}},
    "backward_layer": {"class_name": "LSTM", "config": {"units": 1, "activation": "relu", "go_backwards": true,
      "return_sequences": true}})",
                                        2);
  const LayerArrays arrays = {"a",
                              {{2, 8}, {2, 8}, {8}, {2, 4}, {1, 4}, {4}},
                              {"a/forward_lstm/k", "a/forward_lstm/r", "a/forward_lstm/b", "a/backward_lstm/k",
                               "a/backward_lstm/r", "a/backward_lstm/b"}};
  expect_steps("two layers", keras_file(config, "2.15.0", {arrays}),
               {0.095241174F, 0.054280955F, 0, 0.14399678F, -0.093915164F, 0, 0.14439699F, -0.12814112F, 0, 0.12365025F,
                -0.11470701F, 0});
}

// tf.keras 2.15: where a symbol is 0, nothing is read, and the output is the one before, or, of two directions, zeros.
TEST(ImportKerasLayers, MasksOfSymbols) {
  const std::vector<LayerArrays> arrays = {{"e", {{5, 2}}}, {"a", kLstm2}};
  const Imported one = import_bytes(keras_file(embedded("LSTM", kUnits2), "2.15.0", arrays));
  const std::vector<float> expected = {0,
                                       0,
                                       0.053430218F,
                                       -0.16542663F,
                                       0.053430218F,
                                       -0.16542663F,
                                       0.055587541F,
                                       -0.14872853F,
                                       0.11179397F,
                                       -0.22706877F,
                                       0.11179397F,
                                       -0.22706877F};
  expect_close("one direction", run_whole(one, kIds, 6), expected, 3e-7);
  expect_close("step by step", run_blocks(one, kIds, 6, 1), expected, 3e-7);
  const std::string both = R"("layer": {"class_name": "LSTM", "config": {"units": 2, "return_sequences": true}})";
  const Imported two = import_bytes(keras_file(embedded("Bidirectional", both), "2.15.0",
                                               {{"e", {{5, 2}}}, {"a", {{2, 8}, {2, 8}, {8}, {2, 8}, {2, 8}, {8}}}}));
  expect_close("both directions", run_whole(two, kIds, 6),
               {0,
                0,
                0,
                0,
                0.053430218F,
                -0.16542663F,
                0.01041102F,
                0.22340953F,
                0,
                0,
                0,
                0,
                0.055587541F,
                -0.14872853F,
                -0.00041022938F,
                0.15820453F,
                0.11179397F,
                -0.22706877F,
                0.035027422F,
                0.13806245F,
                0,
                0,
                0,
                0},
               3e-7);
  const std::string last = R"("layer": {"class_name": "GRU", "config": {"units": 2, "reset_after": true}})";
  const Imported gru =
      import_bytes(keras_file(embedded("Bidirectional", last), "2.15.0",
                              {{"e", {{5, 2}}}, {"a", {{2, 6}, {2, 6}, {2, 6}, {2, 6}, {2, 6}, {2, 6}}}}));
  expect_close("last", run_whole(gru, kIds, 6), {-0.048249003F, -0.40012652F, -0.14909306F, 0.35493144F}, 3e-7);
  const Imported mean =
      import_bytes(keras_file(embedded("GlobalAveragePooling1D", ""), "2.15.0", {{"e", {{5, 2}}}, {"a", {}}}));
  expect_close("mean", run_whole(mean, kIds, 6), {0.060000002F, 0.14F}, 3e-7);
}

TEST(ImportKerasLayers, MaskingOfNumbers) {
  const std::string config = R"({"class_name": "Sequential", "config": {"layers": [
    {"class_name": "Masking", "config": {"name": "m", "batch_input_shape": [null, null, 2], "mask_value": 0.0}},
    {"class_name": "LSTM", "config": {"name": "a", "units": 2}}]}})";
  std::vector<float> x = input_formula(8);
  for (const size_t i : {2U, 3U, 6U, 7U}) x[i] = 0.0F;
  expect_close("masking", run_whole(import_bytes(keras_file(config, "2.15.0", {{"m", {}}, {"a", kLstm2}})), x, 4),
               {0.1273714F, -0.065871805F}, 3e-7);
}

// Keras 3 writes what makes a mask as a layer.
TEST(ImportKerasLayers, MasksThatVersion3WritesOut) {
  const std::string config = R"({"class_name": "Functional", "config": {"layers": [
    {"class_name": "InputLayer", "name": "x", "config": {"batch_shape": [null, 6]}, "inbound_nodes": []},
    {"class_name": "Embedding", "name": "e", "config": {"mask_zero": true}, "inbound_nodes": [{"args": [
      {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}], "kwargs": {}}]},
    {"class_name": "NotEqual", "name": "n", "config": {"name": "n"}, "inbound_nodes": [{"args": [
      {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}, 0], "kwargs": {}}]},
    {"class_name": "LSTM", "name": "a", "config": {"units": 2}, "inbound_nodes": [{"args": [
      {"class_name": "__keras_tensor__", "config": {"keras_history": ["e", 0, 0]}}], "kwargs": {"training": false,
      "mask": {"class_name": "__keras_tensor__", "config": {"keras_history": ["n", 0, 0]}}}}]}],
    "input_layers": ["x", 0, 0], "output_layers": ["a", 0, 0]}})";
  const Imported imported = import_bytes(keras_file(config, "3.15.1", {{"e", {{5, 2}}}, {"a", kLstm2}}));
  expect_close("mask", run_whole(imported, kIds, 6), {0.11179397F, -0.22706872F}, 3e-7);
}

// tf.keras 2.15: the states of one layer begin another, and are outputs.
TEST(ImportKerasLayers, EncoderAndDecoder) {
  const std::string config = R"({"class_name": "Functional", "config": {"layers": [
    {"class_name": "InputLayer", "name": "e", "config": {"batch_input_shape": [null, null, 2]}, "inbound_nodes": []},
    {"class_name": "InputLayer", "name": "d", "config": {"batch_input_shape": [null, null, 2]}, "inbound_nodes": []},
    {"class_name": "LSTM", "name": "enc", "config": {"units": 2, "return_state": true}, "inbound_nodes": [[["e", 0, 0, {}]]]},
    {"class_name": "LSTM", "name": "dec", "config": {"units": 2, "return_state": true, "return_sequences": true},
     "inbound_nodes": [[["d", 0, 0, {}], ["enc", 0, 1, {}], ["enc", 0, 2, {}]]]}],
    "input_layers": [["e", 0, 0], ["d", 0, 0]], "output_layers": [["dec", 0, 0], ["dec", 0, 2]]}})";
  const Imported imported = import_bytes(keras_file(config, "2.15.0", {{"enc", kLstm2}, {"dec", kLstm2}}));
  graph::Plan plan = plan_of(imported, {.dims = {{"e", {1, 4, 2}}, {"d", {1, 3, 2}}}});
  const std::vector<float> x = input_formula(8);
  fill(plan.inputs().at(0), x.data());
  fill(plan.inputs().at(1), x.data());
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(plan.run());
    expect_close("outputs", values(plan.outputs().at(0)),
                 {0.089711502F, 0.0047683534F, 0.15898353F, -0.1324672F, 0.15547153F, -0.17472152F}, 3e-7);
    expect_close("cell", values(plan.outputs().at(1)), {0.31401321F, -0.35850504F}, 3e-7);
    plan.reset();
  }
  // Inputs of different lengths, as --verify compares them.
  const auto array = [](std::vector<int64_t> shape, std::span<const float> numbers) {
    return io::make_array(std::move(shape), numbers);
  };
  const std::vector<float> cell = {0.31401321F, -0.35850504F};
  const NumberFile inputs{.of_ports = true,
                          .arrays = {{"e", array({1, 4, 2}, x)}, {"d", array({1, 3, 2}, std::span(x).first(6))}}};
  const NumberFile outputs{.of_ports = true, .arrays = {{"dec.c", array({1, 2}, cell)}}};
  const Verification found = verify(imported.graph, inputs, outputs, "inputs", "outputs");
  EXPECT_EQ(found.numbers, 2);
  EXPECT_LE(found.largest, 3e-7);
}

// tf.keras 2.15: a model that is called twice, whose calls are counted from 1; its weights are there once.
TEST(ImportKerasLayers, ModelWithinAModelTwice) {
  const std::string config = R"({"class_name": "Functional", "config": {"layers": [
    {"class_name": "InputLayer", "name": "x", "config": {"batch_input_shape": [null, null, 2]}, "inbound_nodes": []},
    {"class_name": "InputLayer", "name": "z", "config": {"batch_input_shape": [null, null, 2]}, "inbound_nodes": []},
    {"class_name": "Sequential", "name": "m", "config": {"name": "m", "layers": [
      {"class_name": "InputLayer", "config": {"name": "i", "batch_input_shape": [null, null, 2]}},
      {"class_name": "LSTM", "config": {"name": "a", "units": 2}}, {"class_name": "Dense", "config": {"name": "b"}}]},
     "inbound_nodes": [[["x", 0, 0, {}]], [["z", 0, 0, {}]]]},
    {"class_name": "Subtract", "name": "s", "config": {}, "inbound_nodes": [[["m", 1, 0, {}], ["m", 2, 0, {}]]]}],
    "input_layers": [["x", 0, 0], ["z", 0, 0]], "output_layers": [["s", 0, 0]]}})";
  const LayerArrays arrays = {
      "m",
      {{2, 8}, {2, 8}, {8}, {2, 2}, {2}},
      {"a/lstm_cell/kernel:0", "a/lstm_cell/recurrent_kernel:0", "a/lstm_cell/bias:0", "b/kernel:0", "b/bias:0"}};
  const Imported imported = import_bytes(keras_file(config, "2.15.0", {arrays}));
  graph::Plan plan = plan_of(imported, {.steps = 4});
  const std::vector<float> x = input_formula(8);
  fill(plan.inputs().at(0), x.data());
  fill(plan.inputs().at(1), std::vector<float>{x[6], x[7], x[4], x[5], x[2], x[3], x[0], x[1]}.data());
  ASSERT_TRUE(plan.run());
  expect_close("difference", values(plan.outputs().at(0)), {-0.037124425F, 0.036820263F}, 3e-7);
  EXPECT_EQ(imported.graph.parameters(), 2 * 8 + 2 * 8 + 16 + 6);
}

// Keras 1.2.2: a Sequential in another, without names of their own.
TEST(ImportKerasLayers, ModelWithinAModelOfVersion1) {
  const std::string config = R"({"class_name": "Sequential", "config": [{"class_name": "Sequential", "config": [
      {"class_name": "SimpleRNN", "config": {"name": "simplernn_1", "batch_input_shape": [null, 4, 2], "output_dim": 2,
       "return_sequences": true}},
      {"class_name": "TimeDistributed", "config": {"name": "td_1", "layer": {"class_name": "Dense",
       "config": {"name": "dense_1"}}}}]},
    {"class_name": "GRU", "config": {"name": "gru_1", "output_dim": 2}}]})";
  const std::vector<hsize_t> square = {2, 2}, row = {2};
  const LayerArrays inner = {"sequential_1",
                             {square, square, row, square, row},
                             {"simplernn_1_W:0", "simplernn_1_U:0", "simplernn_1_b:0", "dense_1_W:0", "dense_1_b:0"}};
  LayerArrays gru = {"gru_1", {}, {}};
  for (int gate = 0; gate < 3; ++gate) gru.shapes.insert(gru.shapes.end(), {square, square, row});
  expect_steps("version 1", keras_file(config, "1.2.2", {inner, gru}), {-0.31359136F, 0.33337399F});
}

// Arrays by the formula, in this order, in groups by types: what .keras and .weights.h5 files have.
std::string grouped(const std::vector<std::pair<std::string, std::vector<hsize_t>>>& arrays) {
  return longhand::testing::hdf5_bytes([&](hid_t file) {
    size_t k = 0;
    for (const auto& [name, shape] : arrays) {
      hsize_t n = 1;
      for (const hsize_t extent : shape) n *= extent;
      const std::vector<float> values = formula(k++, static_cast<int64_t>(n));
      longhand::testing::write_hdf5(file, name.c_str(), H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, shape, values.data());
    }
  });
}

TEST(ImportKerasLayers, ArchiveWithAModelWithinAModel) {
  const std::string config = R"({"class_name": "Sequential", "config": {"layers": [
    {"class_name": "Sequential", "config": {"name": "m", "layers": [
      {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [null, null, 2]}},
      {"class_name": "LSTM", "config": {"name": "a", "units": 2}}, {"class_name": "Dense", "config": {"name": "b"}}]}},
    {"class_name": "Dense", "config": {"name": "c"}}]}})";
  const std::string inner = "layers/sequential/layers/", cell = inner + "lstm/cell/vars/";
  const std::string weights = grouped({{cell + "0", {2, 8}},
                                       {cell + "1", {2, 8}},
                                       {cell + "2", {8}},
                                       {inner + "dense/vars/0", {2, 2}},
                                       {inner + "dense/vars/1", {2}},
                                       {"layers/dense/vars/0", {2, 2}},
                                       {"layers/dense/vars/1", {2}}});
  const std::string archive = zip_bytes(
      {{"config.json", config}, {"metadata.json", R"({"keras_version": "3.15.1"})"}, {"model.weights.h5", weights}});
  const LayerArrays m = {
      "m",
      {{2, 8}, {2, 8}, {8}, {2, 2}, {2}},
      {"m/a/lstm_cell/kernel", "m/a/lstm_cell/recurrent_kernel", "m/a/lstm_cell/bias", "m/b/kernel", "m/b/bias"}};
  const Imported other = import_bytes(keras_file(config, "3.15.1", {m, {"c", {{2, 2}, {2}}}}));
  EXPECT_EQ(run_whole(keras_archive_to_graph("m.keras", archive), input_formula(8), 4),
            run_whole(other, input_formula(8), 4));
}

// A file of weights of version 3, and layers whose single bias says that the reset gate comes first.
TEST(ImportKerasLayers, WeightsAloneByGroups) {
  const std::string bytes = grouped(
      {{"layers/gru/cell/vars/0", {2, 6}}, {"layers/gru/cell/vars/1", {2, 6}}, {"layers/gru/cell/vars/2", {6}}});
  ImportOptions options;
  options.description_path = "m.toml";
  options.description = "[[inputs]]\nname = 'x'\nsize = 2\n[[layers]]\ntype = 'gru'\nname = 'gru'\n";
  const Hdf5Node root = read_hdf5("m.h5", bytes);
  EXPECT_THROW(keras_h5_to_graph(root, "m.h5", options), Error);
  options.description += "reset_after = false\n";
  const Imported imported = keras_h5_to_graph(root, "m.h5", options);
  const std::string gru = sequential("GRU", std::string(kUnits2) + R"(, "recurrent_activation": "sigmoid")", 2);
  const Imported other = import_bytes(keras_file(gru, "2.2.4", {{"a", {{2, 6}, {2, 6}, {6}}}}));
  EXPECT_EQ(run_whole(imported, input_formula(8), 4), run_whole(other, input_formula(8), 4));
}

// tf.keras 2.15: each tensor of the call says use_causal_mask.
TEST(ImportKerasLayers, AttentionToWhatCameBefore) {
  const std::string config = R"({"class_name": "Functional", "config": {"layers": [
    {"class_name": "InputLayer", "name": "x", "config": {"batch_input_shape": [null, 4, 2]}, "inbound_nodes": []},
    {"class_name": "Attention", "name": "t", "config": {}, "inbound_nodes": [[["x", 0, 0, {"use_causal_mask": true}],
      ["x", 0, 0, {"use_causal_mask": true}]]]}],
    "input_layers": [["x", 0, 0]], "output_layers": [["t", 0, 0]]}})";
  const Imported imported = import_bytes(keras_file(config, "2.15.0", {{"x", {}}}));
  expect_close("attention", run_whole(imported, input_formula(8), 4),
               {-1, 0, 0.76986653F, -0.17698665F, 0.73577917F, -0.26985028F, 0.65282416F, -0.36729425F}, 5e-7);
}

TEST(ImportKerasLayers, CellsOneAboveTheOther) {
  const std::string config = sequential("RNN", R"("return_sequences": true, "cell": {"class_name": "StackedRNNCells",
    "config": {"cells": [{"class_name": "LSTMCell", "config": {"units": 2}},
    {"class_name": "GRUCell", "config": {"units": 2, "reset_after": true}}]}})",
                                        2);
  expect_steps(
      "cells", keras_file(config, "2.15.0", {{"a", {{2, 8}, {2, 8}, {8}, {2, 6}, {2, 6}, {2, 6}}}}),
      {0.16845313F, -0.022638651F, 0.27139273F, -0.032453988F, 0.32624888F, -0.027113117F, 0.35039324F, -0.014596581F});
}

// A model that fixes the steps reads windows, each from the beginning.
TEST(ImportKerasLayers, WindowsBeginAnew) {
  const std::string config = R"({"class_name": "Sequential", "config": {"layers": [
    {"class_name": "LSTM", "config": {"name": "a", "batch_input_shape": [null, 4, 2], "units": 2, "return_sequences": true}},
    {"class_name": "Flatten", "config": {"name": "f"}}, {"class_name": "Dense", "config": {"name": "d"}}]}})";
  const Imported imported = import_bytes(keras_file(config, "2.15.0", {{"a", kLstm2}, {"d", {{8, 1}, {1}}}}));
  graph::Plan plan = plan_of(imported);
  for (int window = 0; window < 2; ++window) {
    fill(plan.inputs().at(0), input_formula(8).data());
    ASSERT_TRUE(plan.run());
    expect_close("window", values(plan.outputs().at(0)), {0.26069745F}, 3e-7);
  }
}

TEST(ImportKerasLayers, RefusesByName) {
  const auto refuses = [](const std::string& bytes, const std::string& what) {
    try {
      import_bytes(bytes);
      ADD_FAILURE() << "expected an error that names " << what;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    }
  };
  const auto called = [](const std::string& type, const std::string& arguments) {
    return R"({"class_name": "Functional", "config": {"layers": [
      {"class_name": "InputLayer", "name": "x", "config": {"batch_shape": [null, 4, 2]}, "inbound_nodes": []},
      {"class_name": ")" +
           type + R"(", "name": "a", "config": {"units": 2}, "inbound_nodes": [{"args": [{"class_name":
      "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}], "kwargs": {)" +
           arguments + R"(}}]}], "input_layers": ["x", 0, 0], "output_layers": ["a", 0, 0]}})";
  };
  const std::vector<LayerArrays> lstm = {{"a", kLstm2}};
  refuses(keras_file(called("Lambda", ""), "3.0.0", {{"x", {}}}), "layer 'a' (Lambda)");
  refuses(keras_file(called("LSTM", R"("constants": 1)"), "3.0.0", lstm), "'constants', which is not read");
  refuses(keras_file(called("LSTM", R"("initial_state": 1)"), "3.0.0", lstm), "initial_state: expected layers");
  refuses(keras_file(called("LSTM", R"("initial_state": [{"class_name": "__keras_tensor__", "config":
    {"keras_history": ["x", 0, 0]}}])"),
                     "3.0.0", lstm),
          "expected 2 initial states, found 1");
  refuses(keras_file(R"({"class_name": "Sequential", "config": {"layers": [{"class_name": "Sequential", "config": {
    "name": "m", "layers": [{"class_name": "Dense", "config": {"name": "d", "batch_input_shape": [null, 2]}}]}}]}})",
                     "2.15.0", {{"m", {{2, 2}}}}),
          "does not say which of the layers");
}

}  // namespace
}  // namespace longhand::convert
