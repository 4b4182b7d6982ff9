// The order in which the gradients of an update's shards are added: a binary tree whose leaves are the shards. So the
// sum has the same bits on any number of processes, each of which has some neighbouring leaves.
//
//   shards   0   1   2   3   4   5   6   7          g = ((g0 + g1) + (g2 + g3)) + ((g4 + g5) + (g6 + g7))
//   ranks  |   0   |     1     |     2     |        rank 1 has g2 + g3 and g4, which are no neighbours in the tree
#pragma once

#include <vector>

#include "longhand/base/arena.h"
#include "longhand/kernels/context.h"

namespace longhand::train {

/// A node: the leaves `first` to `first + size - 1`. `size` is a power of two that divides `first`.
struct ShardNode {
  int64_t first = 0;
  int64_t size = 1;

  /// Whether the two have the same parent, which is their sum.
  bool joins(const ShardNode& right) const {
    return size == right.size && first + size == right.first && first % (2 * size) == 0;
  }
  ShardNode joined() const { return {first, 2 * size}; }
};

/// The largest nodes that these leaves make, in order.
std::vector<ShardNode> nodes_of(Range shards);

/// Adds up the gradients of some neighbouring shards, as they are computed one after the other.
class ShardTree {
 public:
  /// The leaves of this process.
  explicit ShardTree(Range shards) : shards_(shards) {}

  /// Forgets all sums: the next update begins.
  void begin();
  /// Takes the gradients of the next shard, which is not the last.
  void add(std::span<const float> gradients, kernels::Context& context);
  /// Adds to the gradients of the last shard, from `range`, those of the nodes that it joins. Once that is done
  /// everywhere, they are those of the last node of nodes_of(shards).
  void add_last(Range range, float* gradients, kernels::Context& context) const;
  /// The gradients of the nodes before that one, in order. The caller may overwrite them.
  std::vector<float*> others();

 private:
  struct Sum {
    ShardNode node;
    Buffer<float> values;
  };
  /// How many of the sums the last shard joins.
  size_t joined_by_last() const;

  Range shards_;
  int64_t taken_ = 0;
  std::vector<Sum> sums_;
  std::vector<Buffer<float>> free_;
};

}  // namespace longhand::train
