// The most frequent tag of each word: what a tagger without any context knows.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "longhand/baselines/baseline_file.h"
#include "longhand/data/columns.h"

namespace longhand::baselines {

/// A word that was not in the training data gets the tag that is most frequent among rare words with the same ending:
/// of the endings of 5 to 1 characters the longest that such a word had, where both begin with a capital or neither
/// does. Where there is none, words of the same shape (data::word_shape) decide, and else all words.
class TagFrequency {
 public:
  static constexpr const char* kKind = "tag_frequency";

  /// Of equally frequent tags the one that is first in the order of bytes counts. Throws an input error for no words.
  static TagFrequency fit(std::span<const data::TaggedSentence> sentences);

  const std::string& tag(const std::string& word) const;
  std::vector<std::string> tag(const std::vector<std::string>& words) const;
  /// Number of words that it knows.
  int64_t size() const { return static_cast<int64_t>(words_.size()); }

  void write(BaselineWriter& out) const;
  /// Throws an input error for a file that does not hold such a baseline.
  static TagFrequency read(const BaselineFile& file);

 private:
  using Table = std::map<std::string, std::string>;  // a tag for each key

  Table words_, endings_, shapes_;
  std::string most_frequent_;
};

}  // namespace longhand::baselines
