#include "longhand/data/words.h"

#include <algorithm>
#include <map>

#include "longhand/base/rng.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"

namespace longhand::data {
namespace {

std::vector<std::string> code_points(std::string_view word) {
  std::vector<std::string> out;
  char32_t c = 0;
  for (size_t at = 0; at < word.size();) {
    const size_t length = next_character(word, at, c);
    out.emplace_back(word.substr(at, length));
    at += length;
  }
  return out;
}

// <unk>, then those that occur often enough, most frequent first.
Vocabulary vocabulary_of(const std::map<std::string, int64_t>& counts, int64_t min_count) {
  std::vector<std::pair<std::string, int64_t>> kept;
  for (const auto& item : counts) {
    if (item.second >= min_count && item.first != kUnknown) kept.push_back(item);
  }
  std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string> symbols{std::string(kUnknown)};
  for (auto& item : kept) symbols.push_back(std::move(item.first));
  return Vocabulary(std::move(symbols));
}

int32_t known(const Vocabulary& vocabulary, std::string_view symbol) { return std::max(0, vocabulary.find(symbol)); }

}  // namespace

void WordOptions::add_to(OptionTable& table) {
  table.add("lowercase", lowercase, "look up words in lower case; shapes and characters keep their case");
  table.add("min-count", min_count, "smallest number of occurrences of a word; rarer words are read as <unk>",
            at_least(1));
}

std::string word_shape(std::string_view word) {
  std::string out, last;
  int run = 0;
  char32_t c = 0;
  for (size_t at = 0; at < word.size();) {
    const size_t length = next_character(word, at, c);
    const CharacterKind is = kind_of(c);
    const std::string kind = is == CharacterKind::kCapital  ? "X"
                             : is == CharacterKind::kLetter ? "x"
                             : is == CharacterKind::kDigit  ? "d"
                                                            : std::string(word.substr(at, length));
    run = kind == last ? run + 1 : 1;
    if (run <= 2) out += kind;
    last = kind;
    at += length;
  }
  return out;
}

WordVocabulary build_word_vocabulary(const std::vector<const Words*>& sentences, const WordOptions& options) {
  std::map<std::string, int64_t> words, shapes, characters;
  for (const Words* sentence : sentences) {
    for (const std::string& word : *sentence) {
      ++words[options.lowercase ? lowercased(word) : word];
      ++shapes[word_shape(word)];
      for (const std::string& c : code_points(word)) ++characters[c];
    }
  }
  return {vocabulary_of(words, options.min_count), vocabulary_of(shapes, 1), vocabulary_of(characters, 1)};
}

int32_t Lexicon::find(const std::string& word) {
  const auto [place, is_new] = index_.try_emplace(word, static_cast<int32_t>(entries_.size()));
  if (!is_new) return place->second;
  Entry entry{.word = known(vocabulary_->words, lowercase_ ? lowercased(word) : word),
              .shape = known(vocabulary_->shapes, word_shape(word)),
              .characters = {}};
  const std::vector<std::string> all = code_points(word);
  for (size_t i = 0; i < all.size(); ++i) {
    const bool kept = i < kMaxCharacters / 2 || i + kMaxCharacters / 2 >= all.size();
    if (kept) entry.characters.push_back(known(vocabulary_->characters, all[i]));
  }
  entries_.push_back(std::move(entry));
  return place->second;
}

void Lexicon::count(std::span<const int32_t> entries) {
  counts_.resize(static_cast<size_t>(vocabulary_->words.size()));
  for (const int32_t index : entries) ++counts_[static_cast<size_t>(entry(index).word)];
}

int64_t Lexicon::count_of(int32_t word) const {
  return static_cast<size_t>(word) < counts_.size() ? counts_[static_cast<size_t>(word)] : 0;
}

void make_batch(const Lexicon& lexicon, std::span<const std::span<const int32_t>> sentences, const UnknownMask& mask,
                WordBatch& batch) {
  const auto rows = static_cast<int64_t>(sentences.size());
  batch.rows = rows;
  batch.steps = batch.tokens = batch.distinct = batch.character_steps = 0;
  batch.lengths.resize(sentences.size());
  for (size_t b = 0; b < sentences.size(); ++b) {
    batch.lengths[b] = static_cast<int32_t>(sentences[b].size());
    batch.steps = std::max<int64_t>(batch.steps, batch.lengths[b]);
    batch.tokens += batch.lengths[b];
  }
  batch.ragged = batch.tokens < batch.steps * rows;
  const auto cells = static_cast<size_t>(batch.steps * rows);
  batch.words.assign(cells, 0);
  batch.shapes.assign(cells, 0);
  batch.slots.assign(cells, -1);

  std::unordered_map<int32_t, int32_t> slots;
  std::vector<int32_t> distinct;
  const CounterRng rng(mask.seed, mask.step, RngPlace::kWords);
  uint64_t token = 0;
  for (size_t b = 0; b < sentences.size(); ++b) {
    for (size_t t = 0; t < sentences[b].size(); ++t) {
      const int32_t index = sentences[b][t];
      const Lexicon::Entry& entry = lexicon.entry(index);
      const size_t cell = t * sentences.size() + b;
      const double count = static_cast<double>(lexicon.count_of(entry.word));
      const bool masked = mask.rate > 0.0 && rng.uniform(token++) < mask.rate / (mask.rate + count);
      batch.words[cell] = masked ? 0 : entry.word;
      batch.shapes[cell] = entry.shape;
      const auto [slot, is_new] = slots.try_emplace(index, static_cast<int32_t>(distinct.size()));
      if (is_new) {
        distinct.push_back(index);
        batch.character_steps = std::max(batch.character_steps, static_cast<int64_t>(entry.characters.size()));
      }
      batch.slots[cell] = slot->second;
    }
  }
  batch.distinct = static_cast<int64_t>(distinct.size());
  batch.character_lengths.resize(distinct.size());
  batch.characters.assign(static_cast<size_t>(batch.character_steps) * distinct.size(), 0);
  for (size_t w = 0; w < distinct.size(); ++w) {
    const std::vector<int32_t>& characters = lexicon.entry(distinct[w]).characters;
    batch.character_lengths[w] = static_cast<int32_t>(characters.size());
    for (size_t s = 0; s < characters.size(); ++s) batch.characters[s * distinct.size() + w] = characters[s];
  }
}

}  // namespace longhand::data
