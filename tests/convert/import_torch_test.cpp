// State dicts of PyTorch against what PyTorch gives.
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/convert/import_file.h"
#include "longhand/convert/network_builder.h"
#include "longhand/convert/torch_graph.h"
#include "tests/convert/imported.h"

namespace longhand::convert {
namespace {

const std::string kAminoAcids = "ACDEFGHIKLMNPQRSTVWY";

std::vector<std::string> letters(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) out.emplace_back(1, c);
  return out;
}

void check_metapredict(const std::string& file, const std::string& expected_file) {
  const std::string folder = kModels + "metapredict/";
  if (!is_here(folder)) return;
  Imported imported = import_file(folder + file);
  read_symbols(imported, letters(kAminoAcids));
  const auto sequences = nlohmann::json::parse(io::read_file(folder + "sequences.json"));
  const auto expected = nlohmann::json::parse(io::read_file(folder + expected_file));
  std::vector<float> all_found, all_expected;
  for (const auto& [name, sequence] : sequences.items()) {
    const auto text = sequence.get<std::string>();
    std::vector<float> x;
    for (const char c : text) x.push_back(static_cast<float>(kAminoAcids.find(c)));
    const std::vector<float> y = run_whole(imported, x, static_cast<int64_t>(x.size()));
    all_found.insert(all_found.end(), y.begin(), y.end());
    for (const auto& each : expected[name]) all_expected.push_back(each.get<float>());
  }
  EXPECT_GT(all_found.size(), 4000U);
  expect_close(file.c_str(), all_found, all_expected, 9e-6);
}

TEST(ImportTorch, MetapredictLegacyFile) { check_metapredict("v1.pt", "expected_v1.json"); }
TEST(ImportTorch, MetapredictTwoLayers) { check_metapredict("v2.pt", "expected_v2.json"); }
TEST(ImportTorch, MetapredictWithPrefix) {
  check_metapredict("module_prefix.pt", "expected_module.json");
  if (!is_here(kModels + "metapredict/")) return;
  const Imported imported = import_file(kModels + "metapredict/module_prefix.pt");
  EXPECT_TRUE(notes_have(imported, "every name begins with 'module.'"));
  EXPECT_TRUE(notes_have(imported, "lstm 'lstm': 2 layers of 20 units, bidirectional"));
}

TEST(ImportTorch, StreamflowFor720Hours) {
  const std::string folder = kModels + "noaa_streamflow/";
  if (!is_here(folder)) return;
  const Imported imported = import_file(folder + "model_epoch009.pt");
  const std::vector<float> x = npy(folder + "input.npy"), expected = npy(folder + "expected.npy");
  expect_close("streamflow", run_whole(imported, x, 720), expected, 3e-5);
  expect_close("in blocks of 9", run_blocks(imported, x, 720, 9), expected, 3e-5);
  graph::Plan plan = plan_of(imported);
  for (size_t t = 0; t < 720; ++t) {
    fill(plan.inputs()[0], x.data() + 4 * t);
    ASSERT_TRUE(plan.run());
  }
  std::vector<float> state(static_cast<size_t>(plan.state_size())), state_expected = npy(folder + "expected_state.npy");
  plan.get_state(0, state.data());
  for (size_t i = 0; i < state.size(); ++i) {
    const float size = std::max(1.0F, std::abs(state_expected[i]));
    state[i] /= size;
    state_expected[i] /= size;
  }
  expect_close("its state, hour by hour", state, state_expected, 3e-5);
}

TEST(ImportTorch, SileroByADescription) {
  const std::string folder = kModels + "silero_vad/";
  if (!is_here(folder)) return;
  ImportOptions options;
  options.description = R"([[inputs]]
name = "audio"
size = 512
[[layers]]
type = "context"
size = 64
[[layers]]
type = "reshape"
shape = [-1, 1]
[[layers]]
type = "pad"
right = 64
mode = "reflect"
[[layers]]
type = "conv1d"
name = "stft_conv"
stride = 128
bias = false
[[layers]]
type = "magnitude"
[[layers]]
type = "conv1d"
name = "conv1"
padding = [1, 1]
[[layers]]
type = "relu"
[[layers]]
type = "conv1d"
name = "conv2"
stride = 2
padding = [1, 1]
[[layers]]
type = "relu"
[[layers]]
type = "conv1d"
name = "conv3"
stride = 2
padding = [1, 1]
[[layers]]
type = "relu"
[[layers]]
type = "conv1d"
name = "conv4"
padding = [1, 1]
[[layers]]
type = "relu"
[[layers]]
type = "flatten"
[[layers]]
type = "lstm"
name = "lstm_cell"
[[layers]]
type = "relu"
[[layers]]
type = "reshape"
shape = [1, -1]
[[layers]]
type = "conv1d"
name = "final_conv"
[[layers]]
type = "sigmoid"
)";
  options.description_path = "silero.toml";
  const Imported vad = import_file(folder + "silero_vad_16k.safetensors", options);
  std::vector<float> audio = npy(folder + "input.npy");
  const auto expected = npy(folder + "expected_probs_safetensors.npy");
  audio.resize(329 * 512);
  expect_close("silero_vad_16k.safetensors", run_blocks(vad, audio, 329, 1), expected, 7e-6);
  expect_close("in blocks of 7", run_blocks(vad, audio, 329, 7), expected, 7e-6);
}

