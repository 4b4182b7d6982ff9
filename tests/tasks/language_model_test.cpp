// The language model: engines, gradients and evaluation.
#include "longhand/tasks/language_model.h"

#include "longhand/data/builtin.h"
#include "longhand/tasks/language_model_task.h"
#include "longhand/tasks/sampler.h"
#include "longhand/train/optimizer.h"
#include "tests/tasks/model.h"
#include "tests/tasks/model_checks.h"

namespace longhand::tasks {
namespace {

using nn::Engine;

TEST(LanguageModel, HasPyTorchsParameterNames) {
  const Model m({.lstm = {.hidden = 5, .layers = 2}, .embed = 3});
  std::vector<std::string> names;
  for (const Parameter& p : m.model.parameters().parameters()) names.push_back(p.name);
  EXPECT_EQ(names, (std::vector<std::string>{"embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0",
                                             "lstm.bias_ih_l0", "lstm.weight_ih_l1", "lstm.weight_hh_l1",
                                             "lstm.bias_ih_l1", "output.weight", "output.bias"}));
}

// What makes the gradients another than those of the cross-entropy: a model, and the smoothing of its targets.
struct Objective {
  LanguageModelOptions options;
  double label_smoothing = 0.0;
};

LanguageModelOptions tied(LanguageModelOptions options) {
  options.tie_weights = true;
  return options;
}

LanguageModelOptions with_penalties(LanguageModelOptions options) {
  options.lstm.activation_reg = 0.5;
  options.lstm.temporal_reg = 0.7;
  return options;
}

// Tied weights, with a projection where the widths differ, and everything else that changes what is trained.
std::vector<Objective> recipes(int64_t hidden, int64_t embed) {
  std::vector<Objective> out;
  out.push_back({tied({.lstm = {.hidden = embed}, .embed = embed})});
  out.push_back({tied({.lstm = {.hidden = hidden}, .embed = embed, .dropout_embedding = 0.2})});
  out.push_back({tied({.text = {.lines = true}, .lstm = {.hidden = hidden}, .embed = embed}), 0.1});
  out.push_back({{.lstm = {.hidden = hidden}, .embed = embed, .dropout_embedding = 0.3}});
  out.push_back({with_penalties({.lstm = {.hidden = hidden, .layers = 2, .dropout = 0.2}, .embed = embed})});
  out.push_back({{.lstm = {.hidden = hidden}, .embed = 0}, 0.2});
  out.push_back(
      {with_penalties(tied({.lstm = {.hidden = hidden, .bidirectional = true, .dropout = 0.1}, .embed = embed})), 0.1});
  out.push_back({with_penalties(tied({.text = {.lines = true},
                                      .lstm = {.hidden = hidden, .layers = 2, .dropout = 0.1, .variational = true},
                                      .embed = embed,
                                      .dropout_embedding = 0.1})),
                 0.1});
  return out;
}

// The loss whose gradients `train` computes, per symbol, made of what it reports: the cross-entropy, with smoothing
// also that of every other target, and the penalties.
double training_loss(LanguageModel& model, const data::Batch& batch, const nn::GradientPass& pass,
                     kernels::Context& context) {
  const double smoothing = pass.label_smoothing;
  LanguageModel::State state = model.new_state();
  LanguageModel::Workspace workspace(model, Engine::kFused, context);
  double sum = (1.0 - smoothing) * model.train(batch, state, pass, workspace);
  sum += model.penalty(batch, workspace);
  const int64_t classes = smoothing > 0.0 ? model.vocabulary().size() : 0;
  for (int32_t c = 0; c < classes; ++c) {
    data::Batch other = batch;
    std::fill(other.targets.begin(), other.targets.end(), c);
    sum += smoothing / static_cast<double>(classes) * model.train(other, state, pass, workspace);
  }
  return sum / static_cast<double>(batch.symbols);
}

// The gradient of the whole model, along its own direction, is the slope of the loss.
TEST(LanguageModel, GradientIsTheSlopeOfTheLoss) {
  nn::LstmOptions all_but_normalised = kAllOptions;  // at a state of zero normalisation bends too much for this step
  all_but_normalised.layer_norm = false;
  std::vector<Objective> sets = recipes(12, 5);
  sets.push_back({{.lstm = {.hidden = 12, .layers = 2}, .embed = 5}});
  sets.push_back({{.lstm = {.hidden = 12}, .embed = 0}});
  sets.push_back({{.text = {.lines = true}, .lstm = {.hidden = 12, .layers = 2}, .embed = 5}});
  sets.push_back({{.lstm = {.hidden = 12, .layers = 2, .dropout = 0.3}, .embed = 5}});
  sets.push_back({with_lstm(all_but_normalised, 5)});
  sets.back().options.text.lines = true;
  sets.push_back({{.lstm = {.hidden = 12, .layers = 2, .bidirectional = true}, .embed = 5}});
  for (const auto& [options, label_smoothing] : sets) {
    Model m(options, "the cat sat\non\nthe mat and the dog sat on the log\nwhile the cat\n");
    kernels::Context context(2);
    const data::Batches batches(m.corpus, options.text.lines, 64, {.batch = 4, .shuffle = false});
    data::Batch batch;
    batches.get(0, batch);
    const nn::GradientPass pass{.masks = {1, 2, 0}, .label_smoothing = label_smoothing};
    LanguageModel::State state = m.model.new_state();
    m.model.train(batch, state, pass, Using(m.model, Engine::kFused, context));
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
      m.model.parameters_changed();
      return training_loss(m.model, batch, pass, context);
    };
    const double slope = (moved(step) - moved(-step)) / (2 * step);
    // A float loss of about 3 carries 3e-7; over a difference of 0.02 times the slope that is below one per mille.
    EXPECT_NEAR(slope / square, 1.0, 3e-3);
  }
}

// Trains a few dozen steps and returns every step's loss.
std::vector<double> loss_curve(const LanguageModelOptions& options, Engine engine, int threads,
                               double label_smoothing = 0.0) {
  Model m(options);
  kernels::Context context(threads);
  LanguageModelTask task(
      m.model, m.corpus, {},
      {.groups = {.batch = 4, .seed = 3}, .bptt = 8, .label_smoothing = label_smoothing, .engine = engine}, context);
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
  std::vector<Objective> sets = recipes(24, 8);
  sets.push_back({{.lstm = {.hidden = 24}, .embed = 0}});
  sets.push_back({{.lstm = {.hidden = 24, .layers = 2}, .embed = 8}});
  sets.push_back({{.text = {.lines = true}, .lstm = {.hidden = 20, .dropout = 0.2}, .embed = 8}});
  sets.push_back({with_lstm(kAllOptions, 8)});
  sets.push_back({{.lstm = {.hidden = 20, .layers = 2, .bidirectional = true}, .embed = 0}});
  for (const auto& [options, smoothing] : sets) {
    const std::vector<double> fused = loss_curve(options, Engine::kFused, 2, smoothing);
    const std::vector<double> reference = loss_curve(options, Engine::kReference, 1, smoothing);
    const std::vector<double> autograd = loss_curve(options, Engine::kAutograd, 1, smoothing);
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
  for (const auto& [cell, ceiling] : {std::pair("lstm", 2.3), {"gru", 1.7}, {"rnn", 1.2}, {"rnn-relu", 1.3}}) {
    for (const bool lines : {false, true}) {
      LanguageModelOptions options{.lstm = {.cell = cell, .hidden = 24, .dropout = 0.1}, .embed = 8};
      options.text.lines = lines;
      for (const Engine engine : {Engine::kFused, Engine::kReference, Engine::kAutograd}) {
        const std::vector<double> curve = loss_curve(options, engine, 1);
        EXPECT_NEAR(curve.front(), std::log(16.0), 0.2) << cell;  // it begins with sixteen symbols alike
        EXPECT_LT(curve.back(), ceiling) << cell;
        EXPECT_EQ(curve, loss_curve(options, engine, 3)) << cell;
      }
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
    const LanguageScore score = m.model.evaluate(m.corpus, {.context = 2}, Using(m.model, Engine::kFused, context));
    EXPECT_EQ(score.symbols, m.corpus.targets());
    double nats = 0.0;
    LanguageModel::State state = m.model.new_state();
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
      nats += m.model.loss(batch, state, Using(m.model, Engine::kFused, context));
    }
    EXPECT_NEAR(score.total_nats, nats, 1e-4 * nats);
    const LanguageScore some =
        m.model.evaluate(m.corpus, {.context = 2, .max = 7}, Using(m.model, Engine::kFused, context));
    EXPECT_EQ(some.symbols, 7);
  }
}

// From each place the text is read as if it began there.
TEST(LanguageModel, EvaluatesFromColdStarts) {
  Model m({.lstm = {.hidden = 9, .train_initial_state = true}, .embed = 4});
  kernels::Context context(1);
  const ColdScore score = m.model.evaluate_cold(m.corpus, 5, 0.0, Using(m.model, Engine::kFused, context));
  ASSERT_EQ(score.places, 1);  // the text is shorter than the distance
  ASSERT_EQ(static_cast<int64_t>(score.nats.size()), m.corpus.targets());
  const LanguageScore whole = m.model.evaluate(m.corpus, {}, Using(m.model, Engine::kFused, context));
  EXPECT_NEAR(score.mean(1, m.corpus.targets()), whole.nats_per_symbol(), 1e-6);

  std::string text;
  for (int i = 0; i < 4; ++i) text += kText;
  const data::Corpus longer = data::encode(text, m.model.options().text, m.vocabulary, data::Unknown::kError, "longer");
  const ColdScore cold = m.model.evaluate_cold(longer, 7, 0.3, Using(m.model, Engine::kFused, context));
  const data::ColdStarts passages(longer, ColdScore::kDistance, 7, 0.3);
  data::Batch rows;
  passages.get(0, rows);
  double third = 0.0;
  LanguageModel::Workspace workspace(m.model, Engine::kFused, context);
  LanguageModel::State state = m.model.new_state();
  for (int64_t b = 0; b < rows.rows; ++b) {
    state.reset(1);
    std::span<const float> logits;
    for (int64_t t = 0; t < 3; ++t) {
      logits = m.model.read(rows.inputs[static_cast<size_t>(t * rows.rows + b)], state, workspace);
    }
    double sum = 0.0;
    for (const float l : logits) sum += std::exp(static_cast<double>(l));
    third += std::log(sum) -
             static_cast<double>(logits[static_cast<size_t>(rows.targets[static_cast<size_t>(2 * rows.rows + b)])]);
  }
  EXPECT_EQ(cold.places, 7);
  EXPECT_NEAR(cold.nats[2], third / 7.0, 1e-5);
  const std::vector<Metric> metrics = cold.metrics();
  ASSERT_EQ(metrics.size(), 3U);
  EXPECT_EQ(metrics[1].name, "cold_nats_6_20");
  EXPECT_EQ(metrics[1].value, cold.mean(6, 20));
  EXPECT_TRUE(std::isnan(cold.mean(101, 200)));
}

// What a small model makes of 2,000 characters after 180 epochs.
struct Learned {
  double warm = 0.0;  // nats per symbol in the last epoch of training
  double cold = 0.0;  // 6 to 20 symbols after a cold start
  int known = 0;      // prompts of ten, each two or three words of the text, that it goes on with as the text does
};

Learned learned(double reset, bool moving) {
  const std::string text(data::find_builtin("tale")->text.substr(0, 2000));
  Model m({.lstm = {.hidden = 64}, .embed = 0}, text);
  kernels::Context context(1);
  constexpr int64_t kEpochs = 180;
  LanguageModelTask task(
      m.model, m.corpus, {},
      {.groups = {.batch = 8, .seed = 4}, .bptt = 30, .stream = {.moving = moving, .reset = reset, .epochs = kEpochs}},
      context);
  const auto count = static_cast<int64_t>(m.model.parameters().values().size());
  train::Optimizer adam({.learning_rate = 0.01}, count);
  Learned out;
  int64_t step = 0;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    task.begin_epoch(epoch);
    StepResult sum;
    for (int64_t i = 0; i < task.steps(); ++i, ++step) {
      const StepResult result = task.train_step(i, static_cast<uint64_t>(step));
      sum.loss_sum += result.loss_sum;
      sum.count += result.count;
      const std::span<float> gradients = m.model.parameters().gradients();
      const double norm = std::sqrt(kernels::squared_norm(gradients.data(), count, context));
      adam.update(m.model.parameters().values(), gradients, norm, 0.01, step, context);
      m.model.parameters_changed();
    }
    out.warm = sum.loss_sum / static_cast<double>(sum.count);
  }
  out.cold = m.model.evaluate_cold(m.corpus, 100, 0.0, Using(m.model, Engine::kFused, context)).mean(6, 20);
  for (size_t k = 0; k < 10; ++k) {
    const size_t at = text.find(' ', 190 * k) + 1, end = text.find(' ', at + 9);
    std::string written = text.substr(at, end - at);
    TextReader reader(m.model, Engine::kFused);
    generate(m.model, written, 30, {.greedy = true}, data::Unknown::kError, reader, [&](const std::string& piece) {
      written += piece;
      return true;
    });
    out.known += text.find(written) != std::string::npos ? 1 : 0;
  }
  return out;
}

// A text that was learned from zero states can be taken up anywhere. One that was read from the same beginnings in
// every epoch, with the state carried from there, cannot, though it is known as well where the state is carried.
TEST(LanguageModel, LearnsColdStartsFromResets) {
  const Learned begins = learned(1.0, true), carries = learned(0.0, false);
  EXPECT_LT(begins.warm, 0.1);
  EXPECT_LT(carries.warm, 0.1);
  EXPECT_LT(begins.cold, 0.25);
  EXPECT_GT(carries.cold, 0.8);
  EXPECT_GE(begins.known, 8);
  EXPECT_LT(carries.known, begins.known);
}

// Bits per character count what was read, also where the model saw <unk>, and characters, not bytes.
TEST(LanguageModel, CountsTheCharactersThatWereRead) {
  Model words({.text = {.level = "word", .min_count = 2}, .lstm = {.hidden = 4}, .embed = 4},
              "the cat\nthe cat the dog\n");
  kernels::Context context(1);
  // All but the first word, with a blank before each, and the line's end.
  const data::Corpus corpus = data::encode("the cat the weasel the\n", words.model.options().text,
                                           words.model.vocabulary(), data::Unknown::kUnk, "a text");
  const LanguageScore score = words.model.evaluate(corpus, {}, Using(words.model, Engine::kFused, context));
  EXPECT_EQ(score.unknown, 1);
  EXPECT_EQ(score.symbols, 5);
  EXPECT_EQ(score.characters, 4 + 4 + 7 + 4 + 1);
  Model bytes({.text = {.level = "byte"}, .lstm = {.hidden = 4}, .embed = 4}, "a\xC3\xA9\xC3\xA9z");
  EXPECT_EQ(bytes.model.evaluate(bytes.corpus, {}, Using(bytes.model, Engine::kFused, context)).characters, 3);
}

// Evaluating in the middle of a text changes nothing of it, the trained state in which it begins included.
TEST(LanguageModel, EvaluationLeavesTheStateAsItWas) {
  Model m({.lstm = {.hidden = 9, .train_initial_state = true}, .embed = 4});
  for (const Parameter& p : m.model.parameters().parameters()) {
    if (p.name == "lstm.h_0_l0") std::fill_n(m.model.parameters().values().data() + p.offset, p.size, 0.5F);
  }
  m.model.parameters_changed();
  kernels::Context context(1);
  m.model.pack(context);
  LanguageModel::Workspace workspace(m.model, Engine::kFused, context);
  std::vector<std::vector<float>> logits;
  for (const bool evaluate : {false, true}) {
    LanguageModel::State state = m.model.new_state();
    for (const int32_t symbol : {0, 1}) {
      if (evaluate) {
        m.model.evaluate(m.corpus, {.rows = 3}, workspace);
        m.model.evaluate_cold(m.corpus, 3, 0.0, workspace);
      }
      const std::span<const float> out = m.model.read(symbol, state, workspace);
      logits.emplace_back(out.begin(), out.end());
    }
  }
  EXPECT_EQ(logits[0], logits[2]);
  EXPECT_EQ(logits[1], logits[3]);
}

TEST(LanguageModel, EvaluationOfLinesDoesNotDependOnTheBatch) {
  Model m({.text = {.lines = true}, .lstm = {.hidden = 16}, .embed = 4}, "ab\nabc\na\nabcabcabc\n\nbca\n");
  kernels::Context context(2);
  const LanguageScore one = m.model.evaluate(m.corpus, {.rows = 1}, Using(m.model, Engine::kFused, context));
  const LanguageScore many = m.model.evaluate(m.corpus, {.rows = 4}, Using(m.model, Engine::kFused, context));
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
  const LanguageScore score = m.model.evaluate(m.corpus, {.rows = 1}, Using(m.model, Engine::kFused, context));
  const auto V = static_cast<double>(m.vocabulary.size());
  EXPECT_NEAR(score.nats_per_symbol(), std::log(V), 1e-6);
  EXPECT_NEAR(score.perplexity(), V, 1e-4);
  EXPECT_EQ(score.symbols, 20);  // twenty words, of which the first is given, and the line's end
  // Every character of the text is spelled by a target, but for those of the first word.
  EXPECT_EQ(score.characters, static_cast<int64_t>(std::string(kText).size()) - 3);
}

}  // namespace
}  // namespace longhand::tasks
