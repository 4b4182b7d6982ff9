// Column files: the formats, what is no word in them, and where they are wrong.
#include "longhand/data/columns.h"

#include "longhand/base/error.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

const std::string kConllU =
    "# newpar\n"
    "# text = Don't go\n"
    "1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tDo\tdo\tAUX\tVBP\t_\t3\taux\t_\t_\n"
    "2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_\n"
    "2.1\tyou\tyou\tPRON\tPRP\t_\t_\t_\t_\t_\n"
    "3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n"
    "\n"
    "1\t#\t#\tSYM\tNN\t_\t0\troot\t_\t_\n";

ColumnFile read(const std::string& text, const ColumnOptions& options = {},
                ColumnReader::Tags tags = ColumnReader::Tags::kWanted) {
  return read_columns(text, options, tags, "f");
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string error_of(const std::string& text, const ColumnOptions& options = {}, ExitCode code = ExitCode::kInput) {
  return testing::error_of([&] { read(text, options); }, code);
}

TEST(Columns, ConllUIsRecognisedAndItsOtherLinesAreSkipped) {
  const ColumnFile file = read(kConllU);
  EXPECT_EQ(file.description, "CoNLL-U, tags in column 4 (UPOS)");
  ASSERT_EQ(file.sentences.size(), 2U);
  EXPECT_EQ(joined(file.sentences[0].words), "Do n't go");
  EXPECT_EQ(joined(file.sentences[0].tags), "AUX PART VERB");
  EXPECT_EQ(file.sentences[0].lines, (std::vector<int64_t>{4, 5, 7}));
  EXPECT_EQ(joined(file.sentences[1].words), "#");
  EXPECT_EQ(joined(read(kConllU, {.column = "xpos"}).sentences[0].tags), "VBP RB VB");
  EXPECT_EQ(joined(read(kConllU, {.column = "8"}).sentences[0].tags), "aux advmod root");
}

TEST(Columns, OtherFilesHaveTagsInAnyColumn) {
  const std::string text = "-DOCSTART- -X- O O\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\n\n# NN B-NP O\n";
  const ColumnFile file = read(text);
  EXPECT_EQ(file.description, "space-separated columns, tags in column 4");
  ASSERT_EQ(file.sentences.size(), 2U);
  EXPECT_EQ(joined(file.sentences[0].words), "EU rejects");
  EXPECT_EQ(joined(file.sentences[0].tags), "B-ORG O");
  EXPECT_EQ(joined(file.sentences[1].words), "#");
  EXPECT_EQ(joined(read(text, {.column = "2"}).sentences[0].tags), "NNP VBZ");
}

TEST(Columns, TabsSeparateWhereThereAreTabs) {
  const ColumnFile file = read("\xEF\xBB\xBFNew York\tB\r\nis\tO\r\n\t\r\nbig\tO");
  EXPECT_EQ(file.description, "tab-separated columns, tags in column 2");
  ASSERT_EQ(file.sentences.size(), 2U);
  EXPECT_EQ(file.sentences[0].words, (std::vector<std::string>{"New York", "is"}));
}

// The first line of a file is a word or a comment; which, only a later line can tell.
TEST(Columns, AFileMayBeginWithAWordThatLooksLikeAComment) {
  EXPECT_EQ(joined(read("# O\nhash O\n").sentences[0].words), "# hash");
  EXPECT_EQ(joined(read("# O\n\nhash O\n").sentences[0].words), "#");
  EXPECT_EQ(joined(read("#\tO\n").sentences[0].words), "#");
  EXPECT_EQ(joined(read("#\tin a page\t2009\nhash\tO\n").sentences[0].words), "hash");
}

TEST(Columns, TheWordsMayBeInAnotherColumn) {
  const std::string text = "# source\n1\tAufgrund\tO\n2\tder\tO\n3\tEU\tB-ORG\n\n1\tSie\tO\n";
  EXPECT_EQ(joined(read(text, {.word_column = 2}).sentences[0].words), "Aufgrund der EU");
  EXPECT_EQ(joined(read(text, {.column = "3", .word_column = 2}).sentences[0].tags), "O O B-ORG");
  EXPECT_NE(error_of(text), "");                  // all words are the numbers of lines
  EXPECT_EQ(error_of("1\tX\n2\tX\n7\tX\n"), "");  // these are numbers
  EXPECT_EQ(error_of("a\tX\n", {.word_column = 5}).substr(0, 4), "f:1:");
}

TEST(Columns, ConllUPlusNamesItsColumns) {
  const std::string text =
      "# global.columns = ID FORM LEMMA UPOS NER\n# sent_id = 1\n1\tBerlin\tBerlin\tPROPN\tB-LOC\n";
  const ColumnFile file = read(text);
  EXPECT_EQ(file.description, "CoNLL-U Plus, tags in column 4 (UPOS)");
  EXPECT_EQ(joined(file.sentences[0].words), "Berlin");
  EXPECT_EQ(joined(read(text, {.column = "5"}).sentences[0].tags), "B-LOC");
}

TEST(Columns, CommentsBeforeSentencesAreCounted) {
  const ColumnFile file = read("# id 7 domain=en\na _ _ O\nb _ _ B-X\n\n# id 8 domain=en\nc _ _ O\n");
  EXPECT_EQ(file.description, "space-separated columns, tags in column 4, 2 comments");
  EXPECT_EQ(file.sentences.size(), 2U);
}

TEST(Columns, BlanksAroundColumnsAreRemoved) {
  const ColumnFile file = read("a \tO \nb\t B-X\t\nc\tO  \n");
  EXPECT_EQ(file.sentences[0].words, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(file.sentences[0].tags, (std::vector<std::string>{"O", "B-X", "O"}));
}

TEST(Columns, LinesMayEndInReturnsAlone) {
  const ColumnFile file = read("a O\rb O\r\rc O\r");
  EXPECT_EQ(file.sentences.size(), 2U);
  EXPECT_EQ(joined(file.sentences[0].words), "a b");
}

TEST(Columns, ATreebankWithoutFormsIsRefused) {
  EXPECT_NE(error_of("1\t_\t_\tNOUN\t_\t_\t0\troot\t_\t_\n2\t_\t_\tVERB\t_\t_\t0\troot\t_\t_\n"), "");
}

TEST(Columns, WithoutTagsOneColumnIsEnough) {
  const ColumnFile file = read("one\ntwo\n\nthree\n", {}, ColumnReader::Tags::kIgnored);
  ASSERT_EQ(file.sentences.size(), 2U);
  EXPECT_EQ(joined(file.sentences[0].words), "one two");
  EXPECT_TRUE(file.sentences[0].tags.empty());
}

TEST(Columns, AStreamGivesEachSentenceAtItsBlankLine) {
  ColumnReader reader({}, ColumnReader::Tags::kWanted, "f");
  EXPECT_FALSE(reader.line("a X"));
  EXPECT_FALSE(reader.line("b Y"));
  const auto sentence = reader.line("");
  ASSERT_TRUE(sentence);
  EXPECT_EQ(joined(sentence->words), "a b");
  EXPECT_FALSE(reader.end());
}

TEST(Columns, FaultsAreNamedWithTheirLine) {
  EXPECT_EQ(error_of("a X\nb\n"), "f:2: expected 2 space-separated columns, found 1");
  EXPECT_EQ(error_of("a X\nb X Y\n"), "f:2: expected 2 space-separated columns, found 3");
  EXPECT_EQ(error_of("a X\nb\n", {.column = "2"}), "f:2: expected at least 2 space-separated columns, found 1");
  EXPECT_EQ(error_of("a\nb\n"), "f:1: expected words in column 1 and tags in another, found one column");
  EXPECT_EQ(error_of("a\t\n"), "f:1: expected a tag in column 2, found none");
  EXPECT_EQ(error_of("\tX\n"), "f:1: expected a word, found an empty column");
  EXPECT_EQ(error_of("a X\n\xFFz X\n"), "f:2: expected UTF-8, found byte 0xFF at offset 4");
  EXPECT_EQ(error_of(std::string("a X\nb\0 X\n", 9)),
            "f:2: expected a text, found a binary file (a zero byte at offset 5)");
  EXPECT_EQ(error_of(""), "f: expected sentences, one word per line, found none");
  EXPECT_EQ(error_of("\n# only a comment\n", {.format = "conllu"}),
            "f: expected sentences, one word per line, found none");
  EXPECT_EQ(error_of("a X\n", {.column = "upos"}),
            "f:1: `column` upos needs CoNLL-U, ten tab-separated columns, the first an ID; found 2 columns");
  EXPECT_EQ(error_of("a X\n", {.column = "0"}, ExitCode::kUsage),
            "`column`: expected upos, xpos, last or a number from 1, found '0'");
}

// A comment may be a paragraph of its own; a # that is a word is one wherever it stands.
TEST(Columns, WhatBeginsWithANumberSignIsRecognised) {
  const std::string word = "1\tw\tw\tNOUN\tNN\t_\t0\troot\t_\t_\n";
  EXPECT_EQ(read_columns("# newdoc id = x\n\n" + word, {}, ColumnReader::Tags::kWanted, "f").description,
            "CoNLL-U, tags in column 4 (UPOS)");
  EXPECT_EQ(read_columns("# SYM\n\nw X\n", {}, ColumnReader::Tags::kWanted, "f").sentences.size(), 2U);
}

TEST(Columns, ConllUThatIsDamagedIsRefused) {
  const std::string word = "\tw\tw\tNOUN\tNN\t_\t0\troot\t_\t_\n";
  EXPECT_EQ(error_of("1" + word + "3" + word), "f:2: expected the ID 2, found '3'");
  EXPECT_EQ(error_of("1" + word + "1" + word), "f:2: expected the ID 2, found '1'");
  EXPECT_EQ(error_of("1" + word + "x" + word), "f:2: expected the ID 2, found 'x'");
  EXPECT_EQ(error_of("1" + word + "2\tw\tNOUN\n"), "f:2: expected the 10 tab-separated columns of CoNLL-U, found 3");
  EXPECT_EQ(error_of("1" + word, {.column = "20"}), "f:1: `column` 20: expected one of the 10 columns of CoNLL-U");
  EXPECT_EQ(error_of("1\tw\tw\t_\tNN\t_\t0\troot\t_\t_\n"), "f:1: expected a tag in column 4, found none");
}

}  // namespace
}  // namespace longhand::data
