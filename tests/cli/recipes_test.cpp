// Whatever the recipe, and whenever the process is killed: the resumed run is the one that was never stopped.
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "longhand/io/safetensors.h"
#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

// Draws that recipe number n alone makes.
class Choices {
 public:
  explicit Choices(int n) : rng_(17, static_cast<uint64_t>(n), RngPlace::kSample) {}
  Words one_of(const std::vector<Words>& choices) { return choices[rng_.below(draws_++, choices.size())]; }

 private:
  CounterRng rng_;
  uint64_t draws_ = 0;
};

// Of recipe number n what all tasks have: every optimizer and every schedule is among 14 in a row, the rest is drawn.
Words rule(int n, Choices& choices) {
  const std::pair<const char*, const char*> optimizers[] = {
      {"sgd", "0.5"},       {"momentum", "0.1"}, {"nesterov", "0.1"}, {"adagrad", "0.03"}, {"adadelta", "1"},
      {"rmsprop", "0.003"}, {"adam", "0.005"},   {"adamw", "0.005"},  {"nadam", "0.005"},  {"asgd", "0.5"}};
  const char* const schedules[] = {"constant", "step",         "exponential", "plateau",
                                   "cosine",   "inverse-sqrt", "one-cycle",   "slanted-triangular"};
  const char* const schedule = schedules[static_cast<size_t>(n) % std::size(schedules)];
  const auto& [optimizer, rate] = optimizers[n % 10];
  Words words = {"--optimizer", optimizer, "--lr", rate, "--schedule", schedule, "--seed", std::to_string(n)};
  // ASGD begins to average somewhere in the middle.
  if (std::string(optimizer) == "asgd") words = with(words, {"--average-after", "20"});
  if (std::string(schedule) == "plateau") words = with(words, {"--lr-patience", "0", "--lr-threshold", "0.1"});
  words = with(words, choices.one_of({{}, {"--warmup", "7"}}));
  return with(words,
              choices.one_of({{"--batch", "8"},
                              {"--batch", "4", "--accumulate", "2"},
                              {"--batch", "9", "--batch-every", "1", "--batch-divide", "3"},
                              {"--batch", "3", "--batch-every", "2", "--batch-multiply", "2", "--accumulate", "2"}}));
}

// Of a language model.
Words recipe(int n) {
  Choices choices(n);
  Words words = rule(n, choices);
  words = with(words, choices.one_of({{"--data", "tale", "--max-tokens", "2500"},
                                      {"--data", "quatrains", "--lines", "--max-tokens", "1200"}}));
  words = with(words, choices.one_of({{},
                                      {"--tie-weights", "--dropout-embedding", "0.1"},
                                      {"--activation-reg", "2", "--temporal-reg", "1", "--dropout", "0.2"},
                                      {"--label-smoothing", "0.1", "--weight-drop", "0.3"},
                                      {"--l2", "1e-4", "--weight-decay", "1e-3", "--clip-value", "0.1"},
                                      {"--zoneout", "0.1", "--layer-norm", "--train-initial-state"}}));
  return with(words, choices.one_of({{}, {"--init", "orthogonal"}, {"--init", "he-normal", "--init-bias", "uniform"}}));
}

// Sentences in columns, the same as lines with labels, and what the other tasks make of them and of a built-in table.
void write_data(const std::string& folder) {
  const char* const names[] = {"Anna", "Bert", "Carl"};
  std::string columns, lines;
  for (int i = 0; i < 60; ++i) {
    const std::string name = names[i % 3], thing = i % 5 == 0 ? "Sun" : "moon";
    columns.append(name).append(i % 2 == 0 ? " B-PER\nLee I-PER\n" : " B-PER\n");
    columns.append("saw O\nthe O\n").append(thing).append(i % 5 == 0 ? " B-THING\n\n" : " O\n\n");
    lines.append(i % 5 == 0 ? "__label__day " : "__label__night ").append(name).append(i % 2 == 0 ? " Lee" : "");
    lines.append(" saw the ").append(thing).append("\n");
  }
  write_file(folder + "/columns.txt", columns);
  write_file(folder + "/lines.txt", lines);
}

