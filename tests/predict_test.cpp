// What people ship models for, from the loaded model alone.
#include "longhand/predict.h"

#include <cmath>
#include <numeric>
#include <thread>

#include "longhand/stream.h"
#include "longhand/tasks/classifier_task.h"
#include "longhand/tasks/regressor_task.h"
#include "longhand/tasks/sampler.h"
#include "longhand/tasks/tagger_task.h"
#include "tests/tasks/model.h"

namespace longhand {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

template <class TaskModel>
std::shared_ptr<const Model> loaded(TaskModel& model) {
  model.initialise(5);
  const TemporaryFolder folder;
  model.save(folder / "model.safetensors", model.parameters().values());
  return Model::load(folder / "model.safetensors");
}

const std::vector<Sentence> kSentences = {
    {"Anna", "saw", "Bert"}, {"London", "is", "far"}, {}, {"Bank", "of", "Nowhere"}};

std::shared_ptr<const Model> tagger_model(bool crf) {
  std::vector<data::TaggedSentence> corpus(2);
  corpus[0] = {.words = {"Anna", "saw", "Bert", "Lee"}, .tags = {"B-Y", "O", "B-Y", "I-Y"}, .lines = {1, 2, 3, 4}};
  corpus[1] = {.words = {"London", "is", "far"}, .tags = {"B-X", "O", "O"}, .lines = {6, 7, 8}};
  tasks::TaggerOptions options;
  options.scheme = "iob2";
  options.crf = crf;
  options.tokens.tokenizer = "punctuation";
  options.lstm.hidden = 7;
  options.encoder = {.embed = 9, .embed_shape = 3, .embed_characters = 4, .hidden_characters = 5};
  std::vector<const data::Words*> words;
  for (const data::TaggedSentence& sentence : corpus) words.push_back(&sentence.words);
  tasks::Tagger tagger(options, data::build_word_vocabulary(words, options.words),
                       tasks::build_labels(corpus, data::Scheme::kIob2, data::Scheme::kBioes));
  return loaded(tagger);
}

TEST(Tagger, TagsSentencesAloneAsTogether) {
  for (const bool crf : {false, true}) {
    const Tagger tagger(tagger_model(crf)), threaded(tagger_model(crf), 3);
    const std::vector<std::vector<Tags>> together = tagger.tag(kSentences, 3), again = threaded.tag(kSentences, 3);
    ASSERT_EQ(together.size(), kSentences.size());
    for (size_t i = 0; i < kSentences.size(); ++i) {
      const std::vector<Tags> alone = tagger.tag({&kSentences[i], 1}, 3).front();
      ASSERT_EQ(alone.size(), kSentences[i].empty() ? 1U : 3U);
      for (size_t n = 0; n < alone.size(); ++n) {
        EXPECT_EQ(alone[n].tags, together[i][n].tags);
        EXPECT_EQ(alone[n].probability, together[i][n].probability);
        EXPECT_EQ(again[i][n].tags, together[i][n].tags);
        EXPECT_EQ(alone[n].tags.size(), kSentences[i].size());
      }
      EXPECT_EQ(tagger.tag(kSentences[i]), alone.front().tags);
    }
    EXPECT_THROW(tagger.check_length(1000000, 1000), Error);
    EXPECT_THROW(tagger.tag(kSentences, 0), Error);
    EXPECT_THROW(tagger.tag(Sentence{"Anna", ""}), Error);
  }
}

// So many that they are read in several batches, of similar length and not in order.
TEST(Tagger, TagsManySentencesInTheirOrder) {
  const Tagger tagger(tagger_model(true));
  std::vector<Sentence> many;
  for (size_t i = 0; i < 150; ++i) {
    many.push_back(kSentences[i % kSentences.size()]);
    for (size_t k = 0; k < i % 11; ++k) many.back().push_back("word" + std::to_string(i * k % 17));
  }
  const std::vector<std::vector<Tags>> together = tagger.tag(many);
  ASSERT_EQ(together.size(), many.size());
  for (size_t i = 0; i < many.size(); ++i) EXPECT_EQ(together[i].front().tags, tagger.tag(many[i])) << i;
}

TEST(Tagger, ReadsTextsWithTheModelsTokenizer) {
  const Tagger tagger(tagger_model(false));
  const std::string text = "\u00C4nna saw \"Bert\".\r\nLondon is far.";
  const std::vector<TextSentence> sentences = tagger.sentences(text);
  ASSERT_EQ(sentences.size(), 2U);
  EXPECT_EQ(sentences[0].words(), (Sentence{"\u00C4nna", "saw", "\"", "Bert", "\"", "."}));
  const TextToken& last = sentences[1].tokens.back();
  EXPECT_EQ(last.end, 32);  // the text as it was given, with both characters of its line end
  EXPECT_EQ(last.end_byte, static_cast<int64_t>(text.size()));
  EXPECT_EQ(text.substr(static_cast<size_t>(sentences[1].tokens[0].begin_byte), 6), "London");
  EXPECT_EQ(tagger.sentences(text, SentenceEnds::kMarksAndBlanks).size(), 2U);
  EXPECT_EQ(tagger.sentences("One. two\nthree", SentenceEnds::kMarksAndBlanks).size(), 1U);
  EXPECT_THROW(tagger.sentences("a\xFF"), Error);
}

TEST(Tagger, FindsSpans) {
  const std::vector<TaggedSpan> spans = Tagger::spans({"B-Y", "O", "B-X", "I-X", "B-X"});
  ASSERT_EQ(spans.size(), 3U);
  EXPECT_EQ(spans[1].begin, 2);
  EXPECT_EQ(spans[1].end, 4);
  EXPECT_EQ(spans[1].type, "X");
}

TEST(Tagger, AnswersManyThreads) {
  const Tagger tagger(tagger_model(true));
  const std::vector<std::string> expected = tagger.tag(kSentences[0]);
  std::vector<std::thread> threads;
  std::vector<int> same(4);
  for (int& mine : same) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) mine += tagger.tag(kSentences[0]) == expected ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(same, std::vector<int>(4, 50));
}

