// The microscope: its gradients, its replacements and its correlations against the same computed in another way.
#include "longhand/lab/microscope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "longhand/data/labelled.h"
#include "longhand/lab/explanation.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/tagger.h"
#include "tests/lab/microscope_models.h"

namespace longhand::lab {
namespace {

using testing::expect_close;
using testing::TemporaryFolder;

// log p of symbol `position` after rows x [position, I] of inputs, in double and with the reference.
class DoubleModel {
 public:
  explicit DoubleModel(const tasks::LanguageModel& model)
      : model_(model),
        values_(model.parameters().values().begin(), model.parameters().values().end()),
        weights_(model.network().stack()),
        state_(model.network().stack()),
        workspace_(model.network().stack()) {
    weights_.set_values(values_.data());
  }

  double log_p(const std::vector<double>& x, int64_t steps, int32_t target) {
    const int64_t I = model_.options().embed;
    state_.reset(1);
    const double* y = workspace_.forward(weights_, state_, {.steps = steps, .batch = 1, .x = x.data(), .x_stride = I},
                                         nn::Pass::kInference, nn::Engine::kReference, context_);
    const double* last = y + (steps - 1) * padded(model_.network().width());
    std::vector<double> logits;
    for (int64_t k = 0; k < model_.vocabulary().size(); ++k) {
      double sum = parameter("output.bias")[k];
      const double* w = parameter("output.weight") + k * model_.network().width();
      for (int64_t j = 0; j < model_.network().width(); ++j) sum += w[j] * last[j];
      logits.push_back(sum);
    }
    double total = 0.0;
    for (const double logit : logits) total += std::exp(logit);
    return logits[static_cast<size_t>(target)] - std::log(total);
  }
  const double* parameter(const std::string& name) const {
    for (const Parameter& p : model_.parameters().parameters()) {
      if (p.name == name) return values_.data() + p.offset;
    }
    throw std::logic_error(name);
  }

