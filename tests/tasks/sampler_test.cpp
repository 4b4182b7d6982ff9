// Drawing symbols, and text.
#include "longhand/tasks/sampler.h"

#include "tests/tasks/model.h"

namespace longhand::tasks {
namespace {

using nn::Engine;

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
  TextReader reader(model, Engine::kFused);
  generate(model, prompt, 60, options, unknown, reader, [&](const std::string& piece) {
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
            "`prompt`:1: the model does not know the symbol 'é'");
  EXPECT_NE(error_of([&] { generated(m.model, "thé", {}, data::Unknown::kUnk); }), "");
  EXPECT_EQ(generated(m.model, "th\u00e9", {}, data::Unknown::kSkip), generated(m.model, "th", {}));
}

// What is read before the prompt counts for the text that follows, and is not written.
TEST(Generate, ReadsTheContextBeforeThePrompt) {
  Model m({.lstm = {.hidden = 9}, .embed = 4});
  for (float& value : m.model.parameters().values()) value *= 4.0F;  // so that the past matters
  m.model.parameters_changed();
  kernels::Context context(1);
  m.model.pack(context);
  const std::string whole = generated(m.model, "", {.seed = 1, .context = "the cat sat"});
  EXPECT_EQ(generated(m.model, " sat", {.seed = 1, .context = "the cat"}), whole);
  EXPECT_EQ(generated(m.model, "at sat", {.seed = 1, .context = "the c"}), whole);
  EXPECT_NE(generated(m.model, "at sat", {.seed = 1}), whole);
  // Where none is given, a line's end, unless the prompt has white space of its own.
  EXPECT_EQ(generated(m.model, "the", {.seed = 1}), generated(m.model, "the", {.seed = 1, .context = "\n"}));
  EXPECT_EQ(generated(m.model, "\nthe", {.seed = 1}), generated(m.model, "the", {.seed = 1}));
  EXPECT_EQ(generated(m.model, " the", {.seed = 1}), generated(m.model, "the", {.seed = 1, .context = " "}));
  EXPECT_EQ(error_of([&] { generated(m.model, "a", {.context = "th\u00e9"}); }),
            "`context`:1: the model does not know the symbol 'é'");
  Model lines({.text = {.lines = true}, .lstm = {.hidden = 9}, .embed = 4}, "ab\nba\n");
  EXPECT_THROW(generated(lines.model, "a", {.context = "b"}), Error);
}

TEST(Generate, WritesWithEveryCell) {
  for (const char* cell : {"gru", "rnn", "rnn-relu"}) {
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

// A full stop ends a poem in a form of verse or with an acrostic, and nothing elsewhere.
TEST(Verse, EndsWhereItsOptionsSay) {
  const data::Vocabulary vocabulary({"<unk>", "<bos>", "<eos>", "春", "风", "，", "。"});
  const auto finished_after = [&](const VerseOptions& options, const std::string& text) {
    Verse verse(options, vocabulary);
    size_t written = 0;
    for (; written < text.size() && !verse.finished(); written += 3) {
      EXPECT_TRUE(verse.write(vocabulary.find(text.substr(written, 3))));
    }
    return verse.finished() ? static_cast<int>(written / 3) : -1;
  };
  EXPECT_EQ(finished_after({}, "春风。春风。春，风。"), -1);
  EXPECT_EQ(finished_after({.acrostic = "春风"}, "春风，风春。春风。"), 6);
  EXPECT_EQ(finished_after({.acrostic = "春风春"}, "春风，风春。春风，春。春"), 11);
  EXPECT_EQ(finished_after({.form = "5x4"}, "春春春春春，风风风风风。春春春春春，风风风风风。春"), 24);
  EXPECT_THROW(Verse({.form = "5x4"}, data::Vocabulary({"<bos>", "<eos>", "春风", "，", "。"})), Error);
}

// However seldom a model ends its lines.
TEST(Generate, EndsEachOfACountOfLines) {
  Model m({.text = {.lines = true}, .lstm = {.hidden = 9}, .embed = 4}, "ab\nba\n");
  std::string text;
  kernels::Context context(1);
  TextReader reader(m.model, Engine::kFused);
  generate(m.model, "", 5, {.greedy = true, .count = 3}, data::Unknown::kError, reader, [&](const std::string& piece) {
    text += piece;
    return text.size() < 1000;
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
  EXPECT_LE(text.size(), 3U * 6U);
}

}  // namespace
}  // namespace longhand::tasks
