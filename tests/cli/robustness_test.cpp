// Standard streams that are closed, full or broken; signals; hostile files and models; runs that somebody altered.
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

// What a shell makes of a script in which $LH is the binary.
Result shell(const TemporaryFolder& folder, const std::string& script) {
  write_file(folder / "script", script);
  const std::string command =
      "cd '" + folder.string() + "' && LH='" LONGHAND_BINARY "' sh script > shell.out 2> shell.err";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(folder / "shell.out"),
          read_file(folder / "shell.err")};
}

const std::string kTrain = "$LH train lm --data tale --max-tokens 3000 --hidden 8 --embed 4 --epochs 2 --out run ";

bool is_json_lines(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!nlohmann::json::parse(line, nullptr, false).is_object()) return false;
  }
  return !text.empty();
}

bool has_controls(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
  });
}

TEST(Streams, ClosedStreamsNeverBecomeRunFiles) {
  for (const char* closed : {"<&-", ">&-", "2>&-", "<&- >&- 2>&-"}) {
    SCOPED_TRACE(closed);
    const TemporaryFolder folder;
    const Result result = shell(folder, kTrain + closed);
    EXPECT_EQ(result.code, std::string(closed).find(" >&-") != std::string::npos || closed[0] == '>' ? 1 : 0);
    EXPECT_TRUE(is_json_lines(read_file(folder / "run/metrics.jsonl")));
    EXPECT_EQ(shell(folder, "$LH eval run --data tale --unknown skip").code, 0);
    EXPECT_EQ(shell(folder, "$LH train lm --resume run --epochs 3").code, 0);
  }
}

TEST(Streams, ErrorsNameStandardInputAndARemedyThatWorks) {
  const TemporaryFolder folder;
  ASSERT_EQ(shell(folder, kTrain).code, 0);
  const auto error = [&](const std::string& command) {
    const Result result = shell(folder, command);
    EXPECT_EQ(result.code, 1) << command;
    return result.err;
  };
  EXPECT_EQ(error("$LH eval run --data - <&-"),
            "error: standard input: cannot be read: Bad file descriptor\n  name a file, or send data through a pipe\n");
  EXPECT_EQ(error("$LH eval run --data - </dev/zero"),
            "error: standard input: expected a file or a pipe, found a folder or a device\n  name a file\n");
  EXPECT_EQ(error("$LH data list >&-"),
            "error: standard output cannot be written: Bad file descriptor\n  redirect it to a file or a terminal\n");
}

TEST(Streams, FullStreamsGiveTheDocumentedExitCode) {
  const TemporaryFolder folder;
  const Result full = shell(folder, kTrain + "> /dev/full");
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find("standard output cannot be written"), std::string::npos) << full.err;
  EXPECT_TRUE(io::exists(folder / "run/report.html"));
  EXPECT_EQ(shell(folder, kTrain + "--overwrite 2> /dev/full").code, 0);
  EXPECT_EQ(shell(folder, "$LH eval none --data tale 2> /dev/full").code, 1);
  EXPECT_EQ(shell(folder, "$LH --help > /dev/full").code, 1);
}

TEST(Streams, ATrainingWhosePipeEndsFinishesItsRun) {
  const TemporaryFolder folder;
  EXPECT_EQ(shell(folder, kTrain + "--epochs 60 2>&1 | head -1").code, 0);
  EXPECT_EQ(epochs_made(folder / "run/checkpoint.safetensors"), 60);
  EXPECT_TRUE(io::exists(folder / "run/model.safetensors"));
  EXPECT_TRUE(io::exists(folder / "run/report.html"));
  const Result quiet = shell(folder, "$LH generate run --length 20000 | head -c 10 > /dev/null");
  EXPECT_EQ(quiet.err, "");
}

TEST(Signals, StayIgnored) {
  const TemporaryFolder folder;
  const Result result = shell(folder, "trap '' HUP\n" + kTrain +
                                          "--epochs 100000 --checkpoint-seconds 0.05 &\n"
                                          "p=$!\n"
                                          "while ! test -e run/checkpoint.safetensors; do sleep 0.1; done\n"
                                          "kill -HUP $p; sleep 0.5; kill -0 $p || exit 99\n"
                                          "kill -TERM $p; wait $p");
  EXPECT_EQ(result.code, 130) << result.err;
  EXPECT_NE(result.err.find("interrupted after step"), std::string::npos);
}

