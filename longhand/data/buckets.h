// Batches of sequences of similar length, and the order in which they are read.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "longhand/base/rng.h"
#include "longhand/base/threads.h"

namespace longhand::data {

/// How many sequences make an update.
struct GroupOptions {
  int64_t batch = 32;      ///< sequences side by side
  int64_t accumulate = 1;  ///< an update has `batch` times this many sequences, read in this many parts
  bool whole = false;      ///< an update is made of all sequences, read `batch` at a time
  int64_t every = 0;       ///< epochs after which `batch` is multiplied by `factor`, again and again; 0: never
  double factor = 1.0;
  bool shuffle = true;  ///< draw an order for each epoch; false for evaluation
  uint64_t seed = 0;
  int64_t shards = 1;  ///< of a batch, whose gradients are computed apart

  /// `batch` in that epoch, between 1 and `max` (or what it was in the beginning, if that is more).
  int64_t batch_in(int64_t epoch, int64_t max) const;
};

/// One of several shares of the rows of a part, for instance of one process of several.
struct Shard {
  int64_t index = 0;
  int64_t of = 1;

  /// Its rows among `rows` of a part: even shares, some empty where there are fewer rows than shards.
  Range rows(int64_t rows) const { return {rows * index / of, rows * (index + 1) / of}; }
};

/// The random numbers of an epoch's batches.
CounterRng batch_rng(uint64_t seed, int64_t epoch);

/// Numbers 0 .. n-1 in groups of `group`, of which only the last of an order may be smaller.
struct Grouped {
  std::vector<int64_t> order;     ///< all numbers, group after group as they were made
  std::vector<int64_t> first_of;  ///< where in `order` each group begins, in the order to read them in
};

/// Shuffles sequences, sorts them by length, longest first, within some groups' worth (all of them where nothing is
/// shuffled), groups them, and shuffles the groups.
/// `length_of(i)` is asked for each once or twice; 8 bytes a sequence are needed, and no more than a few for a group.
Grouped group_by_length(int64_t n, const std::function<int64_t(int64_t)>& length_of, int64_t group, bool shuffle,
                        const CounterRng& rng);

/// Deals the sequences of each batch, longest first, to its shards in turn, so that all have as much to do.
void deal_to_shards(Grouped& grouped, int64_t group, int64_t batch, int64_t shards);

/// The updates of an epoch over sequences that are each read in one go.
class Buckets {
 public:
  Buckets(std::vector<int64_t> lengths, const GroupOptions& options);

  /// Plans an epoch; the plan depends on the seed and the epoch alone.
  void begin_epoch(int64_t epoch);
  int64_t size() const { return static_cast<int64_t>(updates_.size()); }
  int64_t parts(int64_t update) const;
  /// The sequences of a shard of a part, longest first.
  std::span<const int64_t> part(int64_t update, int64_t part, Shard shard = {}) const;
  /// All sequences of an update.
  std::span<const int64_t> update(int64_t update) const { return updates_[static_cast<size_t>(update)]; }
  /// Sequences in an update of this epoch; of the whole set, those side by side.
  int64_t rows() const { return group_; }

 private:
  std::vector<int64_t> lengths_;
  GroupOptions options_;
  int64_t batch_ = 0;
  int64_t group_ = 0;
  std::vector<int64_t> order_;
  std::vector<std::span<const int64_t>> updates_;
};

}  // namespace longhand::data
