// Model files: what they hold, that they give it back, and which are refused.
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "longhand/io/file.h"
#include "longhand/io/safetensors.h"
#include "tests/tasks/model.h"
#include "tests/tasks/model_checks.h"

namespace longhand::tasks {
namespace {

using nn::Engine;
using testing::TemporaryFolder;

// A file gives back a model with all options.
TEST(LanguageModel, SavesAndLoadsEveryOptionOfTheLayers) {
  for (const bool bidirectional : {false, true}) {
    LanguageModelOptions options = with_lstm(kAllOptions, 8);
    options.lstm.bidirectional = bidirectional;
    Model m(options);
    const testing::TemporaryFolder folder;
    m.model.save(folder / "model.safetensors", m.model.parameters().values());
    const auto loaded = LanguageModel::load(folder / "model.safetensors");
    kernels::Context context(1);
    const EvaluateOptions how{.context = 5};
    EXPECT_EQ(m.model.evaluate(m.corpus, how, Using(m.model, Engine::kFused, context)).total_nats,
              loaded->evaluate(m.corpus, how, Using(*loaded, Engine::kFused, context)).total_nats);
    EXPECT_EQ(loaded->options().lstm.proj, 12);
    EXPECT_EQ(io::Safetensors::read(folder / "model.safetensors").tensors().count("lstm.weight_hr_l1_reverse"),
              bidirectional ? 1U : 0U);
  }
}

std::vector<float> logits_after(LanguageModel& model, const data::Corpus& corpus) {
  kernels::Context context(1);
  model.pack(context);
  LanguageModel::Workspace workspace(model, nn::Engine::kFused, context);
  LanguageModel::State state = model.new_state();
  std::span<const float> logits;
  for (const int32_t s : corpus.symbols) logits = model.read(s, state, workspace);
  return {logits.begin(), logits.end()};
}

TEST(LanguageModel, FileRoundTrips) {
  const TemporaryFolder folder;
  Model m({.lstm = {.hidden = 9, .layers = 2}, .embed = 4});
  m.model.save(folder / "model.safetensors", m.model.parameters().values());
  for (const std::string& path : {folder / "model.safetensors", folder.string()}) {
    const auto loaded = LanguageModel::load(path);
    EXPECT_EQ(logits_after(*loaded, m.corpus), logits_after(m.model, m.corpus));
    EXPECT_EQ(loaded->vocabulary().size(), m.vocabulary.size());
  }
  const io::Safetensors file = io::Safetensors::read(folder / "model.safetensors");
  EXPECT_EQ(file.tensors().count("lstm.bias_hh_l1"), 1U);  // as PyTorch's layers have it
}

TEST(LanguageModel, IsKeptInSmallerWeights) {
  const TemporaryFolder folder;
  Model m(with_lstm(kAllOptions, 8));
  m.model.save(folder / "model.safetensors", m.model.parameters().values());
  const ModelFile original = ModelFile::read(folder / "model.safetensors");
  EXPECT_EQ(original.weight_type(), kernels::WeightType::kFloat);
  for (const auto& [type, dtype, step] :
       {std::tuple(kernels::WeightType::kBf16, "BF16", 1.0 / 256.0), {kernels::WeightType::kInt8, "I8", 1.0 / 254.0}}) {
    const std::string path = folder / kernels::name_of(type);
    original.write_quantised(path, type);
    EXPECT_EQ(io::Safetensors::read(path).tensors().at("lstm.weight_hh_l0").dtype, dtype);
    const ModelFile file = ModelFile::read(path);
    EXPECT_EQ(file.weight_type(), type);
    const auto loaded = LanguageModel::load(file);
    EXPECT_EQ(loaded->network().weight_type(), type);
    const ParameterArena &was = m.model.parameters(), &is = loaded->parameters();
    bool differs = false;
    for (size_t i = 0; i < was.parameters().size(); ++i) {
      const Parameter& p = was.parameters()[i];
      const bool kept = p.name.find("weight") == std::string::npos || p.shape.size() < 2;
      float largest = 0.0F;
      for (int64_t k = 0; k < p.size; ++k) largest = std::max(largest, std::abs(was.value(i)[k]));
      for (int64_t k = 0; k < p.size; ++k) {
        const float a = was.value(i)[k], b = is.value(i)[k];
        EXPECT_LE(std::abs(a - b), kept ? 0.0 : 1.01 * step * static_cast<double>(largest)) << p.name;
        differs = differs || a != b;
      }
    }
    EXPECT_TRUE(differs);
    EXPECT_NE(
        testing::error_of([&] { file.write_quantised(folder / "again", type); }).find("expected weights as float32"),
        std::string::npos);
    // The values that it holds, kept as floats, are the same model.
    loaded->save(folder / "floats", loaded->parameters().values());
    EXPECT_EQ(logits_after(*loaded, m.corpus), logits_after(*LanguageModel::load(folder / "floats"), m.corpus));
  }
  std::string other = io::read_file(folder / "bf16");
  const size_t at = other.find("\\\"weights\\\":\\\"bf16");
  ASSERT_NE(at, std::string::npos);
  other.replace(at + 14, 4, "int8");
  EXPECT_NE(testing::error_of([&] { LanguageModel::load(ModelFile::parse("f", other)); }).find("found BF16"),
            std::string::npos);
  other.replace(at + 14, 4, "int9");
  EXPECT_NE(testing::error_of([&] { ModelFile::parse("f", other); }).find("expected float32, bf16 or int8"),
            std::string::npos);
}

// The arrays of another cell are under PyTorch's names too: one bias inside becomes two in the file, and a GRU's two
// stay as they are.
TEST(LanguageModel, FileRoundTripsWithEveryCell) {
  const TemporaryFolder folder;
  for (const std::string cell : {"gru", "rnn", "rnn-relu"}) {
    const std::string layer = cell == "gru" ? "gru" : "rnn";
    LanguageModelOptions options{.lstm = {.cell = cell, .hidden = 9, .layers = 2}, .embed = 4};
    for (const bool bidirectional : {false, true}) {
      options.lstm.bidirectional = bidirectional;
      Model m(options);
      const std::span<float> values = m.model.parameters().values();
      for (size_t i = 0; i < values.size(); ++i) values[i] += 0.01F * static_cast<float>(i % 13);  // biases, too
      m.model.parameters_changed();
      m.model.save(folder / "model.safetensors", values);
      const auto loaded = LanguageModel::load(folder.string());
      EXPECT_EQ(loaded->options().lstm.cell, cell);
      for (const Parameter& p : m.model.parameters().parameters()) {
        const auto at = values.begin() + p.offset;  // between parameters is room that files leave out
        EXPECT_TRUE(std::equal(at, at + p.size, loaded->parameters().values().begin() + p.offset)) << p.name;
      }
      if (!bidirectional) {
        EXPECT_EQ(logits_after(*loaded, m.corpus), logits_after(m.model, m.corpus));
      }
      std::set<std::string> expected = {"embedding.weight", "output.weight", "output.bias"}, names;
      for (const char* name : {".weight_ih_l", ".weight_hh_l", ".bias_ih_l", ".bias_hh_l"}) {
        for (const char* number : {"0", "1"}) {
          expected.insert(layer + name + number);
          if (bidirectional) expected.insert(layer + name + number + "_reverse");
        }
      }
      const io::Safetensors file = io::Safetensors::read(folder / "model.safetensors");
      for (const auto& [name, tensor] : file.tensors()) names.insert(name);
      EXPECT_EQ(names, expected);
      std::vector<float> second(cell == "gru" ? 27 : 9);
      file.copy_floats(layer + ".bias_hh_l1", {static_cast<int64_t>(second.size())}, second);
      EXPECT_EQ(*std::max_element(second.begin(), second.end()) > 0.0F, cell == "gru");
    }
  }
}

// Rewrites a model file's metadata and arrays.
struct Tampered {
  explicit Tampered(const std::string& path) : file(io::Safetensors::read(path)), metadata(file.metadata()) {
    for (const auto& [name, tensor] : file.tensors()) {
      std::vector<float>& data = arrays[name];
      data.resize(tensor.bytes.size() / 4);
      file.copy_floats(name, tensor.shape, data);
      shapes[name] = tensor.shape;
    }
  }
  void set_option(const std::string& name, const nlohmann::json& value) {
    nlohmann::json config = nlohmann::json::parse(metadata["config"]);
    config["options"][name] = value;
    metadata["config"] = config.dump();
  }
  std::string error(const std::string& path) {
    std::vector<io::TensorToWrite> tensors;
    for (const auto& [name, data] : arrays) tensors.push_back({name, shapes[name], data});
    io::write_safetensors(path, metadata, tensors);
    return error_of([&] { LanguageModel::load(path); });
  }
  io::Safetensors file;
  std::map<std::string, std::string> metadata;
  std::map<std::string, std::vector<float>> arrays;
  std::map<std::string, std::vector<int64_t>> shapes;
};

TEST(LanguageModel, RefusesFilesThatDoNotFitTogether) {
  const TemporaryFolder folder;
  const std::string good = folder / "good", bad = folder / "bad";
  const Model m({.lstm = {.hidden = 9}, .embed = 4});
  m.model.save(good, m.model.parameters().values());
  EXPECT_EQ(Tampered(good).error(bad), "");
  const auto error = [&](const std::function<void(Tampered&)>& change) {
    Tampered tampered(good);
    change(tampered);
    return tampered.error(bad);
  };
  EXPECT_NE(error([](Tampered& t) { t.metadata.erase("config"); }).find("expected the metadata 'config'"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.metadata.erase("vocabulary"); }), "");
  EXPECT_NE(error([](Tampered& t) { t.metadata["config"] = "{"; }), "");
  EXPECT_NE(error([](Tampered& t) {
              t.metadata["config"] = R"({"task":"tagger","format":1})";
            }).find("expected a language_model, found a tagger"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.metadata["config"] = R"({"task":"language_model","format":2})"; }), "");
  EXPECT_NE(error([](Tampered& t) { t.set_option("hidden", 60000); }).find("expected 'lstm.weight_ih_l0'"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.set_option("hidden", -1); }), "");
  EXPECT_NE(error([](Tampered& t) { t.set_option("embed", 5); }), "");
  EXPECT_NE(error([](Tampered& t) { t.set_option("embed", 65536); }), "");
  EXPECT_NE(error([](Tampered& t) { t.set_option("layers", 64); }), "");
  EXPECT_NE(error([](Tampered& t) { t.set_option("cell", "gru"); }).find("expected 'gru.weight_ih_l0'"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.set_option("cell", "lstn"); }), "");
  EXPECT_NE(error([](Tampered& t) {
              t.set_option("cell", "rnn");
              t.set_option("proj", 4);
            }).find("`proj`: expected `cell` lstm"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.set_option("lines", true); }).find("expected <bos>"), std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.arrays["output.bias"][0] = std::nanf(""); }).find("not finite"),
            std::string::npos);
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  for (const char* before :
       {R"({"task":"language_model","format":)", R"({"task":"language_model","format":1,"options":)",
        R"({"task":"language_model","format":1,"options":{"hidden":)"}) {
    const std::string closing = std::string(before).ends_with("hidden\":") ? "}}" : "}";
    EXPECT_NE(error([&](Tampered& t) { t.metadata["config"] = before + deep + closing; }), "");
  }
  EXPECT_NE(error([](Tampered& t) { t.set_option("hidden", {1, 2}); }), "");
  EXPECT_NE(error([](Tampered& t) { t.set_option("layers", 2); }), "");
  EXPECT_NE(error([](Tampered& t) { t.metadata["vocabulary"] = R"({"symbols":["a","b"]})"; }), "");
  EXPECT_NE(error([](Tampered& t) { t.arrays.erase("output.bias"); }), "");
  EXPECT_NE(error([](Tampered& t) {
              t.arrays["extra"] = {1.0F};
              t.shapes["extra"] = {1};
            }),
            "");
}

