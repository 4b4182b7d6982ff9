// Batches: every target once an epoch, whatever an update is made of.
#include "longhand/data/batches.h"

#include <algorithm>
#include <map>
#include <set>

#include "tests/data/some_batches.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

// Follows every row of every batch and counts how often each symbol of the stream was a target.
TEST(Batches, OfAStreamCoverEveryTargetOnceAndCarryState) {
  for (const int64_t n : {34, 100, 1000, 1001, 1031}) {
    const Corpus corpus = stream(n);
    const Batches batches(corpus, false, 7, {.batch = 32, .shuffle = false});
    std::map<int32_t, int> seen;
    std::vector<int32_t> next;
    Batch batch;
    for (int64_t i = 0; i < batches.size(); ++i) {
      batches.get(i, batch);
      EXPECT_LE(batch.steps, 7);
      EXPECT_EQ(batch.fresh, i == 0);
      next.resize(static_cast<size_t>(batch.rows), -1);
      for (int64_t b = 0; b < batch.rows; ++b) {
        for (int64_t t = 0; t < batch.lengths[static_cast<size_t>(b)]; ++t) {
          const auto at = static_cast<size_t>(t * batch.rows + b);
          int32_t& expected = next[static_cast<size_t>(b)];
          if (expected >= 0) {
            EXPECT_EQ(batch.inputs[at], expected);
          }
          EXPECT_EQ(batch.targets[at], batch.inputs[at] + 1);
          expected = batch.targets[at];
          ++seen[batch.targets[at]];
        }
      }
    }
    EXPECT_EQ(static_cast<int64_t>(seen.size()), n - 1);
    for (const auto& [symbol, count] : seen) EXPECT_EQ(count, 1) << symbol;
  }
}

// In every epoch each target comes once, in windows of like length that are cut elsewhere than in the epoch before.
TEST(Batches, OfAShuffledStreamAreCompleteAndCutAnew) {
  const Corpus corpus = stream(10000);
  Batches batches(corpus, false, 35, {.batch = 32, .shuffle = true, .seed = 3});
  Batch batch;
  std::set<int64_t> first_lengths;
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    batches.begin_epoch(epoch);
    std::set<int32_t> seen;
    for (int64_t i = 0; i < batches.size(); ++i) {
      batches.get(i, batch);
      EXPECT_GE(batch.steps, i == 0 ? 18 : 30);
      EXPECT_LE(batch.steps, 35);
      EXPECT_EQ(batch.fresh, i == 0);
      if (i == 0) first_lengths.insert(batch.steps);
      for (int64_t b = 0; b < batch.rows; ++b) {
        const int64_t length = batch.lengths[static_cast<size_t>(b)];
        EXPECT_GE(length, batch.steps - 1);
        for (int64_t t = 0; t < length; ++t) seen.insert(batch.targets[static_cast<size_t>(t * batch.rows + b)]);
      }
    }
    EXPECT_EQ(seen.size(), 9999U);
  }
  EXPECT_GT(first_lengths.size(), 8U);
}

