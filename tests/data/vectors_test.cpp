// Word vectors: both forms of file, what is taken of them, and files that are not what they should be.
#include "longhand/data/vectors.h"

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

Vocabulary three() { return Vocabulary({"<unk>", "cat", "dog"}); }

WordVectors read(const std::string& text, int64_t new_words, Vocabulary& vocabulary, bool lowercase = false) {
  const testing::TemporaryFolder folder;
  io::write_file(folder / "v.txt", text);
  return read_word_vectors({.vectors = folder / "v.txt", .new_words = new_words}, lowercase, 2, vocabulary);
}

TEST(WordVectors, AreReadInBothForms) {
  const std::string lines = "dog 1 -2.5e-1\nfish 3 4\nCat 5 6\n. . . 7 8\ncat 9 1e-60\n<unk> 0.5 0\ndog 0 0\n";
  for (const std::string& header : {std::string(), std::string("7 2\n")}) {
    Vocabulary vocabulary = three();
    const WordVectors vectors = read(header + lines, 2, vocabulary);
    EXPECT_EQ(vectors.words, (std::vector<int32_t>{2, 3, 4, 1, 0}));
    EXPECT_EQ(vectors.values, (std::vector<float>{1, -0.25, 3, 4, 5, 6, 9, 0, 0.5, 0}));
    EXPECT_EQ(vocabulary.size(), 5);
    EXPECT_EQ(vocabulary.find("fish"), 3);
    EXPECT_EQ(vocabulary.find("Cat"), 4);
    EXPECT_NE(vectors.description.find(header.empty() ? "GloVe, vectors of 2 for 3 of 3 words, and for 2 more"
                                                      : "word2vec, vectors of 2 for 3 of 3 words, and for 2 more"),
              std::string::npos)
        << vectors.description;
  }
}

TEST(WordVectors, TakeNoMoreThanIsAskedForAndWhatCanBeFound) {
  Vocabulary vocabulary = three();
  EXPECT_EQ(read("dog 1 2\nfish 3 4\n", 0, vocabulary).words, (std::vector<int32_t>{2}));
  EXPECT_EQ(vocabulary.size(), 3);
  EXPECT_EQ(read("Fish 1 2\nfish 3 4\nfish 5 6\n", 9, vocabulary, true).values, (std::vector<float>{3, 4}));
  EXPECT_EQ(vocabulary.size(), 4);
}

TEST(WordVectors, FormsDifferInBlanksAndLineEndsToo) {
  Vocabulary vocabulary = three();
  EXPECT_EQ(read("2 2\r\ndog\t1 2 \r\n. . . 7 8\r\n", 9, vocabulary).values, (std::vector<float>{1, 2, 7, 8}));
  EXPECT_EQ(vocabulary.find(". . ."), 3);
  const WordVectors vectors = read("cat 1 2\n\xFF\xFE 3 4\n", 9, vocabulary);
  EXPECT_EQ(vectors.words.size(), 1U);
  EXPECT_NE(vectors.description.find("1 words are not UTF-8"), std::string::npos);
}

TEST(WordVectors, FaultsAreFoundWhereTheyAre) {
  const auto fault = [](const std::string& text) {
    Vocabulary vocabulary = three();
    try {
      read(text, 9, vocabulary);
    } catch (const Error& e) {
      EXPECT_EQ(vocabulary.size(), 3);
      return std::string(e.what());
    }
    return std::string("none");
  };
  EXPECT_NE(fault("").find("found none"), std::string::npos);
  EXPECT_NE(fault("2 2\n").find("found none"), std::string::npos);
  EXPECT_NE(fault("3 2\ncat 1 2\n").find("expected 3 vectors, as its first line says, found 1"), std::string::npos);
  EXPECT_NE(fault("cat 1 2\ndog 1\n").find("v.txt:2: expected a word and 2 numbers, found 2 fields"),
            std::string::npos);
  EXPECT_NE(fault("cat 1 x\n").find("v.txt:1: expected a number, found 'x'"), std::string::npos);
  EXPECT_NE(fault("cat 1 nan\n").find("expected a number"), std::string::npos);
  EXPECT_NE(fault("cat 1 1e60\n").find("expected a number"), std::string::npos);
  EXPECT_NE(fault("cat 1 \xFF\n").find("expected a number, found something else"), std::string::npos);
  EXPECT_NE(fault("cat 1 2 3\n").find("`embed`: expected 3, the size of the vectors in"), std::string::npos);
  EXPECT_NE(fault("5 300\ncat 1 2\n").find("`embed`: expected 300"), std::string::npos);
  EXPECT_NE(fault("\n").find("found none"), std::string::npos);
  EXPECT_NE(fault("cat\n").find("expected a word and 1 to 65536 numbers, found 0"), std::string::npos);
  Vocabulary vocabulary = three();
  EXPECT_THROW(read_word_vectors({.vectors = "/nowhere/v.txt"}, false, 2, vocabulary), Error);
}

}  // namespace
}  // namespace longhand::data
