// The language model: engines, gradients, files, evaluation and sampling.
#include "longhand/tasks/language_model.h"

#include <nlohmann/json.hpp>
#include <set>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/io/safetensors.h"
#include "longhand/tasks/language_model_task.h"
#include "longhand/tasks/sampler.h"
#include "tests/testing.h"

namespace longhand::tasks {
namespace {

using nn::Engine;
using testing::TemporaryFolder;

const char* const kText = "the cat sat on the mat and the dog sat on the log while the cat sat on the dog\n";

struct Model {
  explicit Model(LanguageModelOptions options, const std::string& text = kText)
      : vocabulary(data::build_vocabulary(text, options.text)),
        model(options, vocabulary),
        corpus(data::encode(text, options.text, vocabulary, data::Unknown::kUnk, "test")) {
    model.initialise(5);
  }
  data::Vocabulary vocabulary;
  LanguageModel model;
  data::Corpus corpus;
};

std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kInput);
    return e.what();
  }
  return "no error";
}

TEST(LanguageModel, HasPyTorchsParameterNames) {
  const Model m({.lstm = {.hidden = 5, .layers = 2}, .embed = 3});
  std::vector<std::string> names;
  for (const Parameter& p : m.model.parameters().parameters()) names.push_back(p.name);
  EXPECT_EQ(names, (std::vector<std::string>{"embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0",
                                             "lstm.bias_ih_l0", "lstm.weight_ih_l1", "lstm.weight_hh_l1",
                                             "lstm.bias_ih_l1", "output.weight", "output.bias"}));
}

// Options of the layers that together touch all parts of the stack.
const nn::LstmOptions kAllOptions{.hidden = 20,
                                  .layers = 2,
                                  .proj = 12,
                                  .layer_norm = true,
                                  .residual = true,
                                  .train_initial_state = true,
                                  .dropout = 0.1,
                                  .variational = true,
                                  .dropout_recurrent = 0.1,
                                  .weight_drop = 0.1,
                                  .zoneout = 0.1,
                                  .zoneout_cell = 0.1};

LanguageModelOptions with_lstm(const nn::LstmOptions& lstm, int64_t embed) {
  LanguageModelOptions options;
  options.lstm = lstm;
  options.embed = embed;
  return options;
}

// The gradient of the whole model, along its own direction, is the slope of the loss.
TEST(LanguageModel, GradientIsTheSlopeOfTheLoss) {
  nn::LstmOptions all_but_normalised = kAllOptions;  // at a state of zero normalisation bends too much for this step
  all_but_normalised.layer_norm = false;
  std::vector<LanguageModelOptions> sets;
  sets.push_back({.lstm = {.hidden = 12, .layers = 2}, .embed = 5});
  sets.push_back({.lstm = {.hidden = 12}, .embed = 0});
  sets.push_back({.text = {.lines = true}, .lstm = {.hidden = 12, .layers = 2}, .embed = 5});
  sets.push_back({.lstm = {.hidden = 12, .layers = 2, .dropout = 0.3}, .embed = 5});
  sets.push_back(with_lstm(all_but_normalised, 5));
  sets.back().text.lines = true;
  sets.push_back({.lstm = {.hidden = 12, .layers = 2, .bidirectional = true}, .embed = 5});
  for (const LanguageModelOptions& options : sets) {
    Model m(options, "the cat sat\non\nthe mat and the dog sat on the log\nwhile the cat\n");
    kernels::Context context(2);
    const data::Batches batches(m.corpus, options.text.lines, {.batch = 4, .bptt = 64, .shuffle = false});
    data::Batch batch;
    batches.get(0, batch);
    const nn::DropoutKey key{1, 2, 0};
    const auto loss = [&] {
      m.model.parameters_changed();
      return m.model.run(batch, &pass, Engine::kFused, context) / static_cast<double>(batch.symbols);
    };
    loss();
    const std::span<const float> g = m.model.parameters().gradients();
    const std::vector<float> gradient(g.begin(), g.end());
    double square = 0.0;
    for (const float v : gradient) square += static_cast<double>(v) * static_cast<double>(v);
    const std::span<float> values = m.model.parameters().values();
    const std::vector<float> saved(values.begin(), values.end());
    const double step = 0.01 / std::sqrt(square);
    const auto moved = [&](double by) {
      for (size_t i = 0; i < saved.size(); ++i) {
        values[i] = saved[i] + static_cast<float>(by * static_cast<double>(gradient[i]));
      }
      return loss();
    };
    const double slope = (moved(step) - moved(-step)) / (2 * step);
    // A float loss of about 3 carries 3e-7; over a difference of 0.02 times the slope that is below one per mille.
    EXPECT_NEAR(slope / square, 1.0, 3e-3);
  }
}

