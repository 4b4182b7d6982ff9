#include "longhand/baselines/tag_frequency.h"

#include <algorithm>

#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/words.h"

namespace longhand::baselines {
namespace {

constexpr int64_t kRare = 10;         // the most occurrences of a word whose ending counts (as in Brants 2000)
constexpr size_t kLongestEnding = 5;  // characters

// "C" or "c" and the ending, for endings of 1, 2, ... characters that are shorter than the word.
std::vector<std::string> endings_of(const std::string& word) {
  std::vector<size_t> begins;
  char32_t first = 0;
  for (size_t at = 0; at < word.size();) {
    char32_t c = 0;
    const size_t bytes = next_character(word, at, c);
    if (at == 0) first = c;
    begins.push_back(at);
    at += bytes;
  }
  const std::string begin = kind_of(first) == CharacterKind::kCapital ? "C" : "c";
  std::vector<std::string> out;
  for (size_t n = 1; n <= kLongestEnding && n < begins.size(); ++n) {
    out.push_back(begin + word.substr(begins[begins.size() - n]));
  }
  return out;
}

using Counts = std::map<std::string, std::map<std::string, int64_t>>;  // by key, by tag

std::map<std::string, std::string> most_frequent(const Counts& counts) {
  std::map<std::string, std::string> out;
  for (const auto& [key, tags] : counts) {
    out[key] = std::max_element(tags.begin(), tags.end(), [](const auto& a, const auto& b) {
                 return a.second < b.second;
               })->first;
  }
  return out;
}

}  // namespace

TagFrequency TagFrequency::fit(std::span<const data::TaggedSentence> sentences) {
  Counts words, endings, shapes, all;
  for (const data::TaggedSentence& sentence : sentences) {
    for (size_t i = 0; i < sentence.words.size(); ++i) {
      ++words[sentence.words[i]][sentence.tags[i]];
      ++all[""][sentence.tags[i]];
    }
  }
  if (all.empty()) throw input_error("baseline: expected words with tags, found none", "give more sentences");
  for (const auto& [word, tags] : words) {
    int64_t count = 0;
    for (const auto& item : tags) count += item.second;
    if (count > kRare) continue;
    for (const auto& [tag, n] : tags) {
      for (const std::string& ending : endings_of(word)) endings[ending][tag] += n;
      shapes[data::word_shape(word)][tag] += n;
    }
  }
  TagFrequency out;
  out.words_ = most_frequent(words);
  out.endings_ = most_frequent(endings);
  out.shapes_ = most_frequent(shapes);
  out.most_frequent_ = most_frequent(all).begin()->second;
  return out;
}

const std::string& TagFrequency::tag(const std::string& word) const {
  if (const auto known = words_.find(word); known != words_.end()) return known->second;
  const std::vector<std::string> endings = endings_of(word);
  for (auto ending = endings.rbegin(); ending != endings.rend(); ++ending) {
    if (const auto found = endings_.find(*ending); found != endings_.end()) return found->second;
  }
  const auto shape = shapes_.find(data::word_shape(word));
  return shape != shapes_.end() ? shape->second : most_frequent_;
}

std::vector<std::string> TagFrequency::tag(const std::vector<std::string>& words) const {
  std::vector<std::string> out;
  for (const std::string& word : words) out.push_back(tag(word));
  return out;
}

void TagFrequency::write(BaselineWriter& out) const {
  out.add("most_frequent", most_frequent_);
  for (const auto& [name, table] :
       {std::pair("words", &words_), std::pair("endings", &endings_), std::pair("shapes", &shapes_)}) {
    std::vector<std::string> keys, tags;
    for (const auto& [key, tag] : *table) {
      keys.push_back(key);
      tags.push_back(tag);
    }
    out.add_texts(name, keys);
    out.add_texts(std::string(name) + ".tags", tags);
  }
}

TagFrequency TagFrequency::read(const BaselineFile& file) {
  TagFrequency out;
  out.most_frequent_ = file.text("most_frequent");
  for (const auto& [name, table] :
       {std::pair("words", &out.words_), std::pair("endings", &out.endings_), std::pair("shapes", &out.shapes_)}) {
    const std::vector<std::string> keys = file.texts(name), tags = file.texts(std::string(name) + ".tags");
    file.expect(keys.size() == tags.size(), "a tag for each of '" + std::string(name) + "'");
    for (size_t i = 0; i < keys.size(); ++i) table->emplace(keys[i], tags[i]);
  }
  return out;
}

}  // namespace longhand::baselines
