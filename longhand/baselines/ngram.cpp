#include "longhand/baselines/ngram.h"

#include <algorithm>
#include <cmath>

namespace longhand::baselines {

int64_t Ngram::size() const {
  int64_t sum = 0;
  for (const Level& level : levels_) sum += static_cast<int64_t>(level.symbols.size());
  return sum;
}

int32_t Ngram::Level::find(int32_t context, int32_t symbol) const {
  const auto first = symbols.begin() + begin[static_cast<size_t>(context)];
  const auto last = symbols.begin() + begin[static_cast<size_t>(context) + 1];
  const auto at = std::lower_bound(first, last, symbol);
  return at != last && *at == symbol ? static_cast<int32_t>(at - symbols.begin()) : -1;
}

// p(w | h) = max(c(hw) - D(c(hw)), 0) / sum c(h.) + rest(h) p(w | shorter h)
double Ngram::Level::interpolate(int32_t context, int32_t node, double shorter) const {
  const double inverse = scale[static_cast<size_t>(context)];
  if (inverse == 0.0) return shorter;
  const int32_t count = node < 0 ? 0 : counts[static_cast<size_t>(node)];
  const double kept = static_cast<double>(count) - discounts[std::min(count, 3)];
  return kept * inverse + rest[static_cast<size_t>(context)] * shorter;
}

// The discounts of Chen and Goodman (1999), from how many counts are 1, 2, 3 and 4. Small texts and low orders have
// none of some; half of the count is then taken of 1 and 2, and 1.5 of more.
void Ngram::Level::smooth() {
  double n[5] = {};
  for (const int32_t count : counts) n[std::min<int32_t>(count, 4)] += count <= 4 ? 1.0 : 0.0;
  const double fallback[4] = {0.0, 0.5, 1.0, 1.5};
  std::copy_n(fallback, 4, discounts);
  if (n[1] > 0.0 && n[2] > 0.0 && n[3] > 0.0) {
    const double Y = n[1] / (n[1] + 2.0 * n[2]);
    const double found[4] = {0.0, 1.0 - 2.0 * Y * n[2] / n[1], 2.0 - 3.0 * Y * n[3] / n[2],
                             3.0 - 4.0 * Y * n[4] / n[3]};
    for (int k = 1; k <= 3; ++k) {
      if (found[k] > 0.0 && found[k] <= k) discounts[k] = found[k];
    }
  }
  scale.assign(static_cast<size_t>(contexts()), 0.0);
  rest.assign(static_cast<size_t>(contexts()), 1.0);
  for (size_t h = 0; h < scale.size(); ++h) {
    double sum = 0.0, left = 0.0;
    for (auto i = static_cast<size_t>(begin[h]); i < static_cast<size_t>(begin[h + 1]); ++i) {
      sum += static_cast<double>(counts[i]);
      left += discounts[std::min(counts[i], 3)];
    }
    if (sum == 0.0) continue;
    scale[h] = 1.0 / sum;
    rest[h] = left / sum;
  }
}

double Ngram::History::probability(int32_t symbol) const {
  double p = model_->uniform();
  for (size_t k = 0; k < nodes_.size() && k < model_->levels_.size(); ++k) {
    const Level& level = model_->levels_[k];
    p = level.interpolate(nodes_[k], level.find(nodes_[k], symbol), p);
  }
  return p;
}

double Ngram::History::next(int32_t symbol) {
  double p = model_->uniform();
  longer_.assign(1, 0);
  bool known = true;  // the last symbols, of one more each time
  for (size_t k = 0; k < nodes_.size() && k < model_->levels_.size(); ++k) {
    const Level& level = model_->levels_[k];
    const int32_t node = level.find(nodes_[k], symbol);
    p = level.interpolate(nodes_[k], node, p);
    known = known && node >= 0 && k + 1 < model_->levels_.size();
    if (known) longer_.push_back(node);
  }
  std::swap(nodes_, longer_);
  return p;
}

double Ngram::nats(const data::Corpus& corpus, int64_t max, int64_t& counted) const {
  double sum = 0.0;
  counted = 0;
  History history(*this);
  for (int64_t s = 0; s < corpus.sequences(); ++s) {
    history.begin();
    const int64_t begin = corpus.starts[static_cast<size_t>(s)], end = corpus.starts[static_cast<size_t>(s) + 1];
    for (int64_t i = begin; i < end; ++i) {
      const double p = history.next(corpus.symbols[static_cast<size_t>(i)]);
      if (i == begin) continue;
      sum -= std::log(p);
      if (++counted == max) return sum;
    }
  }
  return sum;
}

void Ngram::write(BaselineWriter& out) const {
  out.add("order", std::to_string(order()));
  for (size_t k = 0; k < levels_.size(); ++k) {
    const std::string name = "order" + std::to_string(k + 1);
    out.add_numbers(name + ".begin", levels_[k].begin);
    out.add_numbers(name + ".symbols", levels_[k].symbols);
    out.add_numbers(name + ".counts", levels_[k].counts);
  }
}

Ngram Ngram::read(const BaselineFile& file) {
  Ngram out;
  const int64_t order = file.number("order", 1, 100);
  size_t contexts = 1;
  int64_t symbols = 0;
  for (int64_t k = 1; k <= order; ++k) {
    const std::string name = "order" + std::to_string(k);
    Level level;
    level.begin = file.numbers<int32_t>(name + ".begin", contexts + 1);
    level.symbols = file.numbers<int32_t>(name + ".symbols");
    level.counts = file.numbers<int32_t>(name + ".counts", level.symbols.size());
    if (k == 1) symbols = static_cast<int64_t>(level.symbols.size());
    file.expect(level.begin.front() == 0 && static_cast<size_t>(level.begin.back()) == level.symbols.size() &&
                    std::is_sorted(level.begin.begin(), level.begin.end()),
                "the children of each context in '" + name + "'");
    for (size_t h = 0; h < contexts; ++h) {
      int64_t before = -1;
      for (auto i = static_cast<size_t>(level.begin[h]); i < static_cast<size_t>(level.begin[h + 1]); ++i) {
        const int32_t symbol = level.symbols[i];
        file.expect(symbol > before && symbol < symbols && level.counts[i] >= 0,
                    "sorted symbols with their counts in '" + name + "'");
        before = symbol;
      }
    }
    level.smooth();
    contexts = level.symbols.size();
    out.levels_.push_back(std::move(level));
  }
  file.expect(symbols > 0, "symbols");
  return out;
}

}  // namespace longhand::baselines
