// A schedule of work that has an order: lanes of pieces, each of which begins when what it needs is done.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "longhand/base/threads.h"

namespace longhand {

/// A sequence of steps that are done in order, a block at a time.
struct Lane {
  int64_t steps = 0;
  int64_t block = 1;  ///< steps of a block; the last may have fewer
  int members = 1;    ///< pieces of a block, which may be done at the same time; a block begins when the one before is
                      ///< done by all
  int after = -1;     ///< the number of an earlier lane, which must have done the steps of a block first; -1: none
  int strand = 0;     ///< lanes that depend on one another have the same; strands count from 0

  /// At least one, which may be empty.
  int64_t blocks() const { return steps == 0 ? 1 : (steps + block - 1) / block; }
};

/// Shares out the pieces of some lanes among threads: each thread takes whatever may begin, of the last lane that has
/// such a piece, so that finished work goes on at once. It reuses its memory.
class Schedule {
 public:
  /// Calls work(lane, member, steps, thread) for every piece, each once, and returns when all have returned. No two
  /// calls at the same time have the same thread. Threads wait for one another; where they may not (a host's), a
  /// strand is done wholly by one of them, lane by lane. No more than `useful_threads` work. Throws what a piece
  /// throws; other pieces may then be left out.
  template <class Work>
  void run(std::span<const Lane> lanes, ThreadPool& pool, int64_t useful_threads, const Work& work) {
    run_erased(lanes, pool, useful_threads, {&work, [](const void* w, int lane, int member, Range steps, int thread) {
                                               (*static_cast<const Work*>(w))(lane, member, steps, thread);
                                             }});
  }

 private:
  struct ErasedWork {
    const void* object;
    void (*call)(const void* object, int lane, int member, Range steps, int thread);
  };
  // On cache lines of their own: several threads write to different ones.
  struct alignas(64) Progress {
    std::atomic<int64_t> done;  // pieces
  };
  struct alignas(64) Claim {
    std::atomic<int64_t> next;  // the first block that no thread has taken
  };

  void run_erased(std::span<const Lane> lanes, ThreadPool& pool, int64_t useful_threads, ErasedWork work);
  void run_strand(int strand, int thread);
  void run_pieces(int thread);
  bool take_piece(int thread);
  bool may_begin(size_t lane, int64_t block) const;
  void call(size_t lane, int member, int64_t block, int thread);

  std::span<const Lane> lanes_;
  ErasedWork work_{};
  std::unique_ptr<Progress[]> progress_;  // by lane
  std::unique_ptr<Claim[]> claims_;       // by lane and member
  size_t progress_size_ = 0, claims_size_ = 0;
  int most_members_ = 1;
  std::atomic<int64_t> left_{0};      // pieces that are not done
  std::atomic<uint32_t> changes_{0};  // pieces done: what waiting threads look at
  std::atomic<bool> failed_{false};
};

}  // namespace longhand
