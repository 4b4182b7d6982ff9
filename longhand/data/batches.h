// Symbol streams and lines cut into the batches of truncated back-propagation through time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "longhand/data/buckets.h"
#include "longhand/data/text.h"

namespace longhand::data {

/// One window of a group of rows. Row b's state carries over from the window before of the same slot, unless `fresh`.
struct Batch {
  int64_t slot = 0;              ///< which part of the group it is
  int64_t steps = 0;             ///< T
  int64_t rows = 0;              ///< B
  bool fresh = false;            ///< all rows begin here: their state is zero
  std::vector<uint8_t> resets;   ///< [B] not 0: this row starts here; empty: only those that `fresh` implies
  int64_t symbols = 0;           ///< targets that are not padding
  std::vector<int32_t> inputs;   ///< [T, B]; 0 in the padding
  std::vector<int32_t> targets;  ///< [T, B]; 0 in the padding
  std::vector<int32_t> lengths;  ///< [B]
  std::vector<int64_t> places;   ///< [B] place of the first input in the corpus (not of cold starts)
  bool ragged = false;           ///< some length is below T
  bool last_only = false;        ///< only each row's last step has a target
};

/// How a stream is read in training, from epoch to epoch. (docs/batching.md has what was measured.)
struct StreamOptions {
  /// Each epoch continues from the position and state at which the previous one ended; otherwise each starts at the
  /// same places with a zero state.
  bool moving = false;
  /// Probability that a row's state is set to zero where a window begins: so long as four fifths of the run have not
  /// been read, then falling to 0 at its end (Melis et al. 2017, "On the state of the art of evaluation in neural
  /// language models", do so throughout).
  double reset = 0.0;
  int64_t epochs = 1;  ///< of the run

  /// That probability when the part `done` of the run, 0 to 1, has been read.
  double reset_at(double done) const;
};

/// The batches of a corpus.
///
/// A stream is divided into `batch` rows, equal to one symbol, which are read side by side in windows of even length,
/// at most `bptt` steps. Without `moving` every epoch begins with a zero state, and with `shuffle` its first window has
/// a length drawn for it, so that gradients are not cut at the same places every time. With `moving` (and not `whole`)
/// the text is a ring on which each row continues from epoch to epoch; an epoch is longer or shorter than once around
/// by less than `bptt` symbols a row, drawn for it, so that windows begin everywhere. Every symbol is a target as often
/// as any other, but for those at an epoch's ends. With `moving` and `whole`, rows begin at places drawn for each
/// epoch.
///
/// Lines are grouped by length (group_by_length). A group is read in windows likewise, rows dropping out where they
/// end.
///
/// With `accumulate` a group has so many times `batch` rows, and each of its windows is read in parts of `batch` rows
/// whose gradients are added: exactly the symbols that an update with the larger batch would have.
///
/// Otherwise every symbol but the first of a sequence is a target exactly once an epoch. A batch that grows leaves the
/// rows of a stream `bptt` symbols.
///
/// The corpus must outlive this.
class Batches {
 public:
  /// Windows have at most `bptt` steps.
  Batches(const Corpus& corpus, bool lines, int64_t bptt, const GroupOptions& options,
          const StreamOptions& stream = {});

  /// Plans an epoch; the plan depends on the seed and the epoch alone. Of a stream it takes 16 bytes a row, of lines
  /// 8 bytes a line and 40 a group.
  void begin_epoch(int64_t epoch);
  /// Updates in the epoch, the parts of one, and the targets in all of them.
  int64_t size() const { return options_.whole ? std::min<int64_t>(windows(), 1) : windows(); }
  int64_t parts(int64_t update) const;
  int64_t symbols(int64_t update) const;
  void get(int64_t update, int64_t part, Batch& batch) const { get(update, part, Shard{}, batch); }
  void get(int64_t update, Batch& batch) const { get(update, 0, batch); }  ///< where every update has one part
  /// Only the rows of a shard of the part, with the same steps, slot and resets as the whole part has. It may have no
  /// rows, or only rows that have ended.
  void get(int64_t update, int64_t part, Shard shard, Batch& batch) const;
  /// Sequences in an update of this epoch; of a whole corpus, those side by side.
  int64_t rows() const { return group_; }
  /// Whether an epoch may continue with the state of the previous one.
  bool goes_on() const { return stream_.moving && !lines_ && !options_.whole; }