// y = W x + b of [rows, columns].
graph::Array counted(graph::Dims dims, float scale) {
  const int64_t n = graph::count(dims);
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(scale * static_cast<float>(i % 7 - 3));
  return graph::array(std::move(dims), std::move(values));
}

NamedTensors small_lstm() {
  return {{"rnn.weight_ih_l0", counted({8, 3}, 0.1F)}, {"rnn.weight_hh_l0", counted({8, 2}, 0.2F)},
          {"rnn.bias_ih_l0", counted({8}, 0.1F)},      {"rnn.bias_hh_l0", counted({8}, 0.3F)},
          {"out.weight", counted({1, 2}, 1.0F)},       {"out.bias", counted({1}, 1.0F)}};
}

void expect_refused(const NamedTensors& tensors, const std::string& what) {
  try {
    state_dict_to_graph(tensors, "model.pt", {});
    ADD_FAILURE() << "expected an error that names " << what;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
  }
}

TEST(ImportTorch, RefusesWhatItWouldHaveToGuess) {
  NamedTensors tensors = small_lstm();
  tensors.emplace_back("out2.weight", counted({1, 1}, 1.0F));
  expect_refused(tensors, "does not say what stands between");
  tensors = small_lstm();
  tensors.emplace_back("conv.weight", counted({2, 3, 3}, 1.0F));
  expect_refused(tensors, "'conv.weight' [2, 3, 3]");
  tensors = small_lstm();
  tensors.emplace_back("rnn.gain", counted({8}, 1.0F));
  expect_refused(tensors, "gain");
  tensors = small_lstm();
  tensors[4].second = counted({1, 3}, 1.0F);
  expect_refused(tensors, "expected 2 columns");
  tensors = small_lstm();
  tensors[1].second = counted({10, 2}, 1.0F);
  expect_refused(tensors, "weight_hh_l0");
  expect_refused({{"a.weight", counted({2, 2}, 1.0F)}}, "recurrent layers");
}

TEST(ImportTorch, CellsAndEmbeddingsAreRecognised) {
  NamedTensors tensors = small_lstm();
  for (size_t i = 0; i < 4; ++i) tensors[i].first.resize(tensors[i].first.size() - 3);  // as LSTMCell has it
  tensors.insert(tensors.begin(), {"embed.weight", counted({5, 3}, 0.5F)});
  const Imported cell = state_dict_to_graph(tensors, "model.pt", {});
  EXPECT_TRUE(notes_have(cell, "embedding 'embed': 5 symbols, 3 numbers each"));
  NamedTensors layers = small_lstm();
  const Imported rows = state_dict_to_graph(layers, "model.pt", {});
  const std::vector<float> symbols = {4, 0, 3}, table = tensors[0].second.floats;
  std::vector<float> x;
  for (const float s : symbols) {
    for (size_t j = 0; j < 3; ++j) x.push_back(table[3 * static_cast<size_t>(s) + j]);
  }
  EXPECT_EQ(run_whole(cell, symbols, 3), run_whole(rows, x, 3));
}

}  // namespace
}  // namespace longhand::convert