// Trains a few dozen steps and returns every step's loss.
std::vector<double> loss_curve(const LanguageModelOptions& options, Engine engine, int threads) {
  Model m(options);
  kernels::Context context(threads);
  LanguageModelTask task(m.model, m.corpus, {}, {.batch = 4, .bptt = 8, .seed = 3, .engine = engine}, context);
  std::vector<double> curve;
  uint64_t step = 0;
  for (int64_t epoch = 0; epoch < 12; ++epoch) {
    task.begin_epoch(epoch);
    for (int64_t i = 0; i < task.steps(); ++i) {
      const StepResult result = task.train_step(i, step++);
      curve.push_back(result.loss_sum / static_cast<double>(result.count));
      const std::span<float> w = task.parameters().values();
      const std::span<const float> g = task.parameters().gradients();
      for (size_t k = 0; k < w.size(); ++k) w[k] -= 0.5F * g[k];
      task.parameters_changed();
    }
  }
  return curve;
}

TEST(LanguageModel, EnginesGiveTheSameLossCurve) {
  std::vector<LanguageModelOptions> sets;
  sets.push_back({.lstm = {.hidden = 24}, .embed = 0});
  sets.push_back({.lstm = {.hidden = 24, .layers = 2}, .embed = 8});
  sets.push_back({.text = {.lines = true}, .lstm = {.hidden = 20, .dropout = 0.2}, .embed = 8});
  sets.push_back(with_lstm(kAllOptions, 8));
  sets.push_back({.lstm = {.hidden = 20, .layers = 2, .bidirectional = true}, .embed = 0});
  for (const LanguageModelOptions& options : sets) {
    const std::vector<double> fused = loss_curve(options, Engine::kFused, 2);
    const std::vector<double> reference = loss_curve(options, Engine::kReference, 1);
    const std::vector<double> autograd = loss_curve(options, Engine::kAutograd, 1);
    ASSERT_EQ(fused.size(), reference.size());
    ASSERT_EQ(fused.size(), autograd.size());
    // Rounding differs by 1e-7 a step, and training carries it on; with layer normalisation so fast at this rate that
    // only the first steps are compared.
    const size_t compared = options.lstm.layer_norm ? 6 : fused.size();
    for (size_t i = 0; i < compared; ++i) EXPECT_NEAR(fused[i] / reference[i], 1.0, 1e-4) << "step " << i;
    for (size_t i = 0; i < compared; ++i) EXPECT_NEAR(autograd[i] / reference[i], 1.0, 1e-4) << "step " << i;
    EXPECT_LT(fused.back(), 0.9 * fused.front());
  }
}

// One text, learned by each cell to about where it stands after so few steps. Its symbols' frequencies alone would give
// 2.4 nats.
TEST(LanguageModel, LearnsWithEveryCell) {
  for (const auto& [cell, ceiling] : {std::pair("lstm", 2.3), {"gru", 1.7}, {"rnn", 1.2}}) {
    for (const bool lines : {false, true}) {
      LanguageModelOptions options{.lstm = {.cell = cell, .hidden = 24, .dropout = 0.1}, .embed = 8};
      options.text.lines = lines;
      const std::vector<double> curve = loss_curve(options, Engine::kAutograd, 1);
      EXPECT_NEAR(curve.front(), std::log(16.0), 0.2) << cell;  // it begins with sixteen symbols alike
      EXPECT_LT(curve.back(), ceiling) << cell;
      EXPECT_EQ(curve, loss_curve(options, Engine::kAutograd, 3)) << cell;
    }
  }
}

