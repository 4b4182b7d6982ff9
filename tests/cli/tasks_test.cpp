// Taggers, classifiers, ensembles and verse as a user meets them.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

const Words kTagger = {
    "train", "tagger",   "--data", "train.txt",        "--hidden", "8",    "--embed", "8", "--hidden-characters",
    "4",     "--epochs", "12",     "--valid-fraction", "0.2",      "--lr", "0.02"};

// Sentences in which a capital makes a name.
std::string tagged(int n) {
  std::string out;
  for (int i = 0; i < n; ++i) {
    const char* name = i % 3 == 0 ? "Anna" : i % 3 == 1 ? "Bert" : "Carl";
    out.append(name).append(" B-PER\n").append(i % 2 == 0 ? "Lee I-PER\n" : "").append("saw O\nthe O\n");
    out.append(i % 5 == 0 ? "Sun B-THING\n" : "moon O\n").append(". O\n\n");
  }
  return out;
}

TEST(Tagger, TrainsEvaluatesAndPredicts) {
  const TemporaryFolder folder;
  write_file(folder / "train.txt", tagged(80));
  write_file(folder / "test.txt", tagged(20));
  const Result train = run(folder, with(kTagger, {"--crf", "--test", "test.txt", "--out", "run", "--json"}));
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_NE(train.err.find("space-separated columns, tags in column 2, tagging scheme iob2"), std::string::npos)
      << train.err;
  const nlohmann::json trained = nlohmann::json::parse(train.out);
  EXPECT_EQ(trained["test_f1"], 100.0) << trained;
  EXPECT_FALSE(trained.contains("train_perplexity"));
  EXPECT_TRUE(io::exists(folder / "run/report.html"));
  const Result info = run(folder, {"info", "run"});
  EXPECT_NE(info.out.find("tagger, "), std::string::npos);
  EXPECT_NE(info.out.find("crf.transitions"), std::string::npos);

  const Result eval = run(folder, {"eval", "run", "--data", "test.txt"});
  EXPECT_NE(eval.out.find("accuracy: 100.00%; precision: 100.00%; recall: 100.00%; FB1: 100.00"), std::string::npos)
      << eval.out << eval.err;
  const nlohmann::json json = nlohmann::json::parse(run(folder, {"eval", "run", "--data", "test.txt", "--json"}).out);
  EXPECT_EQ(json["accuracy"], 100.0);
  EXPECT_EQ(json["types"]["PER"]["gold"], 20);

  const Result said = run(folder, {"tag", "run"}, {.input = "Bert Lee saw the Sun .\n\nAnna saw the moon ."});
  EXPECT_EQ(said.out,
            "Bert\tB-PER\nLee\tI-PER\nsaw\tO\nthe\tO\nSun\tB-THING\n.\tO\n\n\n"
            "Anna\tB-PER\nsaw\tO\nthe\tO\nmoon\tO\n.\tO\n\n")
      << said.err;
  // Columns keep what they had, and gain one: what `eval --predictions` scores.
  const Result columns = run(folder, {"tag", "run", "--data", "test.txt", "--input", "columns"});
  write_file(folder / "predicted.txt", columns.out);
  const Result scored = run(folder, {"eval", "--predictions", "predicted.txt"});
  EXPECT_EQ(scored.out, eval.out.substr(0, scored.out.size())) << scored.err;
  EXPECT_NE(scored.out.find("FB1"), std::string::npos);
  // A document's first line is no word; the last sentence ends, whether or not a blank line says so.
  write_file(folder / "documents.txt", "-DOCSTART- O\n\n" + tagged(2) + "Anna B-PER\nsaw O\n");
  const Result tagged_too = run(folder, {"tag", "run", "--data", "documents.txt", "--input", "columns"});
  EXPECT_EQ(tagged_too.out.find("-DOCSTART- O O\n\n"), 0U) << tagged_too.out;
  EXPECT_TRUE(tagged_too.out.ends_with("\nsaw O O\n\n")) << tagged_too.out;
  write_file(folder / "predicted.txt", tagged_too.out);
  EXPECT_EQ(run(folder, {"eval", "--predictions", "predicted.txt"}).code, 0);
  const Result best = run(folder, {"tag", "run", "--nbest", "3", "--probabilities"}, {.input = "Anna saw\n"});
  EXPECT_EQ(std::count(best.out.begin(), best.out.end(), '#'), 3) << best.out;
  EXPECT_EQ(best.out.find("# probability = 0."), 0U) << best.out;
}

