// Symbol streams and lines cut into the batches of truncated back-propagation through time.
#pragma once

#include <cstdint>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/data/text.h"

namespace longhand::data {

/// One window of a group of rows. Row b's state carries over from the window before, unless `fresh`.
struct Batch {
  int64_t steps = 0;             ///< T
  int64_t rows = 0;              ///< B
  bool fresh = false;            ///< the rows begin here: their state is zero
  int64_t symbols = 0;           ///< targets that are not padding
  std::vector<int32_t> inputs;   ///< [T, B]; 0 in the padding
  std::vector<int32_t> targets;  ///< [T, B]; 0 in the padding
  std::vector<int32_t> lengths;  ///< [B]
  bool ragged = false;           ///< some length is below T
  bool last_only = false;        ///< only each row's last step has a target
};

struct BatchOptions {
  int64_t batch = 32;
  int64_t bptt = 64;
  bool shuffle = true;  ///< draw windows and orders for each epoch; false for evaluation
  uint64_t seed = 0;
};

/// The batches of a corpus.
///
/// A stream is divided into `batch` rows, equal to one symbol, which are read side by side in windows of even length,
/// at most `bptt` steps; every epoch begins with a zero state. With `shuffle`, the first window of an epoch has a
/// length drawn for it, so that gradients are not cut at the same places every time. (docs/batching.md says what else
/// was tried, and why it is not done.)
///
/// Lines are shuffled, sorted by length within some batches' worth, and grouped by `batch`; the order of the groups is
/// shuffled again. A group is read in windows likewise, rows dropping out where they end.
///
/// Every symbol but the first of a sequence is a target exactly once an epoch.
///
/// The corpus must outlive this.
class Batches {
 public:
  Batches(const Corpus& corpus, bool lines, const BatchOptions& options);

  /// Plans an epoch; the plan depends on the seed and the epoch alone.
  void begin_epoch(int64_t epoch);
  int64_t size() const { return static_cast<int64_t>(windows_.size()); }
  void get(int64_t index, Batch& batch) const;

 private:
  struct Row {
    int64_t start;   // of its first input
    int64_t length;  // in targets
  };
  struct Window {
    int64_t first_row;
    int64_t rows;
    int64_t offset;
    int64_t steps;
  };
  void plan_stream(const CounterRng& rng);
  void plan_lines(const CounterRng& rng);
  int64_t longest(int64_t first_row, int64_t rows) const;
  void add_windows(int64_t first_row, int64_t rows, int64_t offset);

  const Corpus& corpus_;
  bool lines_;
  BatchOptions options_;
  std::vector<Row> rows_;
  std::vector<Window> windows_;
};

/// Batches in which each target is a row of its own, with at most `context` symbols before it: what a model makes of
/// so much and no more. All targets of the corpus, or `most` of them, evenly spread.
class ContextBatches {
 public:
  /// `context` is at least 1; `most` of 0: all.
  ContextBatches(const Corpus& corpus, int64_t context, int64_t most);

  int64_t targets() const { return static_cast<int64_t>(targets_.size()); }
  int64_t size() const { return (targets() + kRows - 1) / kRows; }
  void get(int64_t index, Batch& batch) const;

 private:
  static constexpr int64_t kRows = 64;
  struct Target {
    int64_t first;  // symbol of its context
    int64_t at;
  };
  const Corpus& corpus_;
  std::vector<Target> targets_;
};

}  // namespace longhand::data
