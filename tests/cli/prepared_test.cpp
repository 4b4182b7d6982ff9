// longhand data prepare, and what reads prepared texts: bit for bit what the text in memory gives.
#include <filesystem>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

// A text with rare words, in a file "text".
void write_tale(const TemporaryFolder& folder) {
  const std::string tale = run(folder, {"data", "show", "tale"}).out;
  write_file(folder / "text", tale.substr(0, 6000));
}

const Words kTrain = {"train",  "lm", "--hidden", "24", "--embed",       "8",      "--batch", "4",
                      "--bptt", "20", "--epochs", "2",  "--no-baseline", "--quiet"};

Words train(const std::string& data, const std::string& out, const Words& more) {
  return with(with(kTrain, {"--data", data, "--out", out, "--overwrite"}), more);
}

std::string model_of(const TemporaryFolder& folder, const std::string& name) {
  return read_file(folder / (name + "/model.safetensors"));
}

TEST(Prepared, TrainsBitForBitAsTheText) {
  const TemporaryFolder folder;
  write_tale(folder);
  struct Case {
    Words text;   // options of the text
    Words other;  // of the training
  };
  const std::vector<Case> cases = {
      {{}, {}},
      {{}, {"--row-starts", "fixed", "--reset-state", "0.5"}},
      {{"--level", "byte", "--reverse"}, {"--row-starts", "moving", "--reset-state", "0"}},
      {{"--level", "word", "--lowercase", "--min-count", "2"}, {"--accumulate", "2"}},
      {{"--lines"}, {}},
      {{"--lines", "--reverse", "--level", "word", "--max-tokens", "700"}, {"--valid-fraction", "0.25"}},
      {{"--max-tokens", "3000", "--letters-only"}, {"--bidirectional"}},
  };
  for (const Case& each : cases) {
    ASSERT_EQ(run(folder, with({"data", "prepare", "text", "--out", "prepared", "--quiet"}, each.text)).code, 0);
    const Result memory = run(folder, train("text", "memory", with(each.text, each.other)));
    ASSERT_EQ(memory.code, 0) << memory.err;
    const Result mapped = run(folder, train("prepared", "mapped", each.other));
    ASSERT_EQ(mapped.code, 0) << mapped.err;
    EXPECT_EQ(model_of(folder, "memory"), model_of(folder, "mapped")) << each.text.size();
    // With the options of the text it is the same, too.
    ASSERT_EQ(run(folder, train("prepared", "again", with(each.text, each.other))).code, 0);
    EXPECT_EQ(model_of(folder, "memory"), model_of(folder, "again"));
  }
}

