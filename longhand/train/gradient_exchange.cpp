#include "longhand/train/gradient_exchange.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>

#include "longhand/base/error.h"
#include "longhand/kernels/optimizer.h"
#include "longhand/train/ranges.h"

namespace longhand::train {
namespace {

using distributed::Incoming;
using distributed::Outgoing;
using ExchangeClock = std::chrono::steady_clock;

// A piece is of at least 1 MiB, so that its way takes longer than its start, and has at least 128 KiB for each rank.
constexpr int64_t kLeastPiece = 64 * kernels::kNormPiece;
constexpr int64_t kLeastShare = 8 * kernels::kNormPiece;

double seconds_from(ExchangeClock::time_point start) {
  return std::chrono::duration<double>(ExchangeClock::now() - start).count();
}

// Whether some stretches are worth messages of their own; otherwise they are packed into one.
bool goes_unpacked(std::span<const Range> where) {
  return static_cast<int64_t>(where.size()) * kernels::kNormPiece <= total(where) || where.size() == 1;
}

void pack(const float* values, std::span<const Range> where, float* out) {
  for (const Range& range : where) out = std::copy(values + range.begin, values + range.end, out);
}

void unpack(const float* in, std::span<const Range> where, float* values) {
  for (const Range& range : where) {
    std::copy_n(in, range.size(), values + range.begin);
    in += range.size();
  }
}

std::span<const std::byte> bytes_at(const float* values, int64_t n) {
  return std::as_bytes(std::span(values, static_cast<size_t>(n)));
}

std::span<std::byte> room_at(float* values, int64_t n) {
  return std::as_writable_bytes(std::span(values, static_cast<size_t>(n)));
}

// Messages of parts of arrays, and the memory of those that are packed.
struct PackedMessages {
  std::vector<Outgoing> out;
  std::deque<Buffer<float>> memory;
  int64_t bytes = 0;

  void add(int to, const float* values, std::span<const Range> where) {
    if (where.empty()) return;
    bytes += total(where) * static_cast<int64_t>(sizeof(float));
    if (goes_unpacked(where)) {
      for (const Range& range : where) out.push_back({to, bytes_at(values + range.begin, range.size())});
      return;
    }
    memory.emplace_back(total(where));
    pack(values, where, memory.back().data());
    out.push_back({to, bytes_at(memory.back().data(), memory.back().size())});
  }
};

}  // namespace

GradientExchange::GradientExchange(int64_t extent, int64_t shards, distributed::Communicator& ranks)
    : ranks_(ranks),
      extent_(extent),
      shards_(shards),
      piece_(std::max(kLeastPiece, kLeastShare * ranks.size())),
      owned_(static_cast<size_t>(ranks.size())),
      owners_(block(extent + kernels::kNormPiece - 1)),
      received_(static_cast<size_t>(ranks.size())) {
  LONGHAND_CHECK(ranks.size() > 1 && shards >= ranks.size());
  for (int r = 0; r < ranks.size(); ++r) {
    nodes_.push_back(nodes_of(this->shards(r)));
    received_[static_cast<size_t>(r)].resize(nodes_.back().size());
    for (int64_t begin = 0; begin < extent; begin += piece_) {
      const std::vector<Range> own = owned_in({begin, std::min(extent, begin + piece_)}, r);
      owned_[static_cast<size_t>(r)].insert(owned_[static_cast<size_t>(r)].end(), own.begin(), own.end());
    }
    for (const Range& range : owned_by(r)) {
      for (int64_t at = range.begin; at < range.end; at += kernels::kNormPiece) owners_[block(at)] = r;
    }
  }
  thread_ = std::thread([this] { work(); });
}

GradientExchange::~GradientExchange() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Range GradientExchange::shards(int rank) const { return split(shards_, ranks_.size(), rank); }

// One stretch, or none.
std::vector<Range> GradientExchange::owned_in(Range piece, int rank) const {
  const Range own = split(piece.size(), ranks_.size(), rank, kernels::kNormPiece);
  if (own.begin == own.end) return {};
  return {{piece.begin + own.begin, piece.begin + own.end}};
}

void GradientExchange::begin(std::vector<float*> others, float* gradients, std::span<const Range> where) {
  sums_ = std::move(others);
  sums_.push_back(gradients);
  LONGHAND_CHECK(sums_.size() == nodes_[static_cast<size_t>(ranks_.rank())].size());
  where_.assign(where.begin(), where.end());
  unsent_ = extent_;
  const std::lock_guard lock(mutex_);
  queue_.clear();
  done_ = 0;
}

Range GradientExchange::pieces_from(int64_t offset) const {
  const int64_t begin = (offset + piece_ - 1) / piece_ * piece_;
  return {std::min(begin, unsent_), unsent_};
}

void GradientExchange::send(Range pieces) {
  if (pieces.begin == pieces.end) return;
  {
    const std::lock_guard lock(mutex_);
    for (int64_t begin = (pieces.end - 1) / piece_ * piece_; begin >= pieces.begin; begin -= piece_) {
      queue_.push_back({begin, std::min(extent_, begin + piece_)});
    }
  }
  unsent_ = pieces.begin;
  changed_.notify_all();
}

void GradientExchange::finish() {
  LONGHAND_CHECK(unsent_ == 0);
  const auto start = ExchangeClock::now();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ == queue_.size(); });
  costs_.waited += seconds_from(start);
}

