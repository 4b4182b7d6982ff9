// The experiments of `longhand lab` in small, and what their reports say.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "longhand/base/error.h"
#include "longhand/lab/equations.h"
#include "longhand/lab/gradients.h"
#include "longhand/lab/memory.h"
#include "longhand/lab/remedies.h"

namespace longhand::lab {
namespace {

std::string alphabet_text(int64_t length) {
  std::string out;
  for (int64_t i = 0; i < length; ++i) out += static_cast<char>('a' + i * i % 23);
  return out;
}

TEST(SequenceTask, RecallAsksForTheFirstSymbol) {
  const auto task = memory_task("recall", 6);
  const SequenceBatch batch = task->draw(50, CounterRng(1, 2, RngPlace::kBatches), false);
  EXPECT_EQ(batch.steps, 8);
  ASSERT_EQ(batch.places.size(), 50U);
  std::set<int32_t> firsts;
  for (size_t b = 0; b < 50; ++b) {
    EXPECT_EQ(batch.places[b], static_cast<int32_t>(7 * 50 + b));
    EXPECT_EQ(batch.targets[b], batch.symbols[b]);
    firsts.insert(batch.targets[b]);
    for (size_t t = 1; t < 7; ++t) {
      EXPECT_GE(batch.symbols[t * 50 + b], 8);
      EXPECT_LT(batch.symbols[t * 50 + b], 16);
    }
    EXPECT_EQ(batch.symbols[7 * 50 + b], 16);
  }
  EXPECT_EQ(firsts.size(), 8U);
}

TEST(SequenceTask, CopyingAsksForTenSymbolsInTheirOrder) {
  const SequenceBatch batch = memory_task("copying", 4)->draw(3, CounterRng(1, 2, RngPlace::kBatches), false);
  EXPECT_EQ(batch.steps, 24);
  ASSERT_EQ(batch.places.size(), 30U);
  for (size_t i = 0; i < 30; ++i) {
    const size_t t = static_cast<size_t>(batch.places[i]) / 3, b = static_cast<size_t>(batch.places[i]) % 3;
    EXPECT_EQ(batch.symbols[t * 3 + b], 9);
    EXPECT_EQ(batch.targets[i], batch.symbols[(t - 14) * 3 + b]);
  }
}

TEST(SequenceTask, AddingAsksForTheSumOfTwoNumbersMarkedInTheFirstHalf) {
  EXPECT_THROW(memory_task("adding", 3), Error);
  for (const int64_t gap : {4, 5, 10, 37}) {
    const SequenceBatch batch = memory_task("adding", gap)->draw(20, CounterRng(1, 2, RngPlace::kBatches), false);
    for (size_t b = 0; b < 20; ++b) {
      float sum = 0.0F;
      std::vector<int64_t> marks;
      for (int64_t t = 0; t < batch.steps; ++t) {
        const float* x = batch.numbers.data() + (static_cast<size_t>(t) * 20 + b) * 16;
        if (x[1] > 0.0F) marks.push_back(t);
        sum += x[0] * x[1];
      }
      ASSERT_EQ(marks.size(), 2U) << gap;
      EXPECT_LT(marks[0], std::max<int64_t>(1, gap / 10));
      EXPECT_LT(marks[1], gap / 2);
      EXPECT_NEAR(sum, batch.values[b], 1e-6F);
    }
  }
}

TEST(SequenceTask, TextIsPredictedCharacterByCharacterAndHeldOutTextIsNotTrainedOn) {
  const std::string text = std::string(900, 'a') + std::string(100, 'b');
  const auto task = text_task(text, 20, "text");
  const SequenceBatch train = task->draw(40, CounterRng(1, 0, RngPlace::kBatches), false);
  const SequenceBatch held_out = task->draw(40, CounterRng(1, 0, RngPlace::kBatches), true);
  EXPECT_EQ(std::set<int32_t>(train.symbols.begin(), train.symbols.end()).size(), 1U);
  EXPECT_EQ(std::set<int32_t>(held_out.symbols.begin(), held_out.symbols.end()).size(), 1U);
  EXPECT_NE(train.symbols[0], held_out.symbols[0]);
  EXPECT_THROW(text_task("too short", 20, "text"), Error);
  EXPECT_THROW(text_task(text, 20, "text", 500), Error);
}

GradientsOptions few_gradients() {
  GradientsOptions options;
  options.cells = parse_cells("rnn,lstm-1");
  options.updates = {0, 3};
  options.depths = {3};
  options.hidden = 8;
  options.reach = {.steps = 20, .sequences = 4};
  return options;
}

TEST(Gradients, AreTheSameOnAnyNumberOfThreads) {
  const auto task = text_task(alphabet_text(3000), 12, "text");
  GradientsOptions options = few_gradients();
  std::vector<std::string> texts;
  for (const int64_t threads : {1, 3}) {
    options.threads = threads;
    texts.push_back(gradients_report(measure_gradients(*task, options, {}), options, "text").data.dump());
  }
  EXPECT_EQ(texts[0], texts[1]);
}

TEST(Gradients, OfThePlainCellFallAtFirstAsTheSpectralRadiusSays) {
  const auto task = text_task(alphabet_text(3000), 12, "text");
  GradientsOptions options = few_gradients();
  options.hidden = 48;
  options.updates = {0};
  options.depths = {};
  options.reach.steps = 40;
  const GradientsResult result = measure_gradients(*task, options, {});
  ASSERT_EQ(result.cells.size(), 2U);
  EXPECT_NEAR(result.cells[0].reach.factor, result.cells[0].reach.radius, 0.1);
  EXPECT_LT(result.cells[0].reach.factor, 0.75);
  EXPECT_GT(result.cells[1].reach.factor, 0.8);  // forget bias 1: at least sigmoid(1) = 0.73 by the cell alone
}

TEST(Gradients, StopWhenTheyAreAskedTo) {
  const auto task = text_task(alphabet_text(3000), 12, "text");
  int looks = 0;
  const GradientsResult result =
      measure_gradients(*task, few_gradients(), {.on_progress = {}, .should_stop = [&looks] { return ++looks > 2; }});
  EXPECT_FALSE(result.finished);
}

TEST(Memory, AnLstmLearnsAShortGapAndTheReportSaysSo) {
  MemoryOptions options;
  options.cells = parse_cells("lstm-1");
  options.gaps = {2, 400};
  options.seeds = 2;
  options.updates = 300;
  options.hidden = 16;
  options.rows = 16;
  options.learning_rate = 0.01;
  std::vector<double> shares;
  const MemoryResult result = measure_memory(
      options, {.on_progress = [&](double done, double total) { shares.push_back(done / total); }, .should_stop = {}});
  ASSERT_EQ(result.cells.size(), 2U);
  EXPECT_EQ(result.cells[0].learned(), 2);
  EXPECT_EQ(result.cells[1].learned(), 0);  // far too long for that many updates
  EXPECT_EQ(reach_of(result, "lstm-1"), 2);
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_NEAR(shares.back(), 1.0, 1e-9);
  const LabReport report = memory_report(result, options);
  EXPECT_EQ(report.data["learned_up_to"]["lstm-1"], 2);
  EXPECT_EQ(report.csv.rows.size(), 4U);
}

TEST(Memory, ACellThatLearnedNoGapIsNotTrainedForLongerOnes) {
  MemoryOptions options;
  options.cells = parse_cells("rnn");
  options.gaps = {60, 61};
  options.seeds = 1;
  options.updates = 2;
  options.hidden = 4;
  const MemoryResult result = measure_memory(options, {});
  EXPECT_EQ(result.cells[0].runs.size(), 1U);
  EXPECT_TRUE(result.cells[1].runs.empty());
  EXPECT_EQ(reach_of(result, "rnn"), 0);
}

TEST(Remedies, ClippingTamesAnExplosion) {
  RemediesOptions options;
  options.updates = 60;
  options.seeds = 1;
  options.hidden = 24;
  options.window = 40;
  options.reach = {.steps = 20, .sequences = 2};
  options.only = "explosion";
  const RemediesResult result = measure_remedies(alphabet_text(4000), "text", options, {});
  const RemedyRun *wild = nullptr, *tame = nullptr;
  for (const RemedyResult& row : result.rows) {
    if (row.remedy.group.find("explosion and clipping, plain ReLU") != 0) continue;
    if (row.remedy.change == "radius 1.3") wild = &row.runs[0];
    if (row.remedy.change == "radius 1.3, clipped to 0.1") tame = &row.runs[0];
  }
  ASSERT_TRUE(wild != nullptr && tame != nullptr);
  EXPECT_TRUE(!std::isfinite(wild->largest_norm) || wild->loss > tame->loss);
  EXPECT_TRUE(std::isfinite(tame->loss));
  EXPECT_TRUE(result.equations.empty());
  options.only = "no such thing";
  EXPECT_THROW(measure_remedies(alphabet_text(4000), "text", options, {}), Error);
  const std::string page = to_page(remedies_report(result, options, "<script>alert(1)</script>"));
  EXPECT_EQ(page.find("<script"), std::string::npos);
}

TEST(Equations, GradientsAreThoseOfTheirOwnNetworkUnlessTheForgetGatesIsLeftOut) {
  EquationsOptions options;
  options.gap = 5;
  options.updates = 30;
  const Advance advance = [](double) { return true; };
  EXPECT_LT(train_equations(Equations::kRight, 1, options, advance).error_after, 1e-6);
  EXPECT_LT(train_equations(Equations::kSigmoidCandidate, 1, options, advance).error_after, 1e-6);
  EXPECT_GT(train_equations(Equations::kNoForgetGradient, 1, options, advance).error_after, 1e-3);
}

TEST(Names, OfCellsAndNumbersAreChecked) {
  EXPECT_EQ(names_of(parse_cells("gru,lstm-3-norm")), "gru,lstm-3-norm");
  EXPECT_THROW(parse_cells("gru,lstn-1"), Error);
  EXPECT_THROW(parse_cells("gru,gru"), Error);
  EXPECT_THROW(parse_cells(""), Error);
  EXPECT_EQ(parse_counts("10,5,10", 1, 1000, "`gaps`"), (std::vector<int64_t>{5, 10}));
  EXPECT_THROW(parse_counts("5,x", 1, 1000, "`gaps`"), Error);
  EXPECT_THROW(parse_counts("0", 1, 1000, "`gaps`"), Error);
  EXPECT_THROW(parse_counts("99999999999999999999", 1, 1000, "`gaps`"), Error);
}

TEST(Reports, FactorsAreThoseOfWhatCanBeLearnedFrom) {
  // Halved at each step down to 2^-14, then a long tail that falls slowly.
  std::vector<double> bent;
  for (int k = 0; k <= 14; ++k) bent.push_back(std::pow(0.5, k));
  for (int k = 0; k < 100; ++k) bent.push_back(bent.back() * 0.99);
  EXPECT_NEAR(factor_per_step(bent), 0.5, 1e-12);
  EXPECT_TRUE(std::isnan(factor_per_step({1.0, 1e-9, 1e-10})));
}

TEST(Reports, OfACellWithoutAGradientSayThatThereIsNone) {
  // One symbol alone is predicted with certainty: the softmax has no gradient.
  const auto task = text_task(std::string(2000, 'a'), 8, "text");
  GradientsOptions options = few_gradients();
  options.depths = {};
  options.updates = {0};
  const GradientsResult result = measure_gradients(*task, options, {});
  EXPECT_EQ(result.cells[0].reach.steps_h, Reach::kNoGradient);
  const LabReport report = gradients_report(result, options, "text");
  EXPECT_TRUE(report.summary.empty());
  EXPECT_EQ(report.sections[0].table.rows[0][3], "-");
}

TEST(Reports, NameTheCellWhoseGradientReachesFurthest) {
  GradientsOptions options;
  options.cells = parse_cells("rnn,gru");
  options.updates = {5};
  options.reach.steps = 50;
  MeasuredCell rnn{options.cells[0], 5, 1.0, {}}, gru{options.cells[1], 5, 1.0, {}};
  rnn.reach.steps_h = 9;
  rnn.reach.factor = 0.9;  // of a long tail
  gru.reach.steps_h = Reach::kBeyond;
  gru.reach.factor = 0.5;
  const LabReport report = gradients_report({.cells = {rnn, gru}, .stacks = {}}, options, "text");
  ASSERT_EQ(report.summary.size(), 2U);
  EXPECT_EQ(report.summary[1],
            "After 5 updates a thousandth of the gradient is left furthest back in GRU: over 50 steps.");
}

TEST(Reports, OfRemediesGiveTheMeanOfTwoMiddleSeedsAndNothingForWhatWasNotMeasured) {
  RemediesOptions options;
  options.seeds = 2;
  RemedyResult row{remedies(options)[0], {RemedyRun{}, RemedyRun{}}};
  row.runs[0].factor = 0.5;
  row.runs[1].factor = 0.7;
  row.runs[1].loss = NAN;
  const LabReport report = remedies_report({.rows = {row}, .equations = {}}, options, "text");
  const std::vector<std::string>& cells = report.sections[0].table.rows[0];
  EXPECT_EQ(cells[2], "0.6000");
  EXPECT_EQ(cells[3], "-");
  EXPECT_EQ(cells[7], "1 of 2 diverged");
  EXPECT_TRUE(report.data["runs"][0]["steps_before"].is_null());
  EXPECT_EQ(report.csv.rows[0][4], "");
}

// What is cut off changes the gradient and nothing else; cut off after the whole sequence, not even that.
TEST(SmallModel, TruncatesBackPropagation) {
  const auto task = text_task(alphabet_text(3000), 12, "text");
  const LabCell cell = parse_cells("lstm-1")[0];
  const auto gradients = [&](int64_t truncate) {
    SmallModel model({.lstm = cell.options(6), .init = cell.init(), .rows = 3, .truncate = truncate}, *task);
    const double loss = model.compute_gradients(task->draw(3, CounterRng(1, 0, RngPlace::kBatches), false));
    const auto all = model.parameters().gradients();
    return std::pair(loss, std::vector<float>(all.begin(), all.end()));
  };
  const auto whole = gradients(0), same = gradients(12), cut = gradients(5);
  EXPECT_EQ(whole.second, same.second);
  EXPECT_NEAR(whole.first, cut.first, 1e-6);
  EXPECT_NE(whole.second, cut.second);
}

TEST(LabReport, QuotesAndEscapesWhatItShows) {
  LabReport report{.name = "x", .title = "a < b", .command = "longhand lab x --data '<i>'"};
  report.sections.push_back({.heading = "h & h", .table = {.columns = {"name", "value"}, .rows = {{"<b>", "1"}}}});
  report.csv = {.columns = {"a", "b"}, .rows = {{"with, comma", "with \"quotes\""}}};
  const std::string page = to_page(report);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_NE(page.find("&lt;b&gt;"), std::string::npos);
  EXPECT_NE(page.find("longhand lab x --data &#39;&lt;i&gt;&#39;"), std::string::npos);
  EXPECT_EQ(to_csv(report.csv), "a,b\n\"with, comma\",\"with \"\"quotes\"\"\"\n");
  EXPECT_NE(to_text(report).find("<b>       1\n"), std::string::npos);
}

TEST(Spread10, InterpolatesBetweenValues) {
  const Spread10 spread = spread10({5.0, 1.0, 2.0, 3.0, 4.0});
  EXPECT_DOUBLE_EQ(spread.median, 3.0);
  EXPECT_DOUBLE_EQ(spread.low, 1.4);
  EXPECT_DOUBLE_EQ(spread.high, 4.6);
  EXPECT_TRUE(std::isinf(spread10({1.0, INFINITY, INFINITY}).median));
  EXPECT_TRUE(std::isnan(spread10({}).median));
}

}  // namespace
}  // namespace longhand::lab
