// The ground floor: random numbers, UTF-8, threads, options, the parameter arena.
#include <set>

#include "longhand/base/arena.h"
#include "longhand/base/error.h"
#include "longhand/base/json_depth.h"
#include "longhand/base/options.h"
#include "longhand/base/rng.h"
#include "longhand/base/schedule.h"
#include "longhand/base/threads.h"
#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "tests/testing.h"

namespace longhand {
namespace {

TEST(Philox, GivesThePublishedVectors) {
  // The known-answer vectors that the authors of the generator publish with it.
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(CounterRng, HasTheMomentsOfItsDistributions) {
  const CounterRng rng(1, 2, RngPlace::kSample);
  constexpr int kDraws = 200000;
  double uniform = 0.0, normal = 0.0, square = 0.0;
  for (uint64_t i = 0; i < kDraws; ++i) {
    uniform += static_cast<double>(rng.uniform(i));
    const double z = rng.normal(i);
    normal += z;
    square += z * z;
  }
  // Five standard errors of each mean.
  EXPECT_NEAR(uniform / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(normal / kDraws, 0.0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(square / kDraws, 1.0, 5 * std::sqrt(2.0 / kDraws));
}

TEST(CounterRng, DiffersBySeedStepAndPlace) {
  std::set<uint32_t> seen;
  for (const uint64_t seed : {0, 1}) {
    for (const uint64_t step : {0, 1}) {
      for (const uint32_t offset : {0, 1}) {
        seen.insert(CounterRng(seed, step, RngPlace::kDropout, offset).bits(0));
      }
    }
  }
  EXPECT_EQ(seen.size(), 8U);
}

TEST(Utf8, RoundTripsEveryLength) {
  const std::string text = "a\u00e9\u6625\U0001F33F\n";
  EXPECT_EQ(find_invalid_utf8(text), std::string::npos);
  std::vector<char32_t> points;
  for (size_t at = 0; at < text.size();) at += decode_utf8(text, at, points.emplace_back());
  EXPECT_EQ(points, (std::vector<char32_t>{U'a', U'\u00e9', U'\u6625', U'\U0001F33F', U'\n'}));
  std::string back;
  for (const char32_t c : points) append_utf8(c, back);
  EXPECT_EQ(back, text);
}

TEST(Utf8, NamesTheByteThatIsWrong) {
  const std::vector<std::pair<std::string, size_t>> bad = {
      {"ab\x80", 2},               // a continuation byte alone
      {"a\xC3", 1},                // cut short
      {"\xC0\xAF", 0},             // overlong
      {"ab\xE0\x80\x80", 2},       // overlong
      {"x\xED\xA0\x80", 1},        // a surrogate
      {"\xF4\x90\x80\x80", 0},     // above U+10FFFF
      {"\xE6\x98\xA5\xE6\x98", 3}  // cut short after a good one
  };
  for (const auto& [text, expected] : bad) {
    EXPECT_EQ(find_invalid_utf8(text), expected);
  }
}

// Whatever the bytes are, a loop over characters comes to its end.
TEST(Utf8, TheNextCharacterIsAlwaysFurther) {
  for (int first = 0; first < 256; ++first) {
    const std::string text = {static_cast<char>(first), '\x80', 'a'};
    char32_t c = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t bytes = next_character(text, at, c);
      ASSERT_GE(bytes, 1U);
      at += bytes;
    }
    EXPECT_EQ(c, U'a');
  }
}

TEST(Utf8, ControlCharactersAreMadeVisible) {
  EXPECT_EQ(visible("a\x1b[31m\n\t\r\x7f\xc2\x9b\u00e9"), "a\\x1B[31m\\n\\t\\r\\x7F\\x9B\u00e9");
  EXPECT_EQ(visible("\u00e9\xC3 \xFFx\xE4\xB8"), "\u00e9\\xC3 \\xFFx\\xE4\\xB8");  // bytes that are no UTF-8
  EXPECT_EQ(visible_lines("a\n\tb\r\xC3"), "a\n\tb\\r\xC3");
}

TEST(Unicode, CaseComesFromItsTables) {
  EXPECT_EQ(lowercased("ÀÉŐ ΑΩ ЖЯ Ⅷ ＡＢ 𐐀"), "àéő αω жя ⅷ ａｂ 𐐨");
  EXPECT_EQ(lowercased("ß ſ \xFF"), "ß ſ \xFF");
  EXPECT_EQ(lower_case(U'İ'), U'i');  // one code point for one
}

TEST(Unicode, KindsAreThoseOfEveryScript) {
  for (const char32_t c : {U'A', U'É', U'Ж', U'ǅ'})
    EXPECT_EQ(kind_of(c), CharacterKind::kCapital) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'a', U'ß', U'字', U'ا', U'\u0301'})
    EXPECT_EQ(kind_of(c), CharacterKind::kLetter) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'7', U'٣', U'७'}) EXPECT_EQ(kind_of(c), CharacterKind::kDigit) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'½', U'Ⅷ'}) EXPECT_EQ(kind_of(c), CharacterKind::kNumber) << static_cast<uint32_t>(c);
  for (const char32_t c : {U' ', U'\t', U'\u00A0', U'\u3000', U'\u2028'}) {
    EXPECT_EQ(kind_of(c), CharacterKind::kSpace) << static_cast<uint32_t>(c);
    EXPECT_TRUE(is_white_space(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'.', U'¿', U'。', U'،', U'।', U'«', U'„', U'…', U'€', U'😀'}) {
    EXPECT_EQ(kind_of(c), CharacterKind::kOther) << static_cast<uint32_t>(c);
  }
  EXPECT_FALSE(is_white_space(U'\u200B'));  // zero width, and no white space to Unicode
}

