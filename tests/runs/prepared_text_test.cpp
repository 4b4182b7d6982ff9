// Prepared texts: whatever the blocks that a text is read in, the symbols are those of the text in memory; files that
// are damaged are refused.
#include "longhand/runs/prepared_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "longhand/base/crc32c.h"
#include "longhand/base/error.h"
#include "longhand/data/batches.h"
#include "longhand/io/file.h"
#include "longhand/runs/language_text.h"
#include "longhand/runs/prepare.h"
#include "longhand/runs/prepared_format.h"
#include "tests/testing.h"

namespace longhand::runs {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

const std::vector<std::string> kTexts = {
    "The Time--Machine, by\r\n\r\nH. G. Wells [1898]\rÉté, naïve 春夏 𝄞 word\n",
    "\xEF\xBB\xBF"
    "byte-order mark, then \xEF\xBB\xBF another\xC2\xA0no-break\xE3\x80\x80wide   runs\t of space\n\n\nend",
    "rare rare common common common <unk> <eos> <bos> once\nrare common\n \n  \ncommon\n",
    "x",
    "a\r\n",
    "\n\n",
    "no line end and one very long word: " + std::string(300, 'w') + "\xC3\xA9",
};

std::vector<PrepareOptions> all_options() {
  std::vector<PrepareOptions> out;
  for (const char* level : {"char", "byte", "word"}) {
    for (const bool lower : {false, true}) {
      for (const bool letters : {false, true}) {
        for (const bool lines : {false, true}) {
          for (const bool reverse : {false, true}) {
            for (const int64_t min_count : {1, 2}) {
              out.push_back({.text = {.level = level,
                                      .lowercase = lower,
                                      .letters_only = letters,
                                      .lines = lines,
                                      .reverse = reverse,
                                      .min_count = min_count}});
            }
          }
        }
      }
    }
  }
  for (const int64_t max : {1, 5, 12, 10000}) {
    for (const char* level : {"char", "word"}) {
      out.push_back({.text = {.level = level}, .max_tokens = max});
      out.push_back({.text = {.level = level, .lines = true, .reverse = true}, .max_tokens = max});
    }
  }
  return out;
}

// The text in memory.
struct InMemory {
  data::Vocabulary vocabulary;
  data::Corpus corpus;

