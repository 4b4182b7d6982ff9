// The classifier: that its engines agree, its gradients are right, it learns, and its file gives it back.
#include "longhand/tasks/classifier.h"

#include <numeric>

#include "longhand/tasks/classifier_task.h"
#include "tests/tasks/model_checks.h"

namespace longhand::tasks {
namespace {

// The class is that of the one word that is not of the rest, and where that stands says nothing.
std::vector<data::LabelledText> texts(size_t n) {
  const std::vector<std::pair<const char*, const char*>> telling = {
      {"rain", "weather"}, {"Snow", "weather"}, {"bread", "food"}, {"soup", "food"}, {"train", "travel"}};
  const std::vector<const char*> others = {"the", "and", "today", "there", "was", "much"};
  const CounterRng rng(7, 0, RngPlace::kSample);
  std::vector<data::LabelledText> out;
  for (size_t i = 0; i < n; ++i) {
    const size_t length = 1 + rng.below(4 * i, 6), place = rng.below(4 * i + 1, length);
    const auto& [word, label] = telling[rng.below(4 * i + 2, telling.size())];
    data::LabelledText text;
    for (size_t t = 0; t < length; ++t) {
      text.text += (t > 0 ? " " : "");
      text.text += t == place ? word : others[(i + t * t) % others.size()];
    }
    text.label = label;
    out.push_back(text);
  }
  return out;
}

ClassifierOptions small(const std::string& pool) {
  ClassifierOptions options;
  options.pool = pool;
  options.lstm.hidden = 7;
  options.lstm.layers = pool == "mean" ? 2 : 1;
  options.encoder = {.embed = 9, .embed_shape = 3, .embed_characters = 4, .hidden_characters = 5};
  return options;
}

std::unique_ptr<Classifier> make(const ClassifierOptions& options, const std::vector<data::LabelledText>& corpus) {
  std::vector<data::Words> split;
  for (const data::LabelledText& text : corpus) split.push_back(data::Tokenizer(options.tokens).words(text.text));
  std::vector<const data::Words*> words;
  for (const data::Words& each : split) words.push_back(&each);
  auto model =
      std::make_unique<Classifier>(options, data::build_word_vocabulary(words, options.words), build_classes(corpus));
  model->initialise(5);
  return model;
}

ClassBatch all_of(const LabelledCorpus& corpus, double unknown_rate) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < corpus.size(); ++i) all.push_back(i);
  ClassBatch batch;
  corpus.get(all, {.rate = unknown_rate, .seed = 1, .step = 2}, batch);
  return batch;
}

class Classifiers : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Pooling, Classifiers, ::testing::Values("last", "mean", "max", "attention", "concat"));

TEST_P(Classifiers, EnginesGiveTheSameLossAndGradients) {
  const std::vector<data::LabelledText> corpus = texts(13);
  ClassifierOptions options = small(GetParam());
  options.word_dropout = 0.3;
  const std::unique_ptr<Classifier> model = make(options, corpus);
  const ClassBatch batch = all_of(LabelledCorpus(*model, corpus), 0.5);
  ASSERT_TRUE(batch.words.ragged);
  const std::vector<float> weights = {0.5F, 1.0F, 2.0F};
  const nn::GradientPass pass{.masks = {5, 6, 0}, .label_smoothing = 0.1};
  kernels::Context context(2);
  const double expected = model->train(batch, weights, pass, Using(*model, nn::Engine::kReference, context));
  const std::vector<float> gradients(model->parameters().gradients().begin(), model->parameters().gradients().end());
  for (const nn::Engine engine : {nn::Engine::kFused, nn::Engine::kAutograd}) {
    EXPECT_NEAR(model->train(batch, weights, pass, Using(*model, engine, context)), expected, 1e-5 * expected);
    expect_close_gradients(model->parameters(), gradients, 2e-5, "gradients");
  }
}

