// The binary as a user meets it: exit codes, messages, streams, signals.
#include <sys/file.h>

#include <fstream>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

TEST(Cli, TrainsEvaluatesGeneratesAndDescribes) {
  const TemporaryFolder folder;
  const Result train = run(folder, with(kSmall, {"--json"}));
  ASSERT_EQ(train.code, 0) << train.err;
  const nlohmann::json result = nlohmann::json::parse(train.out);
  EXPECT_EQ(result["epochs"], 2);
  for (const char* file :
       {"model.safetensors", "checkpoint.safetensors", "config.toml", "metrics.jsonl", "report.html"}) {
    EXPECT_TRUE(io::exists(folder / ("run/" + std::string(file)))) << file;
  }
  std::ifstream metrics(folder / "run/metrics.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(metrics, line));
  const nlohmann::json row = nlohmann::json::parse(line);
  for (const char* key : {"epoch", "step", "seconds", "train_loss", "train_perplexity", "valid_loss",
                          "valid_perplexity", "learning_rate", "gradient_norm", "tokens_per_second"}) {
    EXPECT_TRUE(row.contains(key) && row[key].is_number()) << key;
  }

  write_file(folder / "text", "the mill and the weir\n");
  const Result eval = run(folder, {"eval", "run", "--data", "text", "--json"});
  ASSERT_EQ(eval.code, 0) << eval.err;
  const nlohmann::json score = nlohmann::json::parse(eval.out);
  EXPECT_EQ(score["symbols"], 21);
  EXPECT_EQ(score["sequences"], 1);
  EXPECT_NEAR(score["total_nats"].get<double>(), 21 * score["nats_per_symbol"].get<double>(), 1e-9);
  EXPECT_NEAR(score["perplexity"].get<double>(), std::exp(score["nats_per_symbol"].get<double>()), 1e-9);
  EXPECT_EQ(run(folder, {"eval", "run", "--data", "-", "--json"}, {.input = "the mill and the weir\n"}).out, eval.out);
  EXPECT_NE(run(folder, {"eval", "run", "--data", "text"}).out.find("bits per character"), std::string::npos);

  const std::vector<std::string> generate = {"generate", "run", "--prompt", "the ", "--length", "50", "--seed", "4"};
  const Result first = run(folder, generate);
  EXPECT_EQ(first.code, 0);
  EXPECT_TRUE(first.out.starts_with("the "));
  EXPECT_EQ(run(folder, generate).out, first.out);
  EXPECT_NE(run(folder, {"info", "run"}).out.find("lstm.weight_hh_l0"), std::string::npos);
  EXPECT_NE(run(folder, {"info"}).out.find("SIMD"), std::string::npos);
  EXPECT_NE(run(folder, {"data", "list"}).out.find("quatrains"), std::string::npos);
}

// Training rounds to bf16; what is reported of the model is what others will measure.
TEST(Cli, InBf16AModelIsMeasuredAsItIsUsed) {
  const TemporaryFolder folder;
  const std::vector<std::string> train = {"train",    "lm", "--data",   "tale", "--max-tokens", "3000",
                                          "--hidden", "16", "--epochs", "1",    "--lines",      "--valid"};
  write_file(folder / "valid.txt", "the fox\nand the hen\n");
  ASSERT_EQ(run(folder, with(train, {"valid.txt", "--precision", "bf16", "--out", "half"})).code, 0);
  ASSERT_EQ(run(folder, with(train, {"valid.txt", "--out", "whole"})).code, 0);
  EXPECT_NE(read_file(folder / "half/model.safetensors"), read_file(folder / "whole/model.safetensors"));
  const nlohmann::json line = nlohmann::json::parse(read_file(folder / "half/metrics.jsonl"));
  const nlohmann::json score =
      nlohmann::json::parse(run(folder, {"eval", "half", "--data", "valid.txt", "--json"}).out);
  EXPECT_EQ(line["valid_loss"].get<double>(), score["nats_per_symbol"].get<double>());
}

TEST(Cli, TheResolvedConfigurationReproducesTheRun) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, with(kSmall, {"--seed", "3", "--dropout", "0.1"})).code, 0);
  ASSERT_EQ(run(folder, {"train", "lm", "--config", "run/config.toml", "--out", "again"}).code, 0);
  EXPECT_EQ(read_file(folder / "run/model.safetensors"), read_file(folder / "again/model.safetensors"));
  ASSERT_EQ(run(folder, {"train", "lm", "--config", "run/config.toml", "--seed", "4", "--out", "other"}).code, 0);
  EXPECT_NE(read_file(folder / "run/model.safetensors"), read_file(folder / "other/model.safetensors"));
}