  InMemory(const std::string& text, const PrepareOptions& options) {
    const std::string normal = data::normalise(text, options.text, "test");
    const std::string_view used = data::truncate(normal, options.text, options.max_tokens);
    vocabulary = data::build_vocabulary(used, options.text);
    corpus = data::encode(used, options.text, vocabulary, data::Unknown::kUnk, "test");
  }
};

void expect_same(const data::Corpus& actual, const data::Corpus& expected) {
  EXPECT_EQ(actual.symbols, expected.symbols);
  EXPECT_EQ(actual.starts, expected.starts);
  EXPECT_EQ(actual.unknown_lengths, expected.unknown_lengths);
  EXPECT_EQ(actual.skipped, expected.skipped);
}

PreparedText prepared(const TemporaryFolder& folder, const std::string& text, const PrepareOptions& options,
                      size_t block = TextFile::kBlock) {
  io::write_file(folder / "text", text);
  const TextFile file(folder / "text", "test", options, {}, block);
  file.prepare(file.vocabulary(options.add_unknown), options.add_unknown, folder / "text.symbols");
  return PreparedText::open(folder / "text.symbols");
}

TEST(PreparedText, HasTheSymbolsOfTheTextInMemoryWhateverTheBlocks) {
  const TemporaryFolder folder;
  int64_t compared = 0;
  const std::vector<size_t> blocks[] = {{1, 64}, {2, 7}, {3, 1 << 20}};  // in turn: each file takes time on the disk
  for (const std::string& text : kTexts) {
    for (const PrepareOptions& options : all_options()) {
      const InMemory expected(text, options);
      if (expected.corpus.symbols.empty() || expected.vocabulary.size() < 2) continue;
      for (const size_t block : blocks[static_cast<size_t>(compared) / 2 % 3]) {
        io::write_file(folder / "text", text);
        const TextFile file(folder / "text", "test", options, {}, block);
        ASSERT_TRUE(file.vocabulary(false) == expected.vocabulary);
        EXPECT_FALSE(file.has_unknown(expected.vocabulary) && expected.corpus.unknown_lengths.empty());
        file.prepare(expected.vocabulary, false, folder / "out");
        const PreparedText out = PreparedText::open(folder / "out");
        EXPECT_EQ(out.options().text.level, options.text.level);
        EXPECT_EQ(out.options().max_tokens, options.max_tokens);
        expect_same(out.corpus(), expected.corpus);
        if (::testing::Test::HasFailure()) {
          FAIL() << "text '" << text << "', level " << options.text.level << ", block " << block << ", lines "
                 << options.text.lines << ", reverse " << options.text.reverse << ", max " << options.max_tokens;
        }
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 800);
  // Nothing but the two files is left.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.string()), {}), 2);
}

TEST(PreparedText, IsAsWideAsItsVocabularyNeeds) {
  const TemporaryFolder folder;
  for (const int64_t symbols : {255, 256, 257, 65536, 65537}) {
    std::string text;
    for (int64_t i = 0; i < symbols; ++i) text += fmt::format("w{} ", i);
    const PreparedText out = prepared(folder, text, {.text = {.level = "word"}});
    EXPECT_EQ(out.symbol_bytes(), symbols <= 256 ? 1 : symbols <= 65536 ? 2 : 4);
    EXPECT_EQ(out.vocabulary().size(), symbols);
    expect_same(out.corpus(), InMemory(text, {.text = {.level = "word"}}).corpus);
  }
}

TEST(PreparedText, KeepsWhatAGivenVocabularyLacks) {
  const TemporaryFolder folder;
  const data::TextOptions options{.level = "word"};
  const data::Vocabulary vocabulary = data::build_vocabulary("the cat sat\n", options, true);
  io::write_file(folder / "text", "the été sat\nthe dog naps\n");
  for (const char* unknown : {"unk", "skip"}) {
    for (const size_t block : {1, 3, 100}) {
      const TextFile file(folder / "text", "test", {.text = options, .unknown = unknown}, {}, block);
      EXPECT_TRUE(file.has_unknown(vocabulary));
      file.prepare(vocabulary, false, folder / "out");
      const data::Corpus expected =
          data::encode("the été sat\nthe dog naps\n", options, vocabulary, data::parse_unknown(unknown), "test");
      expect_same(PreparedText::open(folder / "out").corpus(), expected);
      EXPECT_EQ(expected.skipped, unknown == std::string("skip") ? 3 : 0);
    }
  }
  const TextFile file(folder / "text", "test", {.text = options, .unknown = "error"}, {}, 4);
  EXPECT_EQ(error_of([&] { file.prepare(vocabulary, false, folder / "none"); }),
            "test:1: the model does not know the symbol 'été'");
  EXPECT_FALSE(io::exists(folder / "none"));
}

TEST(PreparedText, IsRefusedWithTheErrorsOfTheTextInMemory) {
  const TemporaryFolder folder;
  const std::vector<std::string> bad = {
      "one\ntwo\nthr\xFF"
      "ee\n",
      "cut at its end \xE6\x98",
      std::string("zero\n\0", 6),
      "\xFF\xFE"
      "a",
      "mac\rline\r\xC3(",
      std::string("\xFF\xFE\0\0", 4)};
  for (const std::string& text : bad) {
    for (const size_t block : {1, 2, 5, 100}) {
      io::write_file(folder / "text", text);
      const TextFile file(folder / "text", "test", {}, {}, block);
      const std::string expected = error_of([&] { data::normalise(text, {}, "test"); });
      EXPECT_NE(expected, "");
      EXPECT_EQ(error_of([&] { file.vocabulary(false); }), expected) << block;
    }
  }
}

// Batches of every kind, from views and their parts.
TEST(PreparedText, GivesTheBatchesOfTheTextInMemory) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 4000; ++i)
    text +=
        std::string(static_cast<size_t>(i * 37 % 50), static_cast<char>('a' + i % 26)) + " " + std::to_string(i) + "\n";
  for (const bool lines : {false, true}) {
    for (const bool reverse : {false, true}) {
      const PrepareOptions options{.text = {.lines = lines, .reverse = reverse}};
      data::Corpus expected = InMemory(text, options).corpus, actual = prepared(folder, text, options).corpus();
      const data::Corpus expected_end = data::split_off(expected, 0.1, lines, reverse);
      const data::Corpus actual_end = data::split_off(actual, 0.1, lines, reverse);
      expect_same(actual, expected);
      expect_same(actual_end, expected_end);
      for (const data::StreamOptions& stream :
           {data::StreamOptions{}, data::StreamOptions{.moving = true, .reset = 0.3, .epochs = 3}}) {
        const data::GroupOptions groups{.batch = 7, .accumulate = 2, .seed = 5};
        for (const auto& [a, b] :
             {std::pair<const data::Corpus*, const data::Corpus*>(&actual, &expected), {&actual_end, &expected_end}}) {
          data::Batches mapped(*a, lines, 20, groups, stream), memory(*b, lines, 20, groups, stream);
          for (int64_t epoch = 0; epoch < 2; ++epoch) {
            mapped.begin_epoch(epoch);
            memory.begin_epoch(epoch);
            ASSERT_EQ(mapped.size(), memory.size());
            data::Batch x, y;
            for (int64_t i = 0; i < mapped.size(); ++i) {
              ASSERT_EQ(mapped.parts(i), memory.parts(i));
              mapped.get(i, 0, x);
              memory.get(i, 0, y);
              ASSERT_EQ(x.inputs, y.inputs);
              ASSERT_EQ(x.targets, y.targets);
              ASSERT_EQ(x.resets, y.resets);
            }
          }
        }
      }
    }
  }
}

// More than is kept resident: pages are given back, and read again.
TEST(PreparedText, IsReadAgainAfterItsPagesWereGivenBack) {
  const TemporaryFolder folder;
  std::string text;
  const CounterRng rng(1, 0, RngPlace::kSample);
  for (uint64_t i = 0; text.size() < size_t{70} << 20; ++i) {
    text += std::to_string(rng.below(i, 1000000007)) + (i % 9 == 0 ? "\n" : " ");
  }
  const PreparedText out = prepared(folder, text, {});
  const InMemory expected(text, {});
  for (int pass = 0; pass < 2; ++pass) {
    int64_t at = 0;
    bool same = true;
    out.corpus().symbols.for_each_piece([&](std::span<const int32_t> piece) {
      same = same && std::equal(piece.begin(), piece.end(), expected.corpus.symbols.memory().begin() + at);
      at += static_cast<int64_t>(piece.size());
    });
    EXPECT_TRUE(same);
    EXPECT_EQ(at, static_cast<int64_t>(text.size()));
  }
}

// Opens a file and reads all of it; "" where nothing is wrong.
std::string problem_with(const std::string& path) {
  return error_of([&] { PreparedText::open(path).verify(); });
}

TEST(PreparedText, RefusesTruncatedAndAlteredFiles) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 30000; ++i) text += "line " + std::to_string(i * i) + " of a text\n";
  const PreparedText whole = prepared(folder, text, {.text = {.level = "word", .lines = true, .min_count = 2}});
  EXPECT_EQ(problem_with(whole.path()), "");
  const std::string bytes = io::read_file(whole.path());
  ASSERT_GT(bytes.size(), size_t{3} << 16);
  const std::string path = folder / "bad";
  for (const size_t keep :
       {size_t{0}, size_t{7}, size_t{8}, size_t{4095}, size_t{4096}, bytes.size() / 2, bytes.size() - 1}) {
    io::write_file(path, std::string_view(bytes).substr(0, keep));
    EXPECT_NE(problem_with(path), "") << keep;
  }
  io::write_file(path, bytes + "more");
  EXPECT_NE(problem_with(path).find("expected " + std::to_string(bytes.size()) + " bytes"), std::string::npos);
  // Every byte counts but those between the sections.
  int64_t noticed = 0, flipped = 0;
  for (size_t at = 0; at < bytes.size(); at += at < 4200 ? 11 : 4093) {
    std::string altered = bytes;
    altered[at] = static_cast<char>(altered[at] ^ 0x10);
    io::write_file(path, altered);
    const bool found = !problem_with(path).empty();
    ++flipped;
    noticed += found ? 1 : 0;
    EXPECT_TRUE(found || bytes[at] == '\0') << at;
  }
  EXPECT_GE(noticed, flipped - 1);
  EXPECT_EQ(error_of([&] { PreparedText::open(folder / "text"); }),
            (folder / "text") + ": expected a prepared text, found something else");
  EXPECT_FALSE(PreparedText::is_one(folder / "text"));
  EXPECT_FALSE(PreparedText::is_one(folder / "nothing"));
  EXPECT_FALSE(PreparedText::is_one(folder.string()));
}

