// The readers on trained models that others made. The expected numbers are those that NumPy, h5py, onnx and Python's
// own zipfile and pickle give.
#include <numeric>

#include "longhand/convert/hdf5_file.h"
#include "longhand/convert/onnx_file.h"
#include "longhand/convert/torch_file.h"
#include "longhand/io/file.h"
#include "longhand/io/npy.h"
#include "tests/convert/imported.h"
#include "tests/testing.h"

namespace longhand::convert {
namespace {

const std::string kShared = std::string(LONGHAND_SOURCE_DIR) + "/../shared/data/";

double sum(const io::Array& array) {
  const std::vector<double> all = io::doubles(array, "array");
  EXPECT_EQ(io::first_non_finite(array), std::nullopt);
  return std::accumulate(all.begin(), all.end(), 0.0);
}

// NumPy adds in another order: at most a rounding for each element.
void expect_sum(const io::Array& array, const char* shape, double expected) {
  EXPECT_EQ(io::describe(array), shape);
  EXPECT_NEAR(sum(array), expected, 1e-9 * (1.0 + std::abs(expected)));
}

const io::Array& tensor(const StateDict& state, const std::string& name) {
  for (const auto& [key, array] : state.tensors) {
    if (key == name) return array;
  }
  throw std::runtime_error("no tensor " + name);
}

TEST(RealFiles, PyTorch) {
  if (!is_here(kShared + "models/metapredict")) return;
  const std::string folder = kShared + "models/";
  const StateDict legacy = read_state_dict(folder + "metapredict/v1.pt");
  ASSERT_EQ(legacy.tensors.size(), 10U);
  expect_sum(tensor(legacy, "lstm.weight_ih_l0"), "float32 [20, 20]", 273.1075777077349);
  expect_sum(tensor(legacy, "lstm.weight_hh_l0_reverse"), "float32 [20, 5]", -14.339495934545994);
  expect_sum(tensor(legacy, "fc.bias"), "float32 [1]", 0.6585602760314941);
  const StateDict zip = read_state_dict(folder + "metapredict/v2.pt");
  ASSERT_EQ(zip.tensors.size(), 18U);
  EXPECT_EQ(zip.prefix, "");
  expect_sum(tensor(zip, "lstm.weight_ih_l1_reverse"), "float32 [40, 20]", -16.882666468271054);
  const StateDict module = read_state_dict(folder + "metapredict/module_prefix.pt");
  ASSERT_EQ(module.tensors.size(), 18U);
  EXPECT_EQ(module.prefix, "module.");
  EXPECT_EQ(module.tensors.front().first, "lstm.weight_ih_l0");
  expect_sum(tensor(module, "lstm.weight_hh_l1"), "float32 [80, 20]", -170.69468434657028);
  const StateDict stream = read_state_dict(folder + "noaa_streamflow/model_epoch009.pt");
  ASSERT_EQ(stream.tensors.size(), 6U);
  expect_sum(tensor(stream, "lstm.weight_hh_l0"), "float32 [504, 126]", 220.767994583598);
  expect_sum(tensor(stream, "head.net.0.bias"), "float32 [1]", -0.16187143325805664);
}

TEST(RealFiles, Keras) {
  if (!is_here(kShared + "models/dtln")) return;
  const Hdf5Node file = read_hdf5(kShared + "models/dtln/model.h5");
  EXPECT_EQ(file.attribute("backend")->texts, (std::vector<std::string>{"tensorflow"}));
  EXPECT_EQ(file.attribute("keras_version")->texts, (std::vector<std::string>{"2.2.4-tf"}));
  EXPECT_EQ(file.attribute("layer_names")->texts.at(2), "lstm");
  EXPECT_EQ(file.find("lstm")->attribute("weight_names")->texts,
            (std::vector<std::string>{"lstm/kernel:0", "lstm/recurrent_kernel:0", "lstm/bias:0"}));
  expect_sum(file.find("lstm/lstm/kernel:0")->data.array, "float32 [257, 512]", -308.38118591597026);
  expect_sum(file.find("lstm_3/lstm_3/recurrent_kernel:0")->data.array, "float32 [128, 512]", -781.3774791104146);
  expect_sum(file.find("conv1d/conv1d/kernel:0")->data.array, "float32 [1, 512, 256]", -18.658901490173697);
  EXPECT_EQ(file.find("lstm/none"), nullptr);
}

const OnnxNode* node_of(const OnnxGraph& graph, const std::string& op_type) {
  for (const OnnxNode& node : graph.nodes) {
    if (node.op_type == op_type) return &node;
  }
  return nullptr;
}
int64_t numbers(const OnnxGraph& graph) {
  int64_t out = 0;
  for (const OnnxTensor& one : graph.initialisers) out += one.array.count();
  return out;
}

TEST(RealFiles, Onnx) {
  if (!is_here(kShared + "models/silero_vad")) return;
  const std::string folder = kShared + "models/";
  const OnnxModel vad = read_onnx(folder + "silero_vad/silero_vad_16k_sequence.onnx");
  EXPECT_EQ(vad.ir_version, 8);
  EXPECT_EQ(vad.producer, "pytorch");
  EXPECT_EQ(vad.opsets.at(""), 16);
  EXPECT_EQ(vad.graph.nodes.size(), 63U);
  EXPECT_EQ(numbers(vad.graph), 309633);
  expect_sum(vad.graph.initialisers[1].array, "float32 [128, 129, 3]", -749.9173730844341);
  EXPECT_EQ(vad.graph.inputs[0].shape[0].name, "sequence_length");
  EXPECT_EQ(vad.graph.inputs[0].shape[1].value, 576);
  const OnnxNode* lstm = node_of(vad.graph, "LSTM");
  ASSERT_NE(lstm, nullptr);
  EXPECT_EQ(lstm->attribute("hidden_size")->integer, 128);
  EXPECT_EQ(lstm->inputs, (std::vector<std::string>{"/Transpose_output_0", "onnx::LSTM_209", "onnx::LSTM_210",
                                                    "onnx::LSTM_211", "", "h", "c"}));
  const OnnxModel op15 = read_onnx(folder + "silero_vad/silero_vad_16k_op15.onnx");
  EXPECT_EQ(op15.graph.nodes.size(), 121U);
  EXPECT_EQ(numbers(op15.graph), 309633);
  const OnnxModel first = read_onnx(folder + "dtln/model_1.onnx");
  EXPECT_EQ(first.graph.nodes.size(), 36U);
  EXPECT_EQ(node_of(first.graph, "LSTM")->attribute("activations")->type, OnnxAttributeType::kTexts);
  expect_sum(first.graph.initialisers[2].array, "float32 [1, 512, 128]", 31.374317798250615);
  const OnnxModel second = read_onnx(folder + "dtln/model_2.onnx");
  EXPECT_EQ(second.graph.nodes.size(), 78U);
  EXPECT_EQ(numbers(second.graph), 624460);
  expect_sum(second.graph.initialisers[1].array, "int64 [6]", 0.0);
}

TEST(RealFiles, OnnxCases) {
  if (!is_here(kShared + "onnx_lstm")) return;
  const std::string folder = kShared + "onnx_lstm/";
  const auto data = [&](const std::string& name) { return read_onnx_tensor(folder + name + ".pb"); };
  EXPECT_EQ(data("test_lstm_batchwise/test_data_set_0/output_0").name, "Y");
  expect_sum(data("test_lstm_batchwise/test_data_set_0/output_0").array, "float32 [3, 1, 1, 7]", 11.722653567790985);
  expect_sum(data("test_lstm_defaults/test_data_set_0/input_1").array, "float32 [1, 12, 2]", 2.400000035762787);
  expect_sum(data("test_lstm_with_initial_bias/test_data_set_0/output_0").array, "float32 [1, 3, 4]",
             5.840021848678589);
  expect_sum(data("test_lstm_with_peepholes/test_data_set_0/input_4").array, "int32 [2]", 2.0);
  const OnnxModel batchwise = read_onnx(folder + "test_lstm_batchwise/model.onnx");
  EXPECT_EQ(batchwise.opsets.at(""), 22);
  EXPECT_EQ(batchwise.graph.nodes[0].attribute("layout")->integer, 1);
  const OnnxModel peepholes = read_onnx(folder + "test_lstm_with_peepholes/model.onnx");
  EXPECT_EQ(peepholes.graph.nodes[0].inputs.size(), 8U);
  EXPECT_EQ(peepholes.graph.nodes[0].outputs, (std::vector<std::string>{"", "Y_h"}));
  for (const char* name : {"test_lstm_defaults", "test_lstm_with_initial_bias"}) {
    EXPECT_EQ(read_onnx(folder + name + "/model.onnx").graph.nodes[0].op_type, "LSTM");
  }
}

TEST(RealFiles, Npy) {
  if (!is_here(kShared + "models/dtln")) return;
  const auto data = [&](const std::string& name) { return io::read_npy(kShared + "models/" + name + ".npy"); };
  expect_sum(data("dtln/expected_mask"), "float32 [372, 257]", 13652.039180010557);
  expect_sum(data("dtln/expected_state1"), "float32 [1, 2, 128, 2]", -367.69091232038375);
  expect_sum(data("ml5_charrnn_shakespeare/expected_logits"), "float32 [134, 65]", -45326.79060938954);
  expect_sum(data("nam/core_example_lstm.expected_f64"), "float64 [48000]", -106.68733405591317);
  expect_sum(data("noaa_streamflow/input"), "float32 [720, 4]", -628.100559205981);
  expect_sum(data("silero_vad/input"), "float32 [168448]", 151.1858594628922);
}

}  // namespace
}  // namespace longhand::convert
