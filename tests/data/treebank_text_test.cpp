// Texts of treebanks, what a tokenizer learns from them, and CoNLL-U that restores its text.
#include "longhand/data/treebank_text.h"

#include <fmt/format.h>

#include "longhand/data/conllu.h"
#include "longhand/data/token_learning.h"
#include "tests/data/conllu_text.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

// "do+n't" is a multiword token, "a_" is followed by no blank.
std::string sentence(const std::string& tokens, const std::string& comments = "# text = x\n") {
  std::string out = comments, rest = tokens + " ";
  int id = 1;
  for (size_t end = rest.find(' '); end != std::string::npos; end = rest.find(' ')) {
    std::string form = rest.substr(0, end);
    rest.erase(0, end + 1);
    const bool glued = form.ends_with('_');
    if (glued) form.pop_back();
    const char* misc = glued ? "SpaceAfter=No" : "_";
    const auto line = [&](const std::string& number, const std::string& word, const char* about) {
      out += fmt::format("{}\t{}\t_\tX\t_\t_\t_\t_\t_\t{}\n", number, word, about);
    };
    const size_t plus = form.find('+');
    if (plus == std::string::npos) {
      line(std::to_string(id++), form, misc);
      continue;
    }
    const std::string front = form.substr(0, plus), back = form.substr(plus + 1);
    line(fmt::format("{}-{}", id, id + 1), front + back, misc);
    line(std::to_string(id++), front, "_");
    line(std::to_string(id++), back, "_");
  }
  return out + "\n";
}

std::string treebank() {
  std::string out;
  for (int i = 0; i < 30; ++i) {
    out += sentence("I do+n't know_ , Capt. Lee_ .", "# newpar\n# text = x\n");
    out += sentence("You ca+n't e-mail the well_ -_ known man_ !");
    out += sentence("it is 5_ km_ .");
    out += sentence("a far_ -_ off place_ , a far_ -_ off man_ .");
  }
  return out;
}

TEST(TreebankText, IsRebuiltFromItsTokens) {
  const TreebankText text =
      read_treebank_text(sentence("I do+n't know_ .") + sentence("Go_ !") + sentence("New", "# newdoc\n"), "t");
  ASSERT_EQ(text.paragraphs.size(), 2U);
  EXPECT_EQ(text.paragraphs[0].text, "I don't know. Go!");
  EXPECT_EQ(text.paragraphs[0].sentence_ends, (std::vector<size_t>{5, 7}));
  const Token& part = text.paragraphs[0].tokens[2];
  EXPECT_EQ(part.word, "n't");
  EXPECT_EQ(part.begin, 4U);
  EXPECT_EQ(part.parts, 2);
  EXPECT_EQ(text.sentences, 3);
  // Neither `# text` nor SpaceAfter=No: nobody knows how the words were glued.
  EXPECT_TRUE(read_treebank_text("1\ta\t_\tX\t_\t_\t_\t_\t_\t_\n\n", "t").paragraphs.empty());
  EXPECT_TRUE(read_treebank_text("a O\n\n", "t").paragraphs.empty());
  // A range that is cut short.
  EXPECT_EQ(read_treebank_text("# text = a\n1-9\tab\t_\tX\t_\t_\t_\t_\t_\t_\n1\ta\t_\tX\t_\t_\t_\t_\t_\t_\n", "t")
                .paragraphs[0]
                .tokens[0]
                .parts,
            1);
  EXPECT_EQ(unescaped_spaces(escaped_spaces(" \t\n\r|\\s x")), " \t\n\r|\\s x");
  EXPECT_EQ(escaped_spaces(" \n"), "\\s\\n");
}

TEST(TreebankText, ATokenizerLearnsWhatItShows) {
  const TreebankText text = read_treebank_text(treebank(), "t");
  const TokenAgreement before = compare_tokens(text.paragraphs, Tokenizer({.tokenizer = "punctuation"}));
  EXPECT_LT(before.words.f1(), 85.0);
  const TokenizerChoice choice = choose_tokenizer("auto", text, {});
  EXPECT_EQ(choice.tokenizer.name(), "punctuation") << choice.description;
  const TokenAgreement after = compare_tokens(text.paragraphs, choice.tokenizer);
  EXPECT_EQ(after.words.f1(), 100.0);
  EXPECT_EQ(after.tokens.f1(), 100.0);
  EXPECT_EQ(after.sentences.f1(), 100.0);
  EXPECT_NE(choice.description.find("100.00 % F1"), std::string::npos) << choice.description;
  const TokenRules& rules = choice.tokenizer.rules();
  EXPECT_TRUE(rules.endings.contains("an't"));
  EXPECT_TRUE(rules.inside.at("-aa"));
  EXPECT_TRUE(rules.whole.contains("e-mail") && rules.whole.contains("capt."));
  EXPECT_TRUE(rules.ends.at("! a"));  // the next sentence begins with a small letter
  // What was not seen: the ending is a rule for all words.
  EXPECT_EQ(choice.tokenizer.words("Capt. Li won't."), (std::vector<std::string>{"Capt.", "Li", "wo", "n't", "."}));
}

