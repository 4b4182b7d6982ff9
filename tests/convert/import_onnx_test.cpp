// ONNX models of others against what onnxruntime gives, and the ONNX project's cases of the LSTM operator.
#include <complex>

#include "longhand/base/error.h"
#include "longhand/convert/onnx_graph.h"
#include "tests/convert/imported.h"

namespace longhand::convert {
namespace {

Imported import_onnx(const std::string& path, const ImportOptions& options = {}) {
  return onnx_to_graph(read_onnx(path), path, options);
}

// The frames of silero: 512 samples after the last 64 of the frame before.
std::vector<float> vad_frames(const std::vector<float>& audio) {
  std::vector<float> out;
  for (size_t t = 0; t + 512 <= audio.size(); t += 512) {
    for (size_t i = 0; i < 64; ++i) out.push_back(t == 0 ? 0.0F : audio[t - 64 + i]);
    out.insert(out.end(), audio.begin() + static_cast<std::ptrdiff_t>(t),
               audio.begin() + static_cast<std::ptrdiff_t>(t) + 512);
  }
  return out;
}

std::vector<float> state_of(const graph::Plan& plan) {
  std::vector<float> out(static_cast<size_t>(plan.state_size()));
  plan.get_state(0, out.data());
  return out;
}

// The differences of states are relative to their size, where that is above 1.
void expect_state(const graph::Plan& plan, const std::string& path, double bound) {
  std::vector<float> found = state_of(plan), expected = npy(path);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const float size = std::max(1.0F, std::abs(expected[i]));
    found[i] /= size;
    expected[i] /= size;
  }
  expect_close("its state", found, expected, bound);
}

TEST(ImportOnnx, SileroAFrameAtATime) {
  const std::string folder = kModels + "silero_vad/";
  if (!is_here(folder)) return;
  ImportOptions options;
  options.values["sr"] = graph::array_of_ints({}, {16000});
  options.dims["input"] = {-1, 576};
  const Imported vad = import_onnx(folder + "silero_vad_16k_op15.onnx", options);
  EXPECT_TRUE(notes_have(vad, "output 'stateN' [2, *, 128] is the state that input 'state' begins with"));
  const std::vector<float> frames = vad_frames(npy(folder + "input.npy"));
  graph::Plan plan = plan_of(vad);
  std::vector<float> found;
  for (size_t at = 0; at < frames.size(); at += 576) {
    fill(plan.inputs().at(0), frames.data() + at);
    ASSERT_TRUE(plan.run()) << plan.fault();
    found.push_back(plan.outputs().at(0).floats[0]);
  }
  expect_close("silero_vad_16k_op15.onnx", found, npy(folder + "expected_probs.npy"), 2e-5);
  expect_state(plan, folder + "expected_state.npy", 2e-5);
}

TEST(ImportOnnx, SileroManyFramesAtATime) {
  const std::string folder = kModels + "silero_vad/";
  if (!is_here(folder)) return;
  const Imported vad = import_onnx(folder + "silero_vad_16k_sequence.onnx");
  EXPECT_TRUE(notes_have(vad, "output 'hn' [1, 1, 128] is the state that input 'h' begins with"));
  EXPECT_TRUE(notes_have(vad, "axis 0 of the inputs is time"));
  const std::vector<float> frames = vad_frames(npy(folder + "input.npy"));
  const std::vector<float> expected = npy(folder + "expected_probs.npy");
  expect_close("silero_vad_16k_sequence.onnx", run_whole(vad, frames, 329), expected, 2e-5);
  expect_close("in blocks of 7", run_blocks(vad, frames, 329, 7), expected, 2e-5);
  expect_close("a frame at a time", run_blocks(vad, frames, 329, 1), expected, 2e-5);
}

// A discrete Fourier transform of 512 numbers, in double precision.
class Dft {
 public:
  Dft() : turns_(512) {
    for (size_t k = 0; k < 512; ++k)
      turns_[k] = std::polar(1.0, -2.0 * 3.14159265358979323846 * static_cast<double>(k) / 512.0);
  }
  std::vector<std::complex<double>> half(const std::vector<float>& x) const {
    std::vector<std::complex<double>> out(257);
    for (size_t f = 0; f < 257; ++f) {
      for (size_t n = 0; n < 512; ++n) out[f] += static_cast<double>(x[n]) * turns_[f * n % 512];
    }
    return out;
  }
  std::vector<float> back(const std::vector<std::complex<double>>& half_of) const {
    std::vector<float> out(512);
    for (size_t n = 0; n < 512; ++n) {
      double sum = half_of[0].real() + (n % 2 == 0 ? 1.0 : -1.0) * half_of[256].real();
      for (size_t f = 1; f < 256; ++f) sum += 2.0 * (half_of[f] * std::conj(turns_[f * n % 512])).real();
      out[n] = static_cast<float>(sum / 512.0);
    }
    return out;
  }

