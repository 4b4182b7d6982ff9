// Language models that read from the end, and runs that start from other models, as a user meets them.
#include <algorithm>
#include <filesystem>

#include "tests/cli/process.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

std::string reviews(int n) {
  std::string out;
  for (int i = 0; i < n; ++i) {
    const bool good = i % 3 != 0;
    out += std::string("__label__") + (good ? "good" : "bad") + " the " + (i % 2 == 0 ? "film" : "play") + " was ";
    out += good ? (i % 5 == 0 ? "Great" : "lovely") : (i % 4 == 0 ? "dull" : "awful");
    out += i % 7 == 0 ? " and long .\n" : " .\n";
  }
  return out;
}

Words language_model(const Words& more) {
  return with({"train", "lm", "--data", "words.txt", "--level", "word", "--lines", "--lowercase", "--embed", "6",
               "--hidden", "8", "--batch", "8", "--epochs", "2", "--quiet"},
              more);
}

// The words of the reviews, a model of them in each direction.
void make_language_models(const TemporaryFolder& folder) {
  write_file(folder / "reviews.txt", reviews(60));
  const Result words = run(folder, {"data", "words", "classifier", "reviews.txt"});
  ASSERT_EQ(words.code, 0) << words.err;
  EXPECT_TRUE(words.out.starts_with("the film was dull and long .\nthe play was lovely .\n")) << words.out;
  write_file(folder / "words.txt", words.out + "the critics liked it .\n");
  const Result ahead = run(folder, language_model({"--out", "ahead"}));
  ASSERT_EQ(ahead.code, 0) << ahead.err;
  const Result back = run(folder, language_model({"--out", "back", "--reverse"}));
  ASSERT_EQ(back.code, 0) << back.err;
}

const Words kStarted = {"train",
                        "classifier",
                        "--data",
                        "reviews.txt",
                        "--from",
                        "ahead",
                        "--from-reverse",
                        "back/model.safetensors",
                        "--epochs",
                        "4",
                        "--pool",
                        "concat",
                        "--schedule",
                        "slanted-triangular",
                        "--thaw-every",
                        "1",
                        "--layer-rate-divisor",
                        "2.6",
                        "--batch",
                        "2",
                        "--embed-shape",
                        "3",
                        "--hidden-characters",
                        "4"};

TEST(Transfer, WordsOfTaggedSentencesAreATextToo) {
  const TemporaryFolder folder;
  write_file(folder / "tags.txt", "Anna B-PER\nsaw O\n\nBert B-PER\n");
  EXPECT_EQ(run(folder, {"data", "words", "tagger", "tags.txt"}).out, "Anna saw\nBert\n");
  expect_error(run(folder, {"data", "words", "tagger", "none.txt"}), 1, "none.txt");
  write_file(folder / "texts.csv", "label,text\ngood,\"Well, then!\"\nbad,no\n");
  EXPECT_EQ(run(folder, {"data", "words", "classifier", "texts.csv", "--split", "punctuation"}).out,
            "Well , then !\nno\n");
}

// A model that reads from the end finds a text as likely as one that reads forwards finds the text turned around.
TEST(Transfer, ReverseIsTheTextTurnedAround) {
  const TemporaryFolder folder;
  std::string text, turned;
  for (int i = 0; i < 90; ++i) text += i % 3 == 0 ? "ab c" : i % 2 == 0 ? "a bb\n" : "cab ";
  turned.assign(text.rbegin(), text.rend());
  write_file(folder / "text.txt", text);
  write_file(folder / "turned.txt", turned);
  const Words common = {"train",   "lm", "--hidden",         "8", "--epochs", "2",
                        "--batch", "2",  "--valid-fraction", "0", "--quiet"};
  ASSERT_EQ(run(folder, with(common, {"--data", "text.txt", "--out", "back", "--reverse"})).code, 0);
  ASSERT_EQ(run(folder, with(common, {"--data", "turned.txt", "--out", "ahead"})).code, 0);
  const auto nats = [&](const char* model, const char* data) {
    const Result eval = run(folder, {"eval", model, "--data", data, "--json"});
    EXPECT_EQ(eval.code, 0) << eval.err;
    return nlohmann::json::parse(eval.out)["total_nats"].get<double>();
  };
  EXPECT_EQ(nats("back", "text.txt"), nats("ahead", "turned.txt"));
  EXPECT_NE(nats("back", "turned.txt"), nats("ahead", "turned.txt"));
  expect_error(run(folder, {"generate", "back"}), 1, "it predicts what comes before a text");
  // The held-out part is the end of the text in either direction.
  const Words valid = {"train",   "lm", "--data",  "text.txt", "--hidden",         "8",  "--epochs", "1", "--reverse",
                       "--batch", "2",  "--quiet", "--json",   "--valid-fraction", "0.5"};
  const Result held_out = run(folder, with(valid, {"--out", "half"}));
  ASSERT_EQ(held_out.code, 0) << held_out.err;
  write_file(folder / "end.txt", text.substr(text.size() - (text.size() + 1) / 2));
  const Result eval = run(folder, {"eval", "half", "--data", "end.txt", "--json"});
  EXPECT_NEAR(nlohmann::json::parse(held_out.out)["valid_loss"].get<double>(),
              nlohmann::json::parse(eval.out)["nats_per_symbol"].get<double>(), 1e-6);
}