 private:
  const tasks::LanguageModel& model_;
  std::vector<double> values_;
  nn::StackWeights<double> weights_;
  nn::StackState<double> state_;
  nn::StackWorkspace<double> workspace_;
  kernels::Context context_{1};
};

std::vector<double> embedded(const DoubleModel& twin, const std::vector<int32_t>& symbols, int64_t I) {
  std::vector<double> out;
  for (const int32_t symbol : symbols) {
    const double* row = twin.parameter("embedding.weight") + symbol * I;
    out.insert(out.end(), row, row + I);
  }
  return out;
}

TEST(Microscope, GradientsAreThoseOfCentralDifferences) {
  const TemporaryFolder folder;
  kernels::Context context(2);
  const tasks::ModelFile file = language_file(language_options(5), kVerse, folder);
  for (const char* engine : {"fused", "reference", "autograd"}) {
    SCOPED_TRACE(engine);
    const Microscope found =
        look(file, kVerse, {.explain = "31", .explain_most = 0, .context = 9, .engine = engine}, context);
    ASSERT_EQ(found.explanations.size(), 1U);
    const Explanation& explanation = found.explanations[0];
    ASSERT_EQ(explanation.decision.first, 22);
    ASSERT_EQ(explanation.decision.last, 31);

    const auto model = tasks::LanguageModel::load(file);
    DoubleModel twin(*model);
    const std::vector<int32_t>& symbols = found.subject.text.symbols;
    std::vector<double> x = embedded(twin, symbols, 5);
    EXPECT_NEAR(explanation.score, twin.log_p(x, 31, symbols[31]), 1e-5);
    std::vector<double> norms, products;
    for (size_t at = 22; at < 31; ++at) {
      double squares = 0.0, product = 0.0;
      for (size_t j = 5 * at; j < 5 * at + 5; ++j) {
        const double kept = x[j], step = 1e-5;
        x[j] = kept + step;
        const double up = twin.log_p(x, 31, symbols[31]);
        x[j] = kept - step;
        const double d = (up - twin.log_p(x, 31, symbols[31])) / (2.0 * step);
        x[j] = kept;
        squares += d * d;
        product += d * kept;
      }
      norms.push_back(std::sqrt(squares));
      products.push_back(product);
    }
    expect_close(explanation.gradient, norms, 9, 1e-4, "gradient");
    expect_close(explanation.gradient_input, products, 9, 1e-4, "gradient times input");
    EXPECT_GT(norms.front(), 0.0);
  }
}

// One-hot input is what an embedding of unit vectors makes.
TEST(Microscope, OneHotInputHasTheGradientsOfUnitVectors) {
  const TemporaryFolder folder;
  kernels::Context context(1);
  const tasks::ModelFile one_hot = language_file(language_options(0), kVerse, folder);
  const auto from = tasks::LanguageModel::load(one_hot);
  const int64_t V = from->vocabulary().size();
  tasks::LanguageModel model(language_options(V), from->vocabulary());
  model.initialise(1);
  for (const Parameter& p : model.parameters().parameters()) {
    float* values = model.parameters().values().data() + p.offset;
    for (int64_t i = 0; p.name == "embedding.weight" && i < V * V; ++i) values[i] = i % (V + 1) == 0 ? 1.0F : 0.0F;
    for (const Parameter& q : from->parameters().parameters()) {
      if (q.name == p.name) std::copy_n(from->parameters().values().data() + q.offset, q.size, values);
    }
  }
  model.save(folder / "dense.safetensors", model.parameters().values());
  const MicroscopeOptions options{.explain = "20,40", .explain_most = 0, .context = 12};
  const Microscope a = look(one_hot, kVerse, options, context);
  const Microscope b = look(tasks::ModelFile::read(folder / "dense.safetensors"), kVerse, options, context);
  ASSERT_EQ(a.explanations.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    expect_close(a.explanations[i].gradient, b.explanations[i].gradient, 12, 1e-5, "gradient");
    expect_close(a.explanations[i].gradient_input, b.explanations[i].gradient_input, 12, 1e-5, "product");
    expect_close(a.explanations[i].replaced, b.explanations[i].replaced, 12, 1e-4, "replaced");
  }
}

TEST(Microscope, ReplacedSymbolsAreRunAgain) {
  const TemporaryFolder folder;
  kernels::Context context(2);
  const tasks::ModelFile file = language_file(language_options(5), kVerse, folder);
  const Microscope found =
      look(file, kVerse, {.explain = "33", .explain_most = 0, .context = 33, .replace = "e"}, context);
  const auto model = tasks::LanguageModel::load(file);
  tasks::LanguageModel::Workspace workspace(*model, nn::Engine::kReference, context);
  const int32_t e = model->vocabulary().find("e"), space = model->vocabulary().find(" ");
  const std::vector<int32_t>& symbols = found.subject.text.symbols;
  const auto log_p = [&](int64_t replaced) {
    tasks::LanguageModel::State state = model->new_state();
    std::vector<double> logits;
    for (int64_t t = 0; t < 33; ++t) {
      const int32_t own = symbols[static_cast<size_t>(t)];
      const std::span<const float> row = model->read(t != replaced ? own : own == e ? space : e, state, workspace);
      logits.assign(row.begin(), row.end());
    }
    double total = 0.0;
    for (const double logit : logits) total += std::exp(logit);
    return logits[static_cast<size_t>(symbols[33])] - std::log(total);
  };
  ASSERT_EQ(found.explanations.size(), 1U);
  ASSERT_EQ(found.explanations[0].replaced.size(), 33U);
  std::vector<double> expected;
  for (int64_t at = 0; at < 33; ++at) expected.push_back(log_p(at) - log_p(-1));
  expect_close(found.explanations[0].replaced, expected, 33, 2e-4, "change");
}

// d_y of `measure` against central differences of its scores.
void expect_head_gradient(const Subject& subject, int64_t position, kernels::Context& context) {
  Probe probe(subject.network(), subject.engine, context);
  const int64_t W = subject.network().width(), stride = padded(W);
  ModelOutputs outputs = subject.outputs;
  nn::StackState<float> state = probe.new_state(1);
  Decision decision = subject.decide(position, 100, outputs);
  const float* computed = probe.forward(subject.lay({decision.begin, decision.end, {-1}}), state, nn::Pass::kGradients);
  const int64_t T = decision.end - decision.begin;
  std::vector<float> y(computed, computed + T * stride), d_y(y.size(), 0.0F);
  subject.read(decision.begin, decision.end, y.data(), outputs);
  decision = subject.decide(position, 100, outputs);
  double score = 0.0;
  subject.measure(decision, 1, y.data(), &score, d_y.data());
  std::vector<double> expected, found;
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t j = 0; j < W; ++j) {
      float& value = y[static_cast<size_t>(t * stride + j)];
      const float kept = value;
      double up = 0.0, down = 0.0;
      value = kept + 1e-3F;
      subject.measure(decision, 1, y.data(), &up, nullptr);
      value = kept - 1e-3F;
      subject.measure(decision, 1, y.data(), &down, nullptr);
      value = kept;
      expected.push_back((up - down) / 2e-3);
      found.push_back(static_cast<double>(d_y[static_cast<size_t>(t * stride + j)]));
    }
  }
  expect_close(found, expected, T * W, 3e-3, "d_y");
}

