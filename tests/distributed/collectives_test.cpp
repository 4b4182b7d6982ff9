// What all ranks do together: every rank gets what it should, at any number of ranks, and errors are agreed on.
#include "longhand/distributed/collectives.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/distributed/thread_ranks.h"

namespace longhand::distributed {
namespace {

using testing::on_ranks;

TEST(Collectives, BroadcastsFromTheFirst) {
  for (int size = 1; size <= 9; ++size) {
    on_ranks(size, [&](Communicator& ranks) {
      std::string text = ranks.is_first() ? "what the first says" : "something";
      broadcast(text, ranks);
      EXPECT_EQ(text, "what the first says") << ranks.rank() << " of " << size;
      std::string nothing;
      broadcast(nothing, ranks);
      EXPECT_EQ(nothing, "");
    });
  }
}

TEST(Collectives, GathersTextsOfAnyLength) {
  for (const int size : {1, 2, 5}) {
    on_ranks(size, [&](Communicator& ranks) {
      const auto text_of = [](int rank) { return std::string(static_cast<size_t>(rank * 3), 'x'); };
      const std::vector<std::string> all = all_gather(text_of(ranks.rank()), ranks);
      ASSERT_EQ(all.size(), static_cast<size_t>(size));
      for (int r = 0; r < size; ++r) EXPECT_EQ(all[static_cast<size_t>(r)], text_of(r));
    });
  }
}

TEST(Collectives, BringsArraysToTheFirst) {
  on_ranks(3, [](Communicator& ranks) {
    Buffer<float> full(ranks.rank() == 2 ? 5 : 1), empty;
    full.fill(static_cast<float>(ranks.rank()));
    const std::vector<Buffer<float>*> arrays = {&full, &empty};
    send_to_first(arrays, 2, ranks);
    if (ranks.rank() == 1) {
      EXPECT_EQ(full.size(), 1);
      return;
    }
    ASSERT_EQ(full.size(), 5);
    for (const float x : full.span()) EXPECT_EQ(x, 2.0F);
    EXPECT_EQ(empty.size(), 0);
  });
}

TEST(Collectives, AnErrorOfOneRankIsThrownOnAllWithItsName) {
  on_ranks(3, [](Communicator& ranks) {
    try {
      do_together(ranks, [&] {
        if (ranks.rank() == 1) throw usage_error("no such file", "give another");
      });
      FAIL();
    } catch (const AgreedError& e) {
      EXPECT_STREQ(e.what(), "rank 1 (host-b): no such file");
      EXPECT_EQ(e.advice(), "give another");
      EXPECT_EQ(e.code(), ExitCode::kUsage);
    }
  });
}

TEST(Collectives, AnErrorOfAllRanksIsThrownAsItIs) {
  on_ranks(4, [](Communicator& ranks) {
    try {
      do_together(ranks, [] { throw input_error("no such file", "give another"); });
      FAIL();
    } catch (const AgreedError& e) {
      EXPECT_STREQ(e.what(), "no such file");
    }
  });
  Alone alone;
  EXPECT_THROW(do_together(alone, [] { throw input_error("no such file", "give another"); }), Error);
}

TEST(Collectives, SaysWhoseMessageWaits) {
  on_ranks(2, [](Communicator& ranks) {
    std::byte one{};
    if (ranks.rank() == 1) {
      const Outgoing out{0, {&one, 1}};
      ranks.exchange({&out, 1}, {});
      return;
    }
    while (ranks.waiting() < 0) std::this_thread::yield();
    EXPECT_EQ(ranks.waiting(), 1);
    const Incoming in{1, {&one, 1}};
    ranks.exchange({}, {&in, 1});
    EXPECT_EQ(ranks.waiting(), -1);
  });
}

}  // namespace
}  // namespace longhand::distributed