TEST(Predictors, SayWhichModelTheyExpect) {
  const std::shared_ptr<const Model> model = tagger_model(false);
  EXPECT_EQ(error_of([&] { Classifier classifier(model); }), "expected a classifier, found a tagger");
  EXPECT_EQ(error_of([&] { Forecaster forecaster(model); }), "expected a regressor, found a tagger");
  EXPECT_EQ(error_of([&] { Generator generator(model); }), "expected a language model, found a tagger");
  EXPECT_EQ(error_of([&] { Scorer scorer(model); }), "expected a language model, found a tagger");
  EXPECT_THROW(Tagger(nullptr), Error);
}

TEST(Classifier, ReturnsTheMostProbableClasses) {
  tasks::ClassifierOptions options;
  options.lstm.hidden = 7;
  options.encoder.embed = 9;
  const data::Words words = {"rain", "bread", "train", "the", "today"};
  tasks::Classifier model(options, data::build_word_vocabulary({&words}, options.words), {"weather", "food", "travel"});
  const Classifier classifier(loaded(model));
  const std::vector<std::string> texts = {"the rain today", "", "bread", "no known words"};
  const std::vector<std::vector<ClassProbability>> together = classifier.classify(texts, 9);
  ASSERT_EQ(together.size(), 4U);
  EXPECT_TRUE(together[1].empty());
  for (const size_t i : {0U, 2U, 3U}) {
    ASSERT_EQ(together[i].size(), 3U);
    const std::vector<ClassProbability> one = classifier.classify(texts[i], 2);
    ASSERT_EQ(one.size(), 2U);
    double sum = 0.0;
    for (size_t k = 0; k < 3; ++k) {
      sum += together[i][k].probability;
      if (k < 2) {
        EXPECT_EQ(one[k].name, together[i][k].name);
        EXPECT_EQ(one[k].probability, together[i][k].probability);
        EXPECT_GE(together[i][k].probability, together[i][k + 1].probability);
      }
    }
    EXPECT_NEAR(sum, 1.0, 1e-12);
  }
}

