// Windows to measure on: cold starts, and targets with their context.
#include "longhand/data/batches.h"

#include <algorithm>
#include <map>
#include <set>

#include "tests/data/some_batches.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

TEST(ColdStarts, BeginAtEvenlySpreadPlaces) {
  const Corpus corpus = stream(1001);
  const ColdStarts passages(corpus, 100, 90);
  EXPECT_EQ(passages.places(), 90);
  EXPECT_EQ(passages.steps(), 100);
  ASSERT_EQ(passages.size(), 2);  // of 64 rows and of the rest
  std::vector<int32_t> begins;
  Batch batch;
  for (int64_t i = 0; i < passages.size(); ++i) {
    passages.get(i, batch);
    EXPECT_TRUE(batch.fresh && !batch.ragged && !batch.last_only && batch.resets.empty());
    EXPECT_EQ(batch.symbols, batch.rows * 100);
    for (int64_t b = 0; b < batch.rows; ++b) {
      begins.push_back(batch.inputs[static_cast<size_t>(b)]);
      EXPECT_EQ(row_of(batch, b).back(), begins.back() + 100);
    }
  }
  ASSERT_EQ(begins.size(), 90U);
  EXPECT_EQ(begins.front(), 0);
  for (size_t i = 1; i < begins.size(); ++i) EXPECT_NEAR(begins[i] - begins[i - 1], 10, 1);
  // Half way on to the next.
  ColdStarts(corpus, 100, 90, 0.5).get(0, batch);
  EXPECT_EQ(batch.inputs[0], 5);
  // A short text is read from each place from which it goes on far enough.
  const Corpus small = stream(8);
  EXPECT_EQ(ColdStarts(small, 5, 90).places(), 3);
  EXPECT_EQ(ColdStarts(small, 100, 90).places(), 1);
  EXPECT_EQ(ColdStarts(small, 100, 90).steps(), 7);
}

// Each target with at most so much before it, and never more than its own sequence has.
TEST(ContextBatches, GiveEachTargetItsContext) {
  Corpus corpus;
  corpus.symbols = {0, 1, 2, 3, 10, 11, 12};
  corpus.starts = {0, 4, 7};
  const ContextBatches batches(corpus, 2, 0);
  ASSERT_EQ(batches.targets(), 5);
  ASSERT_EQ(batches.size(), 1);
  Batch batch;
  batches.get(0, batch);
  EXPECT_TRUE(batch.fresh && batch.ragged && batch.last_only);
  EXPECT_EQ(batch.steps, 2);
  EXPECT_EQ(batch.rows, 5);
  EXPECT_EQ(batch.symbols, 5);
  EXPECT_EQ(batch.lengths, (std::vector<int32_t>{1, 2, 2, 1, 2}));
  EXPECT_EQ(batch.inputs, (std::vector<int32_t>{0, 0, 1, 10, 10, 0, 1, 2, 0, 11}));
  EXPECT_EQ(batch.targets, (std::vector<int32_t>{1, 0, 0, 11, 0, 0, 2, 3, 0, 12}));
}

TEST(ContextBatches, SpreadAFewTargetsEvenly) {
  Corpus corpus;
  for (int32_t i = 0; i < 1001; ++i) corpus.symbols.push_back(i);
  corpus.starts = {0, 1001};
  const ContextBatches batches(corpus, 3, 100);
  ASSERT_EQ(batches.targets(), 100);
  ASSERT_EQ(batches.size(), 2);  // of 64 rows and of the rest
  std::vector<int32_t> chosen;
  Batch batch;
  for (int64_t i = 0; i < batches.size(); ++i) {
    batches.get(i, batch);
    for (int64_t b = 0; b < batch.rows; ++b) {
      const auto last = static_cast<size_t>((batch.lengths[static_cast<size_t>(b)] - 1) * batch.rows + b);
      chosen.push_back(batch.targets[last]);
    }
  }
  EXPECT_EQ(batch.rows, 36);
  for (size_t i = 1; i < chosen.size(); ++i) EXPECT_EQ(chosen[i] - chosen[i - 1], 10);
  EXPECT_EQ(ContextBatches(corpus, 3, 5000).targets(), 1000);
}

}  // namespace
}  // namespace longhand::data