TEST(Cli, NeverOverwritesARunUnasked) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, kSmall).code, 0);
  const std::string before = read_file(folder / "run/model.safetensors");
  expect_error(run(folder, kSmall), 2, "run: holds a run already");
  EXPECT_EQ(read_file(folder / "run/model.safetensors"), before);
  EXPECT_EQ(run(folder, with(kSmall, {"--overwrite"})).code, 0);
  std::vector<std::string> unnamed(kSmall.begin(), kSmall.end() - 2);
  EXPECT_EQ(run(folder, unnamed).code, 0);
  EXPECT_EQ(run(folder, unnamed).code, 0);
  EXPECT_TRUE(io::exists(folder / "runs/tale/model.safetensors"));
  EXPECT_TRUE(io::exists(folder / "runs/tale-2/model.safetensors"));
}

const std::vector<std::string> kLong = {
    "train", "lm", "--data", "tale", "--max-tokens", "3000", "--hidden", "24", "--embed", "8", "--epochs", "100000",
    "--checkpoint-seconds", "0.05",
    // Where states are reset depends on the number of epochs, which the test changes.
    "--reset-state", "0"};

TEST(Cli, AFolderBelongsToOneProcessAtATime) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, kSmall).code, 0);
  const int held = ::open((folder / "run").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(held, LOCK_EX | LOCK_NB), 0);
  const std::string model = read_file(folder / "run/model.safetensors");
  const std::string why = "run: another process is writing in it";
  expect_error(run(folder, {"train", "lm", "--resume", "run", "--epochs", "3", "--quiet"}), 1, why);
  expect_error(run(folder, with(kSmall, {"--overwrite", "--seed", "7", "--quiet"})), 1, why);
  EXPECT_EQ(read_file(folder / "run/model.safetensors"), model);
  ::close(held);
  EXPECT_EQ(run(folder, {"train", "lm", "--resume", "run", "--epochs", "3"}).code, 0);
}

TEST(Cli, RefusesToResumeWithDamagedMetrics) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, kSmall).code, 0);
  const std::string whole = read_file(folder / "run/metrics.jsonl");
  std::string damaged = whole;
  damaged[1] = '!';
  write_file(folder / "run/metrics.jsonl", damaged);
  const std::vector<std::string> resume = {"train", "lm", "--resume", "run", "--epochs", "100000", "--quiet"};
  expect_error(run(folder, resume), 1, "run/metrics.jsonl:1: expected an evaluation");
  // What a crash left after the last line that the checkpoint knows of is cut off.
  write_file(folder / "run/metrics.jsonl", whole + "{\"epoch\": 3, \"st");
  ASSERT_EQ(run(folder, {"train", "lm", "--resume", "run", "--epochs", "3"}).code, 0);
  const std::string now = read_file(folder / "run/metrics.jsonl");
  EXPECT_EQ(now.substr(0, whole.size()), whole);
  EXPECT_EQ(std::count(now.begin(), now.end(), '\n'), 3);
}

TEST(Cli, CtrlCSavesAndResumingIsBitIdentical) {
  const TemporaryFolder folder;
  const Limits interrupted{.signal = SIGINT, .checkpoint = "run/checkpoint.safetensors", .trained = true};
  const Result stopped = run(folder, with(kLong, {"--out", "run"}), interrupted);
  EXPECT_EQ(stopped.code, 130);
  EXPECT_TRUE(io::exists(folder / "run/report.html"));
  EXPECT_NE(stopped.err.find("--resume run"), std::string::npos) << stopped.err;
  ASSERT_GT(steps_made(folder / "run/checkpoint.safetensors"), 0);
  const std::string epochs = std::to_string(epochs_made(folder / "run/checkpoint.safetensors") + 2);
  ASSERT_EQ(run(folder, {"train", "lm", "--resume", "run", "--epochs", epochs, "--threads", "1"}).code, 0);
  ASSERT_EQ(run(folder, with(kLong, {"--out", "whole", "--epochs", epochs})).code, 0);  // the last value counts
  EXPECT_EQ(read_file(folder / "run/model.safetensors"), read_file(folder / "whole/model.safetensors"));
}