TEST(LanguageModel, IsBitIdenticalOnAnyNumberOfThreads) {
  const LanguageModelOptions options{.lstm = {.hidden = 70, .layers = 2, .dropout = 0.1}, .embed = 20};
  const std::vector<double> one = loss_curve(options, Engine::kFused, 1);
  EXPECT_EQ(one, loss_curve(options, Engine::kFused, 2));
  EXPECT_EQ(one, loss_curve(options, Engine::kFused, 5));
  LanguageModelOptions all = with_lstm(kAllOptions, 20);
  all.lstm.hidden = 70;
  EXPECT_EQ(loss_curve(all, Engine::kFused, 1), loss_curve(all, Engine::kFused, 3));
}

// A symbol predicted from the two before it alone is what a text of these three ends with.
TEST(LanguageModel, EvaluatesFromAContextAlone) {
  for (const bool bidirectional : {false, true}) {
    Model m({.lstm = {.hidden = 9, .bidirectional = bidirectional}, .embed = 4});
    kernels::Context context(1);
    const LanguageScore score = m.model.evaluate(m.corpus, {.context = 2}, Engine::kFused, context);
    EXPECT_EQ(score.symbols, m.corpus.targets());
    double nats = 0.0;
    for (size_t at = 1; at < m.corpus.symbols.size(); ++at) {
      const size_t first = at >= 2 ? at - 2 : 0;
      data::Batch batch;
      batch.rows = 1;
      batch.steps = static_cast<int64_t>(at - first);
      batch.fresh = batch.ragged = batch.last_only = true;
      batch.symbols = 1;
      batch.lengths = {static_cast<int32_t>(at - first)};
      for (size_t i = first; i < at; ++i) {
        batch.inputs.push_back(m.corpus.symbols[i]);
        batch.targets.push_back(m.corpus.symbols[i + 1]);
      }
      nats += m.model.run(batch, nullptr, Engine::kFused, context);
    }
    EXPECT_NEAR(score.total_nats, nats, 1e-4 * nats);
    const LanguageScore some = m.model.evaluate(m.corpus, {.context = 2, .most = 7}, Engine::kFused, context);
    EXPECT_EQ(some.symbols, 7);
  }
}

// Bits per character count what was read, also where the model saw <unk>, and characters, not bytes.
TEST(LanguageModel, CountsTheCharactersThatWereRead) {
  Model words({.text = {.level = "word", .min_count = 2}, .lstm = {.hidden = 4}, .embed = 4},
              "the cat\nthe cat the dog\n");
  kernels::Context context(1);
  // All but the first word, with a blank before each, and the line's end.
  const data::Corpus corpus = data::encode("the cat the weasel the\n", words.model.options().text,
                                           words.model.vocabulary(), data::Unknown::kUnk, "a text");
  const LanguageScore score = words.model.evaluate(corpus, {}, Engine::kFused, context);
  EXPECT_EQ(score.unknown, 1);
  EXPECT_EQ(score.symbols, 5);
  EXPECT_EQ(score.characters, 4 + 4 + 7 + 4 + 1);
  Model bytes({.text = {.level = "byte"}, .lstm = {.hidden = 4}, .embed = 4}, "a\xC3\xA9\xC3\xA9z");
  EXPECT_EQ(bytes.model.evaluate(bytes.corpus, {}, Engine::kFused, context).characters, 3);
}