// Tied weights are in a file once, under the embedding's name, with the projection where there is one.
TEST(LanguageModel, FileRoundTripsWithTiedWeights) {
  const TemporaryFolder folder;
  for (const auto& [hidden, projects] : {std::pair<int64_t, bool>{4, false}, {9, true}}) {
    Model m({.lstm = {.hidden = hidden}, .embed = 4, .tie_weights = true, .dropout_embedding = 0.25});
    m.model.save(folder / "model.safetensors", m.model.parameters().values());
    const auto loaded = LanguageModel::load(folder.string());
    EXPECT_TRUE(loaded->options().tie_weights);
    EXPECT_EQ(loaded->options().dropout_embedding, 0.25);
    EXPECT_EQ(loaded->parameters().count(), m.model.parameters().count());
    EXPECT_EQ(logits_after(*loaded, m.corpus), logits_after(m.model, m.corpus));
    const auto tensors = io::Safetensors::read(folder / "model.safetensors").tensors();
    EXPECT_EQ(tensors.count("embedding.weight"), 1U);
    EXPECT_EQ(tensors.count("output.weight"), 0U);
    EXPECT_EQ(tensors.count("output.bias"), 1U);
    EXPECT_EQ(tensors.count("output.projection.weight"), projects ? 1U : 0U);
    // The output layer's weights are those of the embedding: where a symbol's are zero, its logit is the bias.
    Tampered tampered(folder / "model.safetensors");
    std::fill_n(tampered.arrays["embedding.weight"].begin() + 4, 4, 0.0F);
    tampered.arrays["output.bias"][1] = 0.375F;
    EXPECT_EQ(tampered.error(folder / "model.safetensors"), "");
    EXPECT_EQ(logits_after(*LanguageModel::load(folder.string()), m.corpus)[1], 0.375F);
    tampered.set_option("tie-weights", false);
    EXPECT_NE(tampered.error(folder / "bad").find("'output.weight'"), std::string::npos);
  }
}