TEST(Cli, KillAtAnyMomentLeavesAReadableCheckpoint) {
  const TemporaryFolder folder;
  int64_t steps = 0;
  std::vector<std::string> words = with(kLong, {"--out", "run"});
  for (int round = 0; round < 4; ++round) {
    const Limits killed{.signal = SIGKILL, .checkpoint = "run/checkpoint.safetensors", .trained = true};
    EXPECT_EQ(run(folder, words, killed).code, 128 + SIGKILL);
    const int64_t now = steps_made(folder / "run/checkpoint.safetensors");
    EXPECT_GE(now, steps);
    steps = now;
    EXPECT_EQ(run(folder, {"info", "run"}).code, 0);
    words = {"train", "lm", "--resume", "run"};
  }
  EXPECT_GT(steps, 0);
}

TEST(Cli, InputAtFaultIsExitCodeOne) {
  const TemporaryFolder folder;
  const auto train = [&](const std::string& data, const std::vector<std::string>& more = {}) {
    return run(folder, with({"train", "lm", "--data", data, "--out", "run", "--epochs", "1"}, more));
  };
  expect_error(train("none.txt"), 1, "none.txt: expected a file or the name of a data set, found neither");
  expect_error(train("tail"), 1, "did you mean tale?");
  expect_error(train("."), 1, "found a folder");
  write_file(folder / "empty", "");
  expect_error(train("empty"), 1, "empty: expected a text, found nothing");
  write_file(folder / "binary", std::string("ab\0cd", 5));
  expect_error(train("binary"), 1, "binary file (a zero byte at offset 2)");
  write_file(folder / "latin1", "caf\xE9 au lait");
  expect_error(train("latin1"), 1, "latin1:1: expected UTF-8, found byte 0xE9 at offset 3");
  write_file(folder / "short", "abc");
  expect_error(train("short"), 1, "too short to train on");
  write_file(folder / "blank", "\n\n");
  expect_error(train("blank", {"--lines"}), 1, "too short to train on");
  expect_error(train("tale", {"--valid", "none"}), 1, "none: expected a file");
  expect_error(train("tale", {"--min-count", "1000000"}), 1, "no symbol occurs 1000000 times");
  EXPECT_FALSE(io::exists(folder / "run"));  // nothing half-made
  write_file(folder / "file", "x");
  expect_error(run(folder, {"train", "lm", "--data", "tale", "--out", "file/run"}), 1, "cannot create this folder");
}

TEST(Cli, AFullDiskStopsTheRunAndLeavesNothingHalfWritten) {
  const TemporaryFolder folder;
  const Result result = run(folder, kSmall, {.file_size = 20000});
  expect_error(result, 1, "cannot be written");
  EXPECT_FALSE(io::exists(folder / "run/checkpoint.safetensors"));
  EXPECT_FALSE(io::exists(folder / "run/model.safetensors"));
}

TEST(Cli, ModelsAtFaultAreExitCodeOne) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, kSmall).code, 0);
  const std::string whole = read_file(folder / "run/model.safetensors");
  for (const size_t size : {size_t{0}, size_t{5}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(folder / "cut", whole.substr(0, size));
    expect_error(run(folder, {"generate", "cut"}), 1, "cut: not a valid safetensors file");
    expect_error(run(folder, {"eval", "cut", "--data", "tale"}), 1, "not a valid safetensors file");
    expect_error(run(folder, {"info", "cut"}), 1, "not a valid safetensors file");
  }
  std::string other = whole;
  other.replace(other.find("language_model"), 14, "tagger_model__");
  write_file(folder / "other", other);
  expect_error(run(folder, {"generate", "other"}), 1, "expected a language_model, found a tagger_model__");
  expect_error(run(folder, {"generate", "none"}), 1, "none: cannot be read");
  expect_error(run(folder, {"generate", "run", "--prompt", "\u6625"}), 1, "does not know the symbol '春'");
  EXPECT_EQ(run(folder, {"generate", "run", "--prompt", "\u6625 the", "--unknown", "skip"}).code, 0);
  expect_error(run(folder, {"eval", "run", "--data", "quatrains"}), 1, "quatrains:1: the model does not know");
  expect_error(run(folder, {"train", "lm", "--resume", "nowhere"}), 1, "expected the folder of a run");
}

