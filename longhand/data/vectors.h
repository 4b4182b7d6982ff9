// Pretrained word vectors, in the text formats of GloVe and word2vec and in the binary format of word2vec.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/data/words.h"

namespace longhand::data {

struct VectorOptions {
  std::string vectors;        ///< a file; empty: none
  int64_t new_words = 50000;  ///< how many words that the training data lack are taken from the beginning of the file

  void add_to(OptionTable& table);
};

/// Vectors of some of a vocabulary's words.
struct WordVectors {
  int64_t size = 0;            ///< E
  std::vector<int32_t> words;  ///< [N] whose they are
  std::vector<float> values;   ///< [N, E]
  std::string description;     ///< "glove.txt: GloVe, vectors of 100 for 9,120 of 10,004 words, and 50,000 more"
};

/// Reads the vectors of the words in a vocabulary from the file, if the options name one, and appends to that
/// vocabulary the first `new_words` others that the file has; with `lowercase`, only such as are in lower case.
///
/// A line is a word and its E numbers, between blanks or tabs; the word itself may hold blanks. word2vec puts
/// a line with the numbers of words and of E before them, GloVe does not: the first line shows which it is. Of a word
/// that comes twice the first counts; one that is not UTF-8 is left out, which the description says. The file is read
/// line by line, since it may be larger than the memory. Throws an input error, with the line where there is one: too
/// few numbers, one that is none in a vector that is taken, or not as many words as announced; and a usage error where
/// vectors are not of `size`.
WordVectors read_word_vectors(const VectorOptions& options, bool lowercase, int64_t size, Vocabulary& vocabulary);

}  // namespace longhand::data
