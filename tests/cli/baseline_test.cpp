// The simple models that a training is compared with, as a user meets them.
#include <filesystem>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

// The class is that of one word; every other text has it at the beginning.
std::string labelled(int n) {
  std::string out;
  for (int i = 0; i < n; ++i) {
    const bool good = i % 3 == 0;
    out += good ? "__label__good " : "__label__bad ";
    out +=
        std::string(i % 2 == 0 ? "the " : "a ") + (good ? "lovely" : "dull") + " film number " + std::to_string(i % 7);
    out += "\n";
  }
  return out;
}

std::string tagged(int n, bool chunks) {
  std::string out;
  for (int i = 0; i < n; ++i) {
    out += std::string(i % 2 == 0 ? "Anna" : "Bert") + (chunks ? " B-PER\n" : " PROPN\n");
    out += std::string("saw") + (chunks ? " O\n" : " VERB\n") + "moons" + (chunks ? " O\n\n" : " NOUN\n\n");
  }
  return out;
}

const Words kClassifier = {"train", "classifier", "--data", "train.txt", "--test", "test.txt", "--hidden",
                           "4",     "--embed",    "4",      "--epochs",  "1",      "--out",    "run"};

TEST(Baseline, OfALanguageModelIsAnNgramModel) {
  const TemporaryFolder folder;
  const Result train = run(folder, kSmall);
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_NE(train.out.find("-gram (Kneser-Ney, order chosen on held-out text): loss "), std::string::npos) << train.out;
  EXPECT_NE(train.out.find(", on the held-out data\n"), std::string::npos) << train.out;
  // Two epochs on 3,000 characters are not enough.
  EXPECT_NE(train.err.find("note: the model is not better than the baseline: loss "), std::string::npos) << train.err;
  EXPECT_NE(train.err.find("--epochs"), std::string::npos) << train.err;
  EXPECT_TRUE(io::exists(folder / "run/baseline.safetensors"));
  const std::string report = read_file(folder / "run/report.html");
  EXPECT_NE(report.find("<h2>Baseline</h2>"), std::string::npos);
  EXPECT_NE(report.find("the model is not better than the baseline"), std::string::npos);

  // On other data, without the training text.
  write_file(folder / "other.txt", "the old king had a garden, and in the garden was a tree");
  const Result eval = run(folder, {"eval", "run", "--data", "other.txt"});
  EXPECT_NE(eval.out.find("\nbaseline            "), std::string::npos) << eval.out << eval.err;
  const Words as_json = {"eval", "run", "--data", "other.txt", "--json"};
  EXPECT_EQ(eval.err.find("baseline: loss"), std::string::npos) << eval.err;  // the table says nats per symbol
  const nlohmann::json json = nlohmann::json::parse(run(folder, as_json).out);
  EXPECT_GT(json["baseline"]["perplexity"], 1.0);
  EXPECT_NEAR(json["baseline"]["bits_per_character"].get<double>() / json["baseline"]["nats_per_symbol"].get<double>(),
              json["bits_per_character"].get<double>() / json["nats_per_symbol"].get<double>(), 1e-9);
  ASSERT_EQ(run(folder, {"eval", "run", "--data", "other.txt", "--report", "page.html"}).code, 0);
  EXPECT_NE(read_file(folder / "page.html").find("<h2>Baseline</h2>"), std::string::npos);

  // A model file alone has none.
  std::filesystem::copy(folder / "run/model.safetensors", folder / "alone.safetensors");
  const Result alone = run(folder, {"eval", "alone.safetensors", "--data", "other.txt", "--json"});
  EXPECT_FALSE(nlohmann::json::parse(alone.out).contains("baseline"));
  // A damaged one is not passed over.
  write_file(folder / "run/baseline.safetensors", "nothing");
  const Result damaged = run(folder, {"eval", "run", "--data", "other.txt"});
  EXPECT_EQ(damaged.code, 0) << damaged.err;
  EXPECT_NE(damaged.err.find("no baseline is shown"), std::string::npos) << damaged.err;
  EXPECT_NE(run(folder, as_json).err.find("no baseline is shown"), std::string::npos);
}

