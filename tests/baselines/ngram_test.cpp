#include "longhand/baselines/ngram.h"

#include <cmath>
#include <map>
#include <set>

#include "tests/testing.h"

namespace longhand::baselines {
namespace {

using Gram = std::vector<int32_t>;

// Modified Kneser-Ney as Chen and Goodman write it down, with maps of n-grams.
class Textbook {
 public:
  Textbook(const data::Corpus& corpus, int64_t symbols, int64_t order) : symbols_(symbols), order_(order) {
    for (int64_t k = 1; k <= order; ++k) counts_.push_back(counted(corpus, k));
  }

  double probability(const Gram& history, int32_t symbol) const {
    const auto n = std::min<size_t>(history.size(), static_cast<size_t>(order_) - 1);
    return probability(Gram(history.end() - static_cast<std::ptrdiff_t>(n), history.end()), symbol, n + 1);
  }

 private:
  using Counts = std::map<Gram, int64_t>;

  Counts counted(const data::Corpus& corpus, int64_t k) const {
    Counts out;
    std::map<Gram, std::set<int32_t>> before;
    for (int64_t s = 0; s < corpus.sequences(); ++s) {
      const int64_t begin = corpus.starts[static_cast<size_t>(s)], end = corpus.starts[static_cast<size_t>(s) + 1];
      for (int64_t i = begin; i + k <= end; ++i) {
        const Gram gram(corpus.symbols.memory().begin() + i, corpus.symbols.memory().begin() + i + k);
        if (k == 1 && i == begin) continue;  // never predicted
        if (k == order_) ++out[gram];
        if (k < order_ && i == begin) ++out[gram];
        if (k < order_ && i > begin) before[gram].insert(corpus.symbols[static_cast<size_t>(i) - 1]);
      }
    }
    for (const auto& [gram, symbols] : before) out[gram] += static_cast<int64_t>(symbols.size());
    return out;
  }

  static double discount(const Counts& counts, int64_t count) {
    std::map<int64_t, double> n;
    for (const auto& item : counts) n[item.second] += 1.0;
    if (count == 0) return 0.0;
    const auto k = static_cast<double>(std::min<int64_t>(count, 3));
    const double fallback = 0.5 * k;
    if (n[1] == 0.0 || n[2] == 0.0 || n[3] == 0.0) return fallback;
    const double Y = n[1] / (n[1] + 2.0 * n[2]);
    const auto c = static_cast<int64_t>(k);
    const double D = k - (k + 1.0) * Y * n[c + 1] / n[c];
    return D > 0.0 && D <= k ? D : fallback;
  }

  double probability(const Gram& history, int32_t symbol, size_t k) const {
    if (k == 0) return 1.0 / static_cast<double>(symbols_);
    const Gram shorter(history.empty() ? history.end() : history.begin() + 1, history.end());
    const double lower = probability(shorter, symbol, k - 1);
    const Counts& counts = counts_[k - 1];
    double sum = 0.0, taken = 0.0, own = 0.0;
    for (const auto& [gram, count] : counts) {
      if (!std::equal(history.begin(), history.end(), gram.begin(), gram.end() - 1)) continue;
      sum += static_cast<double>(count);
      taken += discount(counts, count);
      if (gram.back() == symbol) own = static_cast<double>(count) - discount(counts, count);
    }
    return sum == 0.0 ? lower : own / sum + taken / sum * lower;
  }