// Evaluating in the middle of a text changes nothing of it, the trained state in which it begins included.
TEST(LanguageModel, EvaluationLeavesTheStateAsItWas) {
  Model m({.lstm = {.hidden = 9, .train_initial_state = true}, .embed = 4});
  for (const Parameter& p : m.model.parameters().parameters()) {
    if (p.name == "lstm.h_0_l0") std::fill_n(m.model.parameters().values().data() + p.offset, p.size, 0.5F);
  }
  m.model.parameters_changed();
  kernels::Context context(1);
  std::vector<std::vector<float>> logits;
  for (const bool evaluate : {false, true}) {
    m.model.begin_text();
    for (const int32_t symbol : {0, 1}) {
      if (evaluate) m.model.evaluate(m.corpus, {.rows = 3}, Engine::kFused, context);
      const std::span<const float> out = m.model.read(symbol, Engine::kFused, context);
      logits.emplace_back(out.begin(), out.end());
    }
  }
  EXPECT_EQ(logits[0], logits[2]);
  EXPECT_EQ(logits[1], logits[3]);
}

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
    EXPECT_EQ(m.model.evaluate(m.corpus, how, Engine::kFused, context).total_nats,
              loaded->evaluate(m.corpus, how, Engine::kFused, context).total_nats);
    EXPECT_EQ(loaded->options().lstm.proj, 12);
    EXPECT_EQ(io::Safetensors::read(folder / "model.safetensors").tensors().count("lstm.weight_hr_l1_reverse"),
              bidirectional ? 1U : 0U);
  }
}

std::vector<float> logits_after(LanguageModel& model, const data::Corpus& corpus) {
  kernels::Context context(1);
  const Engine engine = model.options().lstm.fastest_engine();
  model.begin_text();
  std::span<const float> logits;
  for (const int32_t s : corpus.symbols) logits = model.read(s, engine, context);
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

// The arrays of another cell are under PyTorch's names too: one bias inside becomes two in the file, and a GRU's two
// stay as they are.
TEST(LanguageModel, FileRoundTripsWithEveryCell) {
  const TemporaryFolder folder;
  for (const std::string cell : {"gru", "rnn"}) {
    LanguageModelOptions options{.lstm = {.cell = cell, .hidden = 9, .layers = 2}, .embed = 4};
    for (const bool bidirectional : {false, true}) {
      options.lstm.bidirectional = bidirectional;
      Model m(options);
      const std::span<float> values = m.model.parameters().values();
      for (size_t i = 0; i < values.size(); ++i) values[i] += 0.01F * static_cast<float>(i % 13);  // biases, too
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
        for (const char* layer : {"0", "1"}) {
          expected.insert(cell + name + layer);
          if (bidirectional) expected.insert(cell + name + layer + "_reverse");
        }
      }
      const io::Safetensors file = io::Safetensors::read(folder / "model.safetensors");
      for (const auto& [name, tensor] : file.tensors()) names.insert(name);
      EXPECT_EQ(names, expected);
      std::vector<float> second(cell == "gru" ? 27 : 9);
      file.copy_floats(cell + ".bias_hh_l1", {static_cast<int64_t>(second.size())}, second);
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
  EXPECT_EQ(Tampered(good).error(bad), "no error");
  const auto error = [&](const std::function<void(Tampered&)>& change) {
    Tampered tampered(good);
    change(tampered);
    return tampered.error(bad);
  };
  EXPECT_NE(error([](Tampered& t) { t.metadata.erase("config"); }).find("expected the metadata 'config'"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.metadata.erase("vocabulary"); }), "no error");
  EXPECT_NE(error([](Tampered& t) { t.metadata["config"] = "{"; }), "no error");
  EXPECT_NE(error([](Tampered& t) {
              t.metadata["config"] = R"({"task":"tagger","format":1})";
            }).find("expected a language_model, found a tagger"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.metadata["config"] = R"({"task":"language_model","format":2})"; }), "no error");
  EXPECT_NE(error([](Tampered& t) { t.set_option("hidden", 60000); }).find("expected 'lstm.weight_ih_l0'"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.set_option("hidden", -1); }), "no error");
  EXPECT_NE(error([](Tampered& t) { t.set_option("embed", 5); }), "no error");
  EXPECT_NE(error([](Tampered& t) { t.set_option("embed", 65536); }), "no error");
  EXPECT_NE(error([](Tampered& t) { t.set_option("layers", 64); }), "no error");
  EXPECT_NE(error([](Tampered& t) { t.set_option("cell", "gru"); }).find("expected 'gru.weight_ih_l0'"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.set_option("cell", "lstn"); }), "no error");
  EXPECT_NE(error([](Tampered& t) {
              t.set_option("cell", "rnn");
              t.set_option("proj", 4);
            }).find("--proj: expected --cell lstm with it"),
            std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.set_option("lines", true); }).find("lacks <bos>"), std::string::npos);
  EXPECT_NE(error([](Tampered& t) { t.arrays["output.bias"][0] = std::nanf(""); }).find("not finite"),
            std::string::npos);
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  for (const char* before :
       {R"({"task":"language_model","format":)", R"({"task":"language_model","format":1,"options":)",
        R"({"task":"language_model","format":1,"options":{"hidden":)"}) {
    const std::string closing = std::string(before).ends_with("hidden\":") ? "}}" : "}";
    EXPECT_NE(error([&](Tampered& t) { t.metadata["config"] = before + deep + closing; }), "no error");
  }
  EXPECT_NE(error([](Tampered& t) { t.set_option("hidden", {1, 2}); }), "no error");
  EXPECT_NE(error([](Tampered& t) { t.set_option("layers", 2); }), "no error");
  EXPECT_NE(error([](Tampered& t) { t.metadata["vocabulary"] = R"({"symbols":["a","b"]})"; }), "no error");
  EXPECT_NE(error([](Tampered& t) { t.arrays.erase("output.bias"); }), "no error");
  EXPECT_NE(error([](Tampered& t) {
              t.arrays["extra"] = {1.0F};
              t.shapes["extra"] = {1};
            }),
            "no error");
}

