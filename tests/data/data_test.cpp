// Texts, vocabularies and corpora.
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/data/builtin.h"
#include "longhand/data/text.h"
#include "tests/testing.h"

namespace longhand::data {
namespace {

// A text's symbols, by way of a vocabulary that knows all of them.
std::vector<std::string> symbols(const std::string& text, const TextOptions& options) {
  const std::string normal = normalise(text, options, "test");
  const Vocabulary vocabulary = build_vocabulary(normal, options);
  std::vector<std::string> out;
  for (const int32_t s : encode(normal, options, vocabulary, Unknown::kError, "test").symbols) {
    out.push_back(vocabulary.symbol(s));
  }
  return out;
}

using testing::error_of;

using Words = std::vector<std::string>;

TEST(Text, HasThreeLevels) {
  EXPECT_EQ(symbols("é b\n", {}), (Words{"é", " ", "b", "\n"}));
  EXPECT_EQ(symbols("é", {.level = "byte"}), (Words{"\xC3", "\xA9"}));
  EXPECT_EQ(symbols("to  be,\tor\r\nnot ", {.level = "word"}), (Words{"to", "be,", "or", "<eos>", "not"}));
}

TEST(Text, IsLowerCasedAndReducedToLetters) {
  EXPECT_EQ(normalise("AbC ÉÑ ΑΩ ЖЯЁ Šž", {.lowercase = true}, "t"), "abc éñ αω жяё šž");
  EXPECT_EQ(normalise("AbÉ", {.level = "byte", .lowercase = true}, "t"), "abÉ");
  EXPECT_EQ(normalise("The Time--Machine, by\n\nH. G. Wells [1898]", {.lowercase = true, .letters_only = true}, "t"),
            "the time machine by h g wells ");
  EXPECT_EQ(normalise("a-b\nc d\n", {.letters_only = true, .lines = true}, "t"), "a b\nc d\n");
}

TEST(Text, ThatIsNotUtf8NamesTheOffset) {
  EXPECT_EQ(error_of([] { normalise("ab\xFF", {}, "f.txt"); }), "f.txt:1: expected UTF-8, found byte 0xFF at offset 2");
  EXPECT_NO_THROW(normalise("ab\xFF", {.level = "byte"}, "f.txt"));
}

TEST(Vocabulary, IsOrderedByFrequencyThenBytes) {
  const Vocabulary v = build_vocabulary("bbbaac", {});
  ASSERT_EQ(v.size(), 3);
  EXPECT_EQ(v.symbol(0), "b");
  EXPECT_EQ(v.symbol(1), "a");
  EXPECT_EQ(v.find("c"), 2);
  EXPECT_EQ(v.find("d"), -1);
  const Vocabulary rare = build_vocabulary("bbbaac", {.min_count = 2});
  EXPECT_EQ(rare.symbol(0), "<unk>");
  EXPECT_EQ(rare.size(), 3);
  const Vocabulary lines = build_vocabulary("ab\nb\n", {.lines = true});
  EXPECT_EQ(lines.symbol(0), "<bos>");
  EXPECT_EQ(lines.symbol(1), "<eos>");
  EXPECT_EQ(lines.symbol(2), "b");
  EXPECT_EQ(lines.size(), 4);
}

TEST(Vocabulary, SurvivesJsonWithAnyBytes) {
  std::string text;
  for (int byte = 0; byte < 256; ++byte) text.push_back(static_cast<char>(byte));
  const Vocabulary v = build_vocabulary(text, {.level = "byte"});
  const Vocabulary back = Vocabulary::from_json(nlohmann::json::parse(v.to_json().dump()), "m");
  ASSERT_EQ(back.size(), 256);
  for (int32_t i = 0; i < 256; ++i) EXPECT_EQ(back.symbol(i), v.symbol(i));
}

TEST(Vocabulary, RefusesDamagedJson) {
  for (const char* text : {"[]", "{}", R"({"symbols":[]})", R"({"symbols":["a","a"]})", R"({"symbols":[300]})",
                           R"({"symbols":[null]})", R"({"symbols":"ab"})"}) {
    EXPECT_NE(error_of([&] { Vocabulary::from_json(nlohmann::json::parse(text), "m"); }), "") << text;
  }
}

TEST(Encode, NamesTheUnknownSymbolAndItsLine) {
  const Vocabulary v = build_vocabulary("ab\n", {});
  EXPECT_EQ(error_of([&] { encode("ab\na\u00e9", {}, v, Unknown::kError, "f"); }),
            "f:2: the model does not know the symbol 'é'");
  EXPECT_EQ(encode("acb", {}, v, Unknown::kSkip, "f").symbols.size(), 2U);
  EXPECT_NE(error_of([&] { encode("acb", {}, v, Unknown::kUnk, "f"); }), "");
  const Vocabulary with_unk = build_vocabulary("aab", {.min_count = 2});
  EXPECT_EQ(encode("azb", {}, with_unk, Unknown::kUnk, "f").symbols, (std::vector<int32_t>{1, 0, 0}));
  EXPECT_EQ(encode("azb", {}, with_unk, Unknown::kSkip, "f").symbols, (std::vector<int32_t>{1}));
  EXPECT_NE(error_of([&] { encode("azb", {}, with_unk, Unknown::kError, "f"); }), "");
  const TextOptions words{.level = "word"};
  EXPECT_EQ(error_of([&] {
              encode("to be\nor not\nnever", words, build_vocabulary("to be\nor not", words), Unknown::kError, "f");
            }),
            "f:3: the model does not know the symbol 'never'");
}

TEST(Encode, MakesASequenceOfEachLine) {
  const TextOptions options{.lines = true};
  const std::string text = "ab\n\nb";
  const Vocabulary v = build_vocabulary(text, options);
  const Corpus c = encode(text, options, v, Unknown::kError, "f");
  EXPECT_EQ(c.symbols, (std::vector<int32_t>{0, 3, 2, 1, 0, 2, 1}));  // <bos> a b <eos>, <bos> b <eos>; no empty line
  EXPECT_EQ(c.starts, (std::vector<int64_t>{0, 4, 7}));
  EXPECT_EQ(c.targets(), 5);
}

TEST(Truncate, KeepsSymbolsOrWholeLines) {
  EXPECT_EQ(truncate("\u6625\u590f\u79cb", {}, 2), "\u6625\u590f");
  EXPECT_EQ(truncate("ab cd ef", {.level = "word"}, 2), "ab cd");
  EXPECT_EQ(truncate("ab\ncd\nef\n", {.lines = true}, 5), "ab\ncd\n");
  EXPECT_EQ(truncate("abc", {}, 0), "abc");
  EXPECT_EQ(truncate("ab cd \nef ", {.level = "word", .lines = true}, 3), "ab cd \nef ");
  EXPECT_EQ(truncate("ab cd \nef ", {.level = "word", .lines = true}, 2), "ab cd \n");
}

Corpus stream(int64_t n) {
  Corpus c;
  for (int64_t i = 0; i < n; ++i) c.symbols.push_back(static_cast<int32_t>(i));
  c.starts = {0, n};
  return c;
}

TEST(Corpus, HasNoSequenceAtFirst) {
  EXPECT_EQ(Corpus().sequences(), 0);
  EXPECT_EQ(Corpus().targets(), 0);
}

TEST(SplitOff, TakesTheEnd) {
  Corpus c = stream(100);
  const Corpus rest = split_off(c, 0.1, false);
  EXPECT_EQ(c.symbols.size(), 90U);
  EXPECT_EQ(rest.symbols.front(), 90);
  Corpus lines;
  lines.symbols = {0, 5, 1, 0, 6, 1, 0, 7, 1, 0, 8, 1};
  lines.starts = {0, 3, 6, 9, 12};
  const Corpus last = split_off(lines, 0.25, true);
  EXPECT_EQ(last.symbols, (std::vector<int32_t>{0, 8, 1}));
  EXPECT_EQ(last.starts, (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(lines.sequences(), 3);
}

TEST(SplitOff, TakesTheEndOfATextThatIsReadFromThere) {
  Corpus c = stream(10);  // 0 is the text's last symbol
  const Corpus rest = split_off(c, 0.3, false, true);
  EXPECT_EQ(rest.symbols, (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(c.symbols, (std::vector<int32_t>{3, 4, 5, 6, 7, 8, 9}));
}

// The lengths of unknown words are turned around with them: a quadruple before a pair.
TEST(Encode, ReadsFromTheEnd) {
  const TextOptions words{.level = "word", .lines = true, .reverse = true, .min_count = 2};
  const std::string text = "a four b to\nb a\n\ntrio a\n";
  const Vocabulary v = build_vocabulary(text, words);  // <unk> <bos> <eos> a b
  const Corpus lines = encode(text, words, v, Unknown::kUnk, "f");
  EXPECT_EQ(lines.symbols, (std::vector<int32_t>{1, 0, 4, 0, 3, 2, 1, 3, 4, 2, 1, 3, 0, 2}));
  EXPECT_EQ(lines.starts, (std::vector<int64_t>{0, 6, 10, 14}));
  EXPECT_EQ(lines.unknown_lengths, (std::vector<int32_t>{2, 4, 4}));
  const TextOptions characters{.reverse = true};
  const Vocabulary of_characters = build_vocabulary("aab\n", characters);
  const Corpus stream = encode("aab\n", characters, of_characters, Unknown::kError, "f");
  std::string read;
  for (const int32_t symbol : stream.symbols) read += of_characters.symbol(symbol);
  EXPECT_EQ(read, "\nbaa");
  EXPECT_EQ(stream.starts, (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(encode("", characters, of_characters, Unknown::kError, "f").symbols.size(), 0U);
}

TEST(BuiltinTexts, AreAsLongAsPromisedAndValid) {
  const BuiltinText* tale = find_builtin("tale");
  ASSERT_NE(tale, nullptr);
  EXPECT_GE(tale->text.size(), 30000U);
  const BuiltinText* quatrains = find_builtin("quatrains");
  ASSERT_NE(quatrains, nullptr);
  ASSERT_EQ(find_invalid_utf8(quatrains->text), std::string_view::npos);
  std::vector<char32_t> points;
  for (size_t at = 0; at < quatrains->text.size();) at += decode_utf8(quatrains->text, at, points.emplace_back());
  // Each line: four verses of five or seven characters, ended by ， 。 ， 。
  std::vector<char32_t> line;
  int poems = 0;
  for (const char32_t c : points) {
    if (c != U'\n') {
      line.push_back(c);
      continue;
    }
    ASSERT_TRUE(line.size() == 24 || line.size() == 32) << "poem " << poems;
    const size_t verse = line.size() / 4;
    for (size_t i = 0; i < line.size(); ++i) {
      const bool mark = line[i] == U'，' || line[i] == U'。';
      ASSERT_EQ(mark, i % verse == verse - 1);
      ASSERT_TRUE(!mark || line[i] == (i / verse % 2 == 0 ? U'，' : U'。'));
    }
    line.clear();
    ++poems;
  }
  EXPECT_TRUE(line.empty());
  EXPECT_GE(poems, 200);
  EXPECT_EQ(find_builtin("tales"), nullptr);
}

TEST(Writer, PutsBlanksBetweenWordsAndEndsLines) {
  Writer words({.level = "word"});
  std::string out;
  for (const char* s : {"to", "be", "<eos>", "or", "not"}) out += words.next(s);
  EXPECT_EQ(out, "to be\nor not");
}

}  // namespace
}  // namespace longhand::data
