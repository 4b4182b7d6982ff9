// How the ranks of a training share gradients and parameters. Each rank owns some stretches of the parameters: it
// receives all gradients there, adds them, makes the update, and sends the new values to the others. That is a
// reduce-scatter and an all-gather: 2 (R - 1) / R times the parameters' bytes go out of each of R ranks, and in.
//
//   pieces     |      0      |      1      |   2   |     a piece travels when the backward pass has left it;
//   owners     | 0 | 1 | 2 | | 0 | 1 | 2 | |0|1|2| |     they are sent from the last to the first
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/distributed/communicator.h"
#include "longhand/kernels/optimizer.h"
#include "longhand/train/shard_tree.h"

namespace longhand::train {

/// What was exchanged.
struct ExchangeCosts {
  double seconds = 0.0;  ///< of sending and receiving
  double waited = 0.0;   ///< of them, those in which the caller waited
  int64_t bytes = 0;     ///< that this rank has sent
};

class GradientExchange {
 public:
  /// For arrays of `extent` elements, and the gradients of so many shards. There are at least two ranks, and at least
  /// as many shards.
  GradientExchange(int64_t extent, int64_t shards, distributed::Communicator& ranks);
  ~GradientExchange();
  GradientExchange(const GradientExchange&) = delete;
  GradientExchange& operator=(const GradientExchange&) = delete;

  /// The shards of a rank.
  Range shards(int rank) const;
  /// The stretches that a rank owns, in order.
  const std::vector<Range>& owned_by(int rank) const { return owned_[static_cast<size_t>(rank)]; }
  int owner(int64_t offset) const { return owners_[block(offset)]; }

  /// Begins an update, which is about the stretches `where` alone: the same on all ranks. `others` are the sums of this
  /// rank's nodes (nodes_of) but for the last, whose sum comes to be in `gradients`. All of them are overwritten.
  void begin(std::vector<float*> others, float* gradients, std::span<const Range> where);
  /// The pieces at `offset` and above that have not been sent, as one stretch.
  Range pieces_from(int64_t offset) const;
  /// Sends these pieces while the caller goes on.
  void send(Range pieces);
  /// Waits until all was sent and the gradients that this rank owns are the sums of all ranks'.
  void finish();

  /// Gives all ranks what the owners have of an array, in the stretches `where`.
  void share(float* values, std::span<const Range> where);
  /// Sends the owners' parts of the whole array to the first rank.
  void collect(float* values);
  /// Frees the memory pages of an array in which every value is owned by another rank. Their values are undefined
  /// afterwards; they may be written again.
  void forget_others(float* values) const;

  /// Since this object was made. Not between `send` and `finish`.
  const ExchangeCosts& costs() const { return costs_; }

 private:
  void work();
  void exchange_piece(Range piece);
  void send_owned(float* values, std::span<const Range> where, bool to_all);
  void add_up(std::span<const Range> own);
  static size_t block(int64_t offset) { return static_cast<size_t>(offset / kernels::kNormPiece); }
  std::vector<Range> owned_in(Range piece, int rank) const;

  distributed::Communicator& ranks_;
  int64_t extent_, shards_, piece_;
  std::vector<std::vector<Range>> owned_;      // by rank
  std::vector<int> owners_;                    // of each block of kNormPiece elements, which are not divided
  std::vector<std::vector<ShardNode>> nodes_;  // by rank

  // Of the present update.
  std::vector<float*> sums_;  // of this rank's nodes
  std::vector<Range> where_;
  int64_t unsent_ = 0;                                // pieces below this are not sent
  std::vector<std::vector<Buffer<float>>> received_;  // by rank and node

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Range> queue_;  // pieces, in the order of sending
  size_t done_ = 0;           // of the queue
  bool stopping_ = false;
  ExchangeCosts costs_;
  std::thread thread_;
};

}  // namespace longhand::train