// Of texts whose classes have weights, through everything between the words and the loss.
TEST_P(Classifiers, GradientsAgreeWithCentralDifferences) {
  const std::vector<data::LabelledText> corpus = texts(6);
  ClassifierOptions options = small(GetParam());
  options.lstm.dropout_input = 0.0;
  options.dropout_pooled = 0.0;
  options.word_dropout = 0.2;
  const std::unique_ptr<Classifier> model = make(options, corpus);
  const LabelledCorpus read(*model, corpus);
  const ClassBatch batch = all_of(read, 0.0);
  kernels::Context context(1);
  // The loss that is reported has no weights, that which is followed has: so they are tried one class at a time.
  const nn::GradientPass pass{.scale = 1.0F};
  expect_gradients_of_differences(
      *model, [&] { return model->train(batch, {}, pass, Using(*model, nn::Engine::kReference, context)); }, 2e-3F);
  model->train(batch, {}, pass, Using(*model, nn::Engine::kFused, context));
  const std::vector<float> plain(model->parameters().gradients().begin(), model->parameters().gradients().end());
  std::vector<float> sum(plain.size());
  for (size_t k = 0; k < model->classes().size(); ++k) {
    std::vector<float> weights(model->classes().size());
    weights[k] = 2.0F;
    model->train(batch, weights, pass, Using(*model, nn::Engine::kFused, context));
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += model->parameters().gradients()[i] / 2.0F;
  }
  testing::expect_close(std::span<const float>(sum), plain, static_cast<int64_t>(sum.size()), 1e-5, "weights");
}

TEST(Classifier, MixesItsProbabilitiesWithThoseOfALogisticRegression) {
  const std::vector<data::LabelledText> corpus = texts(60);
  ClassifierOptions options = small("max");
  const std::unique_ptr<Classifier> alone = make(options, corpus);
  const LabelledCorpus read(*alone, corpus);
  const baselines::LinearClassifier linear = choose_linear_classifier(*alone, read).model;
  const ClassBatch batch = all_of(read, 0.0);
  kernels::Context context(2);
  const auto probabilities = [&](Classifier& model) {
    model.pack(context);
    Classifier::Workspace workspace(model, nn::Engine::kFused, context);
    const std::span<const double> found = model.read(batch.words, workspace);
    return std::vector<double>(found.begin(), found.end());
  };
  const std::vector<double> of_network = probabilities(*alone);
  const testing::TemporaryFolder folder;
  for (const double share : {0.25, 1.0}) {
    options.linear_share = share;
    const std::unique_ptr<Classifier> both = make(options, corpus);
    both->set_linear(linear);
    const std::vector<double> mixed = probabilities(*both);
    size_t at = 0;
    for (int64_t i = 0; i < read.size(); ++i) {
      for (const double p : linear.probabilities(read.words(i))) {
        EXPECT_NEAR(mixed[at], share * p + (1.0 - share) * of_network[at], 1e-12);
        ++at;
      }
    }
    ASSERT_EQ(at, mixed.size());
    both->save(folder / "model", both->parameters().values());
    EXPECT_EQ(probabilities(*Classifier::load(ModelFile::read(folder / "model"))), mixed);
  }
  // Such a model goes together with its like alone.
  alone->save(folder / "alone", alone->parameters().values());
  const std::vector<ModelFile> unlike = {ModelFile::read(folder / "alone"), ModelFile::read(folder / "model")};
  const std::string refused = testing::error_of([&] { combine<Classifier>(unlike, folder / "all"); });
  EXPECT_NE(refused.find("expected `linear-share` 0"), std::string::npos) << refused;
  const std::vector<ModelFile> alike = {unlike[1], unlike[1]};
  combine<Classifier>(alike, folder / "all");
  EXPECT_EQ(Classifier::load(ModelFile::read(folder / "all"))->members(), 2);
}