TEST(Batches, OfLinesAreRaggedShuffledAndComplete) {
  Corpus corpus;
  int64_t total = 0;
  for (int64_t line = 0; line < 100; ++line) {
    const int64_t length = 2 + line * 7 % 13;
    for (int64_t i = 0; i < length; ++i) corpus.symbols.push_back(static_cast<int32_t>(line));
    corpus.starts.push_back(static_cast<int64_t>(corpus.symbols.size()));
    total += length - 1;
  }
  Batches batches(corpus, true, 5, {.batch = 8, .shuffle = true, .seed = 1});
  std::vector<std::vector<int32_t>> orders;
  for (const int64_t epoch : {0, 1, 0}) {
    batches.begin_epoch(epoch);
    Batch batch;
    std::map<int32_t, int64_t> targets;
    std::vector<int32_t> order;
    for (int64_t i = 0; i < batches.size(); ++i) {
      batches.get(i, batch);
      int64_t counted = 0;
      for (int64_t b = 0; b < batch.rows; ++b) {
        const int64_t length = batch.lengths[static_cast<size_t>(b)];
        counted += length;
        for (int64_t t = 0; t < length; ++t) ++targets[batch.targets[static_cast<size_t>(t * batch.rows + b)]];
      }
      EXPECT_EQ(counted, batch.symbols);
      EXPECT_GT(counted, 0);
      order.push_back(batch.targets[0]);
    }
    int64_t sum = 0;
    for (const auto& [line, count] : targets) sum += count;
    EXPECT_EQ(sum, total);
    EXPECT_EQ(targets.size(), 100U);
    orders.push_back(order);
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_EQ(orders[0], orders[2]);
}

// Lines of 2 to 62 symbols, each symbol of which occurs once.
Corpus distinct_lines(int64_t lines) {
  Corpus corpus;
  for (int64_t line = 0; line < lines; ++line) {
    const int64_t length = 2 + line * 37 % 61;
    for (int64_t i = 0; i < length; ++i) corpus.symbols.push_back(static_cast<int32_t>(corpus.symbols.size()));
    corpus.starts.push_back(static_cast<int64_t>(corpus.symbols.size()));
  }
  return corpus;
}

// How often each symbol is a target in the planned epoch; each part has some, as many as it says, and so has each
// update.
std::map<int32_t, int> targets_of(const Batches& batches) {
  std::map<int32_t, int> seen;
  Batch batch;
  for (int64_t i = 0; i < batches.size(); ++i) {
    int64_t in_update = 0;
    for (int64_t part = 0; part < batches.parts(i); ++part) {
      batches.get(i, part, batch);
      int64_t in_part = 0;
      for (int64_t b = 0; b < batch.rows; ++b) {
        const int64_t length = batch.lengths[static_cast<size_t>(b)];
        for (int64_t t = 0; t < length; ++t) ++seen[batch.targets[static_cast<size_t>(t * batch.rows + b)]];
        in_part += length;
      }
      EXPECT_GT(in_part, 0);
      EXPECT_EQ(in_part, batch.symbols);
      in_update += in_part;
    }
    EXPECT_EQ(in_update, batches.symbols(i));
  }
  return seen;
}

void expect_complete(const Batches& batches, const Corpus& corpus) {
  const std::map<int32_t, int> seen = targets_of(batches);
  EXPECT_EQ(static_cast<int64_t>(seen.size()), corpus.targets());
  for (const auto& [symbol, count] : seen) EXPECT_EQ(count, 1) << symbol;
}

// Four times three rows are the twelve of the larger batch, row for row and window for window.
TEST(Batches, AccumulateTheRowsOfALargerBatch) {
  constexpr int64_t kPart = 3, kParts = 4;
  struct Case {
    Corpus corpus;
    bool lines;
    int left_out;  // parts of an epoch that are missing because their rows have ended; -1: some
  };
  for (const Case& c : {Case{stream(1031), false, 0}, Case{stream(9), false, 0}, Case{stream(2), false, 0},
                        Case{distinct_lines(101), true, -1}}) {
    for (const int64_t bptt : {5, 64}) {
      GroupOptions options{.batch = kPart * kParts, .seed = 3};
      Batches whole(c.corpus, c.lines, bptt, options);
      options.batch = kPart;
      options.accumulate = kParts;
      Batches parts(c.corpus, c.lines, bptt, options);
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        whole.begin_epoch(epoch);
        parts.begin_epoch(epoch);
        EXPECT_EQ(parts.rows(), whole.rows());
        ASSERT_EQ(parts.size(), whole.size());
        expect_complete(parts, c.corpus);
        int left_out = 0;
        for (int64_t i = 0; i < whole.size(); ++i) {
          Batch all, part;
          ASSERT_EQ(whole.parts(i), 1);
          whole.get(i, all);
          EXPECT_EQ(parts.symbols(i), all.symbols);
          int64_t next = 0;
          for (int64_t slot = 0; slot * kPart < all.rows; ++slot) {
            int64_t symbols = 0;
            for (int64_t b = slot * kPart; b < std::min(all.rows, (slot + 1) * kPart); ++b) {
              symbols += all.lengths[static_cast<size_t>(b)];
            }
            if (symbols == 0) {
              ++left_out;
              continue;
            }
            ASSERT_LT(next, parts.parts(i));
            parts.get(i, next++, part);
            EXPECT_EQ(part.slot, slot);
            EXPECT_EQ(part.fresh, all.fresh);
            EXPECT_EQ(part.steps, all.steps);
            ASSERT_EQ(part.rows, std::min(kPart, all.rows - slot * kPart));
            for (int64_t b = 0; b < part.rows; ++b) EXPECT_EQ(row_of(part, b), row_of(all, slot * kPart + b));
          }
          EXPECT_EQ(next, parts.parts(i));
        }
        if (c.left_out >= 0 || bptt == 64) {
          EXPECT_EQ(left_out, 0);
        } else {
          EXPECT_GT(left_out, 0);
        }
      }
    }
  }
}