Words command(const std::string& task, int n) {
  const Words tail = {"--epochs", "4", "--checkpoint-seconds", "0", "--quiet"};
  if (task == "lm") {
    return with(with({"train", "lm", "--hidden", "20", "--embed", "8", "--bptt", "16"}, tail), recipe(n));
  }
  Choices choices(n);
  Words words = with(with({"train", task}, rule(n, choices)), tail);
  if (task == "tagger") {
    words = with(words, choices.one_of({{"--crf"}, {"--label-smoothing", "0.1"}}));
    return with(words, {"--data", "columns.txt", "--hidden", "12", "--embed", "8", "--hidden-characters", "5"});
  }
  if (task == "classifier") {
    words = with(words, choices.one_of({{"--pool", "attention"}, {"--class-weights", "balanced", "--layers", "2"}}));
    if (n == 7) words = with(words, {"--linear-share", "0.4"});
    return with(words, {"--data", "lines.txt", "--hidden", "12", "--embed", "8"});
  }
  const std::vector<Words> kinds = {{"--difference"},
                                    {"--dropout", "0.2", "--layers", "2"},
                                    {"--residual-of", "linear", "--weight-decay", "0.01"},
                                    {"--residual-of", "naive", "--normalise", "window"}};
  words = with(words, kinds[static_cast<size_t>(n) % kinds.size()]);
  return with(words, {"--data", "sines", "--target", "value", "--window", "6", "--horizon", "2", "--hidden", "8"});
}

// Everything in a checkpoint but the times.
std::map<std::string, std::string> contents(const std::string& path) {
  const io::Safetensors file = io::Safetensors::read(path);
  std::map<std::string, std::string> out;
  for (const auto& [name, tensor] : file.tensors()) out[name] = std::string(tensor.bytes);
  nlohmann::json state = nlohmann::json::parse(file.text("state"));
  for (const char* key : {"seconds", "epoch_seconds", "metrics_bytes"}) state.erase(key);
  out["state"] = state.dump();
  return out;
}

std::vector<std::string> metrics(const std::string& path) {
  std::vector<std::string> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    nlohmann::json row = nlohmann::json::parse(line);
    row.erase("seconds");
    row.erase("tokens_per_second");
    out.push_back(row.dump());
  }
  return out;
}

struct Recipe {
  const char* task;
  int number;
};

void PrintTo(const Recipe& recipe, std::ostream* out) { *out << recipe.task << recipe.number; }

class Recipes : public ::testing::TestWithParam<Recipe> {};

TEST_P(Recipes, KilledAndResumedEqualsNeverStopped) {
  const auto& [task, number] = GetParam();
  const TemporaryFolder folder;
  write_data(folder.string());
  const Words words = command(task, number);
  const Result whole = run(folder, with(words, {"--out", "whole", "--threads", "1"}));
  ASSERT_EQ(whole.code, 0) << whole.err;
  const CounterRng rng(23, static_cast<uint64_t>(number), RngPlace::kSample);
  int kills = 0;
  Words next = with(words, {"--out", "run", "--threads", "2"});
  for (uint64_t sitting = 0; sitting < 4; ++sitting) {
    const Result result = run(folder, next,
                              {.signal = SIGKILL,
                               .checkpoint = "run/checkpoint.safetensors",
                               .milliseconds = 5 + static_cast<int>(rng.below(sitting, 60))});
    kills += result.code == 128 + SIGKILL ? 1 : 0;
    next = {"train", task, "--resume", "run", "--threads", std::to_string(1 + sitting % 3), "--quiet"};
  }
  const Result last = run(folder, next);
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_GT(kills, 0);
  EXPECT_TRUE(contents(folder / "run/checkpoint.safetensors") == contents(folder / "whole/checkpoint.safetensors"));
  EXPECT_TRUE(read_file(folder / "run/model.safetensors") == read_file(folder / "whole/model.safetensors"));
  EXPECT_TRUE(read_file(folder / "run/baseline.safetensors") == read_file(folder / "whole/baseline.safetensors"));
  EXPECT_EQ(metrics(folder / "run/metrics.jsonl"), metrics(folder / "whole/metrics.jsonl"));
}

