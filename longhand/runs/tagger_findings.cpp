#include "longhand/runs/tagger_findings.h"

#include <algorithm>

#include "longhand/io/page_text.h"

namespace longhand::runs {
namespace {

constexpr size_t kWordsAround = 14;     // of an example's word, on each side
constexpr size_t kLongestAround = 160;  // characters
constexpr size_t kLongestWord = 60;

WordInSentence word_in_sentence(const data::TaggedSentence& sentence, size_t word) {
  const size_t n = sentence.words.size();
  const size_t begin = word - std::min(word, kWordsAround), end = std::min(n, word + 1 + kWordsAround);
  std::string before = begin > 0 ? "… " : "", after;
  for (size_t t = begin; t < word; ++t) before += sentence.words[t] + " ";
  for (size_t t = word + 1; t < end; ++t) after += " " + sentence.words[t];
  if (end < n) after += " …";
  return {.before = io::shortened_start(before, kLongestAround),
          .word = io::shortened(sentence.words[word], kLongestWord),
          .after = io::shortened(after, kLongestAround),
          .line = word < sentence.lines.size() ? sentence.lines[word] : 0};
}

}  // namespace

void TagExaminer::add_example(int64_t number, size_t word, const data::TaggedSentence& sentence, Confused& confused) {
  std::vector<Example>& examples = confused.examples;
  const auto comes_first = [&](const Example& e) { return std::pair(e.sentence, e.word) < std::pair(number, word); };
  if (examples.size() == kExamples && comes_first(examples.back())) return;
  const auto place = std::find_if_not(examples.begin(), examples.end(), comes_first);
  examples.insert(place, {number, word, word_in_sentence(sentence, word)});
  if (examples.size() > kExamples) examples.pop_back();
}

void TagExaminer::add(int64_t number, const data::TaggedSentence& gold, const std::vector<std::string>& found) {
  for (size_t t = 0; t < gold.tags.size(); ++t) {
    ++tags_[gold.tags[t]].gold;
    ++tags_[found[t]].found;
    if (gold.tags[t] == found[t]) {
      ++tags_[found[t]].correct;
      continue;
    }
    Confused& confused = confused_[{gold.tags[t], found[t]}];
    ++confused.count;
    if (t < gold.words.size()) add_example(number, t, gold, confused);
  }
}

TagFindings TagExaminer::findings(const data::ChunkScore& score, bool of_chunks) const {
  TagFindings out{.of_chunks = of_chunks, .words = score.tokens, .wrong = score.tokens - score.correct_tags};
  const auto& types = of_chunks ? score.types : tags_;
  out.types.assign(types.begin(), types.end());
  std::stable_sort(out.types.begin(), out.types.end(),
                   [](const auto& a, const auto& b) { return a.second.gold > b.second.gold; });
  if (out.types.size() > kMostTypes) {
    out.types_left_out = static_cast<int64_t>(out.types.size() - kMostTypes);
    out.types.resize(kMostTypes);
  }
  std::vector<const decltype(confused_)::value_type*> pairs;
  for (const auto& pair : confused_) pairs.push_back(&pair);
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto* a, const auto* b) { return a->second.count > b->second.count; });
  if (pairs.size() > kMostPairs) pairs.resize(kMostPairs);
  for (const auto* pair : pairs) {
    ConfusedTags confused{
        .gold = pair->first.first, .found = pair->first.second, .count = pair->second.count, .examples = {}};
    for (const Example& example : pair->second.examples) confused.examples.push_back(example.shown);
    out.confused.push_back(std::move(confused));
  }
  return out;
}

}  // namespace longhand::runs