// One update of all symbols, whose windows follow one another in the only slot there is.
TEST(Batches, OfTheWholeCorpusAreOneUpdate) {
  for (const bool lines : {false, true}) {
    const Corpus corpus = lines ? distinct_lines(50) : stream(1031);
    Batches batches(corpus, lines, 5, {.batch = 6, .accumulate = 2, .whole = true, .seed = 3});
    Batches windows(corpus, lines, 5, {.batch = 6, .seed = 3});
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      batches.begin_epoch(epoch);
      windows.begin_epoch(epoch);
      ASSERT_EQ(batches.size(), 1);
      EXPECT_EQ(batches.symbols(0), corpus.targets());
      EXPECT_EQ(batches.rows(), 6);
      ASSERT_EQ(batches.parts(0), windows.size());
      expect_complete(batches, corpus);
      Batch part, window;
      for (int64_t i = 0; i < windows.size(); ++i) {
        batches.get(0, i, part);
        windows.get(i, window);
        EXPECT_EQ(part.slot, 0);
        EXPECT_EQ(part.fresh, window.fresh);
        EXPECT_EQ(part.targets, window.targets);
      }
    }
  }
}

TEST(Batches, GrowAndShrinkFromEpochToEpoch) {
  struct Case {
    int64_t batch, accumulate, every;
    double factor;
    std::vector<int64_t> rows;  // of an update, by epoch
  };
  const Case cases[] = {{12, 1, 3, 1.0 / 3.0, {12, 12, 12, 4, 4, 4, 1, 1, 1, 1, 1, 1}},
                        {2, 1, 2, 1.5, {2, 2, 3, 3, 5, 5, 7, 7}},
                        {2, 3, 1, 2.0, {6, 12, 24, 48}},
                        {8, 1, 0, 2.0, {8, 8, 8, 8}}};
  for (const bool lines : {false, true}) {
    const Corpus corpus = lines ? distinct_lines(80) : stream(500);
    for (const Case& c : cases) {
      Batches batches(corpus, lines, 9,
                      {.batch = c.batch, .accumulate = c.accumulate, .every = c.every, .factor = c.factor, .seed = 3});
      for (size_t epoch = 0; epoch < c.rows.size(); ++epoch) {
        batches.begin_epoch(static_cast<int64_t>(epoch));
        EXPECT_EQ(batches.rows(), c.rows[epoch]) << epoch;
        expect_complete(batches, corpus);
        int64_t max = 0;
        Batch batch;
        for (int64_t i = 0; i < batches.size(); ++i) {
          int64_t rows = 0;
          for (int64_t part = 0; part < batches.parts(i); ++part) {
            batches.get(i, part, batch);
            EXPECT_LE(batch.rows * c.accumulate, c.rows[epoch]);
            rows += batch.rows;
          }
          max = std::max(max, rows);
        }
        EXPECT_EQ(max, c.rows[epoch]) << epoch;
      }
    }
  }
  // Not without end: a row is to be read for as many steps as gradients flow back.
  const Corpus corpus = stream(500);
  Batches batches(corpus, false, 9, {.batch = 2, .every = 1, .factor = 1e6});
  batches.begin_epoch(100);
  EXPECT_EQ(batches.rows(), corpus.targets() / 9);
  expect_complete(batches, corpus);
}

constexpr StreamOptions kMoving{.moving = true};