std::vector<Recipe> recipes() {
  std::vector<Recipe> out;
  for (int n = 0; n < 14; ++n) out.push_back({"lm", n});
  for (const char* task : {"tagger", "classifier", "regressor"}) {
    for (int n = 5; n < 10; n += 2) out.push_back({task, n});
    for (int n = 6; task == std::string("regressor") && n < 9; n += 2) out.push_back({task, n});
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Cli, Recipes, ::testing::ValuesIn(recipes()),
                         [](const auto& each) { return each.param.task + std::to_string(each.param.number); });

TEST(Cli, TheResolvedConfigurationReproducesAnyRecipe) {
  for (const int n : {1, 6, 9}) {
    const TemporaryFolder folder;
    const Words words = with({"train", "lm", "--hidden", "12", "--embed", "8", "--epochs", "2", "--quiet"}, recipe(n));
    ASSERT_EQ(run(folder, with(words, {"--out", "run"})).code, 0);
    const Result again = run(folder, {"train", "lm", "--config", "run/config.toml", "--out", "again", "--quiet"});
    ASSERT_EQ(again.code, 0) << again.err;
    EXPECT_TRUE(read_file(folder / "run/model.safetensors") == read_file(folder / "again/model.safetensors")) << n;
  }
}

TEST(Cli, RecipesAtFaultAreExitCodeTwo) {
  const TemporaryFolder folder;
  const auto refused = [&](const Words& more, const std::string& fragment) {
    expect_error(run(folder, with(with(kSmall, {"--quiet"}), more)), 2, fragment);
    EXPECT_FALSE(io::exists(folder / "run")) << fragment;
  };
  refused({"--batch", "none"}, "--batch: expected an integer from 1 to 1048576, or all, found 'none'");
  refused({"--batch", "all", "--accumulate", "2"}, "--batch all: cannot be combined with --accumulate");
  refused({"--embed", "0", "--tie-weights"}, "--tie-weights: expected an embedding");
  refused({"--embed", "0", "--dropout-embedding", "0.1"}, "--dropout-embedding: expected an embedding");
  refused({"--optimizer", "asgd", "--valid-fraction", "0"}, "nothing is held out");
  refused({"--optimizer", "adamx"}, "did you mean adam");
  refused({"--schedule", "cosinus"}, "did you mean cosine?");
  refused({"--init-recurrent", "orthogonl"}, "did you mean orthogonal?");
  refused({"--lr-factor", "1"}, "--lr-factor: expected");
}

// A whole-set update, one line at a time, and single examples; and a text to measure the finished model on.
TEST(Cli, TrainsOnTheWholeSetAndOnSingleExamplesAndTests) {
  const TemporaryFolder folder;
  write_file(folder / "test.txt", "the water rose and the clerk wrote it down\n");
  for (const char* batch : {"all", "1"}) {
    const Result result =
        run(folder, {"train", "lm", "--data", "tale", "--max-tokens", "1500", "--hidden", "12", "--epochs", "2",
                     "--batch", batch, "--test", "test.txt", "--json", "--quiet", "--out", batch});
    ASSERT_EQ(result.code, 0) << result.err;
    const nlohmann::json json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["steps"] == 2, std::string(batch) == "all");
    EXPECT_GT(json["test_loss"], 1.0);
    EXPECT_NEAR(json["test_perplexity"].get<double>(), std::exp(json["test_loss"].get<double>()), 1e-6);
  }
}

}  // namespace
}  // namespace longhand::cli