TEST(Unicode, WideCharactersTakeTwoColumns) {
  EXPECT_EQ(display_width("ab"), 2U);
  EXPECT_EQ(display_width("春夏"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(left_aligned("ab", 3), "ab ");
  EXPECT_EQ(left_aligned("abcd", 3), "abcd");
  EXPECT_EQ(right_aligned("春", 3), " 春");
  EXPECT_EQ(cut_to_width("春夏", 3), "春");
  EXPECT_EQ(cut_to_width("e\u0301a", 1), "e\u0301");
}

TEST(JsonDepth, CountsWhatIsNotInTexts) {
  EXPECT_FALSE(json_nests_deeper("[{\"a\": \"[[[[\\\"[\"}]", 2));
  EXPECT_TRUE(json_nests_deeper("[[[1]]]", 2));
  EXPECT_FALSE(json_nests_deeper("[[],[],[]]", 2));
}

TEST(Buffer, IsEmptyAfterAMove) {
  Buffer<float> a(5), b(3);
  a[4] = 2.0F;
  b = std::move(a);
  EXPECT_EQ(b.size(), 5);
  EXPECT_EQ(b[4], 2.0F);
  EXPECT_EQ(a.size(), 0);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(a.data(), nullptr);
  const Buffer<float> c(std::move(b));
  EXPECT_EQ(c.size(), 5);
  EXPECT_EQ(b.size(), 0);  // NOLINT(bugprone-use-after-move)
}

TEST(Split, CoversEverythingOnceInWholeGrains) {
  for (const int64_t n : {0, 1, 5, 16, 17, 100}) {
    for (const int parts : {1, 2, 3, 7}) {
      for (const int64_t grain : {1, 4, 16}) {
        int64_t next = 0;
        for (int part = 0; part < parts; ++part) {
          const Range range = split(n, parts, part, grain);
          EXPECT_EQ(range.begin, next);
          EXPECT_TRUE(range.begin % grain == 0 || range.begin == n);
          next = range.end;
        }
        EXPECT_EQ(next, n);
      }
    }
  }
}

TEST(ThreadPool, RunsEveryPartManyTimes) {
  ThreadPool pool(4);
  std::vector<int64_t> counts(16);
  for (int round = 0; round < 2000; ++round) {
    pool.run([&](int part, int parts) {
      ASSERT_EQ(parts, 16);
      ++counts[static_cast<size_t>(part)];
    });
  }
  EXPECT_EQ(counts, std::vector<int64_t>(16, 2000));
}

TEST(ThreadPool, UsesNoMorePartsThanAreUseful) {
  ThreadPool pool(4);
  for (const auto& [useful, expected] : {std::pair<int64_t, int>{2, 2}, {0, 1}, {9, 9}, {99, 16}}) {
    std::atomic<int> calls{0};
    pool.run(
        [&, want = expected](int, int parts) {
          EXPECT_EQ(parts, want);
          ++calls;
        },
        useful);
    EXPECT_EQ(calls.load(), expected);
  }
}

TEST(ThreadPool, RethrowsAndContinues) {
  ThreadPool pool(3);
  const auto fail_in_part_two = [](int part, int) {
    if (part == 2) throw std::runtime_error("two");
  };
  EXPECT_THROW(pool.run(fail_in_part_two), std::runtime_error);
  EXPECT_THROW(pool.run([](int, int) { throw std::runtime_error("all"); }), std::runtime_error);
  std::atomic<int> calls{0};
  pool.run([&](int, int) { ++calls; });  // and nothing of the former is left
  EXPECT_EQ(calls.load(), 12);
}

// Two stacks of three lanes: alone, in blocks of another size, and shared by members.
std::vector<Lane> two_stacks() {
  std::vector<Lane> lanes;
  for (int strand = 0; strand < 2; ++strand) {
    const int first = static_cast<int>(lanes.size());
    lanes.push_back({.steps = 23, .block = 5, .members = 1, .after = -1, .strand = strand});
    lanes.push_back({.steps = 23, .block = 3, .members = 2, .after = first, .strand = strand});
    lanes.push_back({.steps = 23, .block = 1, .members = 3, .after = first + 1, .strand = strand});
  }
  return lanes;
}

void expect_in_order(ThreadPool& pool) {
  const std::vector<Lane> lanes = two_stacks();
  Schedule schedule;
  for (int round = 0; round < 50; ++round) {
    std::vector<std::atomic<int64_t>> steps_done(lanes.size());  // times the members
    schedule.run(lanes, pool, 9, [&](int lane, int member, Range steps, int thread) {
      const Lane& l = lanes[static_cast<size_t>(lane)];
      EXPECT_LT(member, l.members);
      EXPECT_LT(thread, pool.size());
      EXPECT_GE(steps_done[static_cast<size_t>(lane)].load(), steps.begin * l.members);
      if (l.after >= 0) {
        const Lane& needed = lanes[static_cast<size_t>(l.after)];
        EXPECT_GE(steps_done[static_cast<size_t>(l.after)].load(), steps.end * needed.members);
      }
      steps_done[static_cast<size_t>(lane)] += steps.size();
    });
    for (size_t lane = 0; lane < lanes.size(); ++lane) EXPECT_EQ(steps_done[lane].load(), 23 * lanes[lane].members);
  }
}

TEST(Schedule, DoesEveryPieceOnceAfterWhatItNeeds) {
  for (const int threads : {1, 2, 3, 5}) {
    ThreadPool pool(threads);
    expect_in_order(pool);
  }
}

TEST(Schedule, LetsNoPieceOfAHostsThreadsWait) {
  testing::OneByOne host;
  ThreadPool pool(host);
  expect_in_order(pool);
}

TEST(Schedule, RethrowsAndContinues) {
  ThreadPool pool(3);
  Schedule schedule;
  const std::vector<Lane> lanes = two_stacks();
  EXPECT_THROW(schedule.run(lanes, pool, 3,
                            [](int lane, int, Range steps, int) {
                              if (lane == 1 && steps.begin == 6) throw std::runtime_error("six");
                            }),
               std::runtime_error);
  std::atomic<int64_t> steps_done{0};
  schedule.run(lanes, pool, 3, [&](int, int, Range steps, int) { steps_done += steps.size(); });
  EXPECT_EQ(steps_done.load(), int64_t{2} * 23 * 6);
}

TEST(Schedule, DoesOneEmptyPieceWithoutSteps) {
  ThreadPool pool(2);
  Schedule schedule;
  const std::vector<Lane> lanes = {{}, {.members = 2, .after = 0}};
  std::atomic<int> pieces{0};
  schedule.run(lanes, pool, 2, [&](int, int, Range steps, int) {
    EXPECT_EQ(steps.size(), 0);
    ++pieces;
  });
  EXPECT_EQ(pieces.load(), 3);
}

// Threads that wake up late find another run than the one that they were woken for.
TEST(ThreadPool, RunsFewPartsAfterMany) {
  ThreadPool pool(7);
  for (int round = 0; round < 3000; ++round) {
    std::atomic<int> calls{0};
    const int parts = round % 2 == 0 ? 28 : 2;
    pool.run([&](int, int) { ++calls; }, parts);
    ASSERT_EQ(calls.load(), parts);
  }
}

TEST(ThreadPool, OthersTakeThePartsOfAThreadThatIsLate) {
  ThreadPool pool(2);
  std::atomic<int> done{0};
  std::array<std::atomic<int>, 2> busy{};
  pool.run([&](int part, int parts, int thread) {
    EXPECT_EQ(busy[static_cast<size_t>(thread)]++, 0);  // a thread does one part at a time
    while (part == 0 && done.load() < parts - 1) std::this_thread::yield();
    --busy[static_cast<size_t>(thread)];
    ++done;
  });
  EXPECT_EQ(done.load(), 8);
}
TEST(ThreadPool, FlushesDenormalsInEveryPartAndNotOutside) {
  ThreadPool pool(2);
  volatile float tiny = 1e-38F;
  std::vector<float> quotients(8, 1.0F);
  pool.run([&](int part, int) { quotients[static_cast<size_t>(part)] = tiny / 100.0F; });
  EXPECT_EQ(quotients, std::vector<float>(8, 0.0F));
  EXPECT_GT(tiny / 100.0F, 0.0F);
}

struct Settings {
  int64_t hidden = 256;
  double dropout = 0.5;
  bool lower = false;
  std::string rule = "adam";
  OptionTable table;
  Settings() {
    table.add("hidden", hidden, "units", at_least(1));
    table.add("dropout", dropout, "dropout", fraction());
    table.add("lowercase", lower, "lower");
    table.add("optimizer", rule, "rule", one_of({"sgd", "adam"}));
  }
  std::string error(const std::string& name, const std::string& text) {
    try {
      table.set(*table.find(name), text, "--" + name);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kUsage);
      return std::string(e.what()) + "|" + e.advice();
    }
    return "";
  }
};

TEST(Options, AreParsedCheckedAndShown) {
  Settings s;
  EXPECT_EQ(s.error("hidden", "12"), "");
  EXPECT_EQ(s.hidden, 12);
  EXPECT_EQ(s.error("dropout", "1e-1"), "");
  EXPECT_EQ(s.dropout, 0.1);
  EXPECT_EQ(s.table.find("dropout")->text(), "0.1");
  EXPECT_EQ(s.table.find("hiden"), nullptr);
}

TEST(Options, RefuseInvalidValues) {
  Settings s;
  EXPECT_EQ(s.error("hidden", "0"), "--hidden: expected an integer of at least 1, found '0'|the default is 256");
  for (const char* text : {"", "12x", "1.5", "99999999999999999999", "-3"}) EXPECT_NE(s.error("hidden", text), "");
  for (const char* text : {"1", "-0.1", "nan", "inf", "1e999", "half"}) EXPECT_NE(s.error("dropout", text), "");
  EXPECT_NE(s.error("lowercase", "yes"), "");
  EXPECT_NE(s.error("optimizer", "adm").find("did you mean adam?"), std::string::npos);
  EXPECT_EQ(s.hidden, 256);
  EXPECT_EQ(s.rule, "adam");
}

TEST(Nearest, IgnoresLongNames) {
  const std::string word(200000, 'x');
  EXPECT_EQ(nearest(word, {std::string(200000, 'y'), word}), std::nullopt);
  EXPECT_EQ(nearest("hiden", {std::string(200000, 'y'), "hidden"}), "hidden");
}

TEST(Listed, NamesAreCutOffWhereTheyAreMany) {
  EXPECT_EQ(listed({}), "none");
  EXPECT_EQ(listed({"a", "b"}), "a, b");
  EXPECT_EQ(listed({"a", "b", "c"}, 2), "a, b, ...");
}

TEST(Nearest, FindsTyposOnly) {
  const std::vector<std::string> names = {"--hidden", "--layers", "--learning-rate", "--lr"};
  EXPECT_EQ(nearest("--hiden", names), "--hidden");
  EXPECT_EQ(nearest("--layer", names), "--layers");
  EXPECT_EQ(nearest("--learning", names), "--learning-rate");
  EXPECT_EQ(nearest("--zzzzzzzz", names), std::nullopt);
  EXPECT_EQ(nearest("trian", {"train", "eval"}), "train");
  EXPECT_EQ(nearest("ml", {"lm"}), "lm");
  EXPECT_EQ(nearest("xy", {"lm"}), std::nullopt);
  EXPECT_EQ(nearest("b", {"a", "c", "bc"}), std::nullopt);
}

TEST(ParameterArena, AlignsAndInitialisesBySeed) {
  ParameterArena arena;
  const Initialiser draw = [](std::span<float> values, const CounterRng& rng) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = 1.0F + rng.uniform(i);
  };
  arena.declare("a", {3, 5}, draw);
  arena.declare("b", {7}, draw);
  arena.allocate();
  EXPECT_EQ(arena.count(), 22);
  EXPECT_EQ(arena.values().size(), 32U);
  arena.initialise(4);
  const std::vector<float> first(arena.values().begin(), arena.values().end());
  EXPECT_EQ(first[15], 0.0F);  // padding
  EXPECT_GE(first[16], 1.0F);  // b begins on the next line
  EXPECT_NE(first[0], first[16]);
  arena.initialise(4);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), arena.values().begin()));
  arena.initialise(5);
  EXPECT_NE(first[0], arena.values()[0]);
}