 private:
  struct Row {
    int64_t start;   // of its first input
    int64_t length;  // in targets
  };
  // The rows of an update that are read side by side, from one end to the other.
  struct Group {
    int64_t first_row;
    int64_t rows;
    int64_t length;  // of its longest row
    int64_t first;   // steps of its first window, where that was drawn; else 0
  };
  // A stretch of time steps of a group.
  struct Window {
    Group group;
    int64_t offset;
    int64_t steps;
  };
  // Some rows of a window.
  struct Part {
    Window window;
    int64_t begin;  // first row, in the group
    int64_t rows;
  };
  int64_t batch_in(int64_t epoch) const;
  void plan_stream(const CounterRng& rng);
  void plan_moving_stream();
  void plan_lines(const CounterRng& rng);
  int64_t steps_before(int64_t epoch) const;
  void draw_resets(const Part& part, Range rows, Batch& batch) const;
  Row row(int64_t number) const;
  int64_t line_length(int64_t line) const;
  int64_t windows() const { return groups_.empty() ? 0 : windows_before_.back(); }
  int64_t windows_of(const Group& group) const;
  void add_group(const Group& group);
  Window window(int64_t number) const;
  int64_t parts_of(const Window& window) const;
  int64_t symbols_of(const Window& window, int64_t begin, int64_t rows) const;
  Part part(int64_t update, int64_t number) const;

  const Corpus& corpus_;
  bool lines_;
  int64_t bptt_;
  GroupOptions options_;
  StreamOptions stream_;
  int64_t batch_ = 0;  // rows of a part, in this epoch
  int64_t group_ = 0;  // rows of an update
  int64_t epoch_ = 0;
  bool begins_anew_ = true;     // this epoch, with a zero state
  std::vector<Row> rows_;       // of a stream
  std::vector<int64_t> order_;  // of lines: a line for each row
  std::vector<Group> groups_;
  std::vector<int64_t> windows_before_;  // of each group, and in all
};

/// Batches in which each target is a row of its own, with at most `context` symbols before it: what a model makes of
/// so much and no more. All targets of the corpus, or `max` of them, evenly spread.
class ContextBatches {
 public:
  /// `context` is at least 1; `max` of 0: all.
  ContextBatches(const Corpus& corpus, int64_t context, int64_t max);

  int64_t targets() const { return chosen_; }
  int64_t size() const { return (targets() + kRows - 1) / kRows; }
  void get(int64_t index, Batch& batch) const;

 private:
  static constexpr int64_t kRows = 64;
  struct Target {
    int64_t first;  // symbol of its context
    int64_t at;
  };
  Target target(int64_t number) const;

  const Corpus& corpus_;
  int64_t context_;
  int64_t all_;
  int64_t chosen_;
};

/// Passages of a corpus that are each read from a cold start: the state is zero at the first symbol, wherever in the
/// text that is. The passages begin at evenly spread places and have `steps()` targets each.
class ColdStarts {
 public:
  /// At most `places` passages of at most `distance` targets. `turn` moves all places on, by a fraction of the way to
  /// the next: 0 to below 1.
  ColdStarts(const Corpus& corpus, int64_t distance, int64_t places, double turn = 0.0);

  int64_t steps() const { return steps_; }
  int64_t places() const { return static_cast<int64_t>(places_.size()); }
  int64_t size() const { return (places() + kRows - 1) / kRows; }
  void get(int64_t index, Batch& batch) const;

 private:
  static constexpr int64_t kRows = 64;
  const Corpus& corpus_;
  int64_t steps_;
  std::vector<int64_t> places_;
};

}  // namespace longhand::data
