// Word vectors, as text and in word2vec's binary form.
#include "longhand/data/vectors.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  return {"the 0.1 0.2 0.3\nof 0.4 0.5 0.6\n", "2 3\nthe 0.1 0.2 0.3\nof 0.4 0.5 0.6\n",
          std::string("1 3\nthe \0\0\200\077\0\0\200\077\0\0\200\077\n", 21)};
}

void read(std::string_view bytes) {
  const MemoryFile file(bytes);
  data::Vocabulary words({"<unk>", "the", "of"});
  data::read_word_vectors({.vectors = file.path(), .new_words = 10}, true, 3, words);
}

}  // namespace longhand::fuzz
