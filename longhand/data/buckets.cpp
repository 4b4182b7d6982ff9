#include "longhand/data/buckets.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "longhand/base/error.h"

namespace longhand::data {
namespace {

// Fisher and Yates' shuffle with numbers first .. first + n of the generator.
void shuffle(std::vector<int64_t>& items, const CounterRng& rng, uint64_t first) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[rng.below(first + i, i)]);
}

// Sorts each `pool` items by length, longest first; equal ones keep their order.
void sort_pools(std::vector<int64_t>& items, const std::function<int64_t(int64_t)>& length_of, int64_t pool) {
  std::vector<std::pair<int64_t, int64_t>> sorted;  // length, item: each length is looked up once
  const auto n = static_cast<int64_t>(items.size());
  for (int64_t begin = 0; begin < n; begin += pool) {
    const auto first = items.begin() + begin, last = items.begin() + std::min(n, begin + pool);
    sorted.clear();
    for (auto item = first; item != last; ++item) sorted.emplace_back(length_of(*item), *item);
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::transform(sorted.begin(), sorted.end(), first, [](const auto& each) { return each.second; });
  }
}

// All of them likewise, by counting, so that nothing but their order takes memory.
std::vector<int64_t> sorted_by_length(int64_t n, const std::function<int64_t(int64_t)>& length_of) {
  std::map<int64_t, int64_t, std::greater<>> place_of;  // of each length: how many there are, then where the next goes
  for (int64_t i = 0; i < n; ++i) ++place_of[length_of(i)];
  int64_t place = 0;
  for (auto& [length, count] : place_of) place += std::exchange(count, place);
  std::vector<int64_t> out(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) out[static_cast<size_t>(place_of[length_of(i)]++)] = i;
  return out;
}

}  // namespace

int64_t GroupOptions::batch_in(int64_t epoch, int64_t max) const {
  const int64_t changes = every > 0 ? epoch / every : 0;
  const double wanted = static_cast<double>(batch) * std::pow(factor, static_cast<double>(changes));
  return std::llround(std::clamp(wanted, 1.0, static_cast<double>(std::max(batch, max))));
}

CounterRng batch_rng(uint64_t seed, int64_t epoch) { return {seed, static_cast<uint64_t>(epoch), RngPlace::kBatches}; }

Grouped group_by_length(int64_t n, const std::function<int64_t(int64_t)>& length_of, int64_t group, bool shuffled,
                        const CounterRng& rng) {
  Grouped out;
  if (shuffled) {
    out.order.resize(static_cast<size_t>(n));
    std::iota(out.order.begin(), out.order.end(), 0);
    shuffle(out.order, rng, 0);
    // Sequences of like length waste no work on each other, and too many sorted together would no longer be shuffled.
    sort_pools(out.order, length_of, 16 * group);
  } else {
    out.order = sorted_by_length(n, length_of);
  }
  for (int64_t begin = 0; begin < n; begin += group) out.first_of.push_back(begin);
  if (shuffled) shuffle(out.first_of, rng, static_cast<uint64_t>(n) + 1);
  return out;
}

void deal_to_shards(Grouped& grouped, int64_t group, int64_t batch, int64_t shards) {
  if (shards == 1) return;
  const auto n = static_cast<int64_t>(grouped.order.size());
  std::vector<int64_t> dealt(grouped.order.size());
  for (int64_t first = 0; first < n; first += group) {
    for (int64_t begin = first; begin < std::min(n, first + group); begin += batch) {
      const int64_t rows = std::min({batch, first + group - begin, n - begin});
      int64_t next = begin;
      for (int64_t round = 0; next < begin + rows; ++round) {
        for (Shard shard{0, shards}; shard.index < shards; ++shard.index) {
          const Range own = shard.rows(rows);
          if (round < own.size())
            dealt[static_cast<size_t>(begin + own.begin + round)] = grouped.order[static_cast<size_t>(next++)];
        }
      }
    }
  }
  grouped.order = std::move(dealt);
}

Buckets::Buckets(std::vector<int64_t> lengths, const GroupOptions& options)
    : lengths_(std::move(lengths)), options_(options) {
  LONGHAND_CHECK(options.batch > 0 && options.accumulate > 0);
  begin_epoch(0);
}

void Buckets::begin_epoch(int64_t epoch) {
  const auto all = static_cast<int64_t>(lengths_.size());
  batch_ = options_.batch_in(epoch, all);
  group_ = std::min(all, options_.whole ? batch_ : batch_ * options_.accumulate);
  updates_.clear();
  if (all == 0) return;
  Grouped grouped = group_by_length(
      all, [this](int64_t i) { return lengths_[static_cast<size_t>(i)]; }, group_, options_.shuffle,
      batch_rng(options_.seed, epoch));
  deal_to_shards(grouped, group_, batch_, options_.shards);
  order_ = std::move(grouped.order);
  const std::span<const int64_t> order(order_);
  if (options_.whole) {
    updates_.push_back(order);
    return;
  }
  for (const int64_t first : grouped.first_of) {
    updates_.push_back(order.subspan(static_cast<size_t>(first), static_cast<size_t>(std::min(group_, all - first))));
  }
}

int64_t Buckets::parts(int64_t update) const {
  const auto n = static_cast<int64_t>(updates_[static_cast<size_t>(update)].size());
  return (n + batch_ - 1) / batch_;
}

std::span<const int64_t> Buckets::part(int64_t update, int64_t part, Shard shard) const {
  const std::span<const int64_t> all = updates_[static_cast<size_t>(update)];
  const size_t begin = static_cast<size_t>(part * batch_);
  const Range own = shard.rows(static_cast<int64_t>(std::min(static_cast<size_t>(batch_), all.size() - begin)));
  return all.subspan(begin + static_cast<size_t>(own.begin), static_cast<size_t>(own.size()));
}

}  // namespace longhand::data