TEST(Tagger, ResumesAndReproducesLikeAnyRun) {
  const TemporaryFolder folder;
  write_file(folder / "train.txt", tagged(40));
  const Words words = with(kTagger, {"--optimizer", "nadam", "--accumulate", "2"});
  ASSERT_EQ(run(folder, with(words, {"--out", "whole", "--threads", "1"})).code, 0);
  ASSERT_EQ(run(folder, with(words, {"--out", "run", "--epochs", "5"})).code, 0);
  ASSERT_EQ(run(folder, {"train", "tagger", "--resume", "run", "--epochs", "12"}).code, 0);
  EXPECT_EQ(read_file(folder / "run/model.safetensors"), read_file(folder / "whole/model.safetensors"));
  ASSERT_EQ(run(folder, {"train", "tagger", "--config", "whole/config.toml", "--out", "again"}).code, 0);
  EXPECT_EQ(read_file(folder / "again/model.safetensors"), read_file(folder / "whole/model.safetensors"));
}

// Options that are on by default can be put off, vectors of others are begun with, and a resumed run says what one that
// was not stopped would.
TEST(Tagger, InitialisesFromVectorsAndTurnsOptionsOff) {
  const TemporaryFolder folder;
  write_file(folder / "train.txt", tagged(40));
  write_file(folder / "v.txt", "Anna 1 1 1 1\nsaw 2 2 2 2\nMars 3 3 3 3\n");
  const Words words = with(kTagger, {"--embed", "4", "--vectors", "v.txt", "--no-lowercase", "--no-bidirectional"});
  const Result whole = run(folder, with(words, {"--out", "whole", "--epochs", "3"}));
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_NE(whole.err.find("v.txt: GloVe, vectors of 4 for 2 of 10 words, and for 1 more"), std::string::npos)
      << whole.err;
  const std::string config = read_file(folder / "whole/config.toml");
  EXPECT_NE(config.find("\nlowercase = false\n"), std::string::npos);
  EXPECT_NE(config.find("\nbidirectional = false\n"), std::string::npos);
  const Result back = run(folder, {"train", "tagger", "--config", "whole/config.toml", "--bidirectional", "--epochs",
                                   "1", "--out", "both"});
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_NE(read_file(folder / "both/config.toml").find("\nbidirectional = true\n"), std::string::npos);

  ASSERT_EQ(run(folder, with(words, {"--out", "run", "--epochs", "2"})).code, 0);
  const Result resumed = run(folder, {"train", "tagger", "--resume", "run", "--epochs", "3"});
  const auto held_out = [](const std::string& text) {
    const size_t at = text.find("held out");
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(held_out(resumed.out), held_out(whole.out)) << resumed.err;
  EXPECT_EQ(read_file(folder / "run/model.safetensors"), read_file(folder / "whole/model.safetensors"));
  write_file(folder / "v.txt", "Anna 1 1 1 1\n");
  const Result other = run(folder, {"train", "tagger", "--resume", "run", "--epochs", "4"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("expected vocabulary of 10 words"), std::string::npos) << other.err;
  expect_error(run(folder, with(words, {"--embed", "5", "--out", "other"})), 2, "--embed: expected 4");
  expect_error(run(folder, with(words, {"--lowercase", "--out", "other"})), 2, "--no-lowercase");
}

// A column by its number is the column by its name, in reading and in writing.
TEST(Tagger, WritesTheColumnThatItLearned) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 20; ++i)
    text += "1\tit\tit\tPRON\tPRP\t_\t2\tnsubj\t_\t_\n2\tran\trun\tVERB\tVBD\t_\t0\troot\t_\t_\n\n";
  write_file(folder / "t.conllu", text);
  for (const char* column : {"5", "xpos"}) {
    ASSERT_EQ(run(folder, {"train", "tagger", "--data", "t.conllu", "--column", column, "--hidden", "4", "--embed", "4",
                           "--hidden-characters", "3", "--epochs", "30", "--lr", "0.05", "--out", column})
                  .code,
              0);
    EXPECT_EQ(run(folder, {"tag", column, "--data", "t.conllu", "--input", "columns"}).out, text);
  }
  // What was learned from other columns goes where tags are, and never over words.
  write_file(folder / "two.txt", "it A\nran B\n\nit A\n\nran B\n\nit A\nit A\n");
  ASSERT_EQ(run(folder, {"train", "tagger", "--data", "two.txt", "--column", "2", "--hidden", "4", "--embed", "4",
                         "--epochs", "1", "--valid-fraction", "0", "--out", "two"})
                .code,
            0);
  const Result crossed = run(folder, {"tag", "two", "--data", "t.conllu", "--input", "columns"});
  EXPECT_EQ(crossed.out.find("1\tit\tit\t"), 0U) << crossed.out << crossed.err;
  EXPECT_EQ(crossed.out.find("PRON"), std::string::npos);
  // In a chain, one unseen tag leaves nothing of a sentence to measure.
  write_file(folder / "others.txt", "it A\nran Z\n");
  expect_error(
      run(folder, {"train", "tagger", "--data", "two.txt", "--valid", "others.txt", "--crf", "--out", "other"}), 1,
      "found unseen tags in every sentence");
}