TEST(Forecaster, ForecastsInTheUnitsOfTheData) {
  for (const std::string kind : {"levels", "difference", "linear", "linear of inputs", "seasonal", "window"}) {
    const bool difference = kind != "levels" && kind != "linear of inputs";  // the target that is no input is read
    tasks::RegressorOptions options;
    options.lstm.hidden = 9;
    options.lstm.bidirectional = true;  // which a stream could not read
    options.series.window = 4;
    options.series.horizon = 2;
    options.difference = kind == "difference";
    if (kind.find("linear") == 0) options.residual_of = "linear";
    if (kind == "seasonal") options.residual_of = kind;
    if (kind == "window") options.normalise = kind;
    options.season = 2;
    options.init.output = "standard-uniform";
    tasks::Regressor model(options, {.inputs = {"a", "b"},
                                     .targets = {"b", "c"},
                                     .input_scales = {{20.0, 0.7}, {0.1, 0.5}},
                                     .target_scales = {{0.1, 0.5}, {15.0, 8.0}}});
    model.initialise(2);
    if (kind == "linear" || kind == "linear of inputs") {
      baselines::Ridge ridge{.columns = {"b", kind == "linear" ? "c" : "a"}, .window = 2, .outputs = 4};
      for (int i = 0; i < 16; ++i) ridge.coefficients.push_back(0.1F * static_cast<float>(i % 7) - 0.2F);
      ridge.intercept = {0.5F, -0.25F, 0.0F, 1.0F};
      model.set_residual(ridge, {0.5, 1.5, 2.0, 0.75});
      model.set_gain(0.5F);
    }
    const Forecaster forecaster(loaded(model));
    ASSERT_EQ(forecaster.inputs(), difference ? 3 : 2);
    EXPECT_EQ(forecaster.targets(), 2);
    EXPECT_EQ(forecaster.ahead(), 2);
    EXPECT_EQ(forecaster.window(), 4);
    const data::Table table = data::read_table(
        "a,b,c\n20,1,14\n21,0,15\n19.5,0.5,16\n20,2,17\n20,3,18\n",
        [] {
          data::SeriesOptions o;
          o.inputs = "a,b";
          o.target = "b,c";
          return o;
        }(),
        "table");
    const std::vector<data::Window> windows = {{.begin = 0, .length = 4}, {.begin = 3, .length = 2}};
    tasks::SeriesBatch batch;
    model.get(table, windows, false, batch);
    kernels::Context context(1);
    tasks::Regressor::Workspace workspace(model, nn::Engine::kFused, context);
    const std::span<const float> expected = model.read(batch, workspace);

    std::vector<std::vector<double>> rows(2);
    for (size_t w = 0; w < 2; ++w) {
      for (int64_t t = windows[w].begin; t < windows[w].begin + windows[w].length; ++t) {
        const auto row = static_cast<size_t>(t);
        rows[w].insert(rows[w].end(), {table.input[0][row], table.input[1][row]});
        if (difference) rows[w].push_back(table.target[1][row]);
      }
    }
    const std::vector<std::vector<double>> found = forecaster.forecast(rows);
    for (size_t w = 0; w < 2; ++w) {
      ASSERT_EQ(found[w].size(), 4U);
      EXPECT_EQ(forecaster.forecast(std::span<const double>(rows[w])), found[w]);
      for (size_t j = 0; j < 4; ++j) {
        EXPECT_EQ(found[w][j], model.columns().target_scales[j % 2].undo(static_cast<double>(expected[w * 4 + j])));
      }
    }
    EXPECT_NE(error_of([&] { forecaster.forecast(std::vector<double>(7, 1.0)); }), "");
    const auto one_row = [&] { forecaster.forecast(std::vector<double>(difference ? 3 : 2, 1.0)); };
    EXPECT_EQ(error_of(one_row).empty(), model.min_rows() == 1) << kind;
    EXPECT_EQ(model.min_rows(), options.residual_of == "none" ? 1 : 2);
    EXPECT_NE(error_of([&] { forecaster.forecast(std::vector<double>()); }), "");
    EXPECT_NE(error_of([&] { forecaster.forecast(std::vector<double>(6, std::nan(""))); }), "");
  }
}