TEST_P(Classifiers, OverfitAndSurviveSaving) {
  const std::vector<data::LabelledText> corpus = texts(80);
  const std::unique_ptr<Classifier> model = make(small(GetParam()), corpus);
  kernels::Context context(2);
  ClassifierTask task(*model, corpus, corpus, {.groups = {.batch = 8, .seed = 4}}, context);
  for (int64_t epoch = 0; epoch < 40; ++epoch) {
    task.begin_epoch(epoch);
    for (int64_t i = 0; i < task.steps(); ++i) {
      task.train_step(i, static_cast<uint64_t>(epoch * task.steps() + i));
      const std::span<float> values = model->parameters().values();
      for (size_t k = 0; k < values.size(); ++k) values[k] -= 0.5F * model->parameters().gradients()[k];
      task.parameters_changed();
    }
  }
  const std::vector<Metric> learned = task.validate();
  EXPECT_EQ(learned.front().name, "accuracy");
  EXPECT_GT(find_metric(learned, "accuracy")->value, 97.0);
  EXPECT_GT(find_metric(learned, "macro_f1")->value, 95.0);
  EXPECT_LT(find_metric(learned, "loss")->value, 0.15);

  const testing::TemporaryFolder folder;
  model->save(folder / "model.safetensors", model->parameters().values());
  const std::unique_ptr<Classifier> again = Classifier::load(ModelFile::read(folder / "model.safetensors"));
  EXPECT_EQ(again->classes(), model->classes());
  const ClassScore before =
      evaluate(*model, LabelledCorpus(*model, corpus), Using(*model, nn::Engine::kFused, context));
  const ClassScore after = evaluate(*again, LabelledCorpus(*again, corpus), Using(*again, nn::Engine::kFused, context));
  EXPECT_EQ(before.total_nats, after.total_nats);
  EXPECT_EQ(before.confusion, after.confusion);
}

TEST(Classifier, InitialisesFromVectors) {
  const std::unique_ptr<Classifier> model = make(small("max"), texts(6));
  const Parameter& table = model->parameters().parameters().front();
  ASSERT_EQ(table.name, "embedding.weight");
  const auto row = [&](int64_t word) {
    const float* values = model->parameters().value(0) + word * 9;
    return std::vector<float>(values, values + 9);
  };
  const std::vector<float> untouched = row(2);
  data::WordVectors vectors{.size = 9, .words = {3, 1}, .values = std::vector<float>(18)};
  std::iota(vectors.values.begin(), vectors.values.end(), 0.0F);
  model->set_word_vectors(vectors);
  EXPECT_EQ(row(3), std::vector<float>(vectors.values.begin(), vectors.values.begin() + 9));
  EXPECT_EQ(row(1), std::vector<float>(vectors.values.begin() + 9, vectors.values.end()));
  EXPECT_EQ(row(2), untouched);
}

// Penalties on activations are means over the steps, whatever the number of texts.
TEST(Classifier, ActivationPenaltiesAreMeansOverSteps) {
  const std::vector<data::LabelledText> corpus = texts(6);
  ClassifierOptions options = small("mean");
  options.lstm.dropout_input = 0.0;
  options.dropout_pooled = 0.0;
  options.lstm.activation_reg = 2.0;
  const std::unique_ptr<Classifier> model = make(options, corpus);
  const ClassBatch batch = all_of(LabelledCorpus(*model, corpus), 0.0);
  kernels::Context context(1);
  const auto gradients = [&](const nn::GradientPass& pass) {
    model->train(batch, {}, pass, Using(*model, nn::Engine::kFused, context));
    return std::vector<float>(model->parameters().gradients().begin(), model->parameters().gradients().end());
  };
  const std::vector<float> plain = gradients({});
  EXPECT_EQ(plain, gradients({.penalty_scale = 1.0F / static_cast<float>(batch.words.tokens)}));
  EXPECT_NE(plain, gradients({.penalty_scale = 1.0F / 6.0F}));
  // So does an update.
  ClassifierTask task(*model, corpus, {}, {.groups = {.batch = 6}, .unknown_rate = 0.0}, context);
  task.begin_epoch(0);
  task.train_step(0, 0);
  expect_close_gradients(model->parameters(), plain, 1e-5, "update");
}