// Each row goes on from window to window and from epoch to epoch, over the text's end to its beginning, in windows of
// like length; in the long run no target comes more often than another.
TEST(Batches, OfAMovingStreamContinueFromEpochToEpoch) {
  for (const int64_t n : {34, 101, 1000, 1031}) {
    const Corpus corpus = stream(n);
    Batches batches(corpus, false, 7, {.batch = 5, .seed = 3}, kMoving);
    std::vector<int32_t> next(5, -1);
    std::map<int32_t, int> seen;
    constexpr int kEpochs = 200;
    int64_t total = 0;
    Batch batch;
    for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
      batches.begin_epoch(epoch);
      int64_t longest = 0, shortest = 7;
      for (int64_t i = 0; i < batches.size(); ++i) {
        batches.get(i, batch);
        EXPECT_EQ(batch.fresh, epoch == 0 && i == 0);
        EXPECT_EQ(batch.rows, 5);
        EXPECT_FALSE(batch.ragged);
        longest = std::max(longest, batch.steps);
        shortest = std::min(shortest, batch.steps);
        total += batch.symbols;
        for (int64_t b = 0; b < batch.rows; ++b) {
          for (int64_t t = 0; t < batch.steps; ++t) {
            const auto at = static_cast<size_t>(t * batch.rows + b);
            int32_t& expected = next[static_cast<size_t>(b)];
            if (expected >= 0) {
              EXPECT_EQ(batch.inputs[at], expected == n - 1 ? 0 : expected);
            }
            EXPECT_EQ(batch.targets[at], batch.inputs[at] + 1);
            expected = batch.targets[at];
            ++seen[batch.targets[at]];
          }
        }
      }
      EXPECT_LE(longest, 7);
      EXPECT_LE(longest - shortest, 1);
    }
    EXPECT_EQ(static_cast<int64_t>(seen.size()), n - 1);
    EXPECT_NEAR(static_cast<double>(total), static_cast<double>(kEpochs * (n - 1)), 5.0 * (7 + 1));
    for (const auto& [symbol, count] : seen) EXPECT_NEAR(count, kEpochs, 6) << symbol;
  }
}

// Wherever a user may begin, some window of some epoch did.
TEST(Batches, OfAMovingStreamStartWindowsEverywhere) {
  const Corpus corpus = stream(1001);
  std::set<int32_t> moving, fixed;
  for (const bool moves : {false, true}) {
    Batches batches(corpus, false, 25, {.batch = 4, .seed = 3}, {.moving = moves});
    Batch batch;
    for (int64_t epoch = 0; epoch < 300; ++epoch) {
      batches.begin_epoch(epoch);
      for (int64_t i = 0; i < batches.size(); ++i) {
        batches.get(i, batch);
        for (int64_t b = 0; b < batch.rows; ++b) (moves ? moving : fixed).insert(batch.inputs[static_cast<size_t>(b)]);
      }
    }
  }
  EXPECT_EQ(moving.size(), 1000U);
  EXPECT_LT(fixed.size(), 900U);
}

TEST(Batches, OfAMovingStreamRestartWhenTheyGrow) {
  const Corpus corpus = stream(1031);
  Batches batches(corpus, false, 9, {.batch = 2, .every = 2, .factor = 3.0, .seed = 3}, kMoving);
  Batch batch;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    batches.begin_epoch(epoch);
    batches.get(0, batch);
    EXPECT_EQ(batch.fresh, epoch % 2 == 0) << epoch;
    EXPECT_EQ(batch.rows, epoch < 2 ? 2 : epoch < 4 ? 6 : 18);
  }
}

// The one update of an epoch has every target, in rows that begin elsewhere in the next.
TEST(Batches, OfAWholeMovingStreamAreComplete) {
  const Corpus corpus = stream(1031);
  Batches batches(corpus, false, 9, {.batch = 4, .whole = true, .seed = 3}, kMoving);
  std::set<int32_t> begins;
  Batch batch;
  for (int64_t epoch = 0; epoch < 10; ++epoch) {
    batches.begin_epoch(epoch);
    expect_complete(batches, corpus);
    batches.get(0, batch);
    EXPECT_TRUE(batch.fresh);
    begins.insert(batch.inputs[0]);
  }
  EXPECT_GT(begins.size(), 8U);
}