TEST(LanguageModel, EvaluationOfLinesDoesNotDependOnTheBatch) {
  Model m({.text = {.lines = true}, .lstm = {.hidden = 16}, .embed = 4}, "ab\nabc\na\nabcabcabc\n\nbca\n");
  kernels::Context context(2);
  const LanguageScore one = m.model.evaluate(m.corpus, {.rows = 1}, Engine::kFused, context);
  const LanguageScore many = m.model.evaluate(m.corpus, {.rows = 4}, Engine::kFused, context);
  EXPECT_NEAR(one.total_nats, many.total_nats, 1e-4);
  EXPECT_EQ(one.sequences, 5);
  EXPECT_EQ(one.symbols, 18 + 5);
  EXPECT_NEAR(one.bits_per_character(), one.nats_per_symbol() / std::log(2.0), 1e-12);
}

// A uniform model scores exactly log V.
TEST(LanguageModel, EvaluationOfAZeroModelIsTheLogOfTheVocabulary) {
  Model m({.text = {.level = "word"}, .lstm = {.hidden = 4}, .embed = 4});
  std::fill(m.model.parameters().values().begin(), m.model.parameters().values().end(), 0.0F);
  m.model.parameters_changed();
  kernels::Context context(1);
  const LanguageScore score = m.model.evaluate(m.corpus, {.rows = 1}, Engine::kFused, context);
  const auto V = static_cast<double>(m.vocabulary.size());
  EXPECT_NEAR(score.nats_per_symbol(), std::log(V), 1e-6);
  EXPECT_NEAR(score.perplexity(), V, 1e-4);
  EXPECT_EQ(score.symbols, 20);  // twenty words, of which the first is given, and the line's end
  // Every character of the text is spelled by a target, but for those of the first word.
  EXPECT_EQ(score.characters, static_cast<int64_t>(std::string(kText).size()) - 3);
}