TEST(Tagger, FaultsAreTwoLinesWithTheirPlace) {
  const TemporaryFolder folder;
  write_file(folder / "train.txt", tagged(20));
  ASSERT_EQ(run(folder, with(kTagger, {"--out", "run", "--epochs", "1"})).code, 0);
  const auto refused = [&](const std::string& text, int code, const std::string& why, const Words& more = {}) {
    write_file(folder / "bad.txt", text);
    expect_error(run(folder, with({"train", "tagger", "--data", "bad.txt", "--out", "other"}, more)), code, why);
    EXPECT_FALSE(io::exists(folder / "other"));
  };
  refused("a O\nb I-X\n\nc B-X\n", 1, "bad.txt:2: expected tags in the scheme iob2, found I-X after O");
  refused("a O\nb\n", 1, "bad.txt:2: expected 2 space-separated columns, found 1");
  refused("a O\n", 2, "--label-smoothing: cannot be combined with --crf", {"--crf", "--label-smoothing", "0.1"});
  expect_error(run(folder, {"eval", "run", "--data", "train.txt", "--context", "3"}), 2, "--context is for language");
  expect_error(run(folder, {"eval", "--predictions", "train.txt", "--data", "x"}), 2,
               "--predictions cannot be combined with");
  expect_error(run(folder, {"generate", "run"}), 1, "expected a language_model, found a tagger");
  expect_error(run(folder, {"classify", "run"}), 1, "expected a classifier, found a tagger");
  expect_error(run(folder, {"tag", "run"}, {.input = "a \xFF\n"}), 1, "standard input:1: expected UTF-8");
  write_file(folder / "damaged.safetensors", read_file(folder / "run/model.safetensors").substr(0, 3000));
  expect_error(run(folder, {"tag", "damaged.safetensors"}, {.input = "a\n"}), 1, "damaged.safetensors");
}

std::string reviews(int n, bool labels) {
  std::string out;
  for (int i = 0; i < n; ++i) {
    const bool good = i % 2 == 0;
    if (labels) out += good ? "__label__good " : "__label__bad ";
    out.append("the film was ").append(good ? "lovely" : "dreadful").append(i % 3 == 0 ? " indeed\n" : "\n");
  }
  return out;
}

