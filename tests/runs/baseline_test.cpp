// What is said of a baseline, and what it is fitted on.
#include "longhand/runs/baseline.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/runs/task_baselines.h"
#include "tests/testing.h"

namespace longhand::runs {
namespace {

BaselineFindings of(const std::string& metric, double value, bool more_is_better) {
  return {.name = "simple",
          .note = "",
          .measured = "test data",
          .metrics = {{metric, value, more_is_better}},
          .verdict = ""};
}

TEST(BaselineFindings, SayWhereTheModelIsNotBetter) {
  BaselineFindings accuracy = of("accuracy", 80.0, true);
  judge(accuracy, {{"loss", 0.1}, {"accuracy", 80.01, true}}, "more texts");
  EXPECT_EQ(accuracy.verdict, "");
  judge(accuracy, {{"accuracy", 79.0, true}}, "more texts");
  EXPECT_NE(accuracy.verdict.find("79.00 % against 80.00 %; what usually helps: more texts"), std::string::npos);
  judge(accuracy, {{"accuracy", 80.0, true}}, "more texts");
  EXPECT_EQ(accuracy.verdict, "the model is as good as the baseline: accuracy 80.00 %; what usually helps: more texts");
  BaselineFindings perfect = of("accuracy", 100.0, true);
  judge(perfect, {{"accuracy", 100.0, true}}, "more texts");
  EXPECT_EQ(perfect.verdict, "the model is as good as the baseline: accuracy 100.00 %");
  BaselineFindings loss = of("loss", 1.5, false);
  judge(loss, {{"loss", 1.6}}, "more text");
  EXPECT_EQ(loss.verdict,
            "the model is not better than the baseline: loss 1.6000 against 1.5000; what usually helps: more text");
  BaselineFindings nats{.name = "b", .note = {}, .measured = {}, .metrics = {{"nats_per_symbol", 1.5}}, .verdict = {}};
  judge(nats, {{"nats_per_symbol", 1.6}}, "more text");  // under the name that the table has
  EXPECT_EQ(
      nats.verdict,
      "the model is not better than the baseline: nats per symbol 1.6000 against 1.5000; what usually helps: more "
      "text");
  judge(loss, {{"loss", 1.4}}, "more text");
  EXPECT_EQ(loss.verdict, "");
  judge(loss, {{"loss", std::nan("")}}, "more text");  // a model without a figure is not better
  EXPECT_NE(loss.verdict, "");
  judge(loss, {{"accuracy", 90.0, true}}, "more text");  // nothing to compare
  EXPECT_EQ(loss.verdict, "");
}

TEST(BaselineFindings, AreALineAndAnObject) {
  BaselineFindings findings = of("accuracy", 80.0, true);
  findings.note = "fitted on 5 of 7 texts";
  EXPECT_EQ(describe(findings), "simple: accuracy 80.00 %, on the test data; fitted on 5 of 7 texts");
  const nlohmann::ordered_json json = to_json(findings);
  EXPECT_EQ(json["name"], "simple");
  EXPECT_EQ(json["accuracy"], 80.0);
  EXPECT_EQ(json["note"], "fitted on 5 of 7 texts");
  EXPECT_FALSE(json.contains("verdict"));
}

struct Text {
  explicit Text(bool lines) {
    options.text.lines = lines;
    options.lstm.hidden = 2;
    options.embed = 2;
    std::string raw;
    for (int i = 0; i < 200; ++i) raw += i % 5 == 0 ? "abba\n" : i % 3 == 0 ? "abc\n" : "cab\n";
    vocabulary = data::build_vocabulary(raw, options.text);
    corpus = data::encode(raw, options.text, vocabulary, data::Unknown::kError, "text");
  }
  tasks::LanguageModelOptions options;
  data::Vocabulary vocabulary;
  data::Corpus corpus;
};

TEST(LanguageBaseline, CountsTheBeginningOfALongText) {
  for (const bool lines : {false, true}) {
    const Text text(lines);
    const tasks::LanguageModel model(text.options, text.vocabulary);
    data::Corpus begin = text.corpus;
    const data::Corpus end = data::split_off(begin, 0.5, lines);
    const LanguageBaseline whole = LanguageBaseline::fit(model, begin, end);
    EXPECT_EQ(whole.note, "");
    const auto half = static_cast<int64_t>(begin.symbols.size()) / 2;
    const LanguageBaseline part = LanguageBaseline::fit(model, begin, end, half);
    EXPECT_TRUE(part.note.starts_with("counted in the first ")) << part.note;
    // As if there were no more than that.
    data::Corpus beginning = begin;
    std::vector<int64_t>& starts = beginning.starts.memory();
    while (starts.size() > 2 && starts.back() > half) starts.pop_back();
    starts.back() = std::min(starts.back(), half);
    beginning.symbols.memory().resize(static_cast<size_t>(starts.back()));
    EXPECT_EQ(part.measure(end).metrics, LanguageBaseline::fit(model, beginning, end).measure(end).metrics);
    EXPECT_NE(part.measure(end).metrics, whole.measure(end).metrics);
  }
}

TEST(LanguageBaseline, ChoosesItsOrderWithoutHeldOutText) {
  const Text text(true);
  const tasks::LanguageModel model(text.options, text.vocabulary);
  const LanguageBaseline baseline = LanguageBaseline::fit(model, text.corpus, {});
  EXPECT_NE(baseline.name.find("order chosen on the end of the training text"), std::string::npos) << baseline.name;
  EXPECT_GE(baseline.model.order(), 3);  // b is followed by b after a at the beginning alone
  const BaselineFindings found = baseline.measure(text.corpus);
  EXPECT_LT(found.metrics[0].value, 0.6);
  EXPECT_EQ(found.metrics[1].value, std::exp(found.metrics[0].value));
}

TEST(BaselineFile, BelongsToTheModelOfARun) {
  const testing::TemporaryFolder folder;
  const Text text(false);
  const tasks::LanguageModel model(text.options, text.vocabulary);
  LanguageBaseline::fit(model, text.corpus, {}).write(folder / "baseline.safetensors", model);
  EXPECT_EQ(baseline_beside(folder / "model.safetensors"), folder / "baseline.safetensors");
  EXPECT_EQ(baseline_beside(folder / "small.safetensors"), "");
  EXPECT_EQ(baseline_beside(folder / "other/model.safetensors"), "");
  EXPECT_NO_THROW(LanguageBaseline::read(folder / "baseline.safetensors", model));
  const tasks::LanguageModel other(text.options, data::Vocabulary({"x", "y", "z", "\n"}));
  EXPECT_THROW(LanguageBaseline::read(folder / "baseline.safetensors", other), Error);
  EXPECT_THROW(TaggerBaseline::read(folder / "baseline.safetensors"), Error);
}

}  // namespace
}  // namespace longhand::runs