// Ctrl-C while it is fitted: what the training gave is printed all the same.
TEST(Baseline, IsSkippedWhenInterrupted) {
  const TemporaryFolder folder;
  std::string table = "a,value\n";
  for (int i = 0; i < 800; ++i) table += std::to_string(i * 7919 % 101) + "," + std::to_string(i * 104729 % 89) + "\n";
  write_file(folder / "t.csv", table);
  const Words words = {"train",     "regressor", "--data",  "t.csv",    "--inputs",  "a",        "--target",
                       "value",     "--window",  "500",     "--hidden", "1",         "--epochs", "1",
                       "--horizon", "1",         "--batch", "64",       "--threads", "1",        "--out"};
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string out = "run" + std::to_string(signal);
    const Result stopped = run(folder, with(words, {out, "--json"}),
                               {.signal = signal, .said = "fitting the baseline", .milliseconds = 50});
    EXPECT_EQ(stopped.code, 130) << stopped.err;
    const nlohmann::json json = nlohmann::json::parse(stopped.out);
    EXPECT_EQ(json["epochs"], 1);
    EXPECT_TRUE(json["valid_mse"].is_number());
    EXPECT_FALSE(json.contains("baseline"));
    EXPECT_NE(stopped.err.find("interrupted: training is complete, and no baseline was fitted\n"), std::string::npos)
        << stopped.err;
    EXPECT_NE(stopped.err.find("`longhand train regressor --resume " + out + "`"), std::string::npos) << stopped.err;
    EXPECT_FALSE(io::exists(folder / (out + "/baseline.safetensors")));
  }
  const Result resumed = run(folder, {"train", "regressor", "--resume", "run" + std::to_string(SIGINT), "--json"});
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_TRUE(nlohmann::json::parse(resumed.out).contains("baseline")) << resumed.out;
}

TEST(Baseline, IsLeftOutWhereItIsNotWanted) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, kSmall).code, 0);
  const Result without = run(folder, with(kSmall, {"--overwrite", "--no-baseline", "--json"}));
  ASSERT_EQ(without.code, 0) << without.err;
  EXPECT_FALSE(nlohmann::json::parse(without.out).contains("baseline"));
  EXPECT_FALSE(io::exists(folder / "run/baseline.safetensors"));  // of the run before
  // Nor where there is nothing to measure it on.
  const Result nothing = run(folder, with(kSmall, {"--overwrite", "--valid-fraction", "0", "--json"}));
  EXPECT_FALSE(nlohmann::json::parse(nothing.out).contains("baseline"));
  EXPECT_FALSE(io::exists(folder / "run/baseline.safetensors"));
}