TEST(Classifier, TrainsEvaluatesAndPredicts) {
  for (const char* pool : {"last", "mean", "max", "attention"}) {
    const TemporaryFolder folder;
    write_file(folder / "train.txt", reviews(60, true));
    const Result train =
        run(folder, {"train",           "classifier", "--data",   "train.txt", "--test", "train.txt", "--hidden", "6",
                     "--embed",         "8",          "--epochs", "30",        "--lr",   "0.02",      "--pool",   pool,
                     "--class-weights", "balanced",   "--out",    "run",       "--json"});
    ASSERT_EQ(train.code, 0) << train.err;
    EXPECT_NE(train.err.find("fastText (`__label__LABEL text` lines)"), std::string::npos) << train.err;
    EXPECT_EQ(nlohmann::json::parse(train.out)["test_accuracy"], 100.0) << pool;
    const nlohmann::json json =
        nlohmann::json::parse(run(folder, {"eval", "run", "--data", "train.txt", "--json"}).out);
    EXPECT_EQ(json["confusion"][0][1], 0);
    EXPECT_EQ(json["macro_f1"], 100.0);
    const Result said =
        run(folder, {"classify", "run", "--top", "2"}, {.input = "the film was lovely\nthe film was dreadful\n"});
    EXPECT_EQ(said.out.find("good\t0."), 0U) << said.out << said.err;
    EXPECT_NE(said.out.find("\nbad\t0."), std::string::npos) << said.out;
    EXPECT_EQ(std::count(said.out.begin(), said.out.end(), '\t'), 6);
    const Result some = run(folder, {"classify", "run"}, {.input = "\xEF\xBB\xBF\nthe film was lovely\n\nx\xFF\n"});
    EXPECT_EQ(some.out.find("\ngood\t0."), 0U) << some.out;  // a line for every line before the one at fault
    EXPECT_TRUE(some.out.ends_with("\n\n"));
    EXPECT_EQ(some.err.find("error: standard input:4: expected UTF-8"), 0U) << some.err;
  }
}

TEST(Classifier, FaultsAreTwoLinesWithTheirPlace) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& text, const std::string& why) {
    write_file(folder / "bad.txt", text);
    expect_error(run(folder, {"train", "classifier", "--data", "bad.txt", "--out", "other"}), 1, why);
    EXPECT_FALSE(io::exists(folder / "other"));
  };
  refused("__label__a x\n__label__a y\n", "expected texts of at least two classes, found 'a' alone");
  refused("__label__a x\nb y\n", "bad.txt:2: expected __label__");
  refused("", "expected data, found an empty file");
  std::string headed = "mood,said\n";
  for (int i = 0; i < 30; ++i) headed += i % 2 == 0 ? "good,lovely\n" : "bad,dreadful\n";
  write_file(folder / "headed.csv", headed);
  expect_error(run(folder, {"train", "classifier", "--data", "headed.csv", "--out", "other"}), 1,
               "headed.csv:1: expected a label and a text, found what may be a header");
  ASSERT_EQ(run(folder, {"train", "classifier", "--data", "headed.csv", "--label", "Mood", "--text", "said", "--hidden",
                         "4", "--embed", "4", "--epochs", "1", "--out", "run"})
                .code,
            0);
  write_file(folder / "others.txt", "__label__ugly x\n__label__ugly y\n");
  write_file(folder / "train.txt", reviews(20, true));
  const Words train = {"train",   "classifier", "--data",   "train.txt", "--hidden", "4",
                       "--embed", "4",          "--epochs", "1",         "--out",    "other"};
  expect_error(run(folder, with(train, {"--valid", "others.txt"})), 1, "that occur in the training data, found none");
  EXPECT_FALSE(io::exists(folder / "other"));
}

// Of a character of three bytes, after which a label ends.
TEST(Classifier, LabelsEndBeforeACharacter) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += i % 2 == 0 ? "漢：a lovely\n" : "字：b dreadful\n";
  write_file(folder / "train.txt", lines);
  const Result train = run(folder, {"train", "classifier", "--data", "train.txt", "--label-until", "：", "--hidden",
                                    "4", "--embed", "4", "--epochs", "1", "--valid-fraction", "0", "--out", "run"});
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_NE(train.err.find("2 classes: 字, 漢"), std::string::npos) << train.err;
}