TEST(Sampler, GreedyTopKAndTopPChooseAmongTheMostProbable) {
  const std::vector<float> logits = {1.0F, 3.0F, 2.0F, 3.0F};
  const std::vector<bool> none(4, false);
  EXPECT_EQ(sample(logits, none, {.greedy = true}, 0), 1);
  const auto drawn = [&](const SamplerOptions& options) {
    std::vector<int> counts(4);
    for (uint64_t i = 0; i < 4000; ++i) ++counts[static_cast<size_t>(sample(logits, none, options, i))];
    return counts;
  };
  std::vector<int> counts = drawn({.top_k = 1});
  EXPECT_EQ(counts[1], 4000);
  counts = drawn({.top_k = 3});
  EXPECT_EQ(counts[0], 0);
  EXPECT_GT(counts[2], 0);
  counts = drawn({.top_p = 0.6});  // the two most probable have 0.4 each
  EXPECT_EQ(counts[0] + counts[2], 0);
  counts = drawn({});
  const double z = std::exp(1.0) + 2 * std::exp(3.0) + std::exp(2.0);
  EXPECT_NEAR(counts[0] / 4000.0, std::exp(1.0) / z, 5 * std::sqrt(0.06 / 4000));
  EXPECT_NEAR(counts[1] / 4000.0, std::exp(3.0) / z, 5 * std::sqrt(0.25 / 4000));
  EXPECT_EQ(sample(logits, {false, true, false, true}, {.greedy = true}, 0), 2);
  for (const float bad : {std::nanf(""), INFINITY, -INFINITY}) {
    EXPECT_THROW(sample(std::vector<float>{1.0F, bad}, {false, false}, {.top_p = 0.9}, 0), Error);
  }
}

std::string generated(LanguageModel& model, const std::string& prompt, const SamplerOptions& options,
                      data::Unknown unknown = data::Unknown::kError) {
  kernels::Context context(1);
  std::string text;
  const Engine engine = model.options().lstm.fastest_engine();
  generate(model, prompt, 60, options, unknown, engine, context, [&](const std::string& piece) {
    text += piece;
    return true;
  });
  return text;
}

TEST(Generate, IsReproducibleAndRefusesWhatItDoesNotKnow) {
  Model m({.lstm = {.hidden = 9}, .embed = 4});
  EXPECT_EQ(generated(m.model, "the", {.seed = 1}), generated(m.model, "the", {.seed = 1}));
  EXPECT_NE(generated(m.model, "the", {.seed = 1}), generated(m.model, "the", {.seed = 2}));
  EXPECT_EQ(generated(m.model, "", {.seed = 1}).size(), 60U);
  EXPECT_EQ(error_of([&] { generated(m.model, "th\u00e9", {}); }),
            "--prompt:1: the model does not know the symbol 'é'");
  EXPECT_NE(error_of([&] { generated(m.model, "thé", {}, data::Unknown::kUnk); }), "no error");
  EXPECT_EQ(generated(m.model, "th\u00e9", {}, data::Unknown::kSkip), generated(m.model, "th", {}));
}

TEST(Generate, WritesWithEveryCell) {
  for (const char* cell : {"gru", "rnn"}) {
    Model m({.lstm = {.cell = cell, .hidden = 9}, .embed = 0});
    EXPECT_EQ(generated(m.model, "the", {.seed = 1}), generated(m.model, "the", {.seed = 1}));
    EXPECT_EQ(generated(m.model, "the", {.seed = 1}).size(), 60U);
  }
}

TEST(Generate, BeginsEachLineAfreshInLinesMode) {
  Model m({.text = {.lines = true}, .lstm = {.hidden = 9}, .embed = 4}, "ab\nba\n");
  const std::string text = generated(m.model, "a", {.seed = 3});
  EXPECT_NE(text.find('\n'), std::string::npos);
  EXPECT_EQ(text.find('<'), std::string::npos);
}

}  // namespace
}  // namespace longhand::tasks
