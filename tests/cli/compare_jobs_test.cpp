// longhand compare with several runs at a time, and its searches: the same results, whoever makes the runs, whatever
// ends them.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;
using Json = nlohmann::json;

const Words kTiny = {"--data",   "tale", "--max-tokens", "3000", "--hidden", "12",
                     "--epochs", "2",    "--batch",      "8",    "--out",    "cmp"};
const char* const kSpace =
    "lr = {min = 1e-3, max = 1e-1, scale = \"log\"}\nhidden = {min = 8, max = 16, step = 4}\n"
    "optimizer = [\"adam\", \"rmsprop\"]\n";

// Without what differs between two processes that do the same.
Json without_times(Json value) {
  for (const char* name : {"seconds", "tokens_per_second", "memory_mib", "command"}) {
    if (value.is_object()) value.erase(name);
  }
  if (value.is_structured()) {
    for (Json& each : value) each = without_times(each);
  }
  return value;
}

Json result_of(const TemporaryFolder& folder) {
  return without_times(Json::parse(read_file(folder / "cmp/compare.json")));
}

// The first fields of each line, up to the figures of speed.
std::string csv_of(const TemporaryFolder& folder) {
  std::istringstream lines(read_file(folder / "cmp/compare.csv"));
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    size_t end = 0;
    for (int i = 0; i < 9; ++i) end = line.find(',', end + 1);
    out += line.substr(0, end) + "\n";
  }
  return out;
}

std::vector<pid_t> children_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/task/" + std::to_string(process) + "/children");
  std::vector<pid_t> out;
  for (pid_t child = 0; file >> child;) out.push_back(child);
  return out;
}

bool has_checkpoint(const std::string& runs) {
  if (!io::exists(runs)) return false;
  for (const auto& run : std::filesystem::directory_iterator(runs)) {
    if (io::exists(run.path() / "checkpoint.safetensors")) return true;
  }
  return false;
}