TEST(ParameterArena, HasGradientsInTheTouchedRowsOfASparseParameter) {
  const auto nothing = [](std::span<float>, const CounterRng&) {};
  ParameterArena arena;
  arena.declare("before", {5}, nothing);
  const size_t table = arena.declare("table", {6, 3}, nothing);  // 16 .. 34, then padding to 48
  arena.declare("after", {2}, nothing);
  arena.allocate();
  arena.allocate_gradients();
  const auto touched = [&] {
    std::vector<std::pair<int64_t, int64_t>> out;
    for (const Range& range : arena.touched()) out.emplace_back(range.begin, range.end);
    return out;
  };
  using Ranges = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(touched(), (Ranges{{0, 64}}));
  arena.make_sparse(table);
  EXPECT_EQ(touched(), (Ranges{{0, 16}, {48, 64}}));
  for (const int64_t row : {4, 1, 2, 4}) arena.touch(table, row);
  arena.touch(0, 3);  // of a parameter that is not sparse
  EXPECT_EQ(touched(), (Ranges{{0, 16}, {19, 25}, {28, 31}, {48, 64}}));
  arena.forget_touched();
  EXPECT_EQ(touched(), (Ranges{{0, 16}, {48, 64}}));
  arena.touch(table, 0);
  EXPECT_EQ(touched(), (Ranges{{0, 19}, {48, 64}}));
}

}  // namespace
}  // namespace longhand
