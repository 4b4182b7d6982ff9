// What is found in an evaluation, against counts that are made another way: slowly, or by hand.
#include <algorithm>
#include <cmath>
#include <map>

#include "longhand/runs/findings.h"
#include "longhand/tasks/regressor_task.h"
#include "longhand/tasks/tagger_task.h"
#include "tests/tasks/model.h"
#include "tests/testing.h"

namespace longhand::runs {
namespace {

using tasks::Model;

TEST(ConfusionMatrix, HasRowsForUnseenClassesAndMergesRareOnes) {
  tasks::ClassScore score(4);
  const std::vector<std::pair<int64_t, int64_t>> texts = {{0, 0}, {0, 0}, {0, 1}, {1, 1},  {1, 3}, {2, 0},
                                                          {3, 2}, {3, 3}, {3, 3}, {-1, 0}, {-1, 2}};
  for (const auto& [gold, found] : texts) score.add(gold, found);
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  const ConfusionMatrix all = confusion_matrix(score, names, 50);
  EXPECT_EQ(all.columns, names);
  EXPECT_EQ(all.rows, (std::vector<std::string>{"a", "b", "c", "d", "(not in the model)"}));
  EXPECT_EQ(all.counts, (std::vector<int64_t>{2, 1, 0, 0,  //
                                              0, 1, 0, 1,  //
                                              1, 0, 0, 0,  //
                                              0, 0, 1, 2,  //
                                              1, 0, 1, 0}));
  EXPECT_EQ(all.merged, 0);
  const ConfusionMatrix some = confusion_matrix(score, names, 3);  // a and d, three texts each; b and c together
  EXPECT_EQ(some.columns, (std::vector<std::string>{"a", "d", "(2 other classes)"}));
  EXPECT_EQ(some.counts, (std::vector<int64_t>{2, 0, 1,  //
                                               0, 2, 1,  //
                                               1, 1, 1,  //
                                               1, 0, 1}));
  EXPECT_EQ(some.merged, 2);
}

std::vector<data::LabelledText> colours(size_t n) {
  const char* words[] = {"red", "green", "blue", "dark", "light", "pale"};
  std::vector<data::LabelledText> out;
  for (size_t i = 0; i < n; ++i) {
    const std::string text = std::string(words[i % 6]) + " " + words[i / 6 % 6] + " " + words[i / 7 % 5];
    out.push_back({.text = text,
                   .label = i % 3 == 0   ? "warm"
                            : i % 3 == 1 ? "cold"
                                         : "none",
                   .line = static_cast<int64_t>(i + 1)});
  }
  return out;
}

TEST(ClassExaminer, FindsTheMostConfidentErrors) {
  std::vector<data::LabelledText> examples = colours(150);
  tasks::ClassifierOptions options;
  options.lstm.hidden = 6;
  options.encoder = {.embed = 8};
  std::vector<data::Words> split;
  for (const auto& example : examples) split.push_back(data::Tokenizer(options.tokens).words(example.text));
  std::vector<const data::Words*> words;
  for (const data::Words& each : split) words.push_back(&each);
  tasks::Classifier model(options, data::build_word_vocabulary(words, options.words), tasks::build_classes(examples));
  model.initialise(3);
  examples[4].label = "unheard of";
  const tasks::LabelledCorpus corpus(model, examples);
  kernels::Context context(1);
  model.pack(context);
  tasks::Classifier::Workspace workspace(model, nn::Engine::kFused, context);

  ClassExaminer examiner(model, corpus);
  struct Seen {
    int64_t text;
    std::vector<double> probabilities;
  };
  std::vector<Seen> seen;
  std::vector<std::pair<int64_t, int64_t>> progress;
  const tasks::ClassScore score =
      tasks::evaluate(model, corpus, workspace,
                      {.on_text =
                           [&](int64_t text, auto p) {
                             examiner.add(text, p);
                             seen.push_back({text, {p.begin(), p.end()}});
                           },
                       .on_done = [&](int64_t done, int64_t total) { progress.emplace_back(done, total); }});
  EXPECT_EQ(progress.back(), std::pair(int64_t{150}, int64_t{150}));
  ASSERT_EQ(seen.size(), 150U);

  // Slowly: all wrong ones, sorted.
  struct Error {
    double probability;
    int64_t text;
    std::string predicted;
  };
  std::vector<Error> errors;
  std::map<std::pair<std::string, std::string>, int64_t> pairs;
  for (const Seen& each : seen) {
    const auto best = std::max_element(each.probabilities.begin(), each.probabilities.end());
    const std::string found = model.classes()[static_cast<size_t>(best - each.probabilities.begin())];
    const std::string& gold = examples[static_cast<size_t>(each.text)].label;
    ++pairs[{gold, found}];
    if (found != gold) errors.push_back({*best, each.text, found});
  }
  std::sort(errors.begin(), errors.end(), [](const Error& a, const Error& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.text < b.text;
  });
  const ClassFindings findings = examiner.findings(score);
  EXPECT_EQ(findings.wrong, static_cast<int64_t>(errors.size()));
  ASSERT_GT(errors.size(), ClassExaminer::kWorst);  // an untrained model
  ASSERT_EQ(findings.most_confident.size(), ClassExaminer::kWorst);
  for (size_t i = 0; i < ClassExaminer::kWorst; ++i) {
    const WrongText& wrong = findings.most_confident[i];
    EXPECT_EQ(wrong.probability, errors[i].probability) << i;
    EXPECT_EQ(wrong.line, errors[i].text + 1) << i;
    EXPECT_EQ(wrong.predicted, errors[i].predicted) << i;
    EXPECT_EQ(wrong.gold, examples[static_cast<size_t>(errors[i].text)].label) << i;
  }
  const ConfusionMatrix& matrix = findings.confusion;
  ASSERT_EQ(matrix.rows.size(), 4U);
  for (size_t r = 0; r < 4; ++r) {
    for (size_t c = 0; c < 3; ++c) {
      const std::string gold = r < 3 ? matrix.rows[r] : "unheard of";
      EXPECT_EQ(matrix.counts[r * 3 + c], (pairs[{gold, matrix.columns[c]}])) << gold << " " << matrix.columns[c];
    }
  }
}

data::TaggedSentence tagged(const std::vector<std::string>& words, const std::vector<std::string>& tags, int64_t line) {
  data::TaggedSentence out{.words = words, .tags = tags, .lines = {}};
  for (size_t t = 0; t < words.size(); ++t) out.lines.push_back(line + static_cast<int64_t>(t));
  return out;
}

TEST(TagExaminer, CountsTagsAndKeepsTheFirstExamplesOfEachConfusion) {
  struct Sentence {
    data::TaggedSentence gold;
    std::vector<std::string> found;
  };
  std::vector<Sentence> sentences;
  for (int64_t i = 0; i < 5; ++i) {
    const std::string number = std::to_string(i);
    sentences.push_back({tagged({"the", "run" + number, "ended"}, {"D", "N", "V"}, 10 * i + 1), {"D", "V", "V"}});
  }
  sentences.push_back({tagged({"a", "dog"}, {"D", "N"}, 60), {"N", "N"}});
  TagExaminer examiner;
  data::ChunkScore score;
  for (size_t i = sentences.size(); i-- > 0;) {  // any order
    examiner.add(static_cast<int64_t>(i), sentences[i].gold, sentences[i].found);
    score.add(sentences[i].gold.tags, sentences[i].found);
  }
  const TagFindings findings = examiner.findings(score, false);
  EXPECT_EQ(findings.words, 17);
  EXPECT_EQ(findings.wrong, 6);
  ASSERT_EQ(findings.types.size(), 3U);
  std::map<std::string, data::ChunkCounts> types(findings.types.begin(), findings.types.end());
  EXPECT_EQ(types["N"].gold, 6);
  EXPECT_EQ(types["N"].found, 2);
  EXPECT_EQ(types["N"].correct, 1);
  EXPECT_EQ(types["V"].found, 10);
  EXPECT_DOUBLE_EQ(types["V"].precision(), 50.0);
  EXPECT_DOUBLE_EQ(types["V"].recall(), 100.0);
  ASSERT_EQ(findings.confused.size(), 2U);
  const ConfusedTags& first = findings.confused[0];
  EXPECT_EQ(first.gold + first.found, "NV");
  EXPECT_EQ(first.count, 5);
  ASSERT_EQ(first.examples.size(), TagExaminer::kExamples);
  for (size_t i = 0; i < first.examples.size(); ++i) {
    EXPECT_EQ(first.examples[i].before, "the ");
    EXPECT_EQ(first.examples[i].word, "run" + std::to_string(i));
    EXPECT_EQ(first.examples[i].after, " ended");
    EXPECT_EQ(first.examples[i].line, static_cast<int64_t>(10 * i + 2));
  }
  EXPECT_EQ(findings.confused[1].gold + findings.confused[1].found, "DN");
}

TEST(TagExaminer, CountsChunksByTypeAndCutsLongSentences) {
  std::vector<std::string> words, tags, found;
  for (int i = 0; i < 1000; ++i) {
    words.push_back(std::string("w").append(std::to_string(i)));
    tags.push_back(i == 500 ? "B-LOC" : "O");
    found.push_back(i == 500 ? "B-ORG" : "O");
  }
  TagExaminer examiner;
  data::ChunkScore score;
  const data::TaggedSentence sentence = tagged(words, tags, 1);
  examiner.add(0, sentence, found);
  score.add(tags, found);
  const TagFindings findings = examiner.findings(score, true);
  ASSERT_EQ(findings.types.size(), 2U);
  EXPECT_EQ(findings.types[0].first, "LOC");
  EXPECT_EQ(findings.types[0].second.gold, 1);
  EXPECT_EQ(findings.types[1].second.found, 1);
  ASSERT_EQ(findings.confused.size(), 1U);
  const WordInSentence& example = findings.confused[0].examples.at(0);
  EXPECT_EQ(example.word, "w500");
  EXPECT_TRUE(example.before.starts_with("… w486")) << example.before;
  EXPECT_TRUE(example.after.ends_with("w514 …")) << example.after;
}

tasks::Columns columns_of(const data::Table& table) {
  tasks::Columns out{table.inputs, table.targets, {}, {}};
  for (const auto& column : table.input) out.input_scales.push_back(data::scale_of(column, table.rows));
  for (const auto& column : table.target) out.target_scales.push_back(data::scale_of(column, table.rows));
  return out;
}

TEST(ForecastExaminer, HasTheErrorsOfTheScoreAndTheValuesOfTheTable) {
  for (const int64_t horizon : {3, 0}) {
    tasks::RegressorOptions options;
    options.series = {.inputs = "c", .target = "a,b", .window = 4, .horizon = horizon};
    options.lstm.hidden = 5;
    std::string csv = "a,b,c\n";
    for (int i = 0; i < 900; ++i) {
      csv += std::to_string(std::sin(0.3 * i)) + "," + std::to_string(i % 11) + "," + std::to_string(i % 7) + "\n";
    }
    const data::Table table = data::read_table(csv, options.series, "t.csv");
    tasks::Regressor model(options, columns_of(table));
    model.initialise(2);
    kernels::Context context(1);
    model.pack(context);
    tasks::Regressor::Workspace workspace(model, nn::Engine::kFused, context);
    const std::vector<data::Window> windows = data::windows(table, options.series, 0, table.rows);
    ForecastExaminer examiner(model, table);
    std::vector<double> first;  // forecasts of b, one step ahead
    const tasks::RegressionScore score =
        tasks::evaluate(model, table, windows, workspace, {.on_window = [&](const data::Window& window, auto forecast) {
                          examiner.add(window, forecast);
                          first.push_back(forecast[1]);
                        }});
    const ForecastFindings findings = examiner.findings();
    EXPECT_EQ(findings.windows, score.windows);
    EXPECT_EQ(findings.naive_is_mean, horizon == 0);
    const size_t steps = horizon > 0 ? 3 : 1;
    double mse = 0.0, mae = 0.0, naive = 0.0;
    for (const TargetForecasts& target : findings.targets) {
      ASSERT_EQ(target.model.size(), steps);
      for (size_t a = 0; a < steps; ++a) {
        mse += target.model[a].mse / static_cast<double>(2 * steps);
        mae += target.model[a].mae / static_cast<double>(2 * steps);
        naive += target.naive[a].mse / static_cast<double>(2 * steps);
      }
    }
    EXPECT_NEAR(mse, score.mse, 1e-9 * score.mse);
    EXPECT_NEAR(mae, score.mae, 1e-9 * score.mae);
    EXPECT_NEAR(naive, score.naive_mse, 1e-9 * score.naive_mse);

    ASSERT_EQ(findings.targets[1].curves.size(), steps == 1 ? 1U : 2U);
    const ForecastCurves& curves = findings.targets[1].curves[0];
    EXPECT_EQ(curves.step, horizon > 0 ? 1 : 0);
    EXPECT_LE(curves.actual.size(), 600U);
    ASSERT_EQ(curves.last_forecast.size(), ForecastExaminer::kLast);
    for (size_t i = 0; i < curves.last_forecast.size(); ++i) {
      const size_t w = windows.size() - ForecastExaminer::kLast + i;
      const auto row = static_cast<size_t>(windows[w].target);
      EXPECT_EQ(curves.last_actual[i].x, static_cast<double>(row + 1));
      EXPECT_EQ(curves.last_actual[i].y, table.target[1][row]);
      EXPECT_EQ(curves.last_forecast[i].y, first[w]);
      if (horizon > 0) {
        EXPECT_EQ(curves.last_naive[i].y, table.target[1][row - 1]);
      }
    }
    for (const io::Point& p : curves.residuals) {
      const auto row = static_cast<size_t>(p.x - 1.0);
      const size_t w = row - static_cast<size_t>(windows[0].target);
      EXPECT_NEAR(p.y, first[w] - table.target[1][row], 1e-12);
    }
    if (horizon > 0) {
      EXPECT_EQ(findings.targets[1].curves[1].step, 3);
    }
  }
}

tasks::LanguageModelOptions small_language(bool lines, const std::string& level = "char") {
  tasks::LanguageModelOptions options;
  options.text.lines = lines;
  options.text.level = level;
  options.lstm.hidden = 6;
  options.embed = 5;
  return options;
}

std::string twenty_lines() {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    text += "line " + std::to_string(i * 37 % 20) + (i % 3 == 0 ? " goes on for long" : " is not short") + "\n";
  }
  return text;
}

// Every target is told of once, at its place, however the text is read.
TEST(LineExaminer, IsToldOfEverySymbolAtItsPlace) {
  for (const bool lines : {false, true}) {
    Model made(small_language(lines), twenty_lines());
    kernels::Context context(1);
    made.model.pack(context);
    tasks::LanguageModel::Workspace workspace(made.model, nn::Engine::kFused, context);
    std::vector<double> exact(made.corpus.symbols.size(), -1.0);
    for (const auto& [rows, length] : {std::pair<int64_t, int64_t>{1, 0}, {4, 0}, {1, 400}}) {
      std::vector<double> nats(made.corpus.symbols.size(), -1.0);
      tasks::EvaluateOptions options{.rows = rows, .context = length};
      int64_t told = 0, progress = 0;
      options.on_symbol = [&](int64_t place, double value) {
        ASSERT_EQ(nats[static_cast<size_t>(place)], -1.0);
        nats[static_cast<size_t>(place)] = value;
        ++told;
      };
      options.on_done = [&](int64_t done, int64_t total) {
        progress = done;
        EXPECT_EQ(total, made.corpus.targets());
      };
      const tasks::LanguageScore score = made.model.evaluate(made.corpus, options, workspace);
      EXPECT_EQ(told, made.corpus.targets());
      EXPECT_EQ(progress, made.corpus.targets());
      double sum = 0.0;
      for (const double value : nats) sum += value >= 0.0 ? value : 0.0;
      EXPECT_NEAR(sum, score.total_nats, 1e-6 * score.total_nats);
      for (int64_t s = 0; s < made.corpus.sequences(); ++s) {
        EXPECT_EQ(nats[static_cast<size_t>(made.corpus.starts[static_cast<size_t>(s)])], -1.0);
      }
      if (rows == 1 && length == 0) exact = nats;
      // Lines are read alone; a row of a stream begins anew, and is the same soon after.
      for (size_t i = 0; i < nats.size(); ++i) {
        if (lines || length > 0) {
          EXPECT_NEAR(nats[i], exact[i], 1e-3) << i;
        }
      }
    }
  }
}

TEST(LineExaminer, FindsTheLinesWithTheHighestMeans) {
  Model made(small_language(false), twenty_lines());
  LineExaminer examiner(made.model, made.corpus);
  struct Line {
    double mean;
    int64_t number;
  };
  std::vector<Line> expected;
  double sum = 0.0;
  int64_t number = 1, count = 0;
  for (size_t at = 0; at < made.corpus.symbols.size(); ++at) {
    const auto nats = static_cast<double>(static_cast<float>(1.0 + std::sin(0.7 * static_cast<double>(at * at))));
    if (at > 0) {
      examiner.add(static_cast<int64_t>(at), nats);
      sum += nats;
      ++count;
    }
    if (made.vocabulary.symbol(made.corpus.symbols[at]) != "\n") continue;
    if (count >= 20) expected.push_back({sum / static_cast<double>(count), number});
    ++number;
    sum = 0.0;
    count = 0;
  }
  std::sort(expected.begin(), expected.end(), [](const Line& a, const Line& b) { return a.mean > b.mean; });
  const LineFindings findings = examiner.findings();
  EXPECT_EQ(findings.symbols, made.corpus.targets());
  EXPECT_EQ(findings.lines.size(), std::min(expected.size(), LineExaminer::kMostLines));
  for (size_t i = 0; i < findings.lines.size(); ++i) {
    EXPECT_NEAR(findings.lines[i].nats, expected[i].mean, 1e-9) << i;
    EXPECT_EQ(findings.lines[i].number, expected[i].number) << i;
    EXPECT_EQ(findings.lines[i].symbols.back().text, "\n");
  }
}

TEST(LineExaminer, DividesLongLinesAndJoinsBytes) {
  std::string text = "é";
  for (int i = 0; i < 1000; ++i) text += "abcdefgh"[i % 8];
  Model made(small_language(false, "byte"), text);
  LineExaminer examiner(made.model, made.corpus);
  for (int64_t at = 1; at < static_cast<int64_t>(made.corpus.symbols.size()); ++at) examiner.add(at, at < 100 ? 3 : 1);
  const LineFindings findings = examiner.findings();
  ASSERT_FALSE(findings.lines.empty());
  const SurprisingLine& first = findings.lines[0];
  EXPECT_EQ(first.number, 1);
  EXPECT_LE(first.symbols.size(), 240U);
  EXPECT_EQ(first.symbols[0].text, "é");
  EXPECT_TRUE(std::isnan(first.symbols[0].nats));  // its first byte was not predicted
  EXPECT_EQ(first.symbols[1].text, "a");
  EXPECT_EQ(first.symbols[1].nats, 3.0);
}

TEST(Samples, FollowEachPromptAtThreeTemperatures) {
  Model made(small_language(false), twenty_lines());
  kernels::Context context(1);
  made.model.pack(context);
  const std::vector<std::string> prompts = prompts_from(made.model, made.corpus);
  ASSERT_EQ(prompts.size(), 3U);
  const std::vector<Sample> samples = samples_of(made.model, prompts);
  ASSERT_EQ(samples.size(), 9U);
  for (size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(samples[i].prompt, prompts[i / 3]);
    EXPECT_EQ(samples[i].temperature, (std::vector<double>{0.5, 0.8, 1.1})[i % 3]);
    EXPECT_EQ(samples[i].text.size(), 160U);
  }
}

TEST(BeginningOf, IsThatManyTargets) {
  const Model stream(small_language(false), twenty_lines()), lines(small_language(true), twenty_lines());
  for (const data::Corpus* corpus : {&stream.corpus, &lines.corpus}) {
    for (const int64_t targets : {1, 30, 100000}) {
      const data::Corpus some = beginning_of(*corpus, targets);
      EXPECT_EQ(some.targets(), std::min(targets, corpus->targets()));
      EXPECT_TRUE(std::equal(some.symbols.begin(), some.symbols.end(), corpus->symbols.begin()));
      EXPECT_EQ(some.starts.back(), static_cast<int64_t>(some.symbols.size()));
    }
  }
}

}  // namespace
}  // namespace longhand::runs
