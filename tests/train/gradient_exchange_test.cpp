// The sums of the shards' gradients: the same bits however the shards are divided among ranks.
#include "longhand/train/gradient_exchange.h"

#include <gtest/gtest.h>

#include <cmath>

#include "longhand/base/rng.h"
#include "longhand/train/ranges.h"
#include "tests/distributed/thread_ranks.h"

namespace longhand::train {
namespace {

using distributed::testing::on_ranks;

// The first n elements of a shard's gradients, of very different sizes, so that another order gives other bits.
std::vector<float> gradient_of(int64_t shard, int64_t n) {
  constexpr int64_t kShards = 32, kLargest = 800'000;
  static const std::vector<float> kDraws = [] {
    std::vector<float> out(kLargest + kShards);
    const CounterRng rng(7, 0, RngPlace::kParameter);
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = (rng.uniform(2 * i) - 0.5F) * std::exp2(20.0F * rng.uniform(2 * i + 1));
    }
    return out;
  }();
  EXPECT_TRUE(shard < kShards && n <= kLargest);
  return {kDraws.begin() + shard, kDraws.begin() + shard + n};
}

// The definition.
std::vector<float> tree_sum(int64_t first, int64_t count, int64_t n) {
  if (count == 1) return gradient_of(first, n);
  std::vector<float> left = tree_sum(first, count / 2, n);
  const std::vector<float> right = tree_sum(first + count / 2, count / 2, n);
  for (size_t i = 0; i < left.size(); ++i) left[i] += right[i];
  return left;
}

// Adds up a rank's shards, and leaves the last node in the result.
std::vector<float> own_sum(ShardTree& tree, Range shards, int64_t n, kernels::Context& context) {
  tree.begin();
  for (int64_t shard = shards.begin; shard + 1 < shards.end; ++shard) tree.add(gradient_of(shard, n), context);
  return gradient_of(shards.end - 1, n);
}

TEST(ShardTree, KnowsTheLargestNodes) {
  const auto sizes = [](Range shards) {
    std::vector<int64_t> out;
    for (const ShardNode& node : nodes_of(shards)) out.push_back(node.size);
    return out;
  };
  EXPECT_EQ(sizes({0, 8}), (std::vector<int64_t>{8}));
  EXPECT_EQ(sizes({2, 5}), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(sizes({5, 8}), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(sizes({1, 7}), (std::vector<int64_t>{1, 2, 2, 1}));
}

TEST(ShardTree, AddsAllShardsOfOneProcess) {
  constexpr int64_t kN = 1000;
  kernels::Context context(2);
  for (const int64_t shards : {1, 2, 8, 32}) {
    ShardTree tree({0, shards});
    for (int update = 0; update < 2; ++update) {
      std::vector<float> last = own_sum(tree, {0, shards}, kN, context);
      tree.add_last({0, 300}, last.data(), context);
      tree.add_last({300, kN}, last.data(), context);
      EXPECT_TRUE(tree.others().empty());
      EXPECT_EQ(last, tree_sum(0, shards, kN)) << shards;
    }
  }
}

TEST(GradientExchange, TheOwnersHaveTheSumsAndGiveThemToAll) {
  constexpr int64_t kN = 64 * kernels::kNormPiece * 3 + 5000;  // pieces and a bit
  const std::vector<Range> everything = {{0, kN}};
  // Rows of an embedding, some across pieces, and a dense part.
  std::vector<Range> rows;
  for (int64_t at = 100; at < kN / 2; at += 7001) rows.push_back({at, at + 33});
  rows.push_back({kN / 2, kN - 17});
  for (const int64_t shards : {4, 8}) {
    const std::vector<float> expected = tree_sum(0, shards, kN);
    for (const int size : {2, 3, 4}) {
      for (const std::vector<Range>& where : {everything, rows}) {
        on_ranks(size, [&](distributed::Communicator& ranks) {
          kernels::Context context(1);
          GradientExchange exchange(kN, shards, ranks);
          const Range own = exchange.shards(ranks.rank());
          ShardTree tree(own);
          for (int update = 0; update < 2; ++update) {
            std::vector<float> gradients = own_sum(tree, own, kN, context);
            exchange.begin(tree.others(), gradients.data(), where);
            for (const int64_t from : {kN, kN - 1, kN / 2, int64_t{0}}) {
              const Range pieces = exchange.pieces_from(from);
              tree.add_last(pieces, gradients.data(), context);
              exchange.send(pieces);
            }
            exchange.finish();
            for (const Range& range : common(where, exchange.owned_by(ranks.rank()))) {
              for (int64_t i = range.begin; i < range.end; ++i) {
                ASSERT_EQ(gradients[static_cast<size_t>(i)], expected[static_cast<size_t>(i)]) << i;
              }
            }
            exchange.share(gradients.data(), where);
            for (const Range& range : where) {
              for (int64_t i = range.begin; i < range.end; ++i) {
                ASSERT_EQ(gradients[static_cast<size_t>(i)], expected[static_cast<size_t>(i)]) << i;
              }
            }
          }
          // Twice this rank's part of the cost model: everything that is not its own goes out, and its own to all
          // others.
          const int64_t mine = total(common(where, exchange.owned_by(ranks.rank()))), all = total(where);
          const auto nodes = static_cast<int64_t>(nodes_of(own).size());
          EXPECT_EQ(exchange.costs().bytes, 2 * 4 * (nodes * (all - mine) + (size - 1) * mine));
        });
      }
    }
  }
}

TEST(GradientExchange, TheFirstRankCollectsWhatOthersForget) {
  constexpr int64_t kN = 64 * kernels::kNormPiece * 3 + 5000;
  on_ranks(3, [&](distributed::Communicator& ranks) {
    GradientExchange exchange(kN, 4, ranks);
    Buffer<float> moments(kN);
    for (int round = 0; round < 2; ++round) {
      for (const Range& own : exchange.owned_by(ranks.rank())) {
        for (int64_t i = own.begin; i < own.end; ++i) moments[i] = static_cast<float>(ranks.rank() + 1 + round);
      }
      exchange.forget_others(moments.data());
      const auto expect = [&](bool all) {
        int64_t forgotten = 0, others = 0;
        for (int64_t i = 0; i < kN; ++i) {
          const bool is_own = exchange.owner(i) == ranks.rank();
          if (is_own || all) {
            ASSERT_EQ(moments[i], static_cast<float>(exchange.owner(i) + 1 + round)) << i;
          } else {
            ++others;
            forgotten += moments[i] == 0.0F ? 1 : 0;
          }
        }
        // But for pages that two ranks share.
        EXPECT_GE(static_cast<double>(forgotten), 0.95 * static_cast<double>(others));
      };
      expect(false);
      exchange.collect(moments.data());
      expect(ranks.is_first());
    }
  });
}

TEST(GradientExchange, EveryElementHasOneOwner) {
  on_ranks(3, [](distributed::Communicator& ranks) {
    for (const int64_t n : {int64_t{1}, kernels::kNormPiece, 5 * kernels::kNormPiece + 1, int64_t{1} << 20}) {
      GradientExchange exchange(n, 4, ranks);
      std::vector<int> owners(static_cast<size_t>(n), -1);
      for (int r = 0; r < 3; ++r) {
        for (const Range& range : exchange.owned_by(r)) {
          for (int64_t i = range.begin; i < range.end; ++i) {
            EXPECT_EQ(owners[static_cast<size_t>(i)], -1);
            owners[static_cast<size_t>(i)] = r;
            ASSERT_EQ(exchange.owner(i), r);
          }
        }
      }
      EXPECT_EQ(std::count(owners.begin(), owners.end(), -1), 0);
    }
  });
}

}  // namespace
}  // namespace longhand::train