TEST(Signals, EndEveryVerb) {
  const TemporaryFolder folder;
  ASSERT_EQ(shell(folder, kTrain).code, 0);
  for (const char* verb : {"generate run --length 100000000", "selftest --thorough"}) {
    const Result result =
        shell(folder, "$LH " + std::string(verb) + " > /dev/null & p=$!; sleep 0.3; kill -TERM $p; wait $p");
    EXPECT_EQ(result.code, 128 + SIGTERM) << verb;
  }
}

TEST(Hostile, LabelsDoNotSteerATerminalOrForgeLines) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 20; ++i) {
    lines += R"({"label": "a\u001b[31m\u009bx\nb\tc", "text": "red one"})"
             "\n"
             R"({"label": "plain", "text": "other two"})"
             "\n";
  }
  write_file(folder / "data.jsonl", lines);
  const Result trained =
      shell(folder, "$LH train classifier --data data.jsonl --hidden 4 --embed 4 --epochs 1 --out run");
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.err.find("\\x9Bx\\nb\\tc"), std::string::npos) << trained.err;  // on one line, between commas
  const Result classified = shell(folder, "echo red one | $LH classify run --top 2");
  EXPECT_EQ(std::count(classified.out.begin(), classified.out.end(), '\n'), 1) << classified.out;
  EXPECT_EQ(std::count(classified.out.begin(), classified.out.end(), '\t'), 3) << classified.out;
  const Result measured = shell(folder, "$LH eval run --data data.jsonl");
  const Result as_json = shell(folder, "$LH eval run --data data.jsonl --json");
  EXPECT_TRUE(nlohmann::json::accept(as_json.out));
  const Result described = shell(folder, "$LH info run");
  for (const Result* result : {&trained, &classified, &measured, &as_json, &described}) {
    EXPECT_FALSE(has_controls(result->out + result->err)) << result->out << result->err;
    EXPECT_EQ((result->out + result->err).find("\xC2\x9B"), std::string::npos);
  }
}

TEST(Hostile, NamesOfFilesAndColumnsAreMadeVisible) {
  const TemporaryFolder folder;
  std::string table = "day,\"va\x1b[2Jlue\"\n";
  for (int i = 0; i < 60; ++i) table += std::to_string(i) + "," + std::to_string(i % 7) + "\n";
  write_file(folder / "t\x1b[1m.csv", table);
  const Result trained = shell(folder, "$LH train regressor --data t*.csv --window 4 --hidden 4 --epochs 1 --out run");
  EXPECT_EQ(trained.code, 0) << trained.err;
  const Result predicted = shell(folder, "$LH predict run --data t*.csv");
  EXPECT_FALSE(has_controls(trained.out + trained.err + predicted.out + predicted.err));
  const Result compared = shell(folder,
                                "$LH compare depths --max-tokens 2000 --hidden 4 --embed 4 --epochs 1 --seeds 1 "
                                "--out \"$(printf 'c\\033[31m')\"");
  EXPECT_EQ(compared.code, 0) << compared.err;
  EXPECT_FALSE(has_controls(compared.out + compared.err));
}

TEST(Hostile, ByteModelsTerminate) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 3000; ++i) text += i % 7 == 0 ? '\xE9' : static_cast<char>('a' + i % 5);
  write_file(folder / "latin1", text);
  const Result trained =
      shell(folder, "timeout 20 $LH train lm --level byte --data latin1 --hidden 8 --embed 4 --epochs 1 --out run");
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(shell(folder, "timeout 20 $LH generate run --length 100").code, 0);
}

