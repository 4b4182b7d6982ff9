// How the n-grams of a text are counted: level by level, in time and memory linear in the text for each.
#include <algorithm>
#include <limits>
#include <utility>

#include "longhand/baselines/ngram.h"

namespace longhand::baselines {

class NgramCounts {
 public:
  // Counts single symbols. The corpus is in memory, and must outlive this.
  NgramCounts(const data::Corpus& corpus, int64_t symbols);

  // Adds n-grams of one symbol more.
  void lengthen();
  // Undoes the last `lengthen`.
  void shorten();
  const Ngram& model() const { return model_; }
  Ngram take() { return std::move(model_); }

 private:
  // Calls what(i) for every place where an n-gram of `length` symbols begins.
  template <class What>
  void for_each_place(int64_t length, const What& what) const {
    for (size_t s = 0; s + 1 < starts_.size(); ++s) {
      for (int64_t i = starts_[s]; i + length <= starts_[s + 1]; ++i) what(static_cast<size_t>(i));
    }
  }
  std::vector<int32_t> sorted_places(int64_t length) const;
  void count_predecessors(const std::vector<int32_t>& firsts);

  const std::vector<int32_t>& symbols_;
  const std::vector<int64_t>& starts_;
  Ngram model_;
  std::vector<int32_t> nodes_;        // at each place: the node of the longest n-gram counted that begins there
  std::vector<int32_t> occurrences_;  // of the second highest order, before they were replaced
};

NgramCounts::NgramCounts(const data::Corpus& corpus, int64_t symbols)
    : symbols_(corpus.symbols.memory()), starts_(corpus.starts.memory()), nodes_(symbols_) {
  LONGHAND_CHECK(symbols > 0);
  LONGHAND_CHECK(symbols_.size() < static_cast<size_t>(std::numeric_limits<int32_t>::max()) - 1);
  Ngram::Level level;
  level.begin = {0, static_cast<int32_t>(symbols)};
  level.symbols.resize(static_cast<size_t>(symbols));
  for (size_t v = 0; v < level.symbols.size(); ++v) level.symbols[v] = static_cast<int32_t>(v);
  level.counts.assign(level.symbols.size(), 0);
  // The first symbol of a sequence is not predicted.
  for_each_place(2, [&](size_t i) { ++level.counts[static_cast<size_t>(symbols_[i + 1])]; });
  level.smooth();
  model_.levels_.push_back(std::move(level));
}

// The places of all n-grams of `length` symbols, sorted by the node of the first length - 1, then by the last symbol:
// two counting sorts, the second of which keeps the order of the first.
std::vector<int32_t> NgramCounts::sorted_places(int64_t length) const {
  const auto last = static_cast<size_t>(length - 1);
  const auto sort = [](const std::vector<int32_t>& places, size_t values, const auto& value_of) {
    std::vector<int32_t> at(values + 1, 0), out(places.size());
    for (const int32_t i : places) ++at[static_cast<size_t>(value_of(static_cast<size_t>(i))) + 1];
    for (size_t v = 0; v < values; ++v) at[v + 1] += at[v];
    for (const int32_t i : places) {
      out[static_cast<size_t>(at[static_cast<size_t>(value_of(static_cast<size_t>(i)))]++)] = i;
    }
    return out;
  };
  std::vector<int32_t> places;
  for_each_place(length, [&](size_t i) { places.push_back(static_cast<int32_t>(i)); });
  places = sort(places, static_cast<size_t>(model_.symbols()), [&](size_t i) { return symbols_[i + last]; });
  return sort(places, model_.levels_.back().symbols.size(), [&](size_t i) { return nodes_[i]; });
}

void NgramCounts::lengthen() {
  const int64_t length = model_.order() + 1;
  const auto last = static_cast<size_t>(length - 1);
  const std::vector<int32_t> places = sorted_places(length);
  Ngram::Level level;
  level.begin.assign(model_.levels_.back().symbols.size() + 1, 0);
  std::vector<int32_t> longer(nodes_.size(), -1);
  std::vector<int32_t> firsts;  // a place of each n-gram
  for (const int32_t place : places) {
    const auto i = static_cast<size_t>(place);
    const bool is_new = firsts.empty() || nodes_[static_cast<size_t>(firsts.back())] != nodes_[i] ||
                        level.symbols.back() != symbols_[i + last];
    if (is_new) {
      firsts.push_back(place);
      level.symbols.push_back(symbols_[i + last]);
      level.counts.push_back(0);
      ++level.begin[static_cast<size_t>(nodes_[i]) + 1];
    }
    ++level.counts.back();
    longer[i] = static_cast<int32_t>(level.symbols.size()) - 1;
  }
  for (size_t h = 1; h < level.begin.size(); ++h) level.begin[h] += level.begin[h - 1];
  level.smooth();
  count_predecessors(firsts);
  model_.levels_.push_back(std::move(level));
  nodes_ = std::move(longer);
}

// In the place of its occurrences, a shorter n-gram counts how many different symbols come before it. The beginning of
// a sequence, which nothing comes before, counts each time.
void NgramCounts::count_predecessors(const std::vector<int32_t>& firsts) {
  Ngram::Level& level = model_.levels_.back();
  occurrences_ = std::exchange(level.counts, std::vector<int32_t>(level.symbols.size(), 0));
  for (const int32_t place : firsts) ++level.counts[static_cast<size_t>(nodes_[static_cast<size_t>(place) + 1])];
  const int64_t length = model_.order();
  for (size_t s = 0; length > 1 && s + 1 < starts_.size(); ++s) {
    if (starts_[s] + length > starts_[s + 1]) continue;
    ++level.counts[static_cast<size_t>(nodes_[static_cast<size_t>(starts_[s])])];
  }
  level.smooth();
}

void NgramCounts::shorten() {
  model_.levels_.pop_back();
  model_.levels_.back().counts = std::move(occurrences_);
  model_.levels_.back().smooth();
}

Ngram fit_ngram(const data::Corpus& corpus, int64_t symbols, int64_t order) {
  NgramCounts counts(corpus, symbols);
  while (counts.model().order() < order) counts.lengthen();
  return counts.take();
}

Ngram choose_ngram(const data::Corpus& corpus, const data::Corpus& held_out, int64_t symbols, int64_t max_order) {
  NgramCounts counts(corpus, symbols);
  int64_t counted = 0;
  double best = counts.model().nats(held_out, kChoosingSymbols, counted);
  while (counts.model().order() < max_order) {
    counts.lengthen();
    const double nats = counts.model().nats(held_out, kChoosingSymbols, counted);
    if (nats >= best) {
      counts.shorten();
      break;
    }
    best = nats;
  }
  return counts.take();
}

}  // namespace longhand::baselines
