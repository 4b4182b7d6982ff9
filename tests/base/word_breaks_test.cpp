// Word boundaries by Unicode Annex 29.
#include "longhand/base/word_breaks.h"

#include <algorithm>
#include <string>

#include "longhand/base/utf8.h"
#include "tests/testing.h"

namespace longhand {
namespace {

// The text with a bar at each boundary within it.
std::string with_bars(const std::string& text) {
  std::string out;
  const std::vector<size_t> bounds = word_boundaries(text);
  for (size_t i = 0; i + 1 < bounds.size(); ++i) {
    if (i > 0) out += '|';
    out += text.substr(bounds[i], bounds[i + 1] - bounds[i]);
  }
  return out;
}

TEST(WordBreaks, EachRuleDecides) {
  EXPECT_TRUE(word_boundaries("").empty());                                                           // WB1, WB2
  EXPECT_EQ(with_bars("a\r\nb\nc\u2028d"), "a|\r\n|b|\n|c|\u2028|d");                                 // WB3, WB3a, WB3b
  EXPECT_EQ(with_bars("a \u0308b"), "a| \u0308|b");                                                   // WB4
  EXPECT_EQ(with_bars("\U0001F469\u200D\U0001F466x"), "\U0001F469\u200D\U0001F466|x");                // WB3c
  EXPECT_EQ(with_bars("a   b"), "a|   |b");                                                           // WB3d
  EXPECT_EQ(with_bars("cafe\u0301s"), "cafe\u0301s");                                                 // WB4, WB5
  EXPECT_EQ(with_bars("can't o'' l\u2019eau. a:b x.y"), "can't| |o|'|'| |l\u2019eau|.| |a:b| |x.y");  // WB6, WB7
  EXPECT_EQ(with_bars("a.\u0308b a."), "a.\u0308b| |a|.");  // WB6 looks past what extends
  EXPECT_EQ(with_bars("\u05D2' \u05E6\u05D4\"\u05DC \u05D2\""),
            "\u05D2'| |\u05E6\u05D4\"\u05DC| |\u05D2|\"");                            // WB7a-c
  EXPECT_EQ(with_bars("3a a3 1,234.5 1,a 12,"), "3a| |a3| |1,234.5| |1|,|a| |12|,");  // WB8 to WB12
  EXPECT_EQ(with_bars("カタカナ春の"), "カタカナ|春|の");                             // WB13, WB999
  EXPECT_EQ(with_bars("a_b_ _1"), "a_b_| |_1");                                       // WB13a, WB13b
  EXPECT_EQ(with_bars("\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7\U0001F1E9"),
            "\U0001F1E9\U0001F1EA|\U0001F1EB\U0001F1F7|\U0001F1E9");  // WB15, WB16
  EXPECT_EQ(with_bars("!?$5"), "!|?|$|5");
}

TEST(WordBreaks, PropertiesAreThoseOfTheStandard) {
  using enum WordBreak;
  const std::vector<std::pair<char32_t, WordBreak>> cases = {{U'a', kLetter},
                                                             {U'\u00AA', kLetter},
                                                             {U'\u02D7', kLetter},
                                                             {U'\u24B6', kLetter},
                                                             {U'\u05D0', kHebrewLetter},
                                                             {U'\u05F3', kLetter},
                                                             {U'\u0E01', kOther},
                                                             {U'\u0E31', kExtend},
                                                             {U'\u3042', kOther},
                                                             {U'\u30A2', kKatakana},
                                                             {U'\u3005', kLetter},
                                                             {U'\u4E00', kOther},
                                                             {U'\uAC00', kLetter},
                                                             {U'\u066B', kNumeric},
                                                             {U'\u066C', kMidNumber},
                                                             {U'\u200B', kOther},
                                                             {U'\u00AD', kFormat},
                                                             {U'\u00A0', kOther},
                                                             {U'\u3000', kSegmentSpace},
                                                             {U'\u202F', kExtendNumberOrLetter},
                                                             {U'\u203F', kExtendNumberOrLetter},
                                                             {0x1F3FB, kExtend},
                                                             {0x1F1E6, kRegionalIndicator},
                                                             {0x1F600, kOther}};
  for (const auto& [c, value] : cases) {
    EXPECT_EQ(static_cast<int>(word_break_of(c)), static_cast<int>(value)) << std::hex << static_cast<uint32_t>(c);
  }
}

// Looking ahead does not make the time grow with the square; any bytes are read.
TEST(WordBreaks, TakeLinearTimeAndAnyBytes) {
  for (const std::string& piece : {std::string("a.\u0308"), std::string("\u05D0\"\u0308"), std::string("\xFF\xC3")}) {
    std::string text;
    while (text.size() < 3'000'000) text += piece;
    EXPECT_EQ(word_boundaries(text).back(), text.size());
  }
  std::string extended = "a'";
  for (int i = 0; i < 1'000'000; ++i) extended += "\u0308";
  EXPECT_EQ(word_boundaries(extended + "b").size(), 2U);
}

}  // namespace
}  // namespace longhand