TEST(Hostile, FilesWithoutEndAreRefused) {
  const TemporaryFolder folder;
  EXPECT_EQ(shell(folder, "timeout 20 $LH info /dev/zero").code, 1);
  EXPECT_EQ(shell(folder, "timeout 20 $LH train lm --data /dev/zero --out run").code, 1);
  ASSERT_EQ(shell(folder,
                  "printf 'a x\\nb y\\na x\\nb y\\n' > d; $LH train classifier --data d --hidden 4 --embed 4 "
                  "--epochs 1 --valid-fraction 0 --out run")
                .code,
            0);
  const Result endless = shell(folder, "head -c 40000000 /dev/zero | tr '\\0' x | $LH classify run");
  EXPECT_EQ(endless.code, 1);
  EXPECT_NE(endless.err.find("line"), std::string::npos);
}

TEST(Hostile, RecipesAreReadInLinearTimeAndBoundedDepth) {
  const TemporaryFolder folder;
  write_file(folder / "key.toml", std::string(200000, 'x') + " = 1\n");
  write_file(folder / "array.toml", "hidden = " + std::string(40000, '[') + "\n");
  std::string dotted = "a";
  for (int i = 0; i < 40000; ++i) dotted += ".a";
  write_file(folder / "dotted.toml", dotted + " = 1\n");
  write_file(folder / "table.toml", "[" + dotted + "]\n");
  for (const char* name : {"key", "array", "dotted", "table"}) {
    const Result result =
        shell(folder, std::string("timeout 10 $LH train lm --data tale --out run --config ") + name + ".toml");
    EXPECT_EQ(result.code, 2) << name << result.err.substr(0, 200);
    EXPECT_LT(result.err.size(), 5000U);
  }
  EXPECT_EQ(shell(folder, "timeout 10 $LH compare --grid array.toml --out c").code, 2);
}

// What does not fit the checkpoint is refused before memory is taken for it. (The sanitizers reserve more than that.)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const std::string kLimit;
#else
const std::string kLimit = "ulimit -v 4000000; ";
#endif

TEST(Altered, RefusesChangedOptions) {
  const TemporaryFolder folder;
  ASSERT_EQ(shell(folder, kTrain).code, 0);
  const std::string config = read_file(folder / "run/config.toml");
  const auto with = [&](const std::string& key, const std::string& value) {
    const size_t at = config.find("\n" + key + " = ") + 1;
    std::string out = config;
    out.replace(at, config.find('\n', at) - at, key + " = " + value);
    return out;
  };
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{{"lr", "0.5"},
                                                                                   {"schedule", "\"cosine\""},
                                                                                   {"clip-norm", "9.0"},
                                                                                   {"l2", "0.5"},
                                                                                   {"engine", "\"reference\""},
                                                                                   {"activation-reg", "2.0"},
                                                                                   {"hidden", "65536"},
                                                                                   {"bptt", "3"}}) {
    write_file(folder / "run/config.toml", with(key, value));
    const Result result = shell(folder, kLimit + "$LH train lm --resume run --epochs 3");
    EXPECT_EQ(result.code, 1) << key;
    EXPECT_NE(result.err.find("--" + key), std::string::npos) << result.err;
  }
  write_file(folder / "run/config.toml", config);
  EXPECT_EQ(shell(folder, "$LH train lm --resume run --epochs 3").code, 0);
}

TEST(Altered, ReportsAnUnreadableConfiguration) {
  const TemporaryFolder folder;
  ASSERT_EQ(shell(folder, kTrain).code, 0);
  const std::string config = read_file(folder / "run/config.toml");
  for (const std::string& text : {config + "foo = 1\n", config + "hidden = \n", std::string("# empty\n")}) {
    write_file(folder / "run/config.toml", text);
    const Result result = shell(folder, "$LH train lm --resume run");
    EXPECT_EQ(result.code, 1);
    EXPECT_NE(result.err.find("restore"), std::string::npos) << result.err;
  }
}

// A damaged header must not pass for an option that somebody changed.
TEST(Altered, VerifiesTheChecksumFirst) {
  const TemporaryFolder folder;
  ASSERT_EQ(shell(folder, kTrain).code, 0);
  std::string bytes = read_file(folder / "run/checkpoint.safetensors");
  const size_t at = bytes.find("standard-uniform");
  ASSERT_NE(at, std::string::npos);
  bytes[at + 8] = '=';
  write_file(folder / "run/checkpoint.safetensors", bytes);
  const Result result = shell(folder, "$LH train lm --resume run --epochs 3");
  EXPECT_NE(result.err.find("checksum"), std::string::npos) << result.err;
}