TEST(Transfer, AClassifierStartsFromLanguageModelsAndIsResumedWithoutThem) {
  const TemporaryFolder folder;
  make_language_models(folder);
  const Result whole = run(folder, with(kStarted, {"--out", "whole", "--threads", "1"}));
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_NE(whole.err.find("from ahead: embeddings of "), std::string::npos) << whole.err;
  EXPECT_NE(whole.err.find("layer 0 (reverse); not taken: output layer"), std::string::npos) << whole.err;
  EXPECT_NE(whole.err.find("zeros: the layers' weights of all other inputs"), std::string::npos) << whole.err;
  const std::string config = read_file(folder / "whole/config.toml");
  for (const char* line : {"from = 'ahead'", "embed = 12", "hidden = 8", "bidirectional = true"}) {
    EXPECT_NE(config.find(line), std::string::npos) << config;
  }
  // A word that only the language model knows.
  EXPECT_NE(read_file(folder / "whole/model.safetensors").find("critics"), std::string::npos);
  ASSERT_EQ(run(folder, with(kStarted, {"--out", "again", "--threads", "3"})).code, 0);
  EXPECT_EQ(read_file(folder / "again/model.safetensors"), read_file(folder / "whole/model.safetensors"));
  // Killed in the middle; the models are gone when it is resumed.
  const Result killed =
      run(folder, with(kStarted, {"--out", "run", "--checkpoint-seconds", "0", "--threads", "2"}),
          {.signal = SIGKILL, .checkpoint = "run/checkpoint.safetensors", .trained = true, .milliseconds = 0});
  EXPECT_EQ(killed.code, 128 + SIGKILL);
  EXPECT_LT(epochs_made(folder / "run/checkpoint.safetensors"), 4);
  std::filesystem::rename((folder / "ahead").c_str(), (folder / "moved").c_str());
  std::filesystem::remove_all((folder / "back").c_str());
  const Result resumed = run(folder, {"train", "classifier", "--resume", "run"});
  ASSERT_EQ(resumed.code, 0) << resumed.err << killed.err;
  EXPECT_EQ(read_file(folder / "run/model.safetensors"), read_file(folder / "whole/model.safetensors"));
  expect_error(run(folder, with(kStarted, {"--out", "new"})), 1, "ahead");
}

TEST(Transfer, TaggersAndLanguageModelsStartFromOthersToo) {
  const TemporaryFolder folder;
  make_language_models(folder);
  std::string tags;
  for (int i = 0; i < 40; ++i) tags += std::string("the D\n") + (i % 2 == 0 ? "film N\n" : "play N\n") + "was V\n\n";
  write_file(folder / "tags.txt", tags);
  const Words tagger = {"train", "tagger", "--data", "tags.txt", "--from", "ahead", "--epochs", "1", "--crf"};
  const Result tagged = run(folder, with(tagger, {"--out", "tagger"}));
  ASSERT_EQ(tagged.code, 0) << tagged.err;
  EXPECT_NE(tagged.err.find("drawn: shape embeddings, character embeddings, character LSTM (forward), character LSTM "
                            "(reverse), layer 0 (reverse), output layer, CRF"),
            std::string::npos)
      << tagged.err;
  const Result from_tagger = run(folder, {"train", "classifier", "--data", "reviews.txt", "--from", "tagger",
                                          "--epochs", "1", "--out", "classifier"});
  ASSERT_EQ(from_tagger.code, 0) << from_tagger.err;
  write_file(folder / "other.txt", "the film was a play .\na play was a film .\n");
  const Result other = run(folder, {"train", "lm", "--data", "other.txt", "--from", "back", "--lines", "--epochs", "1",
                                    "--batch", "1", "--valid-fraction", "0", "--out", "other"});
  ASSERT_EQ(other.code, 0) << other.err;
  EXPECT_NE(other.err.find("from back: embeddings of 7 of 8 symbols, layer 0, output layer"), std::string::npos)
      << other.err;
  const std::string config = read_file(folder / "other/config.toml");
  EXPECT_NE(config.find("reverse = true"), std::string::npos);
  EXPECT_NE(config.find("level = 'word'"), std::string::npos) << config;
}

TEST(Transfer, RefusesOptionsThatDoNotFit) {
  const TemporaryFolder folder;
  make_language_models(folder);
  const Words classifier = {"train", "classifier", "--data", "reviews.txt", "--out", "run"};
  const auto refuse = [&](const Words& more, int code, const std::string& fragment) {
    expect_error(run(folder, with(classifier, more)), code, fragment);
    EXPECT_FALSE(io::exists(folder / "run"));
  };
  refuse({"--from", "ahead", "--hidden", "100"}, 2, "--hidden: expected 8, as in ahead, found 100");
  refuse({"--from", "back"}, 2, "found one with --reverse");
  refuse({"--from-reverse", "ahead"}, 2, "trained with --reverse");
  refuse({"--from", "nowhere"}, 1, "nowhere");
  refuse({"--from-reverse", "back", "--no-bidirectional"}, 2,
         "--from-reverse: cannot be combined with --bidirectional");
  refuse({"--vector-words", "7"}, 2, "--vector-words: expected --vectors or --from");
  refuse({"--from", "ahead", "--from", "back"}, 2, "expected --from once, found it 2 times");
  refuse({"--from", "ahead", "--vectors", "glove.txt"}, 2, "--vectors: cannot be combined");
  refuse({"--from", "ahead", "--frozen", "layer-1"}, 2, "found 'layer-1'");
  expect_error(run(folder, language_model({"--from", "ahead", "--reverse", "--out", "run"})), 2,
               "--reverse: expected false, as in ahead, found true");
}

}  // namespace
}  // namespace longhand::cli
