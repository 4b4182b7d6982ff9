// What is found when a tagger is measured: how well it finds each type of chunk (or gives each tag), and which tags it
// confuses, with examples. pages.h shows it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "longhand/data/chunks.h"

namespace longhand::runs {

/// A word within its sentence, whose beginning and end may be cut off.
struct WordInSentence {
  std::string before, word, after;
  int64_t line = 0;  ///< of the word in its file; 0: not known
};

struct ConfusedTags {
  std::string gold, found;
  int64_t count = 0;
  std::vector<WordInSentence> examples;  ///< the first ones
};

struct TagFindings {
  bool of_chunks = false;
  int64_t words = 0;
  int64_t wrong = 0;  ///< words with a wrong tag
  /// Types of chunks, or tags; most frequent first.
  std::vector<std::pair<std::string, data::ChunkCounts>> types;
  int64_t types_left_out = 0;
  std::vector<ConfusedTags> confused;  ///< most frequent first
};

/// Gathers the findings from the sentences of an evaluation.
class TagExaminer {
 public:
  static constexpr size_t kMostTypes = 50;
  static constexpr size_t kMostPairs = 12;
  static constexpr size_t kExamples = 3;  ///< of a pair

  /// Sentence number `number` with its gold tags, and the tags that were found; in any order. A sentence without words
  /// gives no examples.
  void add(int64_t number, const data::TaggedSentence& gold, const std::vector<std::string>& found);
  /// `score` is of the same sentences; `of_chunks`: whether their tags are of chunks.
  TagFindings findings(const data::ChunkScore& score, bool of_chunks) const;

 private:
  struct Example {
    int64_t sentence = 0;
    size_t word = 0;
    WordInSentence shown;
  };
  struct Confused {
    int64_t count = 0;
    std::vector<Example> examples;  // in order, at most kExamples
  };
  static void add_example(int64_t number, size_t word, const data::TaggedSentence& sentence, Confused& confused);

  std::map<std::string, data::ChunkCounts> tags_;
  std::map<std::pair<std::string, std::string>, Confused> confused_;
};

}  // namespace longhand::runs