TEST(LanguageModel, FileRoundTripsWithVariantsOfTheCell) {
  const TemporaryFolder folder;
  Model m({.lstm = {.hidden = 5,
                    .peepholes = true,
                    .coupled_gates = true,
                    .gate_clip = 3.5,
                    .cell_clip = 0.25,
                    .gate_activation = "hard-sigmoid:0.16666666666666666:0.5",
                    .output_activation = "relu"}});
  for (float& v : m.model.parameters().values()) v += 0.125F;  // peepholes begin at zero
  m.model.parameters_changed();
  m.model.save(folder / "model.safetensors", m.model.parameters().values());
  const auto loaded = LanguageModel::load(folder.string());
  EXPECT_EQ(loaded->options().lstm.lstm_cell(), m.model.options().lstm.lstm_cell());
  EXPECT_EQ(logits_after(*loaded, m.corpus), logits_after(m.model, m.corpus));
  const auto tensors = io::Safetensors::read(folder / "model.safetensors").tensors();
  EXPECT_EQ(tensors.at("lstm.weight_peephole_l0").shape, (std::vector<int64_t>{3, 5}));
  Tampered tampered(folder / "model.safetensors");
  tampered.set_option("gate-activation", "hard-sigmoid:1e99");
  EXPECT_NE(tampered.error(folder / "bad").find("`gate-activation`"), std::string::npos);
  Tampered without(folder / "model.safetensors");
  without.arrays.erase("lstm.weight_peephole_l0");
  EXPECT_NE(without.error(folder / "bad").find("'lstm.weight_peephole_l0'"), std::string::npos);
}

TEST(LanguageModel, RefusesWhatNeedsAnEmbeddingWithoutOne) {
  for (const auto& [options, name] :
       {std::pair(LanguageModelOptions{.lstm = {}, .embed = 0, .tie_weights = true}, "`tie-weights`"),
        {{.lstm = {}, .embed = 0, .dropout_embedding = 0.1}, "`dropout-embedding`"}}) {
    try {
      options.check();
      FAIL() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kUsage);
      EXPECT_EQ(std::string(e.what()), std::string(name) + ": expected an embedding, found one-hot input");
      EXPECT_NE(e.advice().find("`embed`"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace longhand::tasks
