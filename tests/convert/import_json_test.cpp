// Models as JSON and a manifest of TensorFlow against their own players' outputs.
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/convert/audio_json.h"
#include "longhand/convert/import_file.h"
#include "longhand/convert/number_table.h"
#include "tests/convert/imported.h"

namespace longhand::convert {
namespace {

std::vector<float> column(const std::string& path) { return io::floats(read_number_table(path).numbers, path); }

void check_rtneural(const std::string& name) {
  const std::string folder = kModels + "rtneural/";
  if (!is_here(folder)) return;
  const Imported imported = import_file(folder + name + ".json");
  const std::vector<float> x = column(folder + name + "_x_python.csv"), y = column(folder + name + "_y_python.csv");
  const auto steps = static_cast<int64_t>(x.size());
  expect_close(name.c_str(), run_whole(imported, x, steps), y, 1.4e-6);
  expect_close("in blocks of 10", run_blocks(imported, x, steps, 10), y, 1.4e-6);
}

TEST(ImportJson, RtNeuralDenseAndLstm) { check_rtneural("lstm"); }
TEST(ImportJson, RtNeuralLstm) { check_rtneural("lstm_1d"); }
TEST(ImportJson, RtNeuralStateDict) { check_rtneural("lstm_torch"); }

void expect_refused(const std::string& text, const std::string& what) {
  try {
    json_to_graph(text, "model.json", {});
    ADD_FAILURE() << "expected an error that names " << what;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
  }
}

TEST(ImportJson, RefusesWhatContradictsItself) {
  const std::string file = kModels + "rtneural/bad_lstm.json";
  if (!is_here(file)) return;
  expect_refused(io::read_file(file), "expected 16 units, as its shape says, found weights of 20");
}

TEST(ImportJson, NamWithTrainedInitialStates) {
  const std::string base = kModels + "nam/core_example_lstm";
  if (!is_here(base + ".nam")) return;
  const Imported imported = import_file(base + ".nam");
  EXPECT_EQ(imported.graph.sample_rate, 48000);
  EXPECT_TRUE(notes_have(imported, "1 LSTM layer of 3 units with trained initial states"));
  // The beginning of what the player was given: uniform noise, told from its outputs and a generator's first numbers.
  const std::vector<float> x = {
      -0.41015586F, -0.00079742918F, 0.11208079F,   -0.52045089F, -0.38878188F, 0.47285721F,  -0.47436827F,
      -0.40882662F, 0.49507213F,     0.13459143F,   -0.14466593F, 0.01257757F,  0.1798213F,   -0.24811797F,
      -0.39977816F, 0.31807122F,     0.18812273F,   0.013673319F, 0.34976006F,  0.054191962F, 0.53105474F,
      -0.32629901F, 0.059332404F,    -0.018082626F, -0.16202302F, 0.10114522F,  -0.29229683F, 0.33371097F,
      0.40563253F,  -0.40994662F,    -0.036359809F, -0.24609046F, -0.4603481F,  0.4372263F,   -0.077355005F,
      -0.38904116F, 0.19143748F,     -0.32883155F,  0.44328514F,  -0.31234246F};
  std::vector<float> expected = npy(base + ".expected_namcore.npy");
  expected.resize(x.size());
  expect_close("nam", run_whole(imported, x, 40), expected, 9e-7);
  expect_close("in blocks of 8", run_blocks(imported, x, 40, 8), expected, 9e-7);
}

TEST(ImportJson, IcuSegmentation) {
  const std::string folder = kModels + "icu_thai/Thai_codepoints_exclusive_model4_heavy/";
  if (!is_here(folder)) return;
  const Imported imported = import_file(folder + "weights.json");
  const auto cases = nlohmann::json::parse(io::read_file(folder + "expected.json"));
  std::vector<float> found, expected;
  for (const auto& each : cases) {
    std::vector<float> x;
    for (size_t i = 0; i < each["units"].size(); ++i) {
      x.push_back(each["ids"][i].get<float>());
      const auto& symbols = imported.graph.symbols;
      const auto at = std::find(symbols.begin(), symbols.end(), each["units"][i].get<std::string>());
      EXPECT_EQ(at == symbols.end() ? symbols.size() - 1 : static_cast<size_t>(at - symbols.begin()), each["ids"][i]);
      for (const auto& p : each["probs"][i]) expected.push_back(p.get<float>());
    }
    const std::vector<float> y = run_whole(imported, x, static_cast<int64_t>(x.size()));
    found.insert(found.end(), y.begin(), y.end());
  }
  expect_close("icu_thai", found, expected, 4e-6);
}

TEST(ImportJson, BasicLstmCellsWithTheirForgetBias) {
  const std::string folder = kModels + "ml5_charrnn_shakespeare";
  if (!is_here(folder)) return;
  const Imported imported = import_file(folder);
  EXPECT_TRUE(notes_have(imported, "1 is added to the forget gate's bias"));
  EXPECT_EQ(imported.graph.symbols.at(10), "\n");
  std::vector<float> ids;
  for (const auto& id : nlohmann::json::parse(io::read_file(folder + "/ids.json"))) ids.push_back(id.get<float>());
  const std::vector<float> expected = npy(folder + "/expected_logits_tf.npy");
  ids.resize(expected.size() / 65);
  expect_close("ml5", run_whole(imported, ids, static_cast<int64_t>(ids.size())), expected, 1e-4);
}

// An LSTM of one unit, whose numbers one can follow.
std::string small_model(const std::string& more) {
  return R"({"in_shape": [null, null, 1], "layers": [{"type": "lstm", "activation": "tanh", "shape": [null, null, 1],
    "weights": [[[0.1, 0.2, 0.3, 0.4]], [[0.5, 0.6, 0.7, 0.8]], [0.0, 1.0, 0.0, 0.0]]}])" +
         more + "}";
}

