#include "longhand/base/schedule.h"

#include <algorithm>

#include "longhand/base/error.h"

namespace longhand {

void Schedule::call(size_t lane, int member, int64_t block, int thread) {
  const Lane& l = lanes_[lane];
  work_.call(work_.object, static_cast<int>(lane), member, {block * l.block, std::min(l.steps, (block + 1) * l.block)},
             thread);
}

// All of one strand, in an order in which every lane finds done what it needs.
void Schedule::run_strand(int strand, int thread) {
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (lanes_[lane].strand != strand) continue;
    for (int64_t block = 0; block < lanes_[lane].blocks(); ++block) {
      for (int member = 0; member < lanes_[lane].members; ++member) call(lane, member, block, thread);
    }
  }
}

bool Schedule::may_begin(size_t lane, int64_t block) const {
  const Lane& l = lanes_[lane];
  if (progress_[lane].done.load(std::memory_order_acquire) < block * l.members) return false;
  if (l.after < 0) return true;
  const Lane& needed = lanes_[static_cast<size_t>(l.after)];
  const int64_t steps = std::min(needed.steps, (block + 1) * l.block);
  const int64_t pieces = (steps + needed.block - 1) / needed.block * needed.members;
  return progress_[static_cast<size_t>(l.after)].done.load(std::memory_order_acquire) >= pieces;
}

// Does one piece, if one may begin. A thread prefers the member of its own number, whose operands its cache may have.
bool Schedule::take_piece(int thread) {
  for (size_t lane = lanes_.size(); lane-- > 0;) {
    const Lane& l = lanes_[lane];
    for (int i = 0; i < l.members; ++i) {
      const int member = (thread + i) % l.members;
      std::atomic<int64_t>& next =
          claims_[lane * static_cast<size_t>(most_members_) + static_cast<size_t>(member)].next;
      int64_t block = next.load(std::memory_order_relaxed);
      if (block == l.blocks() || !may_begin(lane, block)) continue;
      if (!next.compare_exchange_strong(block, block + 1, std::memory_order_relaxed)) continue;
      call(lane, member, block, thread);
      progress_[lane].done.fetch_add(1, std::memory_order_release);
      left_.fetch_sub(1, std::memory_order_release);
      changes_.fetch_add(1, std::memory_order_release);
      changes_.notify_all();
      return true;
    }
  }
  return false;
}

void Schedule::run_pieces(int thread) {
  for (;;) {
    const uint32_t seen = changes_.load(std::memory_order_acquire);
    if (left_.load(std::memory_order_acquire) == 0 || failed_.load(std::memory_order_relaxed)) return;
    try {
      if (take_piece(thread)) continue;
    } catch (...) {
      failed_.store(true);
      changes_.fetch_add(1, std::memory_order_release);
      changes_.notify_all();
      throw;
    }
    wait_while(changes_, seen);
  }
}

void Schedule::run_erased(std::span<const Lane> lanes, ThreadPool& pool, int64_t useful_threads, ErasedWork work) {
  lanes_ = lanes;
  work_ = work;
  int strands = 0;
  int64_t pieces = 0, widest = 0;
  most_members_ = 1;
  for (size_t lane = 0; lane < lanes.size(); ++lane) {
    const Lane& l = lanes[lane];
    LONGHAND_CHECK(l.steps >= 0 && l.block > 0 && l.members > 0 && l.after < static_cast<int>(lane));
    LONGHAND_CHECK(l.after < 0 || lanes[static_cast<size_t>(l.after)].strand == l.strand);
    strands = std::max(strands, l.strand + 1);
    most_members_ = std::max(most_members_, l.members);
    pieces += l.blocks() * l.members;
    widest += l.members;
  }
  useful_threads = std::min({useful_threads, widest, static_cast<int64_t>(pool.size())});
  if (useful_threads <= 1 || !pool.may_wait()) {
    pool.run(
        [&](int part, int parts, int thread) {
          const Range range = split(strands, parts, part);
          for (int64_t strand = range.begin; strand < range.end; ++strand) {
            run_strand(static_cast<int>(strand), thread);
          }
        },
        std::min<int64_t>(strands, useful_threads));
    return;
  }
  const size_t claims = lanes.size() * static_cast<size_t>(most_members_);
  if (progress_size_ < lanes.size()) {
    progress_size_ = lanes.size();
    progress_ = std::make_unique<Progress[]>(progress_size_);
  }
  if (claims_size_ < claims) {
    claims_size_ = claims;
    claims_ = std::make_unique<Claim[]>(claims_size_);
  }
  for (size_t lane = 0; lane < lanes.size(); ++lane) progress_[lane].done.store(0, std::memory_order_relaxed);
  for (size_t claim = 0; claim < claims; ++claim) claims_[claim].next.store(0, std::memory_order_relaxed);
  left_.store(pieces, std::memory_order_relaxed);
  failed_.store(false, std::memory_order_relaxed);
  pool.run([this](int, int, int thread) { run_pieces(thread); }, useful_threads);
}

}  // namespace longhand