TEST(TreebankText, WithoutTextsTheWordsChooseTheTokenizer) {
  const auto chosen = [](std::vector<std::string> words) {
    return choose_tokenizer("auto", {}, {{.words = std::move(words), .tags = {}, .lines = {}}}).tokenizer.name();
  };
  EXPECT_EQ(chosen({"Anna", "can't", "well-known", "."}), "punctuation");
  EXPECT_EQ(chosen({"Anna", "saw,", "Mars."}), "space");
  EXPECT_EQ(chosen({"春", "風", "。"}), "characters") << "each word is one character";
}

TEST(Conllu, RestoresItsText) {
  TreebankText text = read_treebank_text(treebank(), "t");
  const Tokenizer tokenizer = choose_tokenizer("auto", text, {}).tokenizer;
  for (const char* raw : {"I don't  know.\n\n You can't! ", "\n\t a|b\\s \u00A0c.\nd", "x"}) {
    for (const SentenceBreaks breaks : {SentenceBreaks::kSplit, SentenceBreaks::kParagraphs}) {
      std::string file, pending;
      std::vector<PlacedSentence> sentences;
      for (TextPart& part : text_parts(raw, tokenizer, breaks)) {
        PlacedSentence* last = sentences.empty() ? nullptr : &sentences.back();
        std::vector<PlacedSentence> found = placed_sentences(std::move(part), last, pending);
        std::move(found.begin(), found.end(), std::back_inserter(sentences));
      }
      for (size_t i = 0; i < sentences.size(); ++i) {
        const std::vector<std::string> tags(sentences[i].tokens.size(), "X");
        file += conllu_sentence(sentences[i], tags, static_cast<int64_t>(i) + 1, {.paragraphs = true});
      }
      EXPECT_EQ(testing::text_of_conllu(file), raw) << file;
    }
  }
}

// No-break space, next line, line separator, paragraph separator, ideographic space.
TEST(Conllu, KeepsOtherSpacesThanBlanks) {
  const std::string raw = "Ann\u00A0went \u2028home\u0085today .\u00A0\u00A0\nNext\u00A0line\u2029x\u3000y\n";
  std::string file, pending;
  std::vector<PlacedSentence> sentences;
  for (TextPart& part : text_parts(raw, Tokenizer(), SentenceBreaks::kLines)) {
    for (PlacedSentence& s : placed_sentences(std::move(part), nullptr, pending)) sentences.push_back(std::move(s));
  }
  ASSERT_EQ(sentences.size(), 2U);
  for (const PlacedSentence& sentence : sentences) {
    file += conllu_sentence(sentence, std::vector<std::string>(sentence.tokens.size(), "X"), 1, {});
  }
  EXPECT_NE(file.find("# text = Ann\u00A0went \u2028home\u0085today .\n"), std::string::npos) << file;
  EXPECT_NE(file.find("# text = Next\u00A0line\u2029x\u3000y\n"), std::string::npos) << file;
  EXPECT_NE(file.find("\tSpacesAfter=\\s\u2028\n"), std::string::npos) << file;
  EXPECT_EQ(testing::text_of_conllu(file), raw) << file;
  const TreebankText read = read_treebank_text(file, "t");
  ASSERT_EQ(read.paragraphs.size(), 1U);
  EXPECT_EQ(read.paragraphs[0].text + "\n", raw);
}

TEST(Conllu, TagsOfChunksAreInMisc) {
  EXPECT_EQ(misc_with_tag("_", "B-X"), "NER=B-X");
  EXPECT_EQ(misc_with_tag("SpaceAfter=No", "O"), "NER=O|SpaceAfter=No");
  EXPECT_EQ(misc_with_tag("A=b|NER=B-Y|SpaceAfter=No", "I-X|Y"), "A=b|NER=I-X\\pY|SpaceAfter=No");
  EXPECT_EQ(misc_with_tag("NER=B-Y", "O"), "NER=O");
}

TEST(Conllu, HasTenColumnsAndMultiwordTokens) {
  const Tokenizer tokenizer({.tokenizer = "punctuation"}, {.endings = {{"an't", true}}});
  std::string pending;
  std::vector<TextPart> parts = text_parts("I don't.\n", tokenizer, SentenceBreaks::kSplit);
  const PlacedSentence sentence = placed_sentences(std::move(parts[0]), nullptr, pending).at(0);
  EXPECT_EQ(
      conllu_sentence(sentence, {"PRON", "AUX", "PART", "PUNCT"}, 7, {.paragraphs = true, .ranges = "characters"}),
      "# newpar\n# sent_id = 7\n# text = I don't.\n"
      "1\tI\t_\tPRON\t_\t_\t_\t_\t_\tTokenRange=0:1\n"
      "2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No|TokenRange=2:7\n"
      "2\tdo\t_\tAUX\t_\t_\t_\t_\t_\t_\n"
      "3\tn't\t_\tPART\t_\t_\t_\t_\t_\t_\n"
      "4\t.\t_\tPUNCT\t_\t_\t_\t_\t_\tSpacesAfter=\\n|TokenRange=7:8\n\n");
  EXPECT_NE(conllu_sentence(sentence, {"O", "O", "O", "B-X"}, 1, {.tag_column = kConlluMisc})
                .find("4\t.\t_\t_\t_\t_\t_\t_\t_\tNER=B-X|SpacesAfter=\\n\n"),
            std::string::npos);
}

}  // namespace
}  // namespace longhand::data
