// Starting from other models: that the layers compute what they did there, and which vector becomes whose.
#include "longhand/tasks/transfer.h"

#include <algorithm>

#include "longhand/io/file.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/tagger.h"
#include "tests/tasks/model.h"

namespace longhand::tasks {
namespace {

using testing::TemporaryFolder;

constexpr const char* kLines = "The film was good\na bad film was long\nnobody liked the long film\n";

LanguageModelOptions language_model_options(const nn::LstmOptions& lstm, bool reverse,
                                            const std::string& level = "word") {
  LanguageModelOptions options = with_lstm(lstm, 6);
  options.text = {.level = level, .lines = true, .reverse = reverse};
  return options;
}

// Writes a model with drawn weights of a seed, and reads it as one to start from.
StartingModel language_model(const TemporaryFolder& folder, const LanguageModelOptions& options, uint64_t seed) {
  LanguageModel model(options, data::build_vocabulary(kLines, options.text));
  model.initialise(seed);
  const std::string path = folder / (options.text.reverse ? "reverse.safetensors" : "forward.safetensors");
  model.save(path, model.parameters().values());
  return StartingModel::read(path);
}

// A classifier of texts that begin from these, as a run makes it.
std::unique_ptr<Classifier> classifier(const StartingModels& from, const std::vector<data::Words>& texts,
                                       ClassifierOptions options, std::string* lines = nullptr) {
  OptionTable table;
  options.add_to(table);
  for (const auto& [name, value] : options_for_words(from)) table.set(*table.find(name), value, name);
  std::vector<const data::Words*> words;
  for (const data::Words& each : texts) words.push_back(&each);
  data::WordVocabulary vocabulary = data::build_word_vocabulary(words, options.words);
  add_known_words(from, options.words.lowercase, 1000, vocabulary);
  auto model = std::make_unique<Classifier>(options, std::move(vocabulary), std::vector<std::string>{"a", "b"});
  model->initialise(3);
  const std::string said = transfer(from, {.model = *model,
                                           .lstm = model->options().lstm,
                                           .words = &model->vocabulary(),
                                           .encoder = model->options().encoder});
  if (lines != nullptr) *lines = said;
  return model;
}

// The outputs [T, width] of the layers for one sentence.
std::vector<std::vector<float>> outputs_of(const Classifier& model, const data::Words& words, nn::Engine engine) {
  data::Lexicon lexicon = model.lexicon();
  std::vector<int32_t> entries;
  for (const std::string& word : words) entries.push_back(lexicon.find(word));
  data::WordBatch batch;
  const std::span<const int32_t> one(entries);
  data::make_batch(lexicon, {&one, 1}, {}, batch);
  kernels::Context context(1);
  Classifier::Workspace workspace(model, engine, context);
  const float* y = model.network().forward(nn::input_of(batch, {}), nn::Pass::kInference, workspace);
  const int64_t width = model.network().width();
  std::vector<std::vector<float>> out;
  for (int64_t t = 0; t < batch.steps; ++t) out.emplace_back(y + t * padded(width), y + t * padded(width) + width);
  return out;
}

// The same of a language model that reads these words and nothing before them.
std::vector<std::vector<float>> outputs_of(const StartingModel& from, const data::Words& words, nn::Engine engine) {
  std::vector<int32_t> symbols;
  for (const std::string& word : words) symbols.push_back(from.words.find(word));
  if (from.reverse) std::reverse(symbols.begin(), symbols.end());
  kernels::Context context(1);
  ModelWorkspace workspace(*from.model, engine, context);
  const auto T = static_cast<int64_t>(symbols.size());
  const float* y = from.model->network().forward({.steps = T, .rows = 1, .symbols = symbols.data()},
                                                 nn::Pass::kInference, workspace);
  const int64_t width = from.model->network().width();
  std::vector<std::vector<float>> out;
  for (int64_t t = 0; t < T; ++t) out.emplace_back(y + t * padded(width), y + t * padded(width) + width);
  if (from.reverse) std::reverse(out.begin(), out.end());
  return out;
}

std::vector<nn::LstmOptions> kinds_of_layers() {
  return {{.hidden = 7},
          {.hidden = 5, .layers = 3},
          {.hidden = 9, .layers = 2, .proj = 4, .layer_norm = true, .residual = true, .train_initial_state = true},
          {.hidden = 6, .layers = 2, .peepholes = true, .cell_clip = 0.4, .gate_activation = "hard-sigmoid"},
          {.cell = "gru", .hidden = 6, .layers = 2, .train_initial_state = true},
          {.cell = "rnn-relu", .hidden = 6, .layers = 2, .residual = true}};
}

// With shapes and characters beside the words' vectors, and in layers above the first the other direction.
TEST(Transfer, EachDirectionComputesWhatItsLanguageModelDoes) {
  const data::Words words = {"nobody", "liked", "a", "good", "film"};
  for (const nn::LstmOptions& lstm : kinds_of_layers()) {
    SCOPED_TRACE(lstm.cell + " " + std::to_string(lstm.layers));
    const TemporaryFolder folder;
    const StartingModel forward = language_model(folder, language_model_options(lstm, false), 11);
    const StartingModel reverse = language_model(folder, language_model_options(lstm, true), 12);
    ClassifierOptions options;
    options.encoder = {.embed_shape = 3, .embed_characters = 4, .hidden_characters = 5};
    const auto model = classifier({&forward, &reverse}, {words}, options);
    ASSERT_EQ(model->options().encoder.embed, 12);
    for (const nn::Engine engine : {nn::Engine::kFused, nn::Engine::kReference}) {
      const auto both = outputs_of(*model, words, engine);
      const auto ahead = outputs_of(forward, words, engine), back = outputs_of(reverse, words, engine);
      for (size_t t = 0; t < words.size(); ++t) {
        std::vector<float> expected = ahead[t];
        expected.insert(expected.end(), back[t].begin(), back[t].end());
        testing::expect_close(both[t], expected, static_cast<int64_t>(expected.size()), 1e-6, "outputs");
      }
    }
  }
}

TEST(Transfer, FindsVectorsByWordAndAddsTheWordsThatOnlyTheModelKnows) {
  const TemporaryFolder folder;
  const StartingModel forward = language_model(folder, language_model_options({.hidden = 4}, false), 11);
  std::string lines;
  const auto model = classifier({&forward}, {{"film", "The", "film", "zebra"}}, {}, &lines);
  const data::Vocabulary& words = model->vocabulary().words;
  EXPECT_GE(words.find("nobody"), 0);
  EXPECT_EQ(words.find("The"), -1);
  EXPECT_EQ(words.find("<bos>"), -1);
  const float* table = model->parameters().value(0);
  const float* source = forward.values(*forward.find("embedding.weight"));
  const auto row = [](const float* of, int32_t word) { return std::vector<float>(of + word * 6, of + word * 6 + 6); };
  for (const char* word : {"film", "the", "nobody"}) {
    EXPECT_EQ(row(table, words.find(word)), row(source, forward.words.find(word))) << word;
  }
  // A word that is not there is as long as the others.
  double length = 0.0, all = 0.0;
  const std::vector<float> fresh = row(table, words.find("zebra")), unknown = row(table, 0);
  for (const float value : fresh) length += static_cast<double>(value * value) / 2.0;
  for (const float value : unknown) length += static_cast<double>(value * value) / 2.0;
  for (int64_t i = 0; i < forward.words.size() * 6; ++i) all += static_cast<double>(source[i] * source[i]);
  EXPECT_NEAR(length / (all / static_cast<double>(forward.words.size())), 1.0, 1e-4);
  EXPECT_EQ(lines, "from " + forward.path + ": embeddings of " + std::to_string(words.size() - 2) + " of " +
                       std::to_string(words.size()) +
                       " words, layer 0 (forward); not taken: output layer\ndrawn: layer 0 (reverse), output layer");
}

TEST(Transfer, ALanguageModelOfCharactersFillsTheCharacterLstm) {
  const TemporaryFolder folder;
  const StartingModel forward = language_model(folder, language_model_options({.hidden = 4}, false, "char"), 11);
  const StartingModel reverse = language_model(folder, language_model_options({.hidden = 4}, true, "char"), 12);
  const auto model = classifier({&forward, &reverse}, {{"mood", "xyz"}}, {});
  EXPECT_EQ(model->options().encoder.embed_characters, 12);
  EXPECT_EQ(model->options().encoder.hidden_characters, 4);
  EXPECT_GE(model->vocabulary().characters.find("k"), 0);  // nobody liked
  const ParameterArena& arena = model->parameters();
  const auto values = [&](const std::string& name) {
    for (size_t i = 0; i < arena.parameters().size(); ++i) {
      if (arena.parameters()[i].name == name) {
        return std::vector<float>(arena.value(i), arena.value(i) + arena.parameters()[i].size);
      }
    }
    return std::vector<float>();
  };
  const auto of = [](const StartingModel& from, const std::string& name) {
    const Parameter* p = from.find(name);
    return std::vector<float>(from.values(*p), from.values(*p) + p->size);
  };
  EXPECT_EQ(values("characters.lstm.weight_hh_l0"), of(forward, "lstm.weight_hh_l0"));
  EXPECT_EQ(values("characters.lstm.bias_ih_l0_reverse"), of(reverse, "lstm.bias_ih_l0"));
  const std::vector<float> w = values("characters.lstm.weight_ih_l0_reverse"), own = of(reverse, "lstm.weight_ih_l0");
  const std::vector<float> table = values("characters.weight"), vectors = of(reverse, "embedding.weight");
  const int32_t m = model->vocabulary().characters.find("m"), m_there = reverse.words.find("m");
  for (size_t c = 0; c < 6; ++c) {
    for (size_t r = 0; r < 16; ++r) {
      EXPECT_EQ(w[r * 12 + c], 0.0F);
      EXPECT_EQ(w[r * 12 + 6 + c], own[r * 6 + c]);
    }
    EXPECT_EQ(table[static_cast<size_t>(m) * 12 + 6 + c], vectors[static_cast<size_t>(m_there) * 6 + c]);
  }
}

// The same texts, tags instead of classes: everything below the output layer.
TEST(Transfer, ATaggerGivesAClassifierAllButItsOutputLayer) {
  const TemporaryFolder folder;
  const data::Words words = {"a", "Good", "film"};
  TaggerOptions options;
  options.lstm.hidden = 5;
  options.lstm.layers = 2;
  options.scheme = "none";
  options.encoder = {.embed = 6, .embed_shape = 2, .embed_characters = 3, .hidden_characters = 4};
  Tagger tagger(options, data::build_word_vocabulary({&words}, options.words), {"X", "Y"});
  tagger.initialise(4);
  tagger.save(folder / "tagger.safetensors", tagger.parameters().values());
  const StartingModel from = StartingModel::read(folder / "tagger.safetensors");
  std::string lines;
  const auto model = classifier({&from}, {{"film", "good", "zebra"}}, {}, &lines);
  EXPECT_TRUE(lines.ends_with("not taken: output layer\ndrawn: output layer")) << lines;
  kernels::Context context(1);
  data::Lexicon lexicon = tagger.lexicon();
  std::vector<int32_t> entries;
  for (const std::string& word : words) entries.push_back(lexicon.find(word));
  data::WordBatch batch;
  const std::span<const int32_t> one(entries);
  data::make_batch(lexicon, {&one, 1}, {}, batch);
  Tagger::Workspace workspace(tagger, nn::Engine::kFused, context);
  const float* y = tagger.network().forward(nn::input_of(batch, {}), nn::Pass::kInference, workspace);
  const auto ours = outputs_of(*model, words, nn::Engine::kFused);
  for (size_t t = 0; t < words.size(); ++t) {
    for (size_t j = 0; j < 10; ++j) EXPECT_EQ(ours[t][j], y[t * static_cast<size_t>(padded(10)) + j]);
  }
}

TEST(Transfer, ALanguageModelGoesOnWithItsSymbolsInAnotherOrder) {
  const TemporaryFolder folder;
  for (const int64_t embed : {int64_t{0}, int64_t{6}}) {
    LanguageModelOptions options = language_model_options({.hidden = 5, .layers = 2}, false);
    options.embed = embed;
    options.tie_weights = embed > 0;
    const StartingModel from = language_model(folder, options, 11);
    // The same symbols with other frequencies.
    const std::string text = "nobody nobody nobody liked liked a The the was good bad long film\n";
    Model target(options, text);
    target.model.initialise(3);
    const std::string lines = transfer(
        {&from, nullptr}, {.model = target.model, .lstm = options.lstm, .symbols = &target.model.vocabulary()});
    EXPECT_EQ(lines.find("drawn"), std::string::npos) << lines;
    EXPECT_NE(target.model.vocabulary().find("nobody"), from.words.find("nobody"));
    const auto source = LanguageModel::load(from.path);
    const data::Corpus there = data::encode(kLines, options.text, source->vocabulary(), data::Unknown::kError, "text");
    const data::Corpus here =
        data::encode(kLines, options.text, target.model.vocabulary(), data::Unknown::kError, "text");
    kernels::Context context(1);
    LanguageModel::Workspace of_source(*source, nn::Engine::kFused, context);
    LanguageModel::Workspace of_target(target.model, nn::Engine::kFused, context);
    const double expected = source->evaluate(there, {}, of_source).total_nats;
    EXPECT_NEAR(target.model.evaluate(here, {}, of_target).total_nats, expected, 1e-5 * expected);
  }
}

TEST(Transfer, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  const StartingModel forward = language_model(folder, language_model_options({.hidden = 4}, false), 1);
  const StartingModel reverse = language_model(folder, language_model_options({.hidden = 5}, true), 1);
  const TemporaryFolder other;
  const StartingModel characters = language_model(other, language_model_options({.hidden = 4}, true, "char"), 1);
  const auto refusal = [](const StartingModels& from) {
    return error_of([&] { options_for_words(from); }, ExitCode::kUsage);
  };
  EXPECT_NE(refusal({&forward, &reverse}).find("expected `hidden` 4"), std::string::npos);
  EXPECT_NE(refusal({&reverse, nullptr}).find("found one with `reverse`"), std::string::npos);
  EXPECT_NE(refusal({nullptr, &forward}).find("trained with `reverse`"), std::string::npos);
  EXPECT_NE(refusal({&forward, &characters}).find("the same `level`"), std::string::npos);
  LanguageModelOptions bytes = language_model_options({.hidden = 4}, false, "byte");
  const StartingModel of_bytes = language_model(other, bytes, 1);
  EXPECT_NE(refusal({&of_bytes, nullptr}).find("found one of bytes"), std::string::npos);
  LanguageModelOptions one_hot = language_model_options({.hidden = 4}, false);
  one_hot.embed = 0;
  const StartingModel without = language_model(other, one_hot, 1);
  EXPECT_NE(refusal({&without, nullptr}).find("one-hot"), std::string::npos);
  LanguageModelOptions gru = language_model_options({.cell = "gru", .hidden = 4}, false, "char");
  const StartingModel of_gru = language_model(other, gru, 1);
  EXPECT_NE(refusal({&of_gru, nullptr}).find("`cell` lstm"), std::string::npos);
  // Sizes that nobody checked before.
  ClassifierOptions options;
  options.lstm.hidden = 6;
  options.encoder.embed = 6;
  const data::Words words = {"film"};
  Classifier model(options, data::build_word_vocabulary({&words}, options.words), {"a", "b"});
  model.initialise(1);
  const std::string sizes = error_of(
      [&] {
        transfer({&forward, nullptr},
                 {.model = model, .lstm = options.lstm, .words = &model.vocabulary(), .encoder = options.encoder});
      },
      ExitCode::kUsage);
  EXPECT_NE(sizes.find("'lstm.weight_ih_l0' cannot be taken"), std::string::npos) << sizes;
}

}  // namespace
}  // namespace longhand::tasks
