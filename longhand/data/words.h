// Words as models read them: by themselves, by their shape and by their characters; and sentences of them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "longhand/data/text.h"

namespace longhand::data {

/// How words become symbols. Part of a model: what it is given later is treated the same.
struct WordOptions {
  bool lowercase = true;  ///< a word is looked up in lower case; its shape and characters are its own
  int64_t min_count = 1;  ///< rarer words are read as <unk>

  void add_to(OptionTable& table);
};

/// What a word looks like: X for a capital, x for another letter, d for a digit, every other character itself; more
/// than two of a kind in a row as two. "McDonald's" is XxXxx'x, "2,500" is d,dd.
std::string word_shape(std::string_view word);

/// The three vocabularies of a model that reads words. Symbol 0 of each is <unk>.
struct WordVocabulary {
  Vocabulary words;
  Vocabulary shapes;
  Vocabulary characters;
};

using Words = std::vector<std::string>;

/// Every word, in lower case if the options say so, that occurs `min_count` times or more, and all shapes and
/// characters.
WordVocabulary build_word_vocabulary(const std::vector<const Words*>& sentences, const WordOptions& options);

/// The distinct words of some texts, each looked up once.
class Lexicon {
 public:
  /// The vocabulary must outlive this.
  Lexicon(const WordVocabulary& vocabulary, const WordOptions& options)
      : vocabulary_(&vocabulary), lowercase_(options.lowercase) {}

  struct Entry {
    int32_t word = 0;
    int32_t shape = 0;
    std::vector<int32_t> characters;  ///< at most kMaxCharacters: of longer words the beginning and the end
  };
  static constexpr size_t kMaxCharacters = 48;

  /// The entry of a word, made if there is none yet.
  int32_t find(const std::string& word);
  /// Counts the words of these entries.
  void count(std::span<const int32_t> entries);

  const Entry& entry(int32_t index) const { return entries_[static_cast<size_t>(index)]; }
  /// How often words with this symbol were counted.
  int64_t count_of(int32_t word) const;
  int64_t size() const { return static_cast<int64_t>(entries_.size()); }

 private:
  const WordVocabulary* vocabulary_;
  bool lowercase_;
  std::unordered_map<std::string, int32_t> index_;
  std::vector<Entry> entries_;
  std::vector<int64_t> counts_;
};

/// Sentences side by side: T steps, B rows, and the distinct words among them.
struct WordBatch {
  int64_t steps = 0;
  int64_t rows = 0;
  int64_t tokens = 0;
  std::vector<int32_t> lengths;            ///< [B]
  bool ragged = false;                     ///< some length is below T
  std::vector<int32_t> words;              ///< [T, B]; 0 in the padding, and so
  std::vector<int32_t> shapes;             ///< [T, B]
  std::vector<int32_t> slots;              ///< [T, B] which of the distinct words it is; -1 in the padding
  int64_t distinct = 0;                    ///< W
  int64_t character_steps = 0;             ///< S
  std::vector<int32_t> characters;         ///< [S, W]; 0 in the padding
  std::vector<int32_t> character_lengths;  ///< [W]
};

/// Masks words at random, the rarer the more often, so that a model learns what to make of an unknown word: one that
/// was counted c times is read as <unk> with probability rate / (rate + c) (Kiperwasser and Goldberg 2016).
struct UnknownMask {
  double rate = 0.0;
  uint64_t seed = 0;
  uint64_t step = 0;  ///< no two batches of a training may have the same
};

/// Lays sentences, as entries of the lexicon, side by side.
void make_batch(const Lexicon& lexicon, std::span<const std::span<const int32_t>> sentences, const UnknownMask& mask,
                WordBatch& batch);

}  // namespace longhand::data