TEST(Cli, TheCommandLineAtFaultIsExitCodeTwo) {
  const TemporaryFolder folder;
  const auto usage = [&](const std::vector<std::string>& words, const std::string& fragment) {
    expect_error(run(folder, words), 2, fragment);
  };
  usage({}, "no command was given");
  usage({"trian"}, "did you mean train?");
  usage({"train"}, "no command was given");
  usage({"train", "ml"}, "did you mean lm?");
  usage({"train", "taggre", "--data", "x"}, "did you mean tagger?");
  usage({"train", "lm"}, "expected --data");
  usage({"train", "lm", "--data", "tale", "--hiden", "3"}, "did you mean --hidden?");
  usage({"train", "--data", "tale"},
        "longhand train: expected lm, tagger, classifier, regressor, network before --data");
  usage({"train", "lm", "--data", "tale", "--embed", "0", "--dropout-input", "0.1"}, "--dropout-input: expected 0");
  usage({"train", "lm", "--data", "tale", "--hidden", "8", "--proj", "8"}, "--proj: expected less than --hidden (8)");
  usage({"train", "lm", "--data", "tale", "--cell", "rnn", "--layer-norm"},
        "--layer-norm: expected --cell lstm, found --cell rnn");
  usage({"train", "lm", "--data", "tale", "--dropout-output", "-0.5"}, "from 0 to 0.99, or -1, found '-0.5'");
  usage({"train", "lm", "--data", "tale", "--cell", "gru", "--engine", "autograd", "--precision", "bf16"},
        "--precision bf16: expected --engine fused, found autograd");
  usage({"train", "lm", "--data", "tale", "--sparse-embedding", "--optimizer", "asgd"},
        "--sparse-embedding: cannot be combined with --optimizer asgd");
  usage({"train", "lm", "--data", "tale", "--sparse-embedding", "--tie-weights"},
        "cannot be combined with --tie-weights");
  usage({"train", "lm", "--data", "tale", "--sparse-embedding", "--embed", "0"}, "cannot be combined with --embed 0");
  usage({"selftest", "--derivatives", "--thorough"}, "--thorough");
  usage({"train", "lm", "--data", "tale", "--hidden", "0"}, "--hidden: expected an integer from 1 to 65536, found '0'");
  usage({"train", "lm", "--data", "tale", "--hidden"}, "--hidden: expected a value, found none");
  usage({"train", "lm", "--data", "tale", "--dropout", "1"}, "a number from 0 to 0.99, found '1'");
  usage({"train", "lm", "--data", "tale", "--optimizer", "adm"}, "did you mean adam?");
  usage({"train", "lm", "--data", "tale", "--level", "letters"}, "one of char, byte, word");
  usage({"train", "lm", "--data", "tale", "--lr", "nan"}, "--lr: expected a number above 0");
  usage({"train", "lm", "--resume", "run", "--hidden", "3"}, "--hidden cannot change in a resumed run");
  usage({"train", "lm", "--resume", "run", "--out", "x"}, "--resume cannot be combined with");
  usage({"generate"}, "longhand generate: expected MODEL, found none");
  usage({"train", "lm", "--data", "tale", "--lines=maybe"}, "longhand train lm: --lines: expected no value, found one");
  usage({"generate", "run", "--temperature", "0"}, "--temperature: expected a number above 0");
  usage({"eval", "run"}, "expected --data");
  write_file(folder / "bad.toml", "data = \"tale\"\nhiden = 3\n");
  usage({"train", "lm", "--config", "bad.toml"}, "bad.toml:2: hiden: not an option that can be set in a file");
}