 private:
  std::vector<std::complex<double>> turns_;
};

TEST(ImportOnnx, DtlnBothModels) {
  const std::string folder = kModels + "dtln/";
  if (!is_here(folder)) return;
  const Imported first = import_onnx(folder + "model_1.onnx"), second = import_onnx(folder + "model_2.onnx");
  EXPECT_TRUE(notes_have(first, "output 'tf_op_layer_stack_2' [1, 2, 128, 2] is the state that input 'input_3'"));
  EXPECT_TRUE(notes_have(second, "output 'tf_op_layer_stack_5' [1, 2, 128, 2] is the state that input 'input_5'"));
  EXPECT_TRUE(notes_have(second, "are an LSTM cell of 128 units, 'lstm_cell_2'"));
  int cells = 0, products = 0;
  for (const graph::Node& node : second.graph.nodes) {
    cells += node.type == "LSTM" ? 1 : 0;
    products += node.type == "MatMul" ? 1 : 0;
  }
  EXPECT_EQ(cells, 2);
  EXPECT_EQ(products, 1);  // the dense layer's
  graph::Plan mask_of = plan_of(first), audio_of = plan_of(second);
  const std::vector<float> audio = npy(folder + "input.npy");
  const std::vector<float> expected_mask = npy(folder + "expected_mask.npy");
  const Dft dft;
  std::vector<float> in(512), out(512), masks, found;
  for (size_t t = 0; t + 128 <= audio.size() && masks.size() < expected_mask.size(); t += 128) {
    std::copy(in.begin() + 128, in.end(), in.begin());
    std::copy_n(audio.begin() + static_cast<std::ptrdiff_t>(t), 128, in.begin() + 384);
    auto spectrum = dft.half(in);
    std::vector<float> magnitude;
    for (const auto& each : spectrum) magnitude.push_back(static_cast<float>(std::abs(each)));
    fill(mask_of.inputs().at(0), magnitude.data());
    ASSERT_TRUE(mask_of.run());
    const std::vector<float> mask = values(mask_of.outputs().at(0));
    masks.insert(masks.end(), mask.begin(), mask.end());
    for (size_t f = 0; f < 257; ++f) spectrum[f] *= static_cast<double>(mask[f]);
    fill(audio_of.inputs().at(0), dft.back(spectrum).data());
    ASSERT_TRUE(audio_of.run());
    std::copy(out.begin() + 128, out.end(), out.begin());
    std::fill(out.begin() + 384, out.end(), 0.0F);
    for (size_t i = 0; i < 512; ++i) out[i] += audio_of.outputs().at(0).floats[i];
    found.insert(found.end(), out.begin(), out.begin() + 128);
  }
  found.resize(audio.size());
  expect_close("dtln model_1.onnx, mask", masks, expected_mask, 1e-5);
  expect_state(mask_of, folder + "expected_state1.npy", 1e-5);
  expect_close("dtln model_2.onnx, audio", found, npy(folder + "expected_out.npy"), 5e-6);
  expect_state(audio_of, folder + "expected_state2.npy", 1e-5);
}

// The case's arrays become constants, but for X.
void run_case(const std::string& name, const std::vector<std::string>& inputs,
              const std::vector<std::string>& outputs) {
  const std::string folder = std::string(LONGHAND_SOURCE_DIR) + "/../shared/data/onnx_lstm/" + name + "/";
  if (!is_here(folder)) return;
  const auto data = [&](const std::string& which, size_t i) {
    return to_graph_array(read_onnx_tensor(folder + "test_data_set_0/" + which + "_" + std::to_string(i) + ".pb").array,
                          which);
  };
  ImportOptions options;
  for (size_t i = 1; i < inputs.size(); ++i) options.values[inputs[i]] = data("input", i);
  const Imported imported = import_onnx(folder + "model.onnx", options);
  graph::Plan plan = plan_of(imported);
  fill(plan.inputs().at(0), data("input", 0).floats.data());
  ASSERT_TRUE(plan.run()) << plan.fault();
  for (size_t i = 0; i < outputs.size(); ++i) {
    EXPECT_EQ(plan.outputs()[i].dims, data("output", i).dims);
    expect_close((name + " " + outputs[i]).c_str(), values(plan.outputs()[i]), data("output", i).floats, 1e-6);
  }
}

TEST(ImportOnnx, CaseDefaults) { run_case("test_lstm_defaults", {"X", "W", "R"}, {"Y_h"}); }
TEST(ImportOnnx, CaseInitialBias) { run_case("test_lstm_with_initial_bias", {"X", "W", "R", "B"}, {"Y_h"}); }
// Where the network's cells have peepholes; otherwise the node says that they have not.
TEST(ImportOnnx, CasePeepholes) {
  try {
    run_case("test_lstm_with_peepholes", {"X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"}, {"Y_h"});
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("node 'LSTM_1' (LSTM): expected a cell without peepholes"), std::string::npos)
        << e.what();
  }
}
TEST(ImportOnnx, CaseBatchwise) { run_case("test_lstm_batchwise", {"X", "W", "R"}, {"Y", "Y_h"}); }

}  // namespace
}  // namespace longhand::convert