TEST(Altered, RestoresAMissingModel) {
  for (const char* held_out : {"", " --valid-fraction 0"}) {
    const TemporaryFolder folder;
    ASSERT_EQ(shell(folder, kTrain + held_out).code, 0);
    const std::string model = read_file(folder / "run/model.safetensors");
    ASSERT_EQ(shell(folder, "rm run/model.safetensors run/report.html; $LH train lm --resume run").code, 0);
    EXPECT_EQ(read_file(folder / "run/model.safetensors"), model);
    EXPECT_TRUE(io::exists(folder / "run/report.html"));
  }
}

TEST(Altered, ReportsMissingMetrics) {
  const TemporaryFolder folder;
  ASSERT_EQ(shell(folder, kTrain + "; rm run/metrics.jsonl").code, 0);
  const Result resumed = shell(folder, "$LH train lm --resume run --epochs 3");
  EXPECT_EQ(resumed.code, 0);
  EXPECT_NE(resumed.err.find("note: run/metrics.jsonl is gone"), std::string::npos) << resumed.err;
  EXPECT_TRUE(is_json_lines(read_file(folder / "run/metrics.jsonl")));
}

TEST(Altered, RemovesTemporaryFilesOfKilledProcesses) {
  const TemporaryFolder folder;
  ASSERT_EQ(shell(folder, kTrain + "; touch run/checkpoint.safetensors.tmp-1234 run/mine.tmp-x").code, 0);
  ASSERT_EQ(shell(folder, "$LH train lm --resume run --epochs 3").code, 0);
  EXPECT_FALSE(io::exists(folder / "run/checkpoint.safetensors.tmp-1234"));
  EXPECT_TRUE(io::exists(folder / "run/mine.tmp-x"));
}

TEST(Altered, RefusesACheckpointWithoutItsChecksum) {
  const TemporaryFolder folder;
  ASSERT_EQ(shell(folder, kTrain).code, 0);
  std::string bytes = read_file(folder / "run/checkpoint.safetensors");
  bytes[bytes.size() - 100] = static_cast<char>(bytes[bytes.size() - 100] ^ 1);
  write_file(folder / "run/checkpoint.safetensors", bytes);
  const Result result = shell(folder, "$LH train lm --resume run --epochs 3");
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("checksum"), std::string::npos) << result.err;
}

TEST(Altered, RefusesACheckpointWithNan) {
  const TemporaryFolder folder;
  ASSERT_EQ(shell(folder, kTrain).code, 0);
  const std::string path = folder / "run/checkpoint.safetensors";
  const io::Safetensors whole = io::Safetensors::read(path);
  std::vector<float> values(whole.tensors().at("values").bytes.size() / sizeof(float));
  whole.copy_floats("values", {static_cast<int64_t>(values.size())}, values);
  values[1] = std::numeric_limits<float>::quiet_NaN();
  std::vector<io::TensorToWrite> tensors;
  for (const auto& [name, tensor] : whole.tensors()) {
    if (name == "values") {
      tensors.emplace_back(name, tensor.shape, std::span<const float>(values));
    } else {
      tensors.emplace_back(name, tensor.shape, tensor.dtype, tensor.bytes);
    }
  }
  io::write_safetensors(path, {{"state", whole.text("state")}}, tensors);
  const Result result = shell(folder, "$LH train lm --resume run --epochs 3");
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.err.find("expected finite numbers in 'values'"), std::string::npos) << result.err;
}

TEST(Diverged, TrainingFailsWithExitCodeOne) {
  const TemporaryFolder folder;
  const Result result = shell(folder, kTrain + "--lr 3000 --clip-norm 0 --optimizer sgd --epochs 3");
  EXPECT_EQ(result.code, 1) << result.out << result.err;
  EXPECT_NE(result.err.find("--lr"), std::string::npos) << result.err;
}

