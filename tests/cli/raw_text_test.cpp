// Taggers and classifiers on texts as people write them.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "tests/cli/process.h"
#include "tests/data/conllu_text.h"

namespace longhand::cli {
namespace {

using Words = std::vector<std::string>;

// A treebank with its texts, in which "can't" is a multiword token.
std::string treebank() {
  std::string out;
  const std::vector<std::string> names = {"Anna", "Bert", "Cleo", "Dora"};
  for (int i = 0; i < 40; ++i) {
    const std::string& name = names[static_cast<size_t>(i) % names.size()];
    out += fmt::format(
        "# newpar\n# sent_id = {0}\n# text = {1} can't go, too.\n"
        "1\t{1}\t_\tPROPN\t_\t_\t_\t_\t_\tGloss=a=b\n"
        "2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "2\tca\tcan\tAUX\t_\t_\t_\t_\t_\t_\n3\tn't\tnot\tPART\t_\t_\t_\t_\t_\t_\n"
        "3.1\tghost\t_\t_\t_\t_\t_\t_\t_\t_\n"
        "4\tgo\t_\tVERB\t_\t_\t_\t_\t_\tSpaceAfter=No\n5\t,\t_\tPUNCT\t_\t_\t_\t_\t_\t_\n"
        "6\ttoo\t_\tADV\t_\t_\t_\t_\t_\tSpaceAfter=No\n7\t.\t_\tPUNCT\t_\t_\t_\t_\t_\t_\n\n",
        i, name);
  }
  return out;
}

const Words kSmallTagger = {
    "train", "tagger",   "--data", "t.conllu", "--hidden", "8",     "--embed", "8",       "--hidden-characters",
    "4",     "--epochs", "12",     "--lr",     "0.02",     "--out", "run",     "--batch", "4"};

std::string without_tags(const std::string& conllu) {
  std::string out;
  for (std::string_view rest = conllu; !rest.empty();) {
    const std::string line(data::take_line(rest));
    size_t at = 0;
    for (int c = 0; c < 3 && at != std::string::npos; ++c) at = line.find('\t', at + 1);
    const bool word = at != std::string::npos && line[0] != '#' &&
                      line.substr(0, line.find('\t')).find_first_of("-.") == std::string::npos;
    out += (word ? line.substr(0, at) + line.substr(line.find('\t', at + 1)) : line) + "\n";
  }
  return out;
}

TEST(RawText, IsTaggedWithThePlacesOfItsTokens) {
  const TemporaryFolder folder;
  write_file(folder / "t.conllu", treebank());
  const Result train = run(folder, kSmallTagger);
  ASSERT_EQ(train.code, 0) << train.err;
  EXPECT_NE(train.err.find("tokenizer of raw texts: punctuation, with "), std::string::npos) << train.err;
  EXPECT_NE(train.err.find("100.00 % F1 of words"), std::string::npos) << train.err;
  const nlohmann::json eval = nlohmann::json::parse(run(folder, {"eval", "run", "--data", "t.conllu", "--json"}).out);
  EXPECT_EQ(eval["raw_words_f1"], 100.0);
  EXPECT_EQ(eval["raw_sentences_f1"], 100.0);

  const std::string text = "Ännä can't go, too. Bert can't go.\n\nCleo can't";
  const Result said = run(folder, {"tag", "run"}, {.input = text});
  EXPECT_EQ(said.err, "standard input: text, tokenizer punctuation, --sentences split (--input text)\n");
  EXPECT_NE(said.out.find("ca\tAUX\nn't\tPART\ngo\tVERB\n,\tPUNCT\n"), std::string::npos) << said.out;
  EXPECT_EQ(run(folder, {"tag", "run", "--input", "text"}, {.input = text}).out, said.out);
  const Result places = run(folder, {"tag", "run", "--offsets", "bytes"}, {.input = text});
  EXPECT_NE(places.out.find("ca\tAUX\t7\t9\nn't\tPART\t9\t12\n"), std::string::npos) << places.out;

  const Result json = run(folder, {"tag", "run", "--json"}, {.input = text});
  std::vector<nlohmann::json> sentences;
  for (std::string_view rest = json.out; !rest.empty();)
    sentences.push_back(nlohmann::json::parse(data::take_line(rest)));
  ASSERT_EQ(sentences.size(), 3U) << json.out;
  EXPECT_EQ(sentences[0]["text"], "Ännä can't go, too.");
  EXPECT_EQ(sentences[0]["tokens"][2]["text"], "n't");
  EXPECT_EQ(sentences[0]["tokens"][2]["start"], 7);  // characters: two of those before have two bytes
  EXPECT_EQ(sentences[1]["start"], 20);
  EXPECT_EQ(sentences[2]["line"], 3);
  EXPECT_EQ(sentences[2]["start"], 36);

  // CoNLL-U from which the text can be restored, and which goes through unchanged but for the tags.
  const Result conllu = run(folder, {"tag", "run", "--to", "conllu"}, {.input = text + "\n\n \n"});
  EXPECT_EQ(testing::text_of_conllu(conllu.out), text + "\n\n \n") << conllu.out;
  EXPECT_NE(conllu.out.find("2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\t_\n2\tca\t_\tAUX\t"), std::string::npos) << conllu.out;
  EXPECT_EQ(run(folder, {"tag", "run"}, {.input = conllu.out}).out, conllu.out);
  // In a file whose lines continue each other, a line's end is a blank.
  write_file(folder / "wrapped.txt", "Anna can't\ngo, too. Bert\ncan't go,\ntoo. Cleo can't\ngo.\n\nDora can't go.\n");
  const Result wrapped = run(folder, {"tag", "run", "--data", "wrapped.txt", "--json"});
  EXPECT_NE(wrapped.err.find("--sentences paragraphs"), std::string::npos) << wrapped.err;
  EXPECT_EQ(std::count(wrapped.out.begin(), wrapped.out.end(), '\n'), 4) << wrapped.out;
  EXPECT_EQ(testing::text_of_conllu(run(folder, {"tag", "run", "--data", "wrapped.txt", "--to", "conllu"}).out),
            read_file(folder / "wrapped.txt"));
}

// A pipe by its name can be read once, and is recognised like standard input.
TEST(RawText, ReadsPipesAndNumbersSentences) {
  const TemporaryFolder folder;
  write_file(folder / "t.conllu", treebank());
  ASSERT_EQ(run(folder, kSmallTagger).code, 0);
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const std::string text = "She sees a dog.\nA dog sees her.\n";
  std::thread writer([&] { std::ofstream(folder / "pipe") << text; });
  const Result from_pipe = run(folder, {"tag", "run", "--data", "pipe"});
  writer.join();
  EXPECT_EQ(from_pipe.out, run(folder, {"tag", "run"}, {.input = text}).out);
  EXPECT_NE(from_pipe.out.find("dog"), std::string::npos) << from_pipe.err;

  const Words words = {"tag", "run", "--input", "sentences", "--to", "conllu"};
  const std::string divided = run(folder, words, {.input = "\n\na dog\n\na cat\n"}).out;
  EXPECT_NE(divided.find("# sent_id = 1\n# text = a dog\n"), std::string::npos) << divided;
  EXPECT_NE(divided.find("# sent_id = 2\n# text = a cat\n"), std::string::npos) << divided;
}

TEST(RawText, ConlluKeepsAllButTheTags) {
  const TemporaryFolder folder;
  write_file(folder / "t.conllu", treebank());
  ASSERT_EQ(run(folder, kSmallTagger).code, 0);
  std::string text = treebank();
  text.insert(text.find("# text"), "# a comment \t with tabs\n");
  for (const bool returns : {false, true}) {
    if (returns) {
      for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 2)) text.insert(at, 1, '\r');
    }
    write_file(folder / "in.conllu", text);
    for (const Words& more : {Words{}, Words{"--to", "conllu"}}) {
      const Result tagged = run(folder, with({"tag", "run", "--data", "in.conllu"}, more));
      EXPECT_EQ(without_tags(tagged.out), without_tags(text)) << tagged.err;
      EXPECT_EQ(tagged.out.find("\tPROPN\t") != std::string::npos, true);
    }
  }
  // Other columns become CoNLL-U.
  write_file(folder / "two.txt", "Anna X\ncan X\n\ngo X\n");
  const Result made = run(folder, {"tag", "run", "--data", "two.txt", "--input", "columns", "--to", "conllu"});
  EXPECT_EQ(made.out.find("# sent_id = 1\n# text = Anna can\n1\tAnna\t_\t"), 0U) << made.out << made.err;
}