  int64_t symbols_;
  int64_t order_;
  std::vector<Counts> counts_;
};

// Symbols that depend on the one before, so that counts are of all sizes.
data::Corpus random_text(int64_t n, int64_t V, uint32_t place) {
  const std::vector<int32_t> random = testing::random_symbols(2 * n, 1000, place);
  data::Corpus out;
  for (int64_t i = 0; i < n; ++i) {
    const auto r = static_cast<size_t>(2 * i);
    const int32_t before = out.symbols.empty() ? 0 : out.symbols.back();
    const int64_t skewed = random[r] * random[r] / 1000 * V / 1000;
    out.symbols.push_back(static_cast<int32_t>(random[r + 1] < 600 ? (before + 1 + skewed % 2) % V : skewed));
  }
  out.starts = {0, n};
  return out;
}

// Sequences that each begin with symbol 0, which occurs nowhere else.
data::Corpus random_lines(int64_t lines, int64_t V, uint32_t place) {
  data::Corpus out;
  out.starts = {0};
  for (int64_t i = 0; i < lines; ++i) {
    const data::Corpus text = random_text(2 + i * 7 % 11, V - 1, place + static_cast<uint32_t>(i));
    out.symbols.push_back(0);
    for (const int32_t s : text.symbols) out.symbols.push_back(s + 1);
    out.starts.push_back(static_cast<int64_t>(out.symbols.size()));
  }
  return out;
}

void expect_textbook(const data::Corpus& corpus, const data::Corpus& other, int64_t symbols, int64_t order) {
  const Ngram model = fit_ngram(corpus, symbols, order);
  ASSERT_EQ(model.order(), order);
  const Textbook textbook(corpus, symbols, order);
  for (int64_t s = 0; s < other.sequences(); ++s) {
    Ngram::History history(model);
    Gram before;
    for (int64_t i = other.starts[static_cast<size_t>(s)]; i < other.starts[static_cast<size_t>(s) + 1]; ++i) {
      double sum = 0.0;
      for (int32_t v = 0; v < symbols; ++v) {
        const double p = history.probability(v);
        EXPECT_NEAR(p, textbook.probability(before, v), 1e-12) << "order " << order << ", symbol " << i << ", " << v;
        sum += p;
      }
      EXPECT_NEAR(sum, 1.0, 1e-12);
      const int32_t symbol = other.symbols[static_cast<size_t>(i)];
      const double p = history.probability(symbol);
      EXPECT_EQ(history.next(symbol), p);
      before.push_back(symbol);
    }
  }
}

TEST(Ngram, IsTheTextbooksKneserNeyOfAText) {
  for (const int64_t order : {1, 2, 3, 5}) {
    // Symbol 7 occurs in no training text.
    expect_textbook(random_text(150, 7, 1), random_text(40, 8, 2), 8, order);
  }
}

TEST(Ngram, IsTheTextbooksKneserNeyOfLines) {
  for (const int64_t order : {1, 2, 4}) {
    expect_textbook(random_lines(25, 6, 10), random_lines(4, 7, 90), 7, order);
  }
}

TEST(Ngram, FallsBackToFixedDiscountsWhereNothingOccursOnce) {
  data::Corpus twice;
  twice.symbols = {0, 1, 0, 1, 0, 1, 0, 1, 0};
  twice.starts = {0, 9};
  for (const int64_t order : {1, 2, 3}) expect_textbook(twice, twice, 3, order);
}

TEST(Ngram, AddsUpTheNatsOfAllButTheFirstSymbols) {
  const data::Corpus corpus = random_lines(25, 6, 10), other = random_lines(3, 6, 90);
  const Ngram model = fit_ngram(corpus, 6, 3);
  const Textbook textbook(corpus, 6, 3);
  double expected = 0.0;
  for (int64_t s = 0; s < 3; ++s) {
    Gram before{0};
    for (auto i = static_cast<size_t>(other.starts[static_cast<size_t>(s)]) + 1;
         i < static_cast<size_t>(other.starts[static_cast<size_t>(s) + 1]); ++i) {
      expected -= std::log(textbook.probability(before, other.symbols[i]));
      before.push_back(other.symbols[i]);
    }
  }
  int64_t counted = 0;
  EXPECT_NEAR(model.nats(other, 0, counted), expected, 1e-9);
  EXPECT_EQ(counted, other.targets());
  model.nats(other, 5, counted);
  EXPECT_EQ(counted, 5);
}

TEST(Ngram, ChoosesTheOrderThatPredictsHeldOutTextBest) {
  const data::Corpus corpus = random_text(3000, 9, 3), held_out = random_text(800, 9, 4);
  const Ngram chosen = choose_ngram(corpus, held_out, 9, 8);
  int64_t counted = 0;
  const double nats = chosen.nats(held_out, 0, counted);
  // The symbol before is all that matters.
  EXPECT_EQ(chosen.order(), 2);
  for (const int64_t order : {1, 2, 3}) {
    const Ngram other = fit_ngram(corpus, 9, order);
    if (order == chosen.order()) {
      EXPECT_EQ(other.nats(held_out, 0, counted), nats);  // what was longer has left no trace
    } else {
      EXPECT_GT(other.nats(held_out, 0, counted), nats);
    }
  }
}

TEST(Ngram, IsTheSameAfterItWasWrittenAndRead) {
  const testing::TemporaryFolder folder;
  const data::Corpus corpus = random_lines(25, 6, 10);
  const Ngram model = fit_ngram(corpus, 6, 4);
  BaselineWriter out(Ngram::kKind);
  model.write(out);
  out.write(folder / "baseline");
  const Ngram read = Ngram::read(BaselineFile::read(folder / "baseline"));
  int64_t counted = 0;
  EXPECT_EQ(read.nats(corpus, 0, counted), model.nats(corpus, 0, counted));
  EXPECT_EQ(read.size(), model.size());
}

}  // namespace
}  // namespace longhand::baselines