TEST(ImportJson, SkipAddsTheInput) {
  const std::vector<float> x = {0.5F, -1.0F, 2.0F};
  const std::vector<float> plain = run_whole(json_to_graph(small_model(""), "m.json", {}), x, 3);
  const std::vector<float> skips = run_whole(json_to_graph(small_model(R"(, "in_skip": 1)"), "m.json", {}), x, 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_FLOAT_EQ(skips[i], plain[i] + x[i]);
  const std::string tensors = R"({"rec.weight_ih_l0": [[0.1],[0.2],[0.3],[0.4]],
    "rec.weight_hh_l0": [[0.5],[0.6],[0.7],[0.8]], "rec.bias_ih_l0": [0,1,0,0], "rec.bias_hh_l0": [0,0,0,0],
    "lin.weight": [[1]], "lin.bias": [0]})";
  const Imported guitar = json_to_graph(R"({"model_data": {"skip": 1}, "state_dict": )" + tensors + "}", "m.json", {});
  EXPECT_EQ(run_whole(guitar, x, 3), skips);
  EXPECT_EQ(run_whole(json_to_graph(tensors, "m.json", {}), x, 3), plain);
}

TEST(ImportJson, HostileTextsAreRefused) {
  expect_refused("{", "not valid JSON");
  expect_refused("{}", "other JSON");
  expect_refused("[1, 2]", "other JSON");
  expect_refused(std::string(100, '['), "nested too deep");
  expect_refused(R"({"in_shape": [null, 1], "layers": [{"type": "lstm", "weights": [[[1]], [[1, 2]], [1]]}]})",
                 "lstm_1");
  expect_refused(R"({"in_shape": [null, 1e9], "layers": [1]})", "in_shape");
  expect_refused(R"({"in_shape": [1], "layers": [{"type": "attention"}]})", "'attention' is not known");
  expect_refused(R"({"in_shape": [1], "layers": [{"type": "dense", "weights": [[["x"]], [1]]}]})", "finite numbers");
  expect_refused(R"({"in_shape": [1], "layers": [{"type": "dense", "weights": [[[1e99]], [1]]}]})", "finite numbers");
  expect_refused(R"({"in_shape": [1], "layers": [{"type": "dense", "weights": [[[1, 2], [3]], [1]]}]})", "lists of 2");
  expect_refused(small_model(R"(, "in_gain": "3")"), "expected decibels");
  expect_refused(R"({"architecture": "WaveNet", "config": {}, "weights": []})", "found 'WaveNet'");
  expect_refused(R"({"architecture": "LSTM", "config": {"input_size": 1, "hidden_size": 4096, "num_layers": 4096},
                     "weights": [1]})",
                 "expected");
  expect_refused(R"({"dic": {"a": 0}, "mat1": {"dim": [9, 9], "data": [1]}})", "as dim says");
}

// g_out (g_in x + f(g_in x)), gains in decibels.
TEST(ImportJson, GainsAroundAModel) {
  const std::string layers = R"({"in_shape": [null, null, 1], "layers": [{"type": "dense", "activation": "",
    "shape": [null, null, 1], "weights": [[[3]], [0.5]]}])";
  const Imported imported = json_to_graph(layers + R"(, "in_skip": 1, "in_gain": 20, "out_gain": -20})", "m.json", {});
  expect_close("gains", run_whole(imported, {0.25F, -1.0F}, 2), {1.05F, -3.95F}, 1e-6);
  EXPECT_TRUE(notes_have(imported, "in_gain: 20 decibels"));
  const Imported after = json_to_graph(layers + R"(, "in_skip": 0, "out_gain": 20})", "m.json", {});
  expect_close("gain", run_whole(after, {0.25F}, 1), {12.5F}, 1e-5);
}

}  // namespace
}  // namespace longhand::convert