TEST(Cli, HelpIsOnStandardOutput) {
  const TemporaryFolder folder;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--help"}, {"train", "--help"}, {"train", "lm", "--help"}, {"generate", "--help"}}) {
    const Result result = run(folder, words);
    EXPECT_EQ(result.code, 0);
    EXPECT_NE(result.out.find("Usage: longhand"), std::string::npos) << result.out;
    EXPECT_EQ(result.err, "");
  }
  EXPECT_NE(run(folder, {"train", "lm", "--help"}).out.find("--forget-bias"), std::string::npos);
  EXPECT_EQ(run(folder, {"help"}).out, run(folder, {"--help"}).out);
  EXPECT_EQ(run(folder, {"help", "train", "lm"}).out, run(folder, {"train", "lm", "--help"}).out);
}

TEST(Cli, ReportsANonFiniteLossWithItsStep) {
  const TemporaryFolder folder;
  const Result result =
      run(folder, {"train", "lm", "--data", "tale", "--max-tokens", "3000", "--hidden", "24", "--optimizer", "sgd",
                   "--lr", "1e38", "--clip-norm", "0", "--out", "run", "--epochs", "50", "--quiet"});
  expect_error(result, 1, "not finite");
  EXPECT_NE(result.err.find("step "), std::string::npos);
  EXPECT_GE(steps_made(folder / "run/checkpoint.safetensors"), 0);
}

TEST(Cli, SelfTestChecksEachEquation) {
  const TemporaryFolder folder;
  const Result result = run(folder, {"selftest", "--derivatives"});
  EXPECT_EQ(result.code, 0);
  EXPECT_NE(result.out.find("(28)"), std::string::npos);
  EXPECT_NE(result.out.find("All derivatives are right."), std::string::npos);
}

// A model of another cell trains, is measured and writes on every engine.
TEST(Cli, OtherCellsTrainAndAreUsed) {
  for (const std::string cell : {"gru", "rnn", "rnn-relu"}) {
    const TemporaryFolder folder;
    const Result trained = run(folder, with(kSmall, {"--cell", cell}));
    ASSERT_EQ(trained.code, 0) << trained.err;
    const std::string layer = cell == "gru" ? "gru" : "rnn";
    EXPECT_NE(run(folder, {"info", "run"}).out.find(layer + ".weight_hh_l0"), std::string::npos);
    const std::vector<std::string> eval = {"eval", "run", "--data", "tale", "--unknown", "skip", "--json"};
    const auto nats = [&](const std::string& engine) {
      const Result score = run(folder, with(eval, {"--engine", engine}));
      return nlohmann::json::parse(score.out)["nats_per_symbol"].get<double>();
    };
    EXPECT_NEAR(nats("reference"), nats("fused"), 1e-5);
    EXPECT_NEAR(nats("autograd"), nats("fused"), 1e-5);
    const std::vector<std::string> generate = {"generate", "run", "--prompt", "the ", "--length", "20"};
    const Result text = run(folder, generate);
    EXPECT_EQ(text.code, 0) << text.err;
    EXPECT_TRUE(text.out.starts_with("the "));
    EXPECT_EQ(run(folder, with(generate, {"--engine", "reference"})).out, text.out);
    EXPECT_EQ(run(folder, {"train", "lm", "--resume", "run", "--epochs", "3"}).code, 0);
  }
}

// A bidirectional model trains, with a word of warning, is measured on what came before, and does not write.
TEST(Cli, EvaluatesABidirectionalModelOnThePastAndRefusesToGenerate) {
  const TemporaryFolder folder;
  const Result trained = run(folder, with(kSmall, {"--bidirectional", "--residual"}));
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.err.find("reads the symbol that it predicts"), std::string::npos);
  EXPECT_NE(trained.err.find("--residual does nothing with one layer"), std::string::npos);
  const Result refused = run(folder, {"eval", "run", "--data", "tale"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("--context 64"), std::string::npos);
  const Result measured =
      run(folder, {"eval", "run", "--data", "tale", "--context", "4", "--unknown", "skip", "--json"});
  ASSERT_EQ(measured.code, 0) << measured.err;
  EXPECT_EQ(nlohmann::json::parse(measured.out)["context"], 4);
  EXPECT_GT(nlohmann::json::parse(measured.out)["unknown_symbols"], 0);
  const Result silent = run(folder, {"generate", "run"});
  EXPECT_EQ(silent.code, 1);
  EXPECT_NE(silent.err.find("a bidirectional model cannot generate"), std::string::npos);
}

}  // namespace
}  // namespace longhand::cli
