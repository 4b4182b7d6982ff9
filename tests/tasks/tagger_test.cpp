// The tagger: that its engines agree, its gradients are right, it learns, and its file gives it back.
#include "longhand/tasks/tagger.h"

#include <set>

#include "longhand/tasks/tagger_task.h"
#include "tests/tasks/model_checks.h"

namespace longhand::tasks {
namespace {

// Names, in chunks: a capital begins or goes on with one, and "of" joins two.
std::vector<data::TaggedSentence> sentences(size_t n) {
  const std::vector<std::pair<const char*, const char*>> words = {
      {"the", "O"},      {"Bank", "B-X"}, {"of", "I-X"},  {"England", "I-X"}, {"rose", "O"},    {"Anna", "B-Y"},
      {"saw", "O"},      {"Bert", "B-Y"}, {"Lee", "I-Y"}, {"and", "O"},       {"Carl", "B-Y"},  {".", "O"},
      {"London", "B-X"}, {"is", "O"},     {"far", "O"},   {"from", "O"},      {"Paris", "B-X"}, {"!", "O"}};
  const CounterRng rng(3, 0, RngPlace::kSample);
  std::vector<data::TaggedSentence> out;
  for (size_t i = 0; i < n; ++i) {
    const size_t part = rng.below(2 * i, 3), length = 1 + rng.below(2 * i + 1, 6);
    data::TaggedSentence sentence;
    for (size_t t = 0; t < length; ++t) {
      sentence.words.emplace_back(words[part * 6 + t].first);
      sentence.tags.emplace_back(words[part * 6 + t].second);
      sentence.lines.push_back(static_cast<int64_t>(i * 8 + t));
    }
    if (part == 1 && length == 3) sentence.words.back() = "Bertha";
    out.push_back(sentence);
  }
  return out;
}

TaggerOptions small(bool crf) {
  TaggerOptions options;
  options.scheme = "iob2";
  options.crf = crf;
  options.lstm.hidden = 7;
  options.lstm.dropout = 0.2;
  options.encoder = {.embed = 9, .embed_shape = 3, .embed_characters = 4, .hidden_characters = 5};
  return options;
}

std::unique_ptr<Tagger> make(const TaggerOptions& options, const std::vector<data::TaggedSentence>& corpus) {
  std::vector<const data::Words*> words;
  for (const data::TaggedSentence& sentence : corpus) words.push_back(&sentence.words);
  auto model = std::make_unique<Tagger>(
      options, data::build_word_vocabulary(words, options.words),
      build_labels(corpus, data::parse_scheme(options.scheme), data::parse_scheme(options.encode)));
  model->initialise(5);
  return model;
}

class Taggers : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(SoftmaxAndCrf, Taggers, ::testing::Bool());

TEST_P(Taggers, EnginesGiveTheSameLossAndGradients) {
  const std::vector<data::TaggedSentence> corpus = sentences(13);
  TaggerOptions options = small(GetParam());
  options.word_dropout = 0.3;
  const std::unique_ptr<Tagger> model = make(options, corpus);
  const TaggedCorpus read(*model, corpus);
  std::vector<int64_t> all;
  for (int64_t i = 0; i < read.size(); ++i) all.push_back(i);
  TagBatch batch;
  read.get(all, {.rate = 0.5, .seed = 1, .step = 2}, batch);
  ASSERT_TRUE(batch.words.ragged);
  const nn::GradientPass pass{.masks = {5, 6, 0}, .label_smoothing = GetParam() ? 0.0 : 0.1};
  kernels::Context context(2);
  const double expected = model->train(batch, pass, Using(*model, nn::Engine::kReference, context));
  const std::vector<float> gradients(model->parameters().gradients().begin(), model->parameters().gradients().end());
  for (const nn::Engine engine : {nn::Engine::kFused, nn::Engine::kAutograd}) {
    EXPECT_NEAR(model->train(batch, pass, Using(*model, engine, context)), expected, 1e-5 * expected);
    expect_close_gradients(model->parameters(), gradients, 2e-5, "gradients");
  }
  // In parts, and added up, they are the same.
  const nn::GradientPass first{.masks = {}, .scale = 0.1F}, second{.masks = {}, .scale = 0.1F, .add = true};
  TaggerOptions plain = small(GetParam());
  plain.lstm.dropout = 0.0;
  const std::unique_ptr<Tagger> sober = make(plain, corpus);
  read.get(all, {}, batch);
  sober->train(batch, first, Using(*sober, nn::Engine::kFused, context));
  const std::vector<float> whole(sober->parameters().gradients().begin(), sober->parameters().gradients().end());
  const std::span<const int64_t> some(all);
  read.get(some.subspan(0, 5), {}, batch);
  sober->train(batch, first, Using(*sober, nn::Engine::kFused, context));
  read.get(some.subspan(5), {}, batch);
  sober->train(batch, second, Using(*sober, nn::Engine::kFused, context));
  expect_close_gradients(sober->parameters(), whole, 2e-5, "parts");
}

// With `sparse-embedding` the gradients are the same, and those of other words than the batch's are known to be zero.
TEST_P(Taggers, SparseEmbeddingsHaveTheGradientsOfDenseOnes) {
  const std::vector<data::TaggedSentence> corpus = sentences(12);
  TaggerOptions options = small(GetParam());
  options.word_dropout = 0.3;
  const std::unique_ptr<Tagger> dense = make(options, corpus), sparse = make(options, corpus);
  sparse->use_sparse_embedding();
  const TaggedCorpus read(*dense, corpus);
  kernels::Context context(2);
  TagBatch batch;
  const nn::GradientPass pass{.masks = {5, 6, 0}};
  for (const nn::Engine engine : {nn::Engine::kFused, nn::Engine::kReference, nn::Engine::kAutograd}) {
    for (const std::vector<int64_t>& rows : {std::vector<int64_t>{0, 5, 7}, {3}}) {  // nothing is left of the first
      read.get(rows, {}, batch);
      dense->train(batch, pass, Using(*dense, engine, context));
      sparse->train(batch, pass, Using(*sparse, engine, context));
      const std::span<const float> a = dense->parameters().gradients(), b = sparse->parameters().gradients();
      EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
      std::set<int32_t> words;
      for (int64_t t = 0; t < batch.words.steps; ++t) {
        for (int64_t i = 0; i < batch.words.rows; ++i) {
          if (t < batch.words.lengths[static_cast<size_t>(i)]) {
            words.insert(batch.words.words[static_cast<size_t>(t * batch.words.rows + i)]);
          }
        }
      }
      int64_t floats = 0;
      for (const Range& range : sparse->parameters().touched()) floats += range.size();
      const Parameter& table = sparse->parameters().parameters().front();
      ASSERT_EQ(table.name, "embedding.weight");
      EXPECT_EQ(floats, static_cast<int64_t>(b.size()) - padded(table.size) +
                            static_cast<int64_t>(words.size()) * table.shape[1]);
    }
  }
}

// Through everything between the words and the loss.
TEST_P(Taggers, GradientsAgreeWithCentralDifferences) {
  const std::vector<data::TaggedSentence> corpus = sentences(6);
  TaggerOptions options = small(GetParam());
  options.lstm.dropout = 0.0;
  options.word_dropout = 0.3;
  const std::unique_ptr<Tagger> model = make(options, corpus);
  const TaggedCorpus read(*model, corpus);
  TagBatch batch;
  read.get(std::vector<int64_t>{0, 1, 2, 3, 4, 5}, {}, batch);
  kernels::Context context(1);
  const nn::GradientPass pass{.scale = 1.0F};
  expect_gradients_of_differences(
      *model, [&] { return model->train(batch, pass, Using(*model, nn::Engine::kReference, context)); });
}

// Words are left out whole, about as many as asked for, others in every step; and only in training.
TEST(Tagger, LeavesWordsOutInTraining) {
  data::TaggedSentence sentence;
  for (int i = 0; i < 200; ++i) {  // each its own word, shape and characters aside
    sentence.words.push_back(std::string("w").append(std::to_string(i)));
    sentence.tags.emplace_back("O");
    sentence.lines.push_back(i);
  }
  sentence.tags[0] = "B-X";
  TaggerOptions options = small(false), without = options;
  options.word_dropout = 0.25;
  const std::unique_ptr<Tagger> model = make(options, {sentence}), plain = make(without, {sentence});
  const TaggedCorpus read(*model, {sentence});
  TagBatch batch;
  read.get(std::vector<int64_t>{0}, {}, batch);
  kernels::Context context(1), threads(3);
  const auto left_out = [&](uint64_t step, kernels::Context& of) {
    model->train(batch, {.masks = {5, step, 0}}, Using(*model, nn::Engine::kFused, of));
    const Parameter& table = model->parameters().parameters().front();
    EXPECT_EQ(table.name, "embedding.weight");
    std::set<int64_t> out;
    for (int64_t t = 0; t < 200; ++t) {
      const float* row = model->parameters().gradients().data() + table.offset +
                         batch.words.words[static_cast<size_t>(t)] * table.shape[1];
      if (std::all_of(row, row + table.shape[1], [](float d) { return d == 0.0F; })) out.insert(t);
    }
    return out;
  };
  const std::set<int64_t> first = left_out(1, context);
  EXPECT_GT(first.size(), 25U);  // 50 are expected, with a deviation of 6
  EXPECT_LT(first.size(), 75U);
  EXPECT_EQ(left_out(1, threads), first);
  EXPECT_NE(left_out(2, context), first);
  int64_t counted = 0;
  EXPECT_EQ(model->loss(batch, counted, Using(*model, nn::Engine::kFused, context)),
            plain->loss(batch, counted, Using(*plain, nn::Engine::kFused, context)));
  const nn::GradientPass pass{.masks = {5, 6, 0}};
  EXPECT_NE(model->train(batch, pass, Using(*model, nn::Engine::kFused, context)),
            plain->train(batch, pass, Using(*plain, nn::Engine::kFused, context)));
}

// The words of a second batch that were in the first are not read again, unless the parameters have changed.
TEST(Tagger, ReadsTheCharactersOfAWordOnce) {
  const std::vector<data::TaggedSentence> corpus = sentences(20);
  const std::unique_ptr<Tagger> model = make(small(false), corpus);
  const TaggedCorpus read(*model, corpus);
  kernels::Context context(1);
  model->pack(context);
  Tagger::Workspace used(*model, nn::Engine::kFused, context);
  const nn::WordCache& cache = used.words->cache;
  const auto scores = [&](const std::vector<int64_t>& which, Tagger::Workspace& workspace) {
    TagBatch batch;
    read.get(which, {}, batch);
    model->read(batch.words, workspace);
    std::vector<double> out;
    for (const std::vector<Tagging>& taggings : model->best(batch.words, 2, workspace)) {
      for (const Tagging& tagging : taggings) out.push_back(tagging.probability);
    }
    return out;
  };
  scores({0, 1, 2}, used);
  const int64_t words = cache.words();
  EXPECT_EQ(cache.fresh.distinct, words);
  scores({2, 0}, used);
  EXPECT_EQ(cache.fresh.distinct, 0);
  const std::vector<double> later = scores({1, 5, 9}, used);
  EXPECT_EQ(cache.fresh.distinct, cache.words() - words);
  Tagger::Workspace other(*model, nn::Engine::kFused, context);
  EXPECT_EQ(later, scores({1, 5, 9}, other));
  for (float& value : model->parameters().values()) value *= 0.5F;
  model->parameters_changed();
  model->pack(context);
  const std::vector<double> changed = scores({1, 5, 9}, used);
  EXPECT_NE(changed, later);
  Tagger::Workspace third(*model, nn::Engine::kFused, context);
  EXPECT_EQ(changed, scores({1, 5, 9}, third));
}

TEST_P(Taggers, OverfitAndSurviveSaving) {
  const std::vector<data::TaggedSentence> corpus = sentences(60);
  const std::unique_ptr<Tagger> model = make(small(GetParam()), corpus);
  kernels::Context context(2);
  TaggerTask task(*model, corpus, corpus, {.groups = {.batch = 8, .seed = 4}}, context);
  for (int64_t epoch = 0; epoch < 30; ++epoch) {
    task.begin_epoch(epoch);
    for (int64_t i = 0; i < task.steps(); ++i) {
      task.train_step(i, static_cast<uint64_t>(epoch * task.steps() + i));
      const std::span<float> values = model->parameters().values();
      for (size_t k = 0; k < values.size(); ++k) values[k] -= 0.5F * model->parameters().gradients()[k];
      task.parameters_changed();
    }
  }
  const std::vector<Metric> learned = task.validate();
  EXPECT_GT(find_metric(learned, "f1")->value, 95.0);
  EXPECT_GT(find_metric(learned, "accuracy")->value, 97.0);
  EXPECT_LT(find_metric(learned, "loss")->value, 0.15);
  EXPECT_EQ(learned.front().name, "f1");

  const testing::TemporaryFolder folder;
  model->save(folder / "model.safetensors", model->parameters().values());
  const std::unique_ptr<Tagger> again = Tagger::load(ModelFile::read(folder / "model.safetensors"));
  EXPECT_EQ(again->labels(), model->labels());
  const TagScore before = evaluate(*model, TaggedCorpus(*model, corpus), Using(*model, nn::Engine::kFused, context));
  const TagScore after = evaluate(*again, TaggedCorpus(*again, corpus), Using(*again, nn::Engine::kFused, context));
  EXPECT_EQ(before.total_nats, after.total_nats);
  EXPECT_EQ(before.tags.correct_tags, after.tags.correct_tags);
}

// Tags come out in the scheme of the data, whatever the model's own; the best first, and no two alike.
TEST_P(Taggers, ReturnTheBestTagSequences) {
  const std::vector<data::TaggedSentence> corpus = sentences(9);
  const std::unique_ptr<Tagger> model = make(small(GetParam()), corpus);
  data::Lexicon lexicon = model->lexicon();
  std::vector<int32_t> sentence;
  for (const char* word : {"Bank", "of", "Nowhere"}) sentence.push_back(lexicon.find(word));
  data::WordBatch batch;
  data::make_batch(lexicon, std::vector<std::span<const int32_t>>{sentence}, {}, batch);
  kernels::Context context(1);
  model->pack(context);
  Tagger::Workspace workspace(*model, nn::Engine::kFused, context);
  model->read(batch, workspace);
  const std::vector<Tagging> best = model->best(batch, 100000, workspace).front();
  double sum = 0.0;
  std::set<std::vector<std::string>> seen;
  for (size_t i = 0; i < best.size(); ++i) {
    EXPECT_TRUE(seen.insert(best[i].tags).second);
    EXPECT_EQ(best[i].tags.size(), 3U);
    if (i > 0) {
      EXPECT_LE(best[i].probability, best[i - 1].probability);
    }
    sum += best[i].probability;
    for (const std::string& tag : best[i].tags) EXPECT_TRUE(tag == "O" || tag[0] == 'B' || tag[0] == 'I') << tag;
  }
  EXPECT_NEAR(sum, 1.0, 1e-9);  // all that there are
  // Three tokens alone, each O or S of one of two; one pair and one alone; one of three. Of other sequences of labels
  // the scheme knows nothing, without a chain either.
  EXPECT_EQ(best.size(), 3U * 3 * 3 + 2 * 2 * 3 + 2);
  EXPECT_THROW(model->best(batch, 10000000, workspace), Error);
}

// Without chunks and without a chain, the best is found word by word; it is the first of those that Viterbi finds.
TEST(Taggers, DecodeWithoutACrf) {
  std::vector<data::TaggedSentence> corpus = sentences(9);
  for (data::TaggedSentence& sentence : corpus) {
    for (std::string& tag : sentence.tags) tag = "T" + tag;
  }
  TaggerOptions options = small(false);
  options.scheme = "none";
  const std::unique_ptr<Tagger> model = make(options, corpus);
  kernels::Context context(1);
  TagBatch batch;
  TaggedCorpus(*model, corpus).get(std::vector<int64_t>{0, 1, 2, 3}, {}, batch);
  model->pack(context);
  Tagger::Workspace workspace(*model, nn::Engine::kFused, context);
  model->read(batch.words, workspace);
  const auto one = model->best(batch.words, 1, workspace), two = model->best(batch.words, 2, workspace);
  for (size_t b = 0; b < 4; ++b) {
    EXPECT_EQ(one[b][0].tags, two[b][0].tags);
    EXPECT_NEAR(one[b][0].probability, two[b][0].probability, 1e-12);
  }
}

// Weights may be finite and yet leave no score that is, and labels may fit no sentence.
TEST(Taggers, ReportImpossibleSequences) {
  const std::vector<data::TaggedSentence> corpus = sentences(5);
  for (const bool crf : {false, true}) {
    const std::unique_ptr<Tagger> model = make(small(crf), corpus);
    for (float& value : model->parameters().values()) value = value < 0.0F ? -3e38F : 3e38F;
    model->parameters_changed();
    kernels::Context context(1);
    EXPECT_THROW(evaluate(*model, TaggedCorpus(*model, corpus), Using(*model, nn::Engine::kFused, context)), Error);
  }
}

TEST(TaggerFile, RefusesAlteredFiles) {
  const std::vector<data::TaggedSentence> corpus = sentences(5);
  const std::unique_ptr<Tagger> model = make(small(true), corpus);
  const auto refused = [&](const std::string& field, const std::string& from, const std::string& to) {
    return refusal(*model, field, from, to);
  };
  EXPECT_NE(refused("config", "\"tagger\"", "\"classifier\"").find("expected a tagger, found a classifier"),
            std::string::npos);
  EXPECT_NE(refused("config", "\"scheme\":\"iob2\"", "\"scheme\":\"auto\""), "");
  EXPECT_NE(refused("config", "\"hidden\":7", "\"hidden\":8"), "");
  EXPECT_NE(refused("config", "\"crf\":true", "\"crf\":false").find("arrays"), std::string::npos);
  EXPECT_NE(refused("vocabulary", "\"labels\":[\"O\"", "\"labels\":[7"), "");
  EXPECT_NE(refused("vocabulary", "\"labels\":[\"O\"", "\"labels\":[\"B-X\""), "");  // twice
  EXPECT_NE(refused("vocabulary", "\"words\":[\"<unk>\"", "\"words\":[\"unk\""), "");
  EXPECT_NE(refused("vocabulary", "\"words\"", "\"wards\""), "");
  EXPECT_NE(refused("config", "\"column\":\"auto\"", "\"column\":\"nought\""), "");
}

}  // namespace
}  // namespace longhand::tasks