// An ensemble is a model like another, but for single steps.
TEST(Model, IsAnEnsembleWithoutItsUserKnowing) {
  const TemporaryFolder folder;
  const auto combined = [&]<class TaskModel>(std::vector<std::unique_ptr<TaskModel>> members) {
    std::vector<tasks::ModelFile> files;
    for (size_t i = 0; i < members.size(); ++i) {
      members[i]->initialise(i);
      members[i]->save(folder / "one", members[i]->parameters().values());
      files.push_back(tasks::ModelFile::read(folder / "one"));
    }
    tasks::combine<TaskModel>(files, folder / "all");
    const std::shared_ptr<const Model> all = Model::load(folder / "all");
    EXPECT_EQ(all->members(), 2);
    EXPECT_EQ(all->parameters(), members[0]->parameters().count() + members[1]->parameters().count());
    EXPECT_NE(all->why_no_stream().find("an ensemble of 2 models"), std::string::npos) << all->why_no_stream();
    EXPECT_NE(error_of([&] { Stream stream(all); }), "");
    EXPECT_NE(error_of([&] { Streams streams(all, 2); }), "");
    return all;
  };
  std::vector<std::unique_ptr<tasks::Regressor>> regressors;
  for (const bool difference : {false, true}) {
    tasks::RegressorOptions options;
    options.lstm.hidden = 9;
    options.series.window = 2;
    options.difference = difference;
    regressors.push_back(
        std::make_unique<tasks::Regressor>(options, tasks::Columns{{"a"}, {"b"}, {{20.0, 0.7}}, {{0.1, 0.5}}}));
  }
  const std::vector<double> levels = {20.0, 0.3, 21.0, 0.4};  // a and b, since one member adds to b
  const Forecaster forecaster(combined(std::move(regressors)));
  ASSERT_EQ(forecaster.inputs(), 2);
  double mean = 0.0;
  for (size_t i = 0; i < 2; ++i) {
    tasks::combine<tasks::Regressor>(std::vector{tasks::ModelFile::read(folder / "all").member(i)}, folder / "one");
    const Forecaster one(Model::load(folder / "one"));
    mean += one.forecast(i == 0 ? std::vector<double>{20.0, 21.0} : levels)[0] / 2.0;
  }
  EXPECT_NEAR(forecaster.forecast(levels)[0], mean, 1e-6);

  std::vector<std::unique_ptr<tasks::LanguageModel>> language_models;
  const data::TextOptions text;
  for (const int64_t hidden : {9, 13}) {
    language_models.push_back(std::make_unique<tasks::LanguageModel>(tasks::with_lstm({.hidden = hidden}, 4),
                                                                     data::build_vocabulary(tasks::kText, text)));
  }
  const std::shared_ptr<const Model> writer = combined(std::move(language_models));
  std::string found;
  Generator(writer).generate("the", 40, {.seed = 3}, [&](const std::string& piece) {
    found += piece;
    return true;
  });
  EXPECT_EQ(found.size(), 40U);
  EXPECT_GT(Scorer(writer).score(tasks::kText).nats, Scorer(writer, 3).score(tasks::kText).nats - 1e-9);
}

TEST(Generator, WritesWhatTheModelWrites) {
  for (const nn::LstmOptions& lstm : {nn::LstmOptions{.hidden = 9}, tasks::kAllOptions}) {
    tasks::Model m(tasks::with_lstm(lstm, 4));
    const Generator generator(loaded(m.model));
    std::string expected, found;
    tasks::TextReader reader(m.model, nn::Engine::kFused);
    tasks::generate(m.model, "the", 40, {.seed = 3}, data::Unknown::kError, reader, [&](const std::string& piece) {
      expected += piece;
      return true;
    });
    generator.generate("the", 40, {.seed = 3}, [&](const std::string& piece) {
      found += piece;
      return true;
    });
    EXPECT_EQ(found, expected);
    EXPECT_THROW(generator.generate("\u00e9", 4, {}, [](const std::string&) { return true; }), Error);
    EXPECT_THROW(generator.generate("the", 4, {.temperature = 0.0}, [](const std::string&) { return true; }), Error);
    int64_t pieces = 0;
    generator.generate(
        "\u00e9the", 40, {}, [&](const std::string&) { return ++pieces < 5; }, UnknownSymbols::kSkip);
    EXPECT_EQ(pieces, 5);
  }
}

TEST(Scorer, CountsTheNatsOfAText) {
  tasks::Model m(tasks::with_lstm({.hidden = 9}, 4));
  const Scorer scorer(loaded(m.model));
  const TextScore score = scorer.score(tasks::kText);
  kernels::Context context(1);
  tasks::LanguageModel::Workspace workspace(m.model, nn::Engine::kFused, context);
  EXPECT_EQ(score.nats, m.model.evaluate(m.corpus, {}, workspace).total_nats);
  EXPECT_EQ(score.symbols, m.corpus.targets());
  EXPECT_EQ(score.unknown, 0);
  EXPECT_EQ(scorer.score("the caf\u00e9").unknown, 2);  // f, too
  EXPECT_NE(error_of([&] { scorer.score("t"); }), "");
}

}  // namespace
}  // namespace longhand