TEST(Baseline, IsTheSameAfterAnInterruption) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, kSmall).code, 0);
  const std::string expected = read_file(folder / "run/baseline.safetensors");
  const Words longer = with(kSmall, {"--overwrite", "--epochs", "4000"});
  const Result stopped = run(folder, longer, {.signal = SIGINT, .checkpoint = "run/checkpoint.safetensors"});
  ASSERT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_FALSE(io::exists(folder / "run/baseline.safetensors"));
  const int64_t begun = epochs_made(folder / "run/checkpoint.safetensors");
  const Result resumed =
      run(folder, {"train", "lm", "--resume", "run", "--epochs", std::to_string(begun + 1), "--threads", "2"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(read_file(folder / "run/baseline.safetensors"), expected);
}

TEST(Baseline, OfAClassifierIsALinearOne) {
  const TemporaryFolder folder;
  write_file(folder / "train.txt", labelled(90));
  write_file(folder / "test.txt", labelled(30));
  const Result train = run(folder, with(kClassifier, {"--json"}));
  ASSERT_EQ(train.code, 0) << train.err;
  const nlohmann::json baseline = nlohmann::json::parse(train.out)["baseline"];
  EXPECT_TRUE(baseline["name"].get<std::string>().starts_with("logistic regression on words")) << baseline;
  EXPECT_EQ(baseline["accuracy"], 100.0) << baseline;
  EXPECT_EQ(baseline["measured_on"], "test data");
  // Read from its file, it gives the same.
  const Result eval = run(folder, {"eval", "run", "--data", "test.txt", "--json"});
  EXPECT_EQ(nlohmann::json::parse(eval.out)["baseline"]["loss"], baseline["loss"]) << eval.err;
  // Another model in its place has other classes.
  write_file(folder / "train.txt", labelled(90) + "__label__other what\n__label__other what else\n");
  ASSERT_EQ(run(folder, with(kClassifier, {"--out", "second", "--no-baseline"})).code, 0);
  std::filesystem::copy(folder / "run/baseline.safetensors", folder / "second/baseline.safetensors");
  const Result other = run(folder, {"eval", "second", "--data", "test.txt"});
  EXPECT_EQ(other.code, 0);
  EXPECT_NE(other.err.find("expected the classes of the model beside it"), std::string::npos) << other.err;
}

TEST(Baseline, OfATaggerIsACrfOrTheMostFrequentTags) {
  for (const bool chunks : {true, false}) {
    const TemporaryFolder folder;
    write_file(folder / "train.txt", tagged(60, chunks));
    const Result train = run(folder, {"train", "tagger", "--data", "train.txt", "--hidden", "4", "--embed", "4",
                                      "--hidden-characters", "4", "--epochs", "1", "--out", "run", "--json"});
    ASSERT_EQ(train.code, 0) << train.err;
    const nlohmann::json baseline = nlohmann::json::parse(train.out)["baseline"];
    EXPECT_TRUE(baseline["name"].get<std::string>().starts_with(chunks ? "CRF" : "most frequent tag")) << baseline;
    EXPECT_EQ(baseline[chunks ? "f1" : "accuracy"], 100.0) << baseline;
    EXPECT_EQ(baseline["measured_on"], "held-out data");
    const Result eval = run(folder, {"eval", "run", "--data", "train.txt", "--json"});
    EXPECT_EQ(nlohmann::json::parse(eval.out)["baseline"]["accuracy"], 100.0) << eval.err;
  }
}

TEST(Baseline, IsARowOfAComparison) {
  const TemporaryFolder folder;
  write_file(folder / "grid.toml", "hidden = [4, 6]\nlowercase = [false, true]\n");
  const Words words = {"compare", "--grid",   "grid.toml", "--data",  "tale", "--max-tokens", "2000", "--embed",
                       "4",       "--epochs", "1",         "--seeds", "2",    "--out",        "all"};
  const Result shown = run(folder, words);
  ASSERT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("baseline: "), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("with the data of hidden 4, lowercase false, hidden 6, lowercase false"), std::string::npos)
      << shown.out;
  EXPECT_NE(shown.out.find("no variant is better than the baseline by the held-out loss"), std::string::npos)
      << shown.out;
  // One for each data set, found again.
  const nlohmann::json json = nlohmann::json::parse(run(folder, with(words, {"--json"})).out);
  ASSERT_EQ(json["baselines"].size(), 2U) << json["baselines"];
  EXPECT_EQ(json["baselines"][0]["variants"].size(), 2U);
  EXPECT_GT(json["baselines"][0]["valid_perplexity"], 1.0);
  EXPECT_NE(read_file(folder / "all/report.html").find("baseline: "), std::string::npos);
  const nlohmann::json none = nlohmann::json::parse(run(folder, with(words, {"--json", "--no-baseline"})).out);
  EXPECT_TRUE(none["baselines"].empty());
}

}  // namespace
}  // namespace longhand::cli
