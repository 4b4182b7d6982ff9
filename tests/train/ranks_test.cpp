// Trainings on several ranks: the same checkpoint, bit for bit, as on one process with the same shards, also where a
// run goes on with another number of ranks.
#include <gtest/gtest.h>

#include <cmath>

#include "longhand/distributed/collectives.h"
#include "tests/distributed/thread_ranks.h"
#include "tests/train/sitting.h"

namespace longhand::train {
namespace {

using distributed::testing::on_ranks;

Recipe recipe(int64_t shards) {
  Recipe out{.model = {.lstm = {.hidden = 12}}, .training = {.epochs = 3}, .text = some_prose()};
  out.how.groups = {.batch = 8, .seed = 9, .shards = shards};
  return out;
}

// One sitting of all ranks.
void sit(const Recipe& how, const std::string& folder, bool resume, int size, int64_t stop_after = INT64_MAX) {
  if (size == 1) {
    sitting(how, folder, resume, 2, stop_after);
    return;
  }
  on_ranks(size, [&](distributed::Communicator& ranks) { sitting(how, folder, resume, 1, stop_after, {}, &ranks); });
}

void expect_same_bits(const Recipe& how) {
  const testing::TemporaryFolder alone;
  sit(how, alone.string(), false, 1);
  for (const int size : {2, 3, 4}) {
    const testing::TemporaryFolder together;
    sit(how, together.string(), false, size);
    EXPECT_EQ(arrays(together.string()), arrays(alone.string())) << size << " ranks";
    EXPECT_EQ(metrics(together.string()), metrics(alone.string())) << size << " ranks";
  }
}

TEST(Ranks, GiveTheBitsOfOneProcessWithCarriedState) {
  Recipe how = recipe(4);
  how.how.stream = {.moving = true, .reset = 0.1, .epochs = 3};
  how.model.lstm.dropout = 0.2;
  how.model.lstm.layers = 2;
  expect_same_bits(how);
}

TEST(Ranks, GiveTheBitsOfOneProcessWithLines) {
  Recipe how = recipe(8);
  how.text = some_verse();
  how.model.text.lines = true;
  how.model.lstm.bidirectional = true;
  expect_same_bits(how);
}

TEST(Ranks, GiveTheBitsOfOneProcessWithSparseRowsAccumulationAndAverages) {
  Recipe how = recipe(4);
  how.model.embed = 6;
  how.sparse_embedding = true;
  how.how.groups.accumulate = 2;
  how.training.optimizer = {.clip_value = 0.01, .average = "ema"};
  expect_same_bits(how);
}

TEST(Ranks, GiveTheBitsOfOneProcessWithGroupsOfLayersAndWholeBatches) {
  Recipe how = recipe(4);
  how.model.lstm.layers = 2;
  how.how.groups.whole = true;
  how.training.layers = {.rate_divisor = 2.6, .thaw_every = 1};
  how.training.optimizer = {.optimizer = "asgd", .learning_rate = 0.5, .average_after = 1};
  expect_same_bits(how);
}

// A batch that grows gives the shards other rows; the last groups of lines have fewer rows than shards.
TEST(Ranks, GiveTheBitsOfOneProcessWithBatchesThatGrow) {
  Recipe how = recipe(8);
  how.text = some_verse(21);
  how.model.text.lines = true;
  how.how.groups.every = 1;
  how.how.groups.factor = 1.5;
  how.training.schedule.schedule = "plateau";
  expect_same_bits(how);
}

TEST(Ranks, MayChangeFromSittingToSitting) {
  const Recipe how = recipe(4);
  const testing::TemporaryFolder whole, parts;
  sit(how, whole.string(), false, 1);
  int64_t stop = 3;
  bool resume = false;
  for (const int size : {2, 1, 4, 3}) {
    sit(how, parts.string(), resume, size, size == 3 ? INT64_MAX : stop);
    resume = true;
    stop += 4;
  }
  EXPECT_EQ(arrays(parts.string()), arrays(whole.string()));
  EXPECT_EQ(metrics(parts.string()), metrics(whole.string()));
}

// Without masks, shards change nothing but roundings.
TEST(Shards, GiveTheTrainingOfWholeBatches) {
  const testing::TemporaryFolder whole, shards;
  Recipe how = recipe(1);
  how.training.optimizer = {.optimizer = "sgd", .learning_rate = 0.5};
  sit(how, whole.string(), false, 1);
  how.how.groups.shards = 8;
  sit(how, shards.string(), false, 1);
  const auto a = arrays(whole.string()).at("values"), b = arrays(shards.string()).at("values");
  ASSERT_EQ(a.size(), b.size());
  double furthest = 0.0;
  for (size_t i = 0; i < a.size(); ++i) furthest = std::max(furthest, std::abs(static_cast<double>(a[i] - b[i])));
  EXPECT_GT(furthest, 0.0);
  EXPECT_LT(furthest, 1e-5);
}

TEST(Ranks, RefuseOtherDataOnOneOfThem) {
  const testing::TemporaryFolder folder;
  on_ranks(3, [&](distributed::Communicator& ranks) {
    Recipe how = recipe(4);
    if (ranks.rank() == 2) how.text[100] = how.text[100] == 'e' ? 'a' : 'e';
    try {
      sitting(how, folder.string(), false, 1, INT64_MAX, {}, &ranks);
      FAIL();
    } catch (const distributed::AgreedError& e) {
      EXPECT_EQ(std::string(e.what()).find("rank 2 (host-c): it has other data"), 0U) << e.what();
    }
  });
}

TEST(Ranks, RefuseOtherOptionsOnOneOfThem) {
  const testing::TemporaryFolder folder;
  on_ranks(2, [&](distributed::Communicator& ranks) {
    Recipe how = recipe(4);
    how.training.epochs = ranks.is_first() ? 3 : 2;
    try {
      sitting(how, folder.string(), false, 1, INT64_MAX, {}, &ranks);
      FAIL();
    } catch (const distributed::AgreedError& e) {
      EXPECT_STREQ(e.what(),
                   "rank 1 (host-b): it has another version or other options than rank 0: expected epochs 3, found "
                   "epochs 2");
    }
  });
}

TEST(Ranks, AllThrowWhereTheFirstCannotResume) {
  const testing::TemporaryFolder folder;
  on_ranks(2, [&](distributed::Communicator& ranks) {
    EXPECT_THROW(sitting(recipe(4), folder / "none", true, 1, INT64_MAX, {}, &ranks), distributed::AgreedError);
  });
}

TEST(Ranks, AllThrowWhereATrainingDiverges) {
  const testing::TemporaryFolder folder;
  Recipe how = recipe(4);
  how.training.optimizer = {.optimizer = "sgd", .learning_rate = 3e38, .clip_norm = 0.0};
  on_ranks(2, [&](distributed::Communicator& ranks) {
    EXPECT_THROW(sitting(how, folder.string(), false, 1, INT64_MAX, {}, &ranks), Divergence);
  });
}

}  // namespace
}  // namespace longhand::train