// A file whose checksums are right and whose contents are not.
std::string forged(const std::string& bytes, const std::function<void(PreparedHeader&, std::string& region)>& change) {
  PreparedHeader header = PreparedHeader::from_bytes(bytes, "test");
  const std::string about = bytes.substr(static_cast<size_t>(kPage), static_cast<size_t>(header.about_bytes));
  std::string region = bytes.substr(static_cast<size_t>(header.region()), static_cast<size_t>(header.region_bytes())),
              table;
  const std::string gap = bytes.substr(static_cast<size_t>(kPage + header.about_bytes),
                                       static_cast<size_t>(header.region() - kPage - header.about_bytes));
  change(header, region);
  for (size_t at = 0; at < region.size(); at += data::CheckedBlocks::kBlock) {
    const uint32_t crc = crc32c(std::string_view(region).substr(at, data::CheckedBlocks::kBlock));
    table.append(reinterpret_cast<const char*>(&crc), sizeof(crc));
  }
  header.table_crc = crc32c(table);
  return header.to_bytes() + about + gap + region + table;
}

TEST(PreparedText, RefusesContentsThatCannotBe) {
  const TemporaryFolder folder;
  const PreparedText good = prepared(folder, "ab\ncd\nabcd\n", {.text = {.lines = true}});
  const std::string bytes = io::read_file(good.path()), path = folder / "bad";
  const auto problem = [&](const std::function<void(PreparedHeader&, std::string&)>& change) {
    io::write_file(path, forged(bytes, change));
    const std::string found = problem_with(path);
    return found.empty() ? found : found.substr(path.size());
  };
  EXPECT_EQ(problem([](auto&, auto&) {}), "");
  EXPECT_EQ(problem([](auto&, std::string& region) { region[1] = 100; }),
            ": damaged: it has symbols that its vocabulary lacks");
  const auto starts = static_cast<size_t>(PreparedHeader::from_bytes(bytes, "test").starts());
  for (const size_t entry : {0, 1, 2, 3}) {
    for (const char value : {'\x01', '\x7F'}) {
      EXPECT_EQ(problem([&](auto&, std::string& region) { region[starts + 8 * entry] = value; }),
                ": damaged: its lines do not follow one another");
    }
  }
  EXPECT_EQ(problem([&](auto&, std::string& region) { region[starts + 15] = '\x80'; }),
            ": damaged: its lines do not follow one another");
  const std::string impossible = ": damaged: its header says what cannot be";
  EXPECT_EQ(problem([](PreparedHeader& h, auto&) { h.symbols = INT64_MAX; }), impossible);
  EXPECT_EQ(problem([](PreparedHeader& h, auto&) { h.sequences = -1; }), impossible);
  EXPECT_EQ(problem([](PreparedHeader& h, auto&) { h.unknowns = int64_t{1} << 60; }), impossible);
  EXPECT_EQ(problem([](PreparedHeader& h, auto&) { h.symbol_bytes = 3; }), impossible);
  EXPECT_NE(problem([](PreparedHeader& h, auto&) { h.sequences = 0; }), "");
  std::string newer = bytes;
  newer[8] = 9;
  io::write_file(path, newer);
  EXPECT_EQ(problem_with(path), path + ": expected version 1 of prepared texts, found 9");
}