TEST(Combine, MakesOneModelOfRuns) {
  const TemporaryFolder folder;
  write_file(folder / "train.txt", reviews(60, true));
  for (const char* seed : {"1", "2", "3", "4"}) {
    ASSERT_EQ(
        run(folder, {"train", "classifier", "--data", "train.txt", "--valid-fraction", "0", "--hidden", seed, "--embed",
                     "8", "--epochs", "2", "--seed", seed, "--out", std::string("run-") + seed, "--quiet"})
            .code,
        0);
  }
  const Result made = run(folder, {"combine", "run-1", "run-2", "run-3/model.safetensors", "--out", "all.safetensors",
                                   "--data", "train.txt"});
  ASSERT_EQ(made.code, 0) << made.err;
  for (const char* part :
       {"mean of runs", "accuracy", "nats_per_text", "model  all.safetensors: ensemble of 3 class"}) {
    EXPECT_NE(made.out.find(part), std::string::npos) << made.out;
  }
  // Each text's probability is the mean of those that the runs give it.
  const auto probability = [&](const std::string& model) {
    const Result said = run(folder, {"classify", model, "--top", "2"}, {.input = "the film was lovely\n"});
    EXPECT_EQ(said.code, 0) << said.err;
    std::istringstream columns(said.out);
    std::string name, p;
    while (std::getline(columns, name, '\t') && std::getline(columns, p, '\t') && name != "good") continue;
    return std::stod(p);
  };
  EXPECT_NEAR(probability("all.safetensors"),
              (probability("run-1") + probability("run-2") + probability("run-3")) / 3.0, 1e-3);
  const nlohmann::json all = nlohmann::json::parse(
      run(folder, {"combine", "all.safetensors", "run-4", "--out", "four.safetensors", "--data", "train.txt", "--json"})
          .out);
  EXPECT_EQ(all["members"], 4);
  EXPECT_EQ(all["runs"].size(), 2U);
  EXPECT_EQ(all["metrics"],
            nlohmann::json::parse(run(folder, {"eval", "four.safetensors", "--data", "train.txt", "--json"}).out));
  const Result info = run(folder, {"info", "all.safetensors"});
  EXPECT_NE(info.out.find("ensemble of 3 classifiers"), std::string::npos) << info.out;
  EXPECT_NE(info.out.find("1 | 2 | 3"), std::string::npos) << info.out;
  EXPECT_EQ(nlohmann::json::parse(run(folder, {"info", "four.safetensors", "--json"}).out)["members"][2]["hidden"], 3);
  EXPECT_EQ(run(folder, {"eval", "all.safetensors", "--data", "train.txt", "--report", "all.html"}).code, 0);
  EXPECT_EQ(run(folder, {"quantise", "all.safetensors", "--data", "train.txt", "--out", "small"}).code, 0);
  expect_error(run(folder, {"combine", "small", "run-1", "--out", "x"}), 1, "expected weights as float32, found bf16");
  expect_error(run(folder, {"lab", "microscope", "all.safetensors", "--text", "train.txt", "--out", "x.html"}), 1,
               "expected one model, found an ensemble of 3");
  expect_error(run(folder, {"combine", "run-1", "run-2"}), 2, "expected --out");
  expect_error(run(folder, {"combine", "run-1", "none", "--out", "x"}), 1, "none");
  expect_error(run(folder, {"combine", "run-1", "--out", "x"}), 2, "expected two models or more, found one");
  expect_error(run(folder, {"combine", "run-1", "run-2", "run-1/model.safetensors", "--out", "x"}), 2, "twice");
  expect_error(run(folder, {"combine", "all.safetensors", "run-1", "--out", "x"}), 2,
               "all.safetensors and run-1/model.safetensors hold the same model");
  expect_error(run(folder, {"eval", "run-1", "--data", "train.txt", "--strict"}), 2, "--strict is for taggers");
  expect_error(run(folder, {"combine", "run-1", "run-2", "--threads", "2", "--out", "x"}), 2,
               "--threads does nothing without --data");
  EXPECT_NE(run(folder, {"combine", "--help"}).out.find("model file to write; required"), std::string::npos);
  expect_error(run(folder, {"combine", "run-1", "--out", "run-2/model.safetensors"}), 2, "is not an ensemble");
  expect_error(run(folder, {"combine", "all.safetensors", "--out", "all.safetensors"}), 2, "is one of the models");
  ASSERT_EQ(run(folder, {"train", "classifier", "--data", "train.txt", "--valid-fraction", "0", "--hidden", "2",
                         "--no-lowercase", "--epochs", "1", "--out", "cased", "--quiet"})
                .code,
            0);
  expect_error(run(folder, {"combine", "run-1", "cased", "--out", "x"}), 1,
               "cased/model.safetensors: expected --lowercase true, as run-1/model.safetensors has, found false");
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

TEST(Quantise, MeasuresWhatIsLost) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, {"train", "lm", "--data", "tale", "--max-tokens", "4000", "--hidden", "32", "--epochs", "3",
                         "--quiet", "--out", "lm"})
                .code,
            0);
  const Result result = run(folder, {"quantise", "lm", "--data", "tale", "--unknown", "skip"});
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* part : {"nats_per_symbol", "bf16", "difference", "model  lm/model-bf16.safetensors"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << result.out;
  }
  const Result small = run(folder, {"quantise", "lm", "--data", "tale", "--weights", "int8", "--out", "small",
                                    "--unknown", "skip", "--json"});
  ASSERT_EQ(small.code, 0) << small.err;
  const nlohmann::json json = nlohmann::json::parse(small.out);
  EXPECT_LT(json["bytes"].get<int64_t>(), json["original_bytes"].get<int64_t>() / 2);
  EXPECT_NEAR(json["metrics"]["nats_per_symbol"].get<double>(),
              json["original_metrics"]["nats_per_symbol"].get<double>(), 0.05);
  EXPECT_EQ(run(folder, {"generate", "small", "--prompt", "The", "--length", "5"}).code, 0);
  EXPECT_NE(run(folder, {"info", "small"}).out.find("I8"), std::string::npos);
  expect_error(run(folder, {"quantise", "small", "--data", "tale"}), 1, "expected weights as float32, found int8");
  expect_error(run(folder, {"quantise", "lm"}), 2, "expected --data");
  expect_error(run(folder, {"quantise", "lm", "--data", "-"}), 2, "found standard input");
  expect_error(run(folder, {"quantise", "lm", "--data", "tale", "--out", "lm/model.safetensors"}), 2,
               "exists, and is not a quantised model");
}