TEST(OwnFiles, TakePrecedenceOverBuiltInNames) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 400; ++i) text += "my own words. ";
  write_file(folder / "tale", text);
  const Result result = shell(folder, "$LH train lm --data tale --hidden 4 --embed 4 --epochs 1 --out run");
  EXPECT_NE(result.err.find("note: 'tale' is a file here"), std::string::npos) << result.err;
  EXPECT_EQ(nlohmann::json::parse(shell(folder, "$LH info run --json").out)["vocabulary"].size(), 10U);
}

TEST(Formats, ClassifyReadsWhatTheModelWasTrainedFrom) {
  const TemporaryFolder folder;
  std::string csv = "review,sentiment\n", jsonl, tsv = "sentence\tlabel\n";
  for (int i = 0; i < 12; ++i) {
    const std::string text = i % 2 == 0 ? "good one" : "bad one", label = i % 2 == 0 ? "pos" : "neg";
    csv += "\"" + text + ", yes\"," + label + "\n";
    jsonl += R"({"sentiment": ")" + label + R"(", "review": ")" + text + "\"}\n";
    tsv += text + "\t" + label + "\n";
  }
  write_file(folder / "csv", csv);
  write_file(folder / "jsonl", jsonl);
  write_file(folder / "tsv", tsv);
  for (const char* format : {"csv", "jsonl", "tsv"}) {
    SCOPED_TRACE(format);
    const Result trained =
        shell(folder, std::string("$LH train classifier --hidden 8 --embed 8 --epochs 30 --lr 0.01 ") +
                          "--overwrite --out run --data - < " + format);
    ASSERT_EQ(trained.code, 0) << trained.err;
    const Result classified = shell(folder, std::string("$LH classify run --data ") + format);
    EXPECT_EQ(classified.code, 0) << classified.err;
    std::istringstream lines(classified.out);
    int number = 0;
    for (std::string line; std::getline(lines, line); ++number) {
      EXPECT_EQ(line.substr(0, 3), number % 2 == 0 ? "pos" : "neg");
    }
    EXPECT_EQ(number, 12);
    EXPECT_EQ(shell(folder, "echo good one | $LH classify run").out.substr(0, 3), "pos");
  }
}

TEST(Formats, ClassifyRecognisesFilesAsTrainingDoes) {
  const TemporaryFolder folder;
  std::string rows;
  for (int i = 0; i < 12; ++i)
    rows +=
        std::string(i % 2 == 0 ? "good one x" : "bad one x") + std::to_string(i) + (i % 2 == 0 ? ",pos\n" : ",neg\n");
  write_file(folder / "train.csv", rows);
  ASSERT_EQ(
      shell(folder, "$LH train classifier --hidden 8 --embed 8 --epochs 30 --lr 0.01 --out run --data train.csv").code,
      0);
  const auto classes = [&](const std::string& name, const std::string& text) {
    write_file(folder / name, text);
    const Result result = shell(folder, "$LH classify run --data " + name);
    EXPECT_EQ(result.code, 0) << result.err;
    std::string out;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) out += line.substr(0, line.find('\t')) + " ";
    return out;
  };
  EXPECT_EQ(classes("a.csv", "good one,pos\nbad one,neg\n"), "pos neg ");
  EXPECT_EQ(classes("b.csv", "sep=;\nid;text\n1;good one\n2;bad one\n"), "pos neg ");
  EXPECT_EQ(classes("c.csv", "review\ngood one\n\"bad, one\"\n"), "pos neg ");
  EXPECT_EQ(classes("d.csv", "id,text\n1,good one\n2,\n3,bad one\n"), "pos  neg ");
  EXPECT_EQ(classes("e.txt", "pos good one\nneg bad one\n"), "pos neg ");
  EXPECT_EQ(classes("f.txt", "good one\nbad one\n"), "pos neg ");
  const Result small = shell(folder, "printf 'good one,pos\\nbad one,neg\\n' > two.csv; $LH eval run --data two.csv");
  EXPECT_NE(small.out.find("100.00 %"), std::string::npos) << small.out << small.err;
}

}  // namespace
}  // namespace longhand::cli