tasks::ModelFile tagger_file(const std::vector<data::TaggedSentence>& sentences, std::vector<std::string> labels,
                             const std::string& scheme, bool crf, const TemporaryFolder& folder) {
  tasks::TaggerOptions options;
  options.scheme = scheme;
  options.encode = "iob2";
  options.crf = crf;
  options.lstm.hidden = 6;
  options.encoder = {.embed = 5, .embed_shape = 3, .embed_characters = 4, .hidden_characters = 3};
  std::vector<const data::Words*> words;
  for (const data::TaggedSentence& sentence : sentences) words.push_back(&sentence.words);
  tasks::Tagger model(options, data::build_word_vocabulary(words, options.words), std::move(labels));
  return written(model, folder);
}

TEST(Microscope, TaggersAreExplainedWithAndWithoutAChain) {
  const std::string file = "The\tO\nbank\tB-X\nof\tI-X\nRome\tI-X\n\nI\tO\nbank\tO\nhere\tB-Y\n";
  const std::vector<data::TaggedSentence> sentences = {{{"The", "bank", "of", "Rome"}, {}, {}},
                                                       {{"I", "bank", "here"}, {}, {}}};
  kernels::Context context(2);
  for (const bool crf : {false, true}) {
    for (const std::string scheme : {"none", "iob2"}) {
      const TemporaryFolder folder;
      const tasks::ModelFile model = tagger_file(sentences, {"O", "B-X", "I-X", "B-Y", "I-Y"}, scheme, crf, folder);
      const MicroscopeOptions options{.explain = "5", .explain_most = 0};
      Subject subject = tagger_subject(model, file, "tags", options, context);
      expect_head_gradient(subject, 5, context);
      const Microscope found = examine(std::move(subject), options, context);
      EXPECT_EQ(found.quantities, "chifgo");
      EXPECT_EQ(found.units, 12);
      EXPECT_TRUE(found.kept_all);
      ASSERT_EQ(found.explanations.size(), 1U);
      EXPECT_EQ(found.explanations[0].decision.begin, 4);
      ASSERT_EQ(found.explanations[0].replaced.size(), 3U);
      EXPECT_NEAR(std::exp(found.explanations[0].score), std::exp(-static_cast<double>(found.subject.outputs.nats[5])),
                  1e-5);
      EXPECT_EQ(found.name({1, 'c', 4}), "layer 0 backward c 4");
    }
  }
}

TEST(Microscope, ClassifiersAndRegressorsAreExplained) {
  kernels::Context context(1);
  for (const std::string pool : {"last", "mean", "max", "attention", "concat"}) {
    SCOPED_TRACE(pool);
    const TemporaryFolder folder;
    tasks::ClassifierOptions options;
    options.pool = pool;
    options.lstm.hidden = 5;
    options.encoder = {.embed = 6, .embed_shape = 2, .embed_characters = 3, .hidden_characters = 2};
    const data::Words words = {"good", "bad", "film", "a"};
    tasks::Classifier model(options, data::build_word_vocabulary({&words}, options.words), {"pos", "neg"});
    const tasks::ModelFile file = written(model, folder);
    const std::string texts = "__label__pos a good film\n__label__neg a bad bad film\n__label__pos good\n";
    const MicroscopeOptions few{.explain_most = 2};
    Subject subject = classifier_subject(file, texts, "texts", few, context);
    expect_head_gradient(subject, 1, context);
    const Microscope found = examine(std::move(subject), few, context);
    EXPECT_EQ(found.explanations.size(), 2U);
    EXPECT_EQ(found.subject.outputs.right, (std::vector<int32_t>{0, 1, 0}));
  }
  const TemporaryFolder folder;
  tasks::RegressorOptions options;
  options.lstm.hidden = 6;
  options.series.window = 4;
  options.series.target = "b";
  tasks::Regressor model(options, {{"a", "b"}, {"b"}, {{1.0, 2.0}, {3.0, 0.5}}, {{3.0, 0.5}}});
  const tasks::ModelFile file = written(model, folder);
  std::string table = "a,b\n";
  for (int i = 0; i < 23; ++i) table += std::to_string(i % 5) + "," + std::to_string(3 + i % 3) + "\n";
  Subject subject = regressor_subject(file, table, "table", {}, context);
  expect_head_gradient(subject, 9, context);
  const Microscope found = examine(std::move(subject), {}, context);
  EXPECT_EQ(found.subject.text.size(), 20);
  EXPECT_EQ(found.explanations.size(), 5U);
  EXPECT_NE(found.subject.outputs.forecasts[0].find("it was"), std::string::npos);
}