TEST(LanguageText, IsPreparedOnceWhereItIsLarge) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "word " + std::to_string(i % 97) + " in a line\n";
  io::write_file(folder / "text", text);
  std::vector<std::string> notes;
  Sources sources({}, [&](const std::string& note) { notes.push_back(note); });
  int64_t reads = 0;
  sources.set_on_read(
      [&](const std::string&, int64_t, int64_t) {
        ++reads;
        return true;
      },
      {});
  const PrepareOptions options{.text = {.level = "word", .min_count = 2}};
  const InMemory expected(text, options);
  for (int run = 0; run < 2; ++run) {
    LanguageText large(folder / "text", options, true, sources, 1000);
    const data::Vocabulary vocabulary = large.vocabulary(false);
    EXPECT_TRUE(vocabulary == expected.vocabulary);
    const data::Corpus corpus = large.corpus(vocabulary);
    EXPECT_FALSE(corpus.symbols.in_memory());
    expect_same(corpus, expected.corpus);
    EXPECT_GT(reads, 0);
    EXPECT_TRUE(run == 0 || reads == 1000) << "the text was read again";
    reads = 1000;
  }
  EXPECT_EQ(notes.size(), 1U);
  // The same in memory.
  LanguageText small(folder / "text", options, true, sources, 1 << 30);
  EXPECT_TRUE(small.corpus(small.vocabulary(false)).symbols.in_memory());
  // Other options make another file; another text replaces it.
  LanguageText lower(folder / "text", {.text = {.lowercase = true}}, true, sources, 1000);
  lower.corpus(lower.vocabulary(false));
  EXPECT_EQ(notes.size(), 2U);
  io::write_file(folder / "text", text + "more more\n");
  LanguageText changed(folder / "text", options, true, sources, 1000);
  expect_same(changed.corpus(changed.vocabulary(false)), InMemory(text + "more more\n", options).corpus);
  EXPECT_EQ(notes.size(), 3U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.string()), {}), 3);
}