void GradientExchange::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || done_ < queue_.size(); });
    if (stopping_) return;
    const Range piece = queue_[done_];
    lock.unlock();
    const auto start = ExchangeClock::now();
    exchange_piece(piece);
    const double seconds = seconds_from(start);
    lock.lock();
    costs_.seconds += seconds;
    ++done_;
    changed_.notify_all();
  }
}

void GradientExchange::exchange_piece(Range piece) {
  const int rank = ranks_.rank();
  const std::vector<Range> own = common(where_, owned_in(piece, rank));
  PackedMessages messages;
  std::vector<Incoming> in;
  for (int r = 0; r < ranks_.size(); ++r) {
    if (r == rank) continue;
    const std::vector<Range> theirs = common(where_, owned_in(piece, r));
    for (const float* sum : sums_) messages.add(r, sum, theirs);
    for (Buffer<float>& room : received_[static_cast<size_t>(r)]) {
      room.resize(total(own));
      if (room.size() == 0) continue;
      // Received as it was sent: in one message, or in one for each stretch.
      int64_t at = 0;
      for (size_t i = 0; goes_unpacked(own) && i < own.size(); at += own[i++].size()) {
        in.push_back({r, room_at(room.data() + at, own[i].size())});
      }
      if (at == 0) in.push_back({r, room_at(room.data(), room.size())});
    }
  }
  ranks_.exchange(messages.out, in);
  costs_.bytes += messages.bytes;
  add_up(own);
}

// The sums of all nodes, left to right.
void GradientExchange::add_up(std::span<const Range> own) {
  struct Term {
    ShardNode node;
    float* values;
  };
  int64_t at = 0;
  for (const Range& range : own) {
    std::vector<Term> terms;
    for (int r = 0; r < ranks_.size(); ++r) {
      const std::vector<ShardNode>& nodes = nodes_[static_cast<size_t>(r)];
      for (size_t i = 0; i < nodes.size(); ++i) {
        const bool is_own = r == ranks_.rank();
        Term term{nodes[i], is_own ? sums_[i] + range.begin : received_[static_cast<size_t>(r)][i].data() + at};
        while (!terms.empty() && terms.back().node.joins(term.node)) {
          float* left = terms.back().values;
          for (int64_t j = 0; j < range.size(); ++j) left[j] += term.values[j];
          term = {terms.back().node.joined(), left};
          terms.pop_back();
        }
        terms.push_back(term);
      }
    }
    LONGHAND_CHECK(terms.size() == 1);
    float* out = sums_.back() + range.begin;
    if (terms[0].values != out) std::copy_n(terms[0].values, range.size(), out);
    at += range.size();
  }
}

void GradientExchange::share(float* values, std::span<const Range> where) { send_owned(values, where, true); }

void GradientExchange::collect(float* values) {
  const Range all{0, extent_};
  send_owned(values, {&all, 1}, false);
}

void GradientExchange::forget_others(float* values) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int r = 0; r < ranks_.size(); ++r) {
    if (r == ranks_.rank()) continue;
    for (const Range& range : owned_by(r)) {
      const auto begin = (reinterpret_cast<uintptr_t>(values + range.begin) + page - 1) / page * page;
      const auto end = reinterpret_cast<uintptr_t>(values + range.end) / page * page;
      if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
  }
}

void GradientExchange::send_owned(float* values, std::span<const Range> where, bool to_all) {
  const auto start = ExchangeClock::now();
  const int rank = ranks_.rank();
  PackedMessages messages;
  const std::vector<Range> own = common(where, owned_by(rank));
  std::vector<Incoming> in;
  std::vector<Buffer<float>> packed(static_cast<size_t>(ranks_.size()));
  for (int r = 0; r < ranks_.size(); ++r) {
    if (r == rank) continue;
    if (to_all || r == 0) messages.add(r, values, own);
    const std::vector<Range> theirs = common(where, owned_by(r));
    if (theirs.empty() || !(to_all || rank == 0)) continue;
    if (goes_unpacked(theirs)) {
      for (const Range& range : theirs) in.push_back({r, room_at(values + range.begin, range.size())});
      continue;
    }
    Buffer<float>& room = packed[static_cast<size_t>(r)];
    room.resize(total(theirs));
    in.push_back({r, room_at(room.data(), room.size())});
  }
  ranks_.exchange(messages.out, in);
  for (int r = 0; r < ranks_.size(); ++r) {
    const Buffer<float>& room = packed[static_cast<size_t>(r)];
    if (room.size() > 0) unpack(room.data(), common(where, owned_by(r)), values);
  }
  costs_.bytes += messages.bytes;
  costs_.seconds += seconds_from(start);
  costs_.waited += seconds_from(start);
}

}  // namespace longhand::train