// Activations of one part that are what the test says.
struct MadeUp {
  static constexpr int64_t kHidden = 5;
  explicit MadeUp(int64_t steps) : T(steps) {
    h = testing::random_rows<float>(T, kHidden, padded(kHidden), 1.0, 1);
    c = testing::random_rows<float>(T, kHidden, padded(kHidden), 9.0, 2);
    gates = testing::random_rows<float>(4 * T, kHidden, padded(kHidden), 1.0, 3);
  }
  void add_to(UnitSearch& search, int64_t begin, int64_t end, ThreadPool& pool) const {
    const int64_t stride = padded(kHidden);
    search.add(begin, end, {{h.data() + begin * stride, c.data() + begin * stride, gates.data() + 4 * begin * stride}},
               pool);
  }
  int64_t T;
  std::vector<float> h, c, gates;
};

double naive_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n,
               mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0.0, aa = 0.0, bb = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

TEST(UnitSearch, FindsAPlantedUnitWithItsNaiveCorrelation) {
  constexpr int64_t T = 1000;
  MadeUp made(T);
  TextProperty column{"column", {}}, rare{"rare", {}};
  for (int64_t t = 0; t < T; ++t) {
    column.values.push_back(static_cast<float>(t % 37));
    rare.values.push_back(t % 11 == 3 ? 1.0F : 0.0F);
    made.c[static_cast<size_t>(t * padded(MadeUp::kHidden) + 2)] -= 2.0F * column.values.back();
    made.gates[static_cast<size_t>((4 * t + 3) * padded(MadeUp::kHidden) + 4)] += rare.values.back();  // o of unit 4
  }
  nn::LstmOptions lstm;
  lstm.hidden = MadeUp::kHidden;
  const UnitLayout layout(lstm, nn::Engine::kFused);
  const std::vector<TextProperty> properties = {column, rare, {"none", std::vector<float>(T, 1.0F)}};
  ThreadPool pool(2);
  UnitSearch search(layout, properties);
  for (const auto& [begin, end] : {std::pair(0, 1), std::pair(1, 600), std::pair(600, 1000)})
    made.add_to(search, begin, end, pool);
  const std::vector<PropertyUnits> best = search.best(2);

  ASSERT_EQ(best[0].best.size(), 2U);
  EXPECT_EQ(best[0].best[0].value.quantity, 'c');
  EXPECT_EQ(best[0].best[0].value.unit, 2);
  EXPECT_EQ(best[1].best[0].value.quantity, 'o');
  EXPECT_EQ(best[1].best[0].value.unit, 4);
  EXPECT_TRUE(best[2].constant && best[2].best.empty());
  EXPECT_NE(best[0].best[1].value.unit, 2);
  std::vector<double> unit, property, shifted;
  for (size_t t = 0; t < T; ++t) {
    unit.push_back(static_cast<double>(made.c[t * padded(MadeUp::kHidden) + 2]));
    property.push_back(static_cast<double>(column.values[t]));
    shifted.push_back(static_cast<double>(column.values[(t + T / 2) % T]));
  }
  EXPECT_NEAR(best[0].best[0].r, naive_correlation(unit, property), 1e-9);
  EXPECT_LT(best[0].best[0].r, -0.9);
  EXPECT_GE(best[0].chance, std::abs(naive_correlation(unit, shifted)) - 1e-9);
  double mean = std::accumulate(unit.begin(), unit.end(), 0.0) / T, squares = 0.0;
  for (const double x : unit) squares += (x - mean) * (x - mean);
  EXPECT_NEAR(search.variance(layout.index({0, 'c', 2})), squares / T, 1e-9);
}