// <unk> is added for another text, and the vocabulary is that of the text in memory, from whichever file there is.
TEST(LanguageText, AddsUnknownToTheVocabulary) {
  const TemporaryFolder folder;
  io::write_file(folder / "text", "the cat sat on the mat\n");
  io::write_file(folder / "other", "the dog sat\n");
  Sources sources;
  const PrepareOptions options{.text = {.level = "word"}};
  for (int run = 0; run < 2; ++run) {
    LanguageText train(folder / "text", options, true, sources, 1), other(folder / "other", options, false, sources, 1);
    EXPECT_TRUE(train.vocabulary(false) == data::build_vocabulary("the cat sat on the mat\n", options.text, false));
    EXPECT_TRUE(other.has_unknown(train.vocabulary(false)));
    const data::Vocabulary vocabulary = train.vocabulary(true);
    EXPECT_TRUE(vocabulary == data::build_vocabulary("the cat sat on the mat\n", options.text, true));
    EXPECT_FALSE(train.corpus(vocabulary).symbols.in_memory());
    EXPECT_EQ(other.corpus(vocabulary).unknown_lengths, (std::vector<int32_t>{3}));
  }
}

TEST(LanguageText, RefusesOptionsAndVocabulariesOfOthers) {
  const TemporaryFolder folder;
  const PreparedText text = prepared(folder, "some text\n", {.text = {.lowercase = true}});
  Sources sources;
  PrepareOptions same, words, three;
  same.text.lowercase = words.text.lowercase = three.text.lowercase = true;
  words.text.level = "word";
  three.max_tokens = 3;
  EXPECT_EQ(error_of([&] { LanguageText(text.path(), words, true, sources); }, ExitCode::kUsage),
            "`level`: expected char, as " + text.path() + " was prepared, found word");
  EXPECT_EQ(error_of([&] { LanguageText(text.path(), three, true, sources); }, ExitCode::kUsage),
            "`max-tokens`: expected 0, as " + text.path() + " was prepared, found 3");
  LanguageText other(text.path(), same, false, sources);
  EXPECT_NE(error_of([&] { other.corpus(data::build_vocabulary("abc", {})); }).find("another vocabulary"),
            std::string::npos);
  EXPECT_NE(error_of([&] { sources.text(text.path()); }).find("is a text prepared for"), std::string::npos);
}

TEST(TextFile, StopsAndLeavesNothing) {
  const TemporaryFolder folder;
  io::write_file(folder / "text", std::string(1000, 'x') + "\n");
  int64_t reads = 0;
  const TextFile again(
      folder / "text", "test", {}, [&](int64_t, int64_t) { return ++reads < 5; }, 100);
  EXPECT_EQ(error_of([&] { again.prepare(data::build_vocabulary("x\n", {}), false, folder / "never"); },
                     ExitCode::kInterrupted),
            "test: stopped while the text was prepared");
  EXPECT_FALSE(io::exists(folder / "never"));
  for (const auto& entry : std::filesystem::directory_iterator(folder.string())) {
    EXPECT_FALSE(io::is_temporary(entry.path().filename().string())) << entry.path();
  }
  // An earlier file stays where a later one is not finished.
  io::write_file(folder / "out", "before");
  reads = 0;
  EXPECT_THROW(again.prepare(data::build_vocabulary("x\n", {}), false, folder / "out"), Error);
  EXPECT_EQ(io::read_file(folder / "out"), "before");
}

}  // namespace
}  // namespace longhand::runs