// With the probability asked for in four fifths of the run, then ever more rarely; the same for the same seed.
TEST(Batches, ResetRowsWithTheGivenProbability) {
  const Corpus corpus = stream(20001);
  for (const double p : {0.0, 0.3, 1.0}) {
    const StreamOptions options{.moving = true, .reset = p, .epochs = 10};
    Batches batches(corpus, false, 10, {.batch = 20, .seed = 3}, options);
    Batches again(corpus, false, 10, {.batch = 20, .seed = 3}, options);
    std::vector<double> share;
    for (int64_t epoch = 0; epoch < 10; ++epoch) {
      batches.begin_epoch(epoch);
      again.begin_epoch(epoch);
      int64_t resets = 0, windows = 0;
      Batch batch, same;
      for (int64_t i = 0; i < batches.size(); ++i) {
        batches.get(i, batch);
        again.get(i, same);
        EXPECT_EQ(batch.resets, same.resets);
        EXPECT_EQ(batch.resets.size(), p > 0.0 ? 20U : 0U);
        resets += std::count(batch.resets.begin(), batch.resets.end(), 1);
        windows += batch.rows;
      }
      share.push_back(static_cast<double>(resets) / static_cast<double>(windows));
    }
    // Some 2,000 draws an epoch: 0.05 are five standard deviations.
    for (size_t epoch = 0; epoch < 8; ++epoch) EXPECT_NEAR(share[epoch], p, p == 1.0 ? 0.0 : 0.05) << epoch;
    EXPECT_NEAR(share[8], 0.75 * p, 0.05);
    EXPECT_NEAR(share[9], 0.25 * p, 0.05);
  }
  EXPECT_EQ((StreamOptions{.reset = 0.5}).reset_at(1.0), 0.0);
}

// The columns of the shards of each part, beside each other, are the part; draws of resets included.
void expect_shards_make_parts(const Batches& batches, int64_t shards) {
  Batch whole, share;
  for (int64_t i = 0; i < batches.size(); ++i) {
    for (int64_t part = 0; part < batches.parts(i); ++part) {
      batches.get(i, part, whole);
      int64_t first = 0, symbols = 0;
      bool ragged = false;
      for (int64_t s = 0; s < shards; ++s) {
        batches.get(i, part, {s, shards}, share);
        EXPECT_EQ(share.slot, whole.slot);
        EXPECT_EQ(share.steps, whole.steps);
        EXPECT_EQ(share.fresh, whole.fresh);
        ASSERT_LE(first + share.rows, whole.rows);
        EXPECT_EQ(share.resets.size(), whole.resets.empty() ? 0U : static_cast<size_t>(share.rows));
        for (int64_t b = 0; b < share.rows; ++b) {
          const auto own = static_cast<size_t>(b), all = static_cast<size_t>(first + b);
          EXPECT_EQ(share.lengths[own], whole.lengths[all]);
          EXPECT_EQ(share.places[own], whole.places[all]);
          if (!whole.resets.empty()) {
            EXPECT_EQ(share.resets[own], whole.resets[all]);
          }
          for (int64_t t = 0; t < whole.steps; ++t) {
            const auto at = static_cast<size_t>(t * share.rows + b);
            const auto there = static_cast<size_t>(t * whole.rows + first + b);
            ASSERT_EQ(share.inputs[at], whole.inputs[there]);
            ASSERT_EQ(share.targets[at], whole.targets[there]);
          }
        }
        first += share.rows;
        symbols += share.symbols;
        ragged = ragged || share.ragged;
      }
      EXPECT_EQ(first, whole.rows);
      EXPECT_EQ(symbols, whole.symbols);
      EXPECT_EQ(ragged, whole.ragged);
    }
  }
}

TEST(Batches, ShardsMakeThePart) {
  const Corpus corpus = stream(1031);
  for (const int64_t shards : {1, 2, 3, 9}) {
    Batches rows(corpus, false, 7, {.batch = 7, .accumulate = 2, .seed = 3}, {.moving = true, .reset = 0.5});
    for (const int64_t epoch : {0, 3}) {
      rows.begin_epoch(epoch);
      expect_shards_make_parts(rows, shards);
    }
    const Corpus lines = distinct_lines(50);
    expect_shards_make_parts(Batches(lines, true, 9, {.batch = 7, .accumulate = 3, .seed = 3}), shards);
  }
  // Fewer rows than shards: some are empty.
  const Batches few(corpus, false, 7, {.batch = 2});
  Batch batch;
  few.get(0, 0, {0, 3}, batch);
  EXPECT_EQ(batch.rows, 0);
  EXPECT_EQ(batch.symbols, 0);
  EXPECT_TRUE(batch.inputs.empty());
}

}  // namespace
}  // namespace longhand::data