TEST(ClassScore, CountsWhatTheDefinitionsSay) {
  ClassScore score(3);
  const auto add = [&](int64_t count, int64_t gold, int64_t found) {
    for (int64_t i = 0; i < count; ++i) score.add(gold, found);
  };
  add(3, 0, 0);
  add(1, 0, 1);
  add(2, 1, 0);
  add(4, 1, 1);
  EXPECT_DOUBLE_EQ(score.accuracy(), 70.0);
  EXPECT_DOUBLE_EQ(score.precision(0), 60.0);
  EXPECT_DOUBLE_EQ(score.recall(0), 75.0);
  EXPECT_DOUBLE_EQ(score.f1(1), 2 * 80.0 * (200.0 / 3.0) / (80.0 + 200.0 / 3.0));
  EXPECT_EQ(score.f1(2), 0.0);
  EXPECT_DOUBLE_EQ(score.macro_f1(), (score.f1(0) + score.f1(1)) / 2);  // the third class occurs nowhere
  EXPECT_EQ((score.confusion[{1, 0}]), 2);
  score.add(-1, 0);  // a text of a class that the model lacks
  score.unseen_classes = 1;
  EXPECT_DOUBLE_EQ(score.accuracy(), 100.0 * 7 / 11);
  EXPECT_DOUBLE_EQ(score.precision(0), 50.0);
  EXPECT_DOUBLE_EQ(score.macro_f1(), (score.f1(0) + score.f1(1)) / 3);
}

TEST(ClassifierFile, RefusesAlteredFiles) {
  const std::unique_ptr<Classifier> model = make(small("attention"), texts(9));
  EXPECT_NE(refusal(*model, "config", "\"classifier\"", "\"tagger\""), "");
  EXPECT_NE(refusal(*model, "config", "\"pool\":\"attention\"", "\"pool\":\"max\"").find("arrays"), std::string::npos);
  EXPECT_NE(refusal(*model, "config", "\"pool\":\"attention\"", "\"pool\":\"sum\""), "");
  EXPECT_NE(refusal(*model, "config", "\"hidden\":7", "\"hidden\":-7"), "");
  EXPECT_NE(refusal(*model, "vocabulary", "\"classes\":[", "\"classes\":[[],"), "");
  EXPECT_NE(refusal(*model, "vocabulary", "\"classes\":[", "\"classes\":[],\"others\":[").find("found none"),
            std::string::npos);
  EXPECT_NE(refusal(*model, "vocabulary", "\"classes\":[", "\"classes\":[\"extra\","), "");
  EXPECT_NE(refusal(*model, "vocabulary", "\"characters\":[\"<unk>\"", "\"characters\":[\"\\ud800\""), "");
}

// The backward pass ends above the layers that are frozen from the lowest up: the others have the gradients they had.
TEST(Classifier, FrozenLayersChangeNoOtherGradient) {
  const std::vector<data::LabelledText> examples = texts(12);
  for (const nn::Engine engine : {nn::Engine::kFused, nn::Engine::kReference, nn::Engine::kAutograd}) {
    ClassifierOptions options = small("concat");
    options.lstm.layers = 3;
    options.lstm.residual = true;
    const std::unique_ptr<Classifier> model = make(options, examples);
    const LabelledCorpus corpus(*model, examples);
    const ClassBatch batch = all_of(corpus, 0.0);
    kernels::Context context(2);
    Classifier::Workspace workspace(*model, engine, context);
    ParameterArena& arena = model->parameters();
    const auto gradients = [&] {
      model->train(batch, {}, {}, workspace);
      return std::vector<float>(arena.gradients().begin(), arena.gradients().end());
    };
    const std::vector<float> all = gradients();
    for (const char* lowest : {"lstm.weight_ih_l0", "lstm.weight_ih_l1", "lstm.weight_ih_l2", "output.weight"}) {
      std::vector<char> frozen(arena.parameters().size(), 1);
      bool above = false;
      for (size_t i = 0; i < frozen.size(); ++i) {
        above = above || arena.parameters()[i].name == lowest;
        frozen[i] = above ? 0 : 1;
      }
      arena.freeze(frozen);
      const std::vector<float> found = gradients();
      double left = 0.0;
      for (const Range& range : arena.touched()) {
        for (int64_t i = range.begin; i < range.end; ++i) {
          EXPECT_EQ(found[static_cast<size_t>(i)], all[static_cast<size_t>(i)]) << lowest << ' ' << i;
          left += std::abs(static_cast<double>(all[static_cast<size_t>(i)]));
        }
      }
      EXPECT_GT(left, 0.0);
    }
  }
}

}  // namespace
}  // namespace longhand::tasks