TEST(Prepared, ResumesBitForBit) {
  const TemporaryFolder folder;
  write_tale(folder);
  ASSERT_EQ(run(folder, {"data", "prepare", "text", "--out", "prepared"}).code, 0);
  const Limits interrupted{.signal = SIGINT, .checkpoint = "run/checkpoint.safetensors", .trained = true};
  const Words longer = {"--epochs", "100000", "--checkpoint-seconds", "0", "--reset-state", "0"};
  ASSERT_EQ(run(folder, train("prepared", "run", longer), interrupted).code, 130);
  const std::string epochs = std::to_string(epochs_made(folder / "run/checkpoint.safetensors") + 1);
  const Result resumed = run(folder, {"train", "lm", "--resume", "run", "--epochs", epochs, "--quiet"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  ASSERT_EQ(run(folder, train("text", "whole", {"--epochs", epochs, "--reset-state", "0"})).code, 0);
  EXPECT_EQ(model_of(folder, "run"), model_of(folder, "whole"));
}

// A run that began with the text in memory goes on with the same text, prepared.
TEST(Prepared, IsResumedOnInPlaceOfTheText) {
  const TemporaryFolder folder;
  write_tale(folder);
  ASSERT_EQ(run(folder, {"data", "prepare", "text", "--out", "prepared"}).code, 0);
  ASSERT_EQ(run(folder, train("text", "run", {"--schedule", "constant"})).code, 0);
  std::string config = read_file(folder / "run/config.toml");
  const size_t at = config.find("data = 'text'");
  ASSERT_NE(at, std::string::npos);
  write_file(folder / "run/config.toml", config.replace(at, 13, "data = 'prepared'"));
  const Result resumed = run(folder, {"train", "lm", "--resume", "run", "--epochs", "3", "--quiet"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  // Other symbols are refused.
  ASSERT_EQ(run(folder, {"data", "prepare", "text", "--out", "prepared", "--max-tokens", "5000"}).code, 0);
  expect_error(run(folder, {"train", "lm", "--resume", "run", "--epochs", "4", "--quiet"}), 2, "--max-tokens");
}

TEST(Prepared, IsEvaluatedAsTheText) {
  const TemporaryFolder folder;
  write_tale(folder);
  write_file(folder / "other", "The Time Traveller met a wug, and the WUG said nothing.\nNothing said a wug?\n");
  ASSERT_EQ(run(folder, train("text", "run", {"--level", "word", "--min-count", "2"})).code, 0);
  for (const char* unknown : {"unk", "skip"}) {
    const Words prepare = {"data",      "prepare", "other", "--vocabulary", "run",
                           "--unknown", unknown,   "--out", "prepared"};
    ASSERT_EQ(run(folder, prepare).code, 0);
    const Result text = run(folder, {"eval", "run", "--data", "other", "--unknown", unknown, "--json"});
    const Result mapped = run(folder, {"eval", "run", "--data", "prepared", "--json"});
    EXPECT_EQ(mapped.code, 0) << mapped.err;
    EXPECT_EQ(text.out, mapped.out);
    EXPECT_GT(nlohmann::json::parse(mapped.out)["unknown_symbols"], 2);
  }
  // Validation and test texts.
  ASSERT_EQ(run(folder, {"data", "prepare", "text", "--out", "train", "--level", "word", "--add-unknown"}).code, 0);
  ASSERT_EQ(run(folder, {"data", "prepare", "other", "--vocabulary", "train", "--out", "prepared"}).code, 0);
  ASSERT_EQ(run(folder, train("text", "a", {"--level", "word", "--valid", "other", "--test", "other"})).code, 0);
  const Result mapped = run(folder, train("train", "b", {"--valid", "prepared", "--test", "prepared"}));
  ASSERT_EQ(mapped.code, 0) << mapped.err;
  EXPECT_EQ(model_of(folder, "a"), model_of(folder, "b"));
  // Of another vocabulary.
  expect_error(run(folder, {"eval", "run", "--data", "train"}), 1, "was prepared with another vocabulary");
  ASSERT_EQ(run(folder, {"data", "prepare", "text", "--out", "plain", "--level", "word"}).code, 0);
  expect_error(run(folder, train("plain", "c", {"--valid", "other"})), 1, "was prepared without <unk>");
}

// A large text is prepared on the way, once, with the bits of a small one that has the same symbols.
TEST(Prepared, LargeTextsArePreparedOnTheWay) {
  const TemporaryFolder folder;
  write_tale(folder);
  const std::string tale = read_file(folder / "text");
  std::string large;
  while (large.size() < (size_t{64} << 20)) large += tale;
  write_file(folder / "large", large);
  const Words some = {"--max-tokens", "5000"};
  Words loud = train("large", "mapped", some);
  std::erase(loud, "--quiet");
  const Result first = run(folder, loud), second = run(folder, train("large", "again", some));
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_NE(first.err.find("note: large is large: its symbols are read from large."), std::string::npos) << first.err;
  EXPECT_EQ(second.code, 0);
  EXPECT_EQ(second.err.find("is large"), std::string::npos) << second.err;
  ASSERT_EQ(run(folder, train("text", "memory", some)).code, 0);
  EXPECT_EQ(model_of(folder, "memory"), model_of(folder, "mapped"));
  EXPECT_EQ(model_of(folder, "memory"), model_of(folder, "again"));
  ASSERT_EQ(run(folder, {"train", "lm", "--resume", "mapped", "--epochs", "3", "--quiet"}).code, 0);
}

TEST(Prepared, ErrorsNameBothAndLeaveNothing) {
  const TemporaryFolder folder;
  write_tale(folder);
  ASSERT_EQ(run(folder, {"data", "prepare", "text", "--out", "prepared", "--lowercase"}).code, 0);
  expect_error(run(folder, train("prepared", "run", {"--level", "word"})), 2,
               "--level: expected char, as prepared was prepared, found word");
  expect_error(run(folder, {"train", "tagger", "--data", "prepared", "--out", "run"}), 1, "is a text prepared for");
  expect_error(run(folder, {"data", "prepare", "prepared", "--out", "other"}), 1, "is a prepared text already");
  expect_error(run(folder, {"data", "prepare", "text"}), 2, "expected --out");
  expect_error(run(folder, {"data", "prepare", "text", "--out", "text"}), 2, "is the text itself");
  expect_error(run(folder, {"data", "prepare", "text", "--out", "no/folder"}), 1, "no/folder: cannot be written");
  expect_error(run(folder, {"data", "prepare", "text", "--out", "other", "--unknown", "skip"}), 2, "--vocabulary");
  expect_error(
      run(folder, {"data", "prepare", "text", "--out", "other", "--vocabulary", "prepared", "--level", "word"}), 2,
      "--level: expected char, as in prepared, found word");
  // A full disk.
  expect_error(run(folder, {"data", "prepare", "text", "--out", "other", "--quiet"}, {.file_size = 5000}), 1,
               "other: cannot be written");
  std::string damaged = read_file(folder / "prepared");
  damaged[9000] = static_cast<char>(damaged[9000] ^ 1);
  write_file(folder / "damaged", damaged);
  expect_error(run(folder, train("damaged", "run", {})), 1, "damaged: damaged: expected checksum");
  expect_error(run(folder, {"info", "damaged"}), 1, "damaged: damaged: expected checksum");
  write_file(folder / "damaged", damaged.substr(0, 9000));
  expect_error(run(folder, train("damaged", "run", {})), 1, "damaged: truncated");
  EXPECT_FALSE(io::exists(folder / "other"));
  for (const auto& entry : std::filesystem::directory_iterator(folder.string())) {
    EXPECT_FALSE(io::is_temporary(entry.path().filename().string())) << entry.path();
  }
}

TEST(Prepared, CtrlCWhilePreparingLeavesNothing) {
  const TemporaryFolder folder;
  write_tale(folder);
  const std::string tale = read_file(folder / "text");
  std::string large;
  while (large.size() < (size_t{200} << 20)) large += tale;
  write_file(folder / "large", large);
  const Limits interrupted{.signal = SIGINT, .checkpoint = "large", .milliseconds = 500};
  const Result prepare = run(folder, {"data", "prepare", "large", "--out", "out", "--level", "word"}, interrupted);
  EXPECT_EQ(prepare.code, 130);
  EXPECT_NE(prepare.err.find("large: stopped while the text was prepared"), std::string::npos) << prepare.err;
  EXPECT_EQ(run(folder, train("large", "run", {"--level", "word"}), interrupted).code, 130);
  for (const auto& entry : std::filesystem::directory_iterator(folder.string())) {
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(name == "text" || name == "large" || name.starts_with("std")) << name;
  }
}

TEST(Prepared, KillsLeaveNothingForLong) {
  const TemporaryFolder folder;
  write_tale(folder);
  const std::string tale = read_file(folder / "text");
  std::string large;
  while (large.size() < (size_t{64} << 20)) large += tale;
  const Words prepare = {"data", "prepare", "-", "--out", "out", "--level", "word", "--lines"};
  const auto temporary = [&] {
    int64_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.string())) {
      count += io::is_temporary(entry.path().filename().string()) ? 1 : 0;
    }
    return count;
  };
  run(folder, prepare, {.input = large, .signal = SIGKILL, .checkpoint = "stdin", .milliseconds = 700});
  EXPECT_LE(temporary(), 1);
  EXPECT_FALSE(io::exists(folder / "out"));
  ASSERT_EQ(run(folder, prepare, {.input = tale}).code, 0);
  EXPECT_EQ(temporary(), 0);
}

TEST(Prepared, AFileThatIsCutShortIsNamed) {
  const TemporaryFolder folder;
  write_tale(folder);
  const std::string tale = read_file(folder / "text");
  std::string large;
  while (large.size() < (size_t{8} << 20)) large += tale;
  write_file(folder / "text", large);
  ASSERT_EQ(run(folder, {"data", "prepare", "text", "--out", "prepared"}).code, 0);
  const Result result = run_program(
      folder, {"/bin/sh", "-c",
               LONGHAND_BINARY " train lm --data prepared --hidden 8 --out run --quiet --epochs 1000 2>&1 & "
                               "while [ ! -e run/checkpoint.safetensors ]; do sleep 0.1; done; sleep 0.2; "
                               "truncate -s 8000 prepared; wait $!"});
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.out.find("error: prepared: another program has cut it short"), std::string::npos) << result.out;
}

TEST(Prepared, IsDescribed) {
  const TemporaryFolder folder;
  write_file(folder / "text", "one two two\nthree two\n");
  const Words options = {"--level", "word", "--min-count", "2", "--lines", "--json"};
  const Result made = run(folder, with({"data", "prepare", "text", "--out", "prepared"}, options));
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(nlohmann::json::parse(made.out)["symbols"], 9);
  const Result shown = run(folder, {"info", "prepared"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  for (const char* part : {"prepared text of 9 symbols, 1 byte a symbol, intact", "prepared from",
                           "vocabulary of 4 symbols", "\"<unk>\" \"<bos>\" \"<eos>\" \"two\""}) {
    EXPECT_NE(shown.out.find(part), std::string::npos) << part << "\n" << shown.out;
  }
  const auto json = nlohmann::json::parse(run(folder, {"info", "prepared", "--json"}).out);
  EXPECT_EQ(json["sequences"], 2);
  EXPECT_EQ(json["unknown_symbols"], 2);
  EXPECT_EQ(json["options"]["min-count"], 2);
  // From standard input, and a built-in text.
  ASSERT_EQ(run(folder, {"data", "prepare", "-", "--out", "stdin", "--level", "word"}, {.input = "a b c\n"}).code, 0);
  ASSERT_EQ(run(folder, {"data", "prepare", "tale", "--out", "builtin"}).code, 0);
  EXPECT_EQ(run(folder, {"info", "builtin"}).code, 0);
  EXPECT_FALSE(io::exists(folder / "stdin.input"));
}

}  // namespace
}  // namespace longhand::cli