TEST(Microscope, PropertiesAreThoseOfTheText) {
  const TemporaryFolder folder;
  kernels::Context context(1);
  const tasks::ModelFile file = language_file(language_options(4), kVerse, folder);
  const Subject subject = language_model_subject(file, kVerse, "text", {}, context);
  const auto values = [&](const std::string& name) {
    for (const TextProperty& property : subject.properties) {
      if (property.name == name) return std::vector<int>(property.values.begin(), property.values.begin() + 34);
    }
    return std::vector<int>();
  };
  //      the cat (a "small" one) sat.\nThe
  const auto row = [](const std::string& digits) {
    std::vector<int> out;
    for (const char c : digits) out.push_back(c - '0');
    return out;
  };
  const auto begin_of = [&](const std::string& name) {
    std::vector<int> out = values(name);
    out.resize(32);
    return out;
  };
  EXPECT_EQ(begin_of("inside quotes"), row("00000000000111111000000000000000"));
  EXPECT_EQ(begin_of("inside brackets"), row("00000000111111111111110000000000"));
  EXPECT_EQ(begin_of("letter in the word"), row("12301230010012345001230012300123"));
  EXPECT_EQ(begin_of("capital letter"), row("00000000000000000000000000000100"));
  EXPECT_EQ(begin_of("word in the sentence"), row("11112222233344444445555566666111"));
  EXPECT_EQ(values("position in the line")[28], 28);
  EXPECT_EQ(values("position in the line")[29], 0);
}

TEST(Microscope, OtherCellsHaveOutputsAlone) {
  const TemporaryFolder folder;
  kernels::Context context(1);
  tasks::LanguageModelOptions options = language_options(0);
  options.lstm.cell = "gru";
  const tasks::ModelFile file = language_file(options, kVerse, folder);
  const Microscope found = look(file, kVerse, {.explain_most = 1, .context = 8}, context);
  EXPECT_EQ(found.quantities, "h");
  EXPECT_EQ(found.units, 14);
  ASSERT_EQ(found.explanations.size(), 1U);
  EXPECT_GT(found.explanations[0].gradient.back(), 0.0F);
  for (const KeptUnit& unit : found.kept) EXPECT_LT(unit.values[0].low, unit.values[0].high);
}

TEST(Microscope, ProjectedLayersHaveFewerOutputsThanCells) {
  const TemporaryFolder folder;
  kernels::Context context(2);
  tasks::LanguageModelOptions options = language_options(5);
  options.lstm.proj = 3;
  options.lstm.layer_norm = true;
  const tasks::ModelFile file = language_file(options, kVerse, folder);
  const Microscope fused = look(file, kVerse, {.explain = "30", .explain_most = 0, .context = 9}, context);
  EXPECT_EQ(fused.units, 14);
  EXPECT_TRUE(fused.kept_all);
  for (const KeptUnit& unit : fused.kept) EXPECT_EQ(unit.values.size(), unit.unit < 3 ? 6U : 5U);
  const Microscope reference =
      look(file, kVerse, {.explain = "30", .explain_most = 0, .context = 9, .engine = "reference"}, context);
  // The weights are large, and rounding grows along the text.
  expect_close(fused.explanations[0].gradient, reference.explanations[0].gradient, 9, 2e-3, "gradient");
  for (size_t u = 0; u < 14; ++u) {
    for (size_t q = 0; q < fused.kept[u].values.size(); ++q) {
      EXPECT_NEAR(fused.kept[u].values[q].high, reference.kept[u].values[q].high, 2e-3F);
    }
  }
}

TEST(Microscope, FaultsAreNamed) {
  const TemporaryFolder folder;
  kernels::Context context(1);
  const tasks::ModelFile file = language_file(language_options(4), kVerse, folder);
  const auto error_with = [&](const MicroscopeOptions& options) {
    return testing::error_of([&] { look(file, kVerse, options, context); }, ExitCode::kUsage);
  };
  EXPECT_NE(error_with({.explain = "9999"}).find("positions from 0 to"), std::string::npos);
  EXPECT_NE(error_with({.explain = "3,x"}).find("positions from 0 to"), std::string::npos);
  EXPECT_NE(error_with({.explain = "0"}).find("nothing was read before"), std::string::npos);
  EXPECT_NE(error_with({.explain_text = "zebra"}).find("expected a part of the text"), std::string::npos);
  EXPECT_NE(error_with({.replace = "zz"}).find("expected a symbol of the model"), std::string::npos);
  tasks::LanguageModelOptions both = language_options(4);
  both.lstm.bidirectional = true;
  const tasks::ModelFile twoway = language_file(both, kVerse, folder);
  const std::string error = testing::error_of([&] { look(twoway, kVerse, {}, context); });
  EXPECT_NE(error.find("reads the symbol that it predicts"), std::string::npos);
}

}  // namespace
}  // namespace longhand::lab
