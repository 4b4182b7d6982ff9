// Chunks: reading them out of tags, the schemes, and the score that the conlleval script gives.
#include "longhand/data/chunks.h"

#include <functional>
#include <sstream>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

using Tags = std::vector<std::string>;

Tags split(const std::string& text) {
  Tags out;
  std::istringstream words(text);
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

std::vector<TaggedSentence> sentences(const std::vector<std::string>& texts) {
  std::vector<TaggedSentence> out;
  int64_t line = 1;
  for (const std::string& text : texts) {
    TaggedSentence sentence;
    sentence.tags = split(text);
    for (size_t i = 0; i < sentence.tags.size(); ++i) {
      sentence.words.push_back("w");
      sentence.lines.push_back(line++);
    }
    ++line;
    out.push_back(sentence);
  }
  return out;
}

using testing::error_of;

TEST(Chunks, EverySchemeSaysTheSame) {
  // Two of a type that touch, one of another type right after, and one token alone at the end.
  const std::vector<std::pair<Scheme, std::string>> written = {
      {Scheme::kIob1, "O I-A I-A B-A I-B I-B I-B O I-A"},  {Scheme::kIob2, "O B-A I-A B-A B-B I-B I-B O B-A"},
      {Scheme::kIoe1, "O I-A E-A I-A I-B I-B I-B O I-A"},  {Scheme::kIoe2, "O I-A E-A E-A I-B I-B E-B O E-A"},
      {Scheme::kBioes, "O B-A E-A S-A B-B I-B E-B O S-A"}, {Scheme::kBilou, "O B-A L-A U-A B-B I-B L-B O U-A"},
      {Scheme::kBmes, "O B-A E-A S-A B-B M-B E-B O S-A"},
  };
  const std::vector<Chunk> expected = {{1, 3, "A"}, {3, 4, "A"}, {4, 7, "B"}, {8, 9, "A"}};
  for (const auto& [scheme, text] : written) {
    const Tags tags = split(text);
    EXPECT_EQ(chunks(tags), expected) << text;
    EXPECT_EQ(recognise_scheme(sentences({text}), "f"), scheme);
    for (const auto& [other, other_text] : written) EXPECT_EQ(chunk_tags(chunks(tags), 9, other), split(other_text));
  }
}

TEST(Chunks, WhatBreaksASchemeIsReadAsConllevalReadsIt) {
  const auto spans = [](const std::string& text) {
    const Tags tags = split(text);
    std::string out;
    for (const Chunk& c : chunks(tags))
      out += std::to_string(c.begin) + "-" + std::to_string(c.end) + std::string(c.type) + " ";
    return out;
  };
  EXPECT_EQ(spans("I-A I-B O E-A I-A"), "0-1A 1-2B 3-4A 4-5A ");
  EXPECT_EQ(spans("B-A B-A I-A S-A S-A"), "0-1A 1-3A 3-4A 4-5A ");
  EXPECT_EQ(spans("B-A-B I-A-B I-A"), "0-2A-B 2-3A ");  // a type may have hyphens
  EXPECT_EQ(spans("B I O B"), "0-2 3-4 ");              // and be empty
  EXPECT_EQ(spans("NOUN VERB X-A"), "");
}

TEST(Chunks, SchemesAreRecognised) {
  EXPECT_EQ(recognise_scheme(sentences({"NOUN VERB", "O"}), "f"), Scheme::kNone);
  EXPECT_EQ(recognise_scheme(sentences({"O O", "O"}), "f"), Scheme::kNone);
  EXPECT_EQ(recognise_scheme(sentences({"O B-A", "B-A I-A"}), "f"), Scheme::kIob2);
  EXPECT_EQ(recognise_scheme(sentences({"I-A B-A"}), "f"), Scheme::kIob1);
  EXPECT_EQ(recognise_scheme(sentences({"S-A O"}), "f"), Scheme::kBioes);
}

TEST(Chunks, LettersAloneAreTagsToo) {
  EXPECT_EQ(recognise_scheme(sentences({"O B I O", "B I I"}), "f"), Scheme::kIob2);
  EXPECT_EQ(recognise_scheme(sentences({"B E S O"}), "f"), Scheme::kBioes);
  EXPECT_EQ(recognise_scheme(sentences({"B M E S"}), "f"), Scheme::kBmes);
  EXPECT_EQ(chunk_tags(chunks(split("O B I B")), 4, Scheme::kBioes), split("O B E S"));
}

// Two such tags stand in a widespread copy of the CoNLL-2003 training file.
TEST(Chunks, AFewTagsThatBreakTheSchemeAreRepaired) {
  std::vector<std::string> texts(20, "O B-A I-A O B-B");
  texts[7] = "O I-A I-A O B-B";
  std::vector<TaggedSentence> broken = sentences(texts);
  EXPECT_EQ(recognise_scheme(broken, "f"), Scheme::kIob2);
  const Repairs repairs = repair_scheme(broken, Scheme::kIob2, "f");
  EXPECT_EQ(repairs.tags, 1);
  EXPECT_EQ(repairs.first_line, 44);
  EXPECT_EQ(repairs.first, "I-A after O");
  EXPECT_EQ(broken[7].tags, split("O B-A I-A O B-B"));
  EXPECT_EQ(repair_scheme(broken, Scheme::kIob2, "f").tags, 0);
}

TEST(Chunks, APrefixOfNoSchemeIsAnErrorInScores) {
  EXPECT_EQ(error_of([] { score_predictions("a B-X B-X\nb I-X Q-X\n", "f"); }).substr(0, 4), "f:2:");
  const ChunkScore score = score_predictions("a B-X U-X\nb O O\nc I-Y E-Y\n", "f");
  EXPECT_EQ(score.all.correct, 2);
}

TEST(Chunks, ALineThatBreaksTheSchemeIsNamed) {
  const auto recognise = [](const std::vector<std::string>& texts) {
    return error_of([&] { recognise_scheme(sentences(texts), "file"); });
  };
  EXPECT_EQ(recognise({"O B-A I-A", "O B-A O", "O I-A"}),
            "file:10: expected tags in the scheme iob2, found I-A after O");
  EXPECT_EQ(recognise({"O B-A E-A", "B-A O"}), "file:6: expected tags in the scheme bioes, found O after B-A");
  EXPECT_EQ(recognise({"S-A B-A"}), "file:2: expected tags in the scheme bioes, found end of sentence after B-A");
  EXPECT_EQ(recognise({"B-A I-A O", "B-A ILOC"}), "file:6: expected O or a chunk tag such as B-LOC, found ILOC");
  EXPECT_EQ(error_of([&] { check_scheme(sentences({"O I-A"}), Scheme::kIob2, "file"); }),
            "file:2: expected tags in the scheme iob2, found I-A after O");
  EXPECT_EQ(error_of([&] { check_scheme(sentences({"O I-A"}), Scheme::kIob1, "file"); }), "");
  EXPECT_EQ(error_of([&] { check_scheme(sentences({"X Y"}), Scheme::kNone, "file"); }), "");
}

TEST(Chunks, WhatMayFollowWhat) {
  EXPECT_TRUE(may_follow("", "B-A", Scheme::kBioes));
  EXPECT_FALSE(may_follow("", "I-A", Scheme::kBioes));
  EXPECT_FALSE(may_follow("B-A", "", Scheme::kBioes));
  EXPECT_FALSE(may_follow("B-A", "E-B", Scheme::kBioes));
  EXPECT_TRUE(may_follow("E-A", "S-A", Scheme::kBioes));
  EXPECT_TRUE(may_follow("B-A", "", Scheme::kIob2));
  EXPECT_FALSE(may_follow("B-B", "I-A", Scheme::kIob2));
  EXPECT_TRUE(may_follow("", "I-A", Scheme::kIob1));
  EXPECT_FALSE(may_follow("", "B-A", Scheme::kIob1));
  EXPECT_TRUE(may_follow("I-A", "B-A", Scheme::kIob1));
  EXPECT_TRUE(may_follow("x", "y", Scheme::kNone));
}

TEST(Conlleval, CountsChunksByHand) {
  // Of three, one is right, one has another type, one is too long.
  const ChunkScore score = score_predictions(
      "a B-A B-A\nb I-A I-A\nc O O\n\n"
      "d B-A B-B\ne O O\n\nf B-B B-B\ng O I-B\n",
      "f");
  EXPECT_EQ(score.conlleval(),
            "processed 7 tokens with 3 phrases; found: 3 phrases; correct: 1.\n"
            "accuracy:  71.43%; precision:  33.33%; recall:  33.33%; FB1:  33.33\n"
            "                A: precision: 100.00%; recall:  50.00%; FB1:  66.67  1\n"
            "                B: precision:   0.00%; recall:   0.00%; FB1:   0.00  2\n");
  EXPECT_EQ(score_predictions("a NOUN NOUN\nb X VERB\n", "f").conlleval(), "processed 2 tokens\naccuracy:  50.00%\n");
}

TEST(Conlleval, RefusesFilesThatAreNotPredictions) {
  const auto refused = [](const std::string& text) { return error_of([&] { score_predictions(text, "f"); }); };
  EXPECT_EQ(refused("a B I\nb B\n"), "f:2: expected 3 columns as in the first line, found 2");
  EXPECT_EQ(refused("a\n"), "f:1: expected 2 columns, the last two of them tags, found 1");
  EXPECT_EQ(refused("\n \n"), "f: expected words with their tags, one per line, found none");
}

TEST(Conlleval, GivesTheScriptsOwnFigures) {
  const std::string folder = std::string(LONGHAND_SOURCE_DIR) + "/../shared/data/conlleval/";
  if (!io::exists(folder)) GTEST_SKIP() << "needs the example of the conlleval script, which is not here";
  EXPECT_EQ(score_predictions(io::read_file(folder + "output.txt"), "output.txt").conlleval(),
            io::read_file(folder + "result.txt"));
}

}  // namespace
}  // namespace longhand::data