TEST(Verse, KeepsItsForm) {
  const TemporaryFolder folder;
  ASSERT_EQ(
      run(folder, {"train", "lm", "--data", "quatrains", "--lines", "--hidden", "16", "--epochs", "1", "--out", "run"})
          .code,
      0);
  const auto lines_of = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  const Result form = run(folder, {"generate", "run", "--form", "7x4", "--count", "3", "--prompt", "山"});
  ASSERT_EQ(form.code, 0) << form.err;
  EXPECT_EQ(lines_of(form.out), 3) << form.out;
  std::istringstream poems(form.out);
  for (std::string poem; std::getline(poems, poem);) {
    EXPECT_EQ(poem.size(), 4U * 8U * 3U) << poem;  // three bytes each
    EXPECT_EQ(poem.find("山"), 0U);
    for (size_t line = 0; line < 4; ++line) {
      EXPECT_EQ(poem.substr((line * 8 + 7) * 3, 3), line % 2 == 0 ? "，" : "。") << poem;
    }
  }
  const Result acrostic = run(folder, {"generate", "run", "--acrostic", "春夏秋冬", "--form", "5x4", "--count", "1"});
  ASSERT_EQ(acrostic.code, 0) << acrostic.err;
  const std::string first[] = {"春", "夏", "秋", "冬"};
  for (size_t line = 0; line < 4; ++line) EXPECT_EQ(acrostic.out.substr(line * 18, 3), first[line]) << acrostic.out;
  EXPECT_EQ(run(folder, {"generate", "run", "--acrostic", "春夏", "--count", "1"}).code, 0);
  expect_error(run(folder, {"generate", "run", "--acrostic", "春夏秋冬春", "--form", "5x4"}), 2,
               "at most 4 characters");
  expect_error(run(folder, {"generate", "run", "--acrostic", "z"}), 1, "expected characters that the model knows");
  expect_error(run(folder, {"generate", "run", "--form", "5x4", "--prompt", "，"}), 2, "does not fit --form 5x4");
}

}  // namespace
}  // namespace longhand::cli