TEST(RawText, ChunksAreEntities) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 30; ++i) text += "Anna B-PER\nLee I-PER\nsaw O\nMars B-LOC\n. O\n\n";
  write_file(folder / "t.conllu", text);
  ASSERT_EQ(run(folder, kSmallTagger).code, 0);
  const Result json = run(folder, {"tag", "run", "--input", "text", "--json"}, {.input = "Anna Lee saw Mars.\n"});
  const nlohmann::json sentence = nlohmann::json::parse(json.out);
  ASSERT_EQ(sentence["entities"].size(), 2U) << json.out;
  EXPECT_EQ(sentence["entities"][0]["text"], "Anna Lee");
  EXPECT_EQ(sentence["entities"][0]["type"], "PER");
  EXPECT_EQ(sentence["entities"][1]["start"], 13);
  EXPECT_EQ(sentence["entities"][1]["end"], 17);
  const Result conllu = run(folder, {"tag", "run", "--input", "text", "--to", "conllu"}, {.input = "Anna saw Mars."});
  EXPECT_NE(conllu.out.find("NER=B-LOC|SpaceAfter=No\n"), std::string::npos) << conllu.out;

  // CoNLL-U keeps its parts of speech.
  const auto words = [](const std::vector<std::string>& misc) {
    return "1\tAnna\tAnna\tPROPN\tNNP\t_\t0\troot\t_\t" + misc[0] + "\n2\tLee\t_\tPROPN\tNNP\t_\t_\t_\t_\t" + misc[1] +
           "\n3\tsaw\t_\tVERB\tVBD\t_\t_\t_\t_\t" + misc[2] + "\n4\tMars\t_\tPROPN\tNNP\t_\t_\t_\t_\t" + misc[3] +
           "\n5\t.\t_\tPUNCT\t.\t_\t_\t_\t_\t" + misc[4] + "\n\n";
  };
  const std::string tagged = words({"A=b|NER=X|B=c", "_", "_", "SpaceAfter=No", "_"});
  const std::string expected = words({"A=b|NER=B-PER|B=c", "NER=I-PER", "NER=O", "NER=B-LOC|SpaceAfter=No", "NER=O"});
  EXPECT_EQ(run(folder, {"tag", "run"}, {.input = tagged}).out, expected);
  EXPECT_EQ(run(folder, {"tag", "run", "--to", "conllu"}, {.input = tagged}).out, expected);
  const std::string header = "# global.columns = ID FORM UPOS";
  const Result plus = run(folder, {"tag", "run", "--input", "columns"},
                          {.input = header + " MISC\n1\tAnna\tPROPN\t_\n2\tLee\tPROPN\t_\n\n"});
  EXPECT_NE(plus.out.find("2\tLee\tPROPN\tNER="), std::string::npos) << plus.out << plus.err;
  expect_error(run(folder, {"tag", "run", "--input", "columns"}, {.input = header + "\n1\tAnna\tPROPN\n\n"}), 1,
               "expected MISC");

  // Lines of two words are columns if the second one is a tag.
  write_file(folder / "two.txt", "Hello world\n\nGood morning\n\n");
  const Result two = run(folder, {"tag", "run", "--data", "two.txt"});
  EXPECT_NE(two.out.find("Hello\t"), std::string::npos) << two.out;
  EXPECT_NE(two.out.find("\nworld\t"), std::string::npos) << two.out;
  EXPECT_EQ(two.err.find("two.txt: one word per line"), std::string::npos) << two.err;
  write_file(folder / "known.txt", "Hello O\nMars S-LOC\n");  // in any scheme
  EXPECT_EQ(run(folder, {"tag", "run", "--data", "known.txt"}).err, "known.txt: one word per line (--input columns)\n");
}

