// Words as models read them, and sequences grouped by length.
#include "longhand/data/words.h"

#include <algorithm>

#include "longhand/data/buckets.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

TEST(Words, ShapesSayWhatAWordLooksLike) {
  EXPECT_EQ(word_shape("McDonald's"), "XxXxx'x");
  EXPECT_EQ(word_shape("2,500"), "d,dd");
  EXPECT_EQ(word_shape("NATO"), "XX");
  EXPECT_EQ(word_shape("Ärger"), "Xxx");
  EXPECT_EQ(word_shape("春風"), "xx");
  EXPECT_EQ(word_shape("“…”"), "“…”");
  EXPECT_EQ(word_shape("------"), "--");
}

struct Reading {
  Words first{"The", "the", "cat"}, second{"Rare"};
  WordOptions options{.min_count = 2};
  WordVocabulary vocabulary = build_word_vocabulary({&first, &second}, options);
};

TEST(Words, VocabulariesKeepWhatIsFrequentEnough) {
  const Reading r;
  EXPECT_EQ(r.vocabulary.words.size(), 2);  // <unk>, the
  EXPECT_EQ(r.vocabulary.words.find("the"), 1);
  EXPECT_EQ(r.vocabulary.shapes.find("Xxx"), r.vocabulary.shapes.find(word_shape("Rare")));
  EXPECT_GT(r.vocabulary.characters.find("R"), 0);
}

TEST(Words, ALexiconLooksEachWordUpOnce) {
  const Reading r;
  Lexicon lexicon(r.vocabulary, r.options);
  const int32_t upper = lexicon.find("The"), lower = lexicon.find("the");
  EXPECT_NE(upper, lower);
  EXPECT_EQ(lexicon.find("The"), upper);
  EXPECT_EQ(lexicon.entry(upper).word, lexicon.entry(lower).word);  // looked up in lower case
  EXPECT_NE(lexicon.entry(upper).shape, lexicon.entry(lower).shape);
  EXPECT_NE(lexicon.entry(upper).characters, lexicon.entry(lower).characters);
  EXPECT_EQ(lexicon.entry(lexicon.find("Zebra")).word, 0);
  EXPECT_EQ(lexicon.entry(lexicon.find(std::string(1000, 'e'))).characters.size(), Lexicon::kMaxCharacters);
  lexicon.count(std::vector<int32_t>{upper, lower, lower});
  EXPECT_EQ(lexicon.count_of(lexicon.entry(lower).word), 3);
}

TEST(Words, BatchesHoldEachDistinctWordOnce) {
  const Reading r;
  Lexicon lexicon(r.vocabulary, r.options);
  const std::vector<int32_t> a{lexicon.find("The"), lexicon.find("cat"), lexicon.find("The")}, b{lexicon.find("cat")};
  WordBatch batch;
  make_batch(lexicon, std::vector<std::span<const int32_t>>{a, b}, {}, batch);
  EXPECT_EQ(batch.steps, 3);
  EXPECT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.tokens, 4);
  EXPECT_TRUE(batch.ragged);
  EXPECT_EQ(batch.lengths, (std::vector<int32_t>{3, 1}));
  EXPECT_EQ(batch.words, (std::vector<int32_t>{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(batch.slots, (std::vector<int32_t>{0, 1, 1, -1, 0, -1}));
  EXPECT_EQ(batch.distinct, 2);
  EXPECT_EQ(batch.character_steps, 3);
  EXPECT_EQ(batch.character_lengths, (std::vector<int32_t>{3, 3}));
}

TEST(Words, RareOnesAreMaskedMoreOften) {
  const Words often(200, "often"), once{"once"};
  const WordOptions options;
  const WordVocabulary vocabulary = build_word_vocabulary({&often, &once}, options);
  Lexicon lexicon(vocabulary, options);
  std::vector<int32_t> sentence(1000, lexicon.find("once"));
  lexicon.count(std::vector<int32_t>(200, lexicon.find("often")));
  lexicon.count(std::vector<int32_t>(1, lexicon.find("once")));
  const auto masked = [&](const char* word, uint64_t step) {
    std::fill(sentence.begin(), sentence.end(), lexicon.find(word));
    WordBatch batch;
    make_batch(lexicon, std::vector<std::span<const int32_t>>{sentence}, {.rate = 1.0, .seed = 1, .step = step}, batch);
    return std::count(batch.words.begin(), batch.words.end(), 0);
  };
  EXPECT_NEAR(static_cast<double>(masked("once", 1)), 500.0, 5 * std::sqrt(250.0));  // 1 / (1 + 1)
  EXPECT_LT(masked("often", 1), 25);                                                 // 1 / 201
  EXPECT_EQ(masked("once", 1), masked("once", 1));
  EXPECT_NE(masked("once", 1), masked("once", 2));
}

TEST(Buckets, ReadEverySequenceOncePerEpochInBatchesOfSimilarLength) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < 203; ++i) lengths.push_back(1 + i * 7 % 50);
  Buckets buckets(lengths, {.batch = 4, .accumulate = 2, .seed = 5});
  std::vector<std::vector<int64_t>> orders;
  for (const int64_t epoch : {0, 1, 0}) {
    buckets.begin_epoch(epoch);
    EXPECT_EQ(buckets.rows(), 8);
    EXPECT_EQ(buckets.size(), 26);
    std::vector<int64_t> seen, order;
    int64_t padding = 0;
    for (int64_t u = 0; u < buckets.size(); ++u) {
      size_t in_parts = 0;
      for (int64_t p = 0; p < buckets.parts(u); ++p) {
        const auto part = buckets.part(u, p);
        EXPECT_LE(part.size(), 4U);
        in_parts += part.size();
        for (const int64_t i : part) {
          padding += lengths[static_cast<size_t>(part[0])] - lengths[static_cast<size_t>(i)];
          seen.push_back(i);
        }
      }
      EXPECT_EQ(in_parts, buckets.update(u).size());
    }
    order = seen;
    std::sort(seen.begin(), seen.end());
    for (int64_t i = 0; i < 203; ++i) ASSERT_EQ(seen[static_cast<size_t>(i)], i);
    EXPECT_LT(padding, 203 * 2);  // of 203 * 25 symbols
    orders.push_back(order);
  }
  EXPECT_EQ(orders[0], orders[2]);
  EXPECT_NE(orders[0], orders[1]);
  Buckets whole(lengths, {.batch = 50, .whole = true});
  EXPECT_EQ(whole.size(), 1);
  EXPECT_EQ(whole.parts(0), 5);
}

TEST(Buckets, ShardsMakeThePart) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < 203; ++i) lengths.push_back(1 + i * 7 % 50);
  const Buckets buckets(lengths, {.batch = 4, .accumulate = 2, .seed = 5});
  for (int64_t u = 0; u < buckets.size(); ++u) {
    for (int64_t p = 0; p < buckets.parts(u); ++p) {
      for (const int64_t shards : {1, 3, 5}) {
        std::vector<int64_t> together;
        for (int64_t s = 0; s < shards; ++s) {
          for (const int64_t i : buckets.part(u, p, {s, shards})) together.push_back(i);
        }
        const auto part = buckets.part(u, p);
        EXPECT_EQ(together, std::vector<int64_t>(part.begin(), part.end()));
      }
    }
  }
}

}  // namespace
}  // namespace longhand::data