// Starts the binary in `folder`, and calls `act` with its number once a run has a checkpoint.
template <class Act>
int run_and(const TemporaryFolder& folder, Words words, const Act& act) {
  words.insert(words.begin(), LONGHAND_BINARY);
  const pid_t process = ::fork();
  if (process == 0) {
    if (::chdir(folder.string().c_str()) != 0) ::_exit(99);
    const int file = ::open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(file, 1);
    ::dup2(file, 2);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(99);
  }
  for (int i = 0; i < 3000 && !has_checkpoint(folder / "cmp/runs"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  act(process);
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(CompareJobs, GiveTheTableOfOneProcess) {
  const TemporaryFolder one, two;
  const Words words = with({"compare", "depths", "--seeds", "2"}, kTiny);
  ASSERT_EQ(run(one, words).code, 0);
  const Result result = run(two, with(words, {"--jobs", "2"}));
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result_of(one), result_of(two));
  EXPECT_EQ(csv_of(one), csv_of(two));
  EXPECT_NE(result.err.find("2 runs at a time, each with "), std::string::npos) << result.err;
  // Another number of jobs finds the same runs.
  const Result again = run(two, with(words, {"--jobs", "5"}));
  EXPECT_EQ(again.out, result.out);
  EXPECT_EQ(std::count(again.err.begin(), again.err.end(), '('), 6) << again.err;  // "(reused)"
}

TEST(CompareJobs, SearchForRatesTogether) {
  const TemporaryFolder one, three;
  const Words words = with(with({"compare", "optimizers", "--seeds", "2"}, kTiny),
                           {"--max-tokens", "1000", "--epochs", "1", "--average-after", "0", "--quiet"});
  ASSERT_EQ(run(one, words).code, 0);
  ASSERT_EQ(run(three, with(words, {"--jobs", "3"})).code, 0);
  EXPECT_EQ(result_of(one), result_of(three));
}

TEST(CompareJobs, ARunThatIsKilledIsTriedAgain) {
  const TemporaryFolder whole, killed;
  const Words words = with(with({"compare", "cells", "--seeds", "1"}, kTiny),
                           {"--epochs", "60", "--checkpoint-seconds", "0", "--jobs", "2"});
  ASSERT_EQ(run(whole, words).code, 0);
  const int code = run_and(killed, words, [](pid_t process) {
    const std::vector<pid_t> runs = children_of(process);
    ASSERT_FALSE(runs.empty());
    ::kill(runs.front(), SIGKILL);
  });
  const std::string said = read_file(killed / "stderr");
  ASSERT_EQ(code, 0) << said;
  EXPECT_NE(said.find("ended by signal 9; it is tried once more"), std::string::npos) << said;
  EXPECT_EQ(result_of(whole), result_of(killed));
}

TEST(CompareJobs, AnInterruptionEndsAllAndTheCommandGoesOn) {
  const TemporaryFolder whole, stopped;
  const Words words = with(with({"compare", "cells", "--seeds", "1"}, kTiny), {"--epochs", "60", "--jobs", "2"});
  ASSERT_EQ(run(whole, words).code, 0);
  std::vector<pid_t> runs;
  const auto start = std::chrono::steady_clock::now();
  const int code = run_and(stopped, words, [&](pid_t process) {
    runs = children_of(process);
    ::kill(process, SIGINT);
  });
  EXPECT_EQ(code, 130) << read_file(stopped / "stderr");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  for (const pid_t each : runs) EXPECT_NE(::kill(each, 0), 0);
  EXPECT_NE(read_file(stopped / "stderr").find("run the same command again"), std::string::npos);
  const Result result = run(stopped, words);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result_of(whole), result_of(stopped));
}

TEST(CompareJobs, RunsEndWithTheCommand) {
  const TemporaryFolder folder;
  std::vector<pid_t> runs;
  run_and(folder, with(with({"compare", "cells", "--seeds", "1"}, kTiny), {"--epochs", "100000", "--jobs", "2"}),
          [&](pid_t process) {
            runs = children_of(process);
            ::kill(process, SIGKILL);
          });
  ASSERT_FALSE(runs.empty());
  const auto alive = [&] {
    return std::any_of(runs.begin(), runs.end(), [](pid_t each) { return ::kill(each, 0) == 0; });
  };
  for (int i = 0; i < 500 && alive(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(alive());
}

TEST(CompareSearch, IsResumedAndGoesOn) {
  const TemporaryFolder folder, other;
  write_file(folder / "space.toml", kSpace);
  write_file(other / "space.toml", kSpace);
  const Words words = {"compare", "--grid",   "space.toml", "--search", "random", "--data", "tale", "--max-tokens",
                       "3000",    "--epochs", "2",          "--batch",  "8",      "--out",  "cmp"};
  ASSERT_EQ(run(folder, with(words, {"--trials", "3"})).code, 0);
  const Result more = run(folder, with(words, {"--trials", "5", "--jobs", "2"}));
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_EQ(std::count(more.err.begin(), more.err.end(), '('), 3) << more.err;  // "(reused)"
  ASSERT_EQ(run(other, with(words, {"--trials", "5"})).code, 0);
  EXPECT_EQ(result_of(folder), result_of(other));
  const Json json = result_of(folder);
  EXPECT_EQ(json["search"], (Json{{"method", "random"}, {"trials", 5}, {"seed", 0}}));
  ASSERT_EQ(json["variants"].size(), 5U);
  for (size_t i = 1; i < 5; ++i) {  // the best first
    EXPECT_LE(json["variants"][i - 1]["runs"][0]["valid_loss"], json["variants"][i]["runs"][0]["valid_loss"]);
  }
  EXPECT_EQ(json["variants"][0]["runs"].size(), 1U);
  EXPECT_NE(read_file(folder / "cmp/report.html").find("Held-out loss by lr"), std::string::npos);
}

Words halving(const std::string& trials, const std::string& epochs) {
  return {"compare",  "--grid",     "space.toml", "--search", "halving",      "--trials", trials,
          "--epochs", epochs,       "--data",     "tale",     "--max-tokens", "3000",     "--batch",
          "8",        "--schedule", "cosine",     "--out",    "cmp"};
}

TEST(CompareSearch, HalvingIsTheSameOnAnyNumberOfJobsAndResumesRuns) {
  const TemporaryFolder one, two;
  write_file(one / "space.toml", kSpace);
  write_file(two / "space.toml", kSpace);
  const Words words = halving("6", "4");
  const Result first = run(one, with(words, {"--halving-factor", "2"}));
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(run(two, with(words, {"--halving-factor", "2", "--jobs", "3"})).code, 0);
  EXPECT_EQ(result_of(one), result_of(two));
  EXPECT_EQ(csv_of(one), csv_of(two));

  const Json json = result_of(one);
  EXPECT_EQ(json["search"]["rung_epochs"], (Json{1, 2, 4}));
  std::map<int64_t, int> stopped;
  for (const Json& variant : json["variants"]) {
    const int64_t after = variant["stopped_after"].is_null() ? 0 : variant["stopped_after"].get<int64_t>();
    ++stopped[after];
    const Json& trial = variant["runs"][0];
    EXPECT_EQ(trial["status"], after > 0 ? "stopped" : "done");
    EXPECT_EQ(trial["epochs"], after > 0 ? after : 4);
    EXPECT_EQ(trial["curve"].size(), trial["epochs"].get<size_t>());
  }
  EXPECT_EQ(stopped, (std::map<int64_t, int>{{0, 1}, {1, 3}, {2, 2}}));
  EXPECT_NE(first.out.find("1, stopped"), std::string::npos) << first.out;
  EXPECT_NE(read_file(one / "cmp/compare.csv").find(",stopped,"), std::string::npos);
  EXPECT_NE(read_file(one / "cmp/report.html").find("Rungs"), std::string::npos);

  // Repeated, nothing is trained; and the table is the same, times included.
  const Result again = run(one, with(words, {"--halving-factor", "2"}));
  EXPECT_EQ(again.out, first.out);
  EXPECT_EQ(std::count(again.err.begin(), again.err.end(), '('), 6 + 3 + 1) << again.err;

  // The trial that was trained to the end is the run that `train` makes with its options.
  Words alone = {"train",      "lm",     "--data",   "tale", "--max-tokens",  "3000",  "--batch", "8",
                 "--schedule", "cosine", "--epochs", "4",    "--no-baseline", "--out", "alone",   "--quiet"};
  for (const auto& [name, value] : json["variants"][0]["options"].items()) {
    alone = with(alone, {"--" + name, value.get<std::string>()});
  }
  ASSERT_EQ(run(one, alone).code, 0);
  int same = 0;
  const std::string model = read_file(one / "alone/model.safetensors");
  for (const auto& each : std::filesystem::directory_iterator(one / "cmp/runs")) {
    same += read_file(each.path() / "model.safetensors") == model ? 1 : 0;
  }
  EXPECT_EQ(same, 1);
}

TEST(CompareSearch, HalvingAndRandomSearchShareTheirRuns) {
  const TemporaryFolder folder, other;
  write_file(folder / "space.toml", kSpace);
  write_file(other / "space.toml", kSpace);
  Words random = halving("4", "4");
  random[4] = "random";
  const Words halved = with(halving("4", "4"), {"--halving-factor", "2"});
  ASSERT_EQ(run(folder, halved).code, 0);
  const Json first = result_of(folder);
  ASSERT_EQ(run(folder, random).code, 0);  // goes on with those that were stopped
  const Json all = result_of(folder);
  ASSERT_EQ(run(other, random).code, 0);
  EXPECT_EQ(result_of(other), all);
  // And back: what a run was at the end of a rung is read from its metrics.
  const Result back = run(folder, halved);
  EXPECT_EQ(std::count(back.err.begin(), back.err.end(), '('), 4 + 2 + 1) << back.err;
  EXPECT_EQ(result_of(folder), first);
}

TEST(CompareSearch, AnInterruptedHalvingGoesOn) {
  const TemporaryFolder whole, stopped;
  write_file(whole / "space.toml", kSpace);
  write_file(stopped / "space.toml", kSpace);
  const Words words = with(halving("4", "40"), {"--halving-factor", "4", "--jobs", "2", "--checkpoint-seconds", "0.1"});
  ASSERT_EQ(run(whole, words).code, 0);
  const auto has_checkpoint = [&] {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(stopped.string())) {
      if (entry.path().filename() == "checkpoint.safetensors") return true;
    }
    return false;
  };
  EXPECT_EQ(run_and(stopped, words,
                    [&](pid_t process) {
                      for (int i = 0; i < 2000 && !has_checkpoint(); ++i) {
                        std::this_thread::sleep_for(std::chrono::milliseconds(5));
                      }
                      ::kill(process, SIGTERM);
                    }),
            130);
  ASSERT_EQ(run(stopped, words).code, 0);
  EXPECT_EQ(result_of(whole), result_of(stopped));
}

TEST(CompareSearch, TheCommandLineAtFaultIsExitCodeTwo) {
  const TemporaryFolder folder;
  write_file(folder / "space.toml", kSpace);
  write_file(folder / "one.toml", "hidden = 8\n");
  write_file(folder / "few.toml", "hidden = [8, 16]\n");
  write_file(folder / "bad.toml", "lr = {min = 1, max = 0.1}\n");
  write_file(folder / "long.toml", "lr = [0.1, 0.2]\nepochs = [8, 16]\n");
  const auto expect = [&](const Words& words, const std::string& fragment) {
    expect_error(run(folder, with({"compare"}, words)), 2, fragment);
  };
  expect({"depths", "--trials", "3"}, "--trials: expected --search random or halving, found grid");
  expect({"--grid", "space.toml", "--halving-factor", "3"}, "--halving-factor: expected --search halving");
  expect({"--grid", "space.toml", "--search", "random", "--trials", "3", "--first-epochs", "3"},
         "--first-epochs: expected --search halving, found random");
  expect({"depths", "--search", "random", "--trials", "3"}, "--search random: expected --grid, found none");
  expect({"--grid", "space.toml", "--search", "random"}, "expected --trials of at least 1, found none");
  expect({"--grid", "space.toml", "--search", "radom"}, "--search: expected");
  expect({"--grid", "space.toml"}, "space.toml: lr: expected a list, or a range with steps");
  expect({"--grid", "bad.toml", "--search", "random", "--trials", "3"}, "bad.toml:1: lr: expected min below max");
  expect({"--grid", "one.toml", "--search", "random", "--trials", "3"}, "expected an option with a list of values");
  expect({"--grid", "few.toml", "--search", "random", "--trials", "3"}, "expected at most the 2 combinations");
  expect({"--grid", "long.toml", "--search", "halving", "--trials", "3"}, "epochs: expected one value");
  expect({"--grid", "space.toml", "--search", "halving", "--trials", "3", "--epochs", "1"},
         "expected at least 3 --epochs, the --halving-factor, found 1");
  expect({"--grid", "space.toml", "--search", "halving", "--trials", "2"}, "expected at least 3 --trials");
  expect({"depths", "--jobs", "0"}, "--jobs: expected an integer from 1");
}

// The examples of the page, one after the other. mpirun's are tests/cli/compare_ranks_test.sh's.
TEST(CompareDocument, ItsExamplesRun) {
  const TemporaryFolder folder;
  std::istringstream page(read_file(std::string(LONGHAND_SOURCE_DIR) + "/docs/comparing.md"));
  std::string block, kind;
  int commands = 0;
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("```")) {
      if (!kind.empty()) block += line + "\n";
      continue;
    }
    if (kind == "toml") write_file(folder / block.substr(2, block.find('\n') - 2), block);  // "# space.toml"
    if (kind == "sh" && block.starts_with("longhand ")) {
      std::istringstream words(block.substr(9));
      const Result result = run(folder, Words(std::istream_iterator<std::string>(words), {}));
      EXPECT_EQ(result.code, 0) << block << result.err;
      ++commands;
    }
    kind = line.substr(3);
    block.clear();
  }
  EXPECT_EQ(commands, 3);
}

}  // namespace
}  // namespace longhand::cli