TEST(RawText, FaultsAreTwoLines) {
  const TemporaryFolder folder;
  write_file(folder / "t.conllu", treebank());
  ASSERT_EQ(run(folder, with(kSmallTagger, {"--epochs", "1"})).code, 0);
  expect_error(run(folder, {"tag", "run", "--json", "--to", "conllu"}), 2,
               "--json cannot be combined with --to conllu");
  expect_error(run(folder, {"tag", "run", "--to", "conllu", "--nbest", "2"}), 2, "--nbest 1");
  expect_error(run(folder, {"tag", "run", "--input", "columns", "--offsets", "bytes"}), 2,
               "--offsets cannot be combined with --input columns");
  for (const char* input : {"columns", "sentences"}) {
    expect_error(run(folder, {"tag", "run", "--input", input, "--sentences", "lines"}), 2,
                 std::string("--sentences cannot be combined with --input ") + input);
  }
  // Found to be columns, too.
  expect_error(run(folder, {"tag", "run", "--data", "t.conllu", "--offsets", "characters"}), 2, "--input columns");
  expect_error(run(folder, {"tag", "run", "--input", "text"}, {.input = "\xFF\n"}), 1,
               "standard input:1: expected UTF-8");
  expect_error(run(folder, with(kSmallTagger, {"--tokenizer", "word"})), 2, "did you mean words?");
}

