#include "longhand/train/shard_tree.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/kernels/optimizer.h"

namespace longhand::train {

std::vector<ShardNode> nodes_of(Range shards) {
  std::vector<ShardNode> out;
  for (int64_t shard = shards.begin; shard < shards.end; ++shard) {
    ShardNode node{shard};
    while (!out.empty() && out.back().joins(node)) {
      node = out.back().joined();
      out.pop_back();
    }
    out.push_back(node);
  }
  return out;
}

void ShardTree::begin() {
  taken_ = 0;
  for (Sum& sum : sums_) free_.push_back(std::move(sum.values));
  sums_.clear();
}

void ShardTree::add(std::span<const float> gradients, kernels::Context& context) {
  Sum sum{{shards_.begin + taken_++}, {}};
  LONGHAND_CHECK(taken_ < shards_.size());
  if (!free_.empty()) {
    sum.values = std::move(free_.back());
    free_.pop_back();
  }
  const auto n = static_cast<int64_t>(gradients.size());
  sum.values.resize(n);
  std::copy(gradients.begin(), gradients.end(), sum.values.data());
  while (!sums_.empty() && sums_.back().node.joins(sum.node)) {
    const Range all{0, n};
    kernels::add_values(sums_.back().values.data(), {&all, 1}, sum.values.data(), context);
    sum.node = sums_.back().node.joined();
    free_.push_back(std::move(sums_.back().values));
    sums_.pop_back();
  }
  sums_.push_back(std::move(sum));
}

size_t ShardTree::joined_by_last() const {
  ShardNode node{shards_.end - 1};
  size_t count = 0;
  for (; count < sums_.size(); ++count) {
    const ShardNode& before = sums_[sums_.size() - 1 - count].node;
    if (!before.joins(node)) break;
    node = before.joined();
  }
  return count;
}

void ShardTree::add_last(Range range, float* gradients, kernels::Context& context) const {
  const size_t joined = joined_by_last();
  for (size_t i = 0; i < joined; ++i) {
    kernels::add_values(sums_[sums_.size() - 1 - i].values.data(), {&range, 1}, gradients, context);
  }
}

std::vector<float*> ShardTree::others() {
  std::vector<float*> out;
  for (Sum& sum : sums_) out.push_back(sum.values.data());
  out.resize(sums_.size() - joined_by_last());
  return out;
}

}  // namespace longhand::train
