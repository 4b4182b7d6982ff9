// Where words begin and end by Unicode's default rules, which need no dictionary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace longhand {

/// Word_Break, a property of characters (Unicode Standard Annex 29, table 3).
enum class WordBreak : uint8_t {
  kOther,
  kCarriageReturn,
  kLineFeed,
  kNewline,
  kExtend,
  kZeroWidthJoiner,
  kFormat,
  kKatakana,
  kHebrewLetter,
  kLetter,
  kSingleQuote,
  kDoubleQuote,
  kMidNumberOrLetter,
  kMidLetter,
  kMidNumber,
  kNumeric,
  kExtendNumberOrLetter,
  kRegionalIndicator,
  kSegmentSpace,
};

/// The property's value, of the version of Unicode that utf8proc has.
WordBreak word_break_of(char32_t c);

/// The bytes at which a word boundary is (Unicode Standard Annex 29, rules WB1 to WB999), in order: the first is 0 and
/// the last the size of the text; none of an empty one. Bytes that are no UTF-8 count as characters of no word. Takes
/// linear time.
std::vector<size_t> word_boundaries(std::string_view text);

}  // namespace longhand