TEST(Classifier, StoresItsTokenizer) {
  const TemporaryFolder folder;
  std::string texts;
  for (int i = 0; i < 20; ++i) texts += "a,\"It's good!\"\nb,\"It isn't bad?\"\n";
  write_file(folder / "c.csv", "label,text\n" + texts);
  const Words train = {"train",   "classifier", "--data",   "c.csv", "--hidden", "4",
                       "--embed", "4",          "--epochs", "2",     "--out"};
  ASSERT_EQ(run(folder, with(train, {"words", "--tokenizer", "words"})).code, 0);
  // The option's name in the first version, and its values.
  ASSERT_EQ(run(folder, with(train, {"former", "--split", "punctuation"})).code, 0);
  ASSERT_EQ(run(folder, with(train, {"marks", "--tokenizer", "marks"})).code, 0);
  EXPECT_EQ(read_file(folder / "former/model.safetensors"), read_file(folder / "marks/model.safetensors"));
  write_file(folder / "r.toml", "split = \"punctuation\"\n");
  ASSERT_EQ(run(folder, with(train, {"recipe", "--config", "r.toml"})).code, 0);
  EXPECT_EQ(read_file(folder / "recipe/model.safetensors"), read_file(folder / "marks/model.safetensors"));
  EXPECT_NE(read_file(folder / "recipe/config.toml").find("tokenizer = 'marks'"), std::string::npos);
  // A model file of the first version.
  std::string model = read_file(folder / "marks/model.safetensors");
  const std::string now = R"(\"tokenizer\":\"marks\")", then = R"(\"split\":\"punctuation\")";
  const size_t at = model.find(now);
  ASSERT_NE(at, std::string::npos);
  model.replace(at, now.size(), then);
  uint64_t header = 0;
  std::memcpy(&header, model.data(), sizeof header);
  const std::string filling(8 - (then.size() - now.size()), ' ');  // headers are a multiple of 8 bytes
  header += then.size() - now.size();
  model.insert(sizeof header + header, filling);
  header += filling.size();
  std::memcpy(model.data(), &header, sizeof header);
  write_file(folder / "old.safetensors", model);

  const auto tokens = [&](const std::string& name) {
    const Result result =
        run(folder, {"classify", name, "--json", "--offsets", "characters"}, {.input = "Ça isn't!\n"});
    std::string out;
    const nlohmann::json found = nlohmann::json::parse(result.out);
    for (const auto& token : found["tokens"]) {
      out += fmt::format("{}:{}-{} ", token["text"].get<std::string>(), token["start"].get<int>(),
                         token["end"].get<int>());
    }
    return out;
  };
  EXPECT_EQ(tokens("words"), "Ça:0-2 isn't:3-8 !:8-9 ");
  EXPECT_EQ(tokens("marks"), "Ça:0-2 isn:3-6 ':6-7 t:7-8 !:8-9 ");
  EXPECT_EQ(tokens("old.safetensors"), tokens("marks"));
  expect_error(run(folder, {"classify", "words", "--offsets", "bytes"}), 2, "--offsets needs --json");
}

}  // namespace
}  // namespace longhand::cli
