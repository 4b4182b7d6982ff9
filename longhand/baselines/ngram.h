// An n-gram language model with interpolated modified Kneser-Ney smoothing (Kneser and Ney 1995; Chen and Goodman
// 1999), over the same symbols as a language model: what counting alone predicts. docs/baselines.md has its equations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/baselines/baseline_file.h"
#include "longhand/data/text.h"

namespace longhand::baselines {

/// All n-grams of 1 .. N symbols of a text, as a trie: a k-gram is a node, and a child of the node of its first k-1
/// symbols. Predictions are good for any sequence of symbols 0 .. V-1.
class Ngram {
 public:
  static constexpr const char* kKind = "ngram";

  int64_t order() const { return static_cast<int64_t>(levels_.size()); }
  /// V: symbols are 0 .. V-1.
  int64_t symbols() const { return static_cast<int64_t>(levels_.front().symbols.size()); }
  /// How many different n-grams of all orders it holds.
  int64_t size() const;

  /// The symbols before the next one, as far as the counts know them.
  class History {
   public:
    explicit History(const Ngram& model) : model_(&model) { begin(); }
    /// Forgets all.
    void begin() { nodes_.assign(1, 0); }
    /// p(symbol | history), and then adds the symbol to the history.
    double next(int32_t symbol);
    /// p(symbol | history) alone.
    double probability(int32_t symbol) const;

   private:
    const Ngram* model_;
    std::vector<int32_t> nodes_;  // element k: of the last k symbols
    std::vector<int32_t> longer_;
  };

  /// Sum of -log p over all symbols but the first of each sequence, in nats; of at most the first `max` of them, unless
  /// it is 0. `counted` receives how many these are.
  double nats(const data::Corpus& corpus, int64_t max, int64_t& counted) const;

  void write(BaselineWriter& out) const;
  /// Throws an input error for a file that does not hold such a model.
  static Ngram read(const BaselineFile& file);

 private:
  friend class NgramCounts;

  // The k-grams of one k. They are sorted by their context, the node of their first k-1 symbols, then by their last
  // symbol. Level 1 has every symbol, so that its nodes are the symbols.
  struct Level {
    std::vector<int32_t> begin;    // [contexts + 1] where the children of each context begin
    std::vector<int32_t> symbols;  // the last symbol
    std::vector<int32_t> counts;   // of the highest order: occurrences; else how many symbols come before the k-gram
    // What follows from the counts.
    double discounts[4] = {};   // of a count of 0, 1, 2, and more
    std::vector<double> scale;  // [contexts] 1 / sum of the counts; 0 where that is zero
    std::vector<double> rest;   // [contexts] what the discounts leave for the shorter context

    int64_t contexts() const { return static_cast<int64_t>(begin.size()) - 1; }
    int32_t find(int32_t context, int32_t symbol) const;  // a node, or -1
    double interpolate(int32_t context, int32_t node, double shorter) const;
    void smooth();
  };
  double uniform() const { return 1.0 / static_cast<double>(symbols()); }

  std::vector<Level> levels_;
};

/// The model of exactly this order. The corpus is in memory, and has at most 2^31 - 2 symbols.
Ngram fit_ngram(const data::Corpus& corpus, int64_t symbols, int64_t order);

/// Counts longer and longer n-grams, up to `max_order`, as long as that predicts `held_out` better (of which the
/// first `kChoosingSymbols` are read), and returns the best model.
inline constexpr int64_t kChoosingSymbols = 200'000;
Ngram choose_ngram(const data::Corpus& corpus, const data::Corpus& held_out, int64_t symbols, int64_t max_order);

}  // namespace longhand::baselines
