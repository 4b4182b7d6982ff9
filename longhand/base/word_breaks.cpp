#include "longhand/base/word_breaks.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <span>

#include "longhand/base/utf8.h"

namespace longhand {
namespace {

// utf8proc has categories, not scripts nor Word_Break; what the standard says by scripts or by names is in these sets.
struct CodeRange {
  char32_t first, last;
};

// Scripts that are written without blanks: their letters are no ALetter, since words in them need a dictionary. Han and
// its relatives, Hiragana; Thai, Lao, Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham, Tai Viet, Ahom.
constexpr std::array<CodeRange, 39> kWithoutBlanks{{
    {0x0E01, 0x0E3A},   {0x0E40, 0x0E4E},   {0x0E81, 0x0EDF},   {0x1000, 0x103F},   {0x1050, 0x108F},
    {0x109A, 0x109F},   {0x1780, 0x17DC},   {0x1950, 0x19DF},   {0x1A20, 0x1A7F},   {0x1A90, 0x1AAF},
    {0x3006, 0x3007},   {0x3021, 0x3029},   {0x3038, 0x303A},   {0x3041, 0x3096},   {0x309D, 0x309F},
    {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA9E0, 0xA9EF},   {0xA9FA, 0xA9FE},   {0xAA60, 0xAADF},
    {0xF900, 0xFAFF},   {0x11700, 0x1173F}, {0x11740, 0x11746}, {0x16FE4, 0x16FE4}, {0x17000, 0x18CFF},
    {0x18D00, 0x18D8F}, {0x1B001, 0x1B11F}, {0x1B132, 0x1B132}, {0x1B150, 0x1B152}, {0x1B170, 0x1B2FF},
    {0x1F200, 0x1F200}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B739}, {0x2B740, 0x2B81D}, {0x2B820, 0x2CEA1},
    {0x2CEB0, 0x2EBE0}, {0x2F800, 0x2FA1D}, {0x30000, 0x3134A}, {0x31350, 0x323AF},
}};

constexpr std::array<CodeRange, 15> kKatakanaRanges{{
    {0x3031, 0x3035},
    {0x309B, 0x309C},
    {0x30A0, 0x30FA},
    {0x30FC, 0x30FF},
    {0x31F0, 0x31FF},
    {0x32D0, 0x32FE},
    {0x3300, 0x3357},
    {0xFF66, 0xFF9D},
    {0x1AFF0, 0x1AFF3},
    {0x1AFF5, 0x1AFFB},
    {0x1AFFD, 0x1AFFE},
    {0x1B000, 0x1B000},
    {0x1B120, 0x1B122},
    {0x1B155, 0x1B155},
    {0x1B164, 0x1B167},
}};

// Characters that count as letters although their categories are no letter's: letters in circles and squares, and signs
// within words of some scripts.
constexpr std::array<CodeRange, 18> kOtherLetters{{
    {0x02C2, 0x02C5},
    {0x02D2, 0x02D7},
    {0x02DE, 0x02DF},
    {0x02E5, 0x02EB},
    {0x02ED, 0x02ED},
    {0x02EF, 0x02FF},
    {0x055A, 0x055C},
    {0x055E, 0x055E},
    {0x058A, 0x058A},
    {0x05F3, 0x05F3},
    {0x24B6, 0x24E9},
    {0xA708, 0xA716},
    {0xA720, 0xA721},
    {0xA789, 0xA78A},
    {0xAB5B, 0xAB5B},
    {0x1F130, 0x1F149},
    {0x1F150, 0x1F169},
    {0x1F170, 0x1F189},
}};

bool is_in(char32_t c, std::span<const CodeRange> ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [c](const CodeRange& r) { return c >= r.first && c <= r.last; });
}

bool is_one_of(char32_t c, std::u32string_view characters) { return characters.find(c) != std::u32string_view::npos; }

// What the standard lists one by one; kOther for all else.
WordBreak listed_word_break(char32_t c) {
  using enum WordBreak;
  if (c == 0x0D) return kCarriageReturn;
  if (c == 0x0A) return kLineFeed;
  if (is_one_of(c, U"\u000B\u000C\u0085\u2028\u2029")) return kNewline;
  if (c == 0x200D) return kZeroWidthJoiner;
  if (c >= 0x1F1E6 && c <= 0x1F1FF) return kRegionalIndicator;
  if (c == U'\'') return kSingleQuote;
  if (c == U'"') return kDoubleQuote;
  if (is_one_of(c, U".\u2018\u2019\u2024\uFE52\uFF07\uFF0E")) return kMidNumberOrLetter;
  if (is_one_of(c, U":\u00B7\u0387\u055F\u05F4\u2027\uFE13\uFE55\uFF1A")) return kMidLetter;
  if (is_one_of(c, U",;\u037E\u0589\u060C\u060D\u066C\u07F8\u2044\uFE10\uFE14\uFE50\uFE54\uFF0C\uFF1B")) {
    return kMidNumber;
  }
  if (c == 0x202F) return kExtendNumberOrLetter;
  return kOther;
}

WordBreak look_up(char32_t c) {
  using enum WordBreak;
  if (const WordBreak listed = listed_word_break(c); listed != kOther) return listed;
  const utf8proc_property_t* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
  const int category = property->category;
  const auto bound = property->boundclass;
  if (bound == UTF8PROC_BOUNDCLASS_EXTEND || category == UTF8PROC_CATEGORY_MC) return kExtend;
  if (c >= 0x1F3FB && c <= 0x1F3FF) return kExtend;
  switch (category) {
    case UTF8PROC_CATEGORY_CF: return c == 0x200B ? kOther : kFormat;
    case UTF8PROC_CATEGORY_ZS: return is_one_of(c, U"\u00A0\u2007") ? kOther : kSegmentSpace;
    case UTF8PROC_CATEGORY_ND: return kNumeric;
    case UTF8PROC_CATEGORY_PC: return kExtendNumberOrLetter;
    default: break;
  }
  if (c == 0x066B) return kNumeric;
  if (is_in(c, kKatakanaRanges)) return kKatakana;
  if (is_in(c, kOtherLetters)) return kLetter;
  const bool letter =
      (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) || category == UTF8PROC_CATEGORY_NL;
  if (!letter) return kOther;
  if (category == UTF8PROC_CATEGORY_LO && ((c >= 0x05D0 && c <= 0x05F2) || (c >= 0xFB1D && c <= 0xFB4F))) {
    return kHebrewLetter;
  }
  return is_in(c, kWithoutBlanks) ? kOther : kLetter;
}

}  // namespace

WordBreak word_break_of(char32_t c) {
  static const std::array<WordBreak, 0x80> ascii = [] {
    std::array<WordBreak, 0x80> out{};
    for (char32_t each = 0; each < out.size(); ++each) out[each] = look_up(each);
    return out;
  }();
  return c < ascii.size() ? ascii[c] : look_up(c);
}

namespace {

bool is_letter(WordBreak b) { return b == WordBreak::kLetter || b == WordBreak::kHebrewLetter; }
bool is_ignored(WordBreak b) {
  return b == WordBreak::kExtend || b == WordBreak::kFormat || b == WordBreak::kZeroWidthJoiner;
}
bool ends_line(WordBreak b) {
  return b == WordBreak::kCarriageReturn || b == WordBreak::kLineFeed || b == WordBreak::kNewline;
}
bool is_within_letters(WordBreak b) {
  return b == WordBreak::kMidLetter || b == WordBreak::kMidNumberOrLetter || b == WordBreak::kSingleQuote;
}
bool is_within_numbers(WordBreak b) {
  return b == WordBreak::kMidNumber || b == WordBreak::kMidNumberOrLetter || b == WordBreak::kSingleQuote;
}
bool takes_extension(WordBreak b) {
  return is_letter(b) || b == WordBreak::kNumeric || b == WordBreak::kKatakana || b == WordBreak::kExtendNumberOrLetter;
}
bool is_pictogram(char32_t c) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->boundclass ==
         UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

// What was read so far; by rule WB4, `last` and `before_last` skip what extends a character.
struct WordsSoFar {
  WordBreak raw = WordBreak::kOther;  // of the last character itself
  WordBreak last = WordBreak::kOther;
  WordBreak before_last = WordBreak::kOther;
  bool odd_indicators = false;  // `last` is the first of a pair of regional indicators
};

// The value of the first character from byte `at` on that extends no other; kOther at the end.
WordBreak following(std::string_view text, size_t at) {
  while (at < text.size()) {
    char32_t c = 0;
    at += next_character(text, at, c);
    const WordBreak b = word_break_of(c);
    if (!is_ignored(b)) return b;
  }
  return WordBreak::kOther;
}

// Whether there is no boundary before `c`, of value `now`, which ends at byte `end`.
bool continues_word(const WordsSoFar& so_far, char32_t c, WordBreak now, std::string_view text, size_t end) {
  using enum WordBreak;
  const WordBreak last = so_far.last, before = so_far.before_last;
  if (so_far.raw == kCarriageReturn && now == kLineFeed) return true;                               // WB3
  if (ends_line(so_far.raw) || ends_line(now)) return false;                                        // WB3a, WB3b
  if (so_far.raw == kZeroWidthJoiner && is_pictogram(c)) return true;                               // WB3c
  if (so_far.raw == kSegmentSpace && now == kSegmentSpace) return true;                             // WB3d
  if (is_ignored(now)) return true;                                                                 // WB4
  if (is_letter(last) && is_letter(now)) return true;                                               // WB5
  if (is_letter(last) && is_within_letters(now) && is_letter(following(text, end))) return true;    // WB6
  if (is_letter(before) && is_within_letters(last) && is_letter(now)) return true;                  // WB7
  if (last == kHebrewLetter && now == kSingleQuote) return true;                                    // WB7a
  if (last == kHebrewLetter && now == kDoubleQuote) return following(text, end) == kHebrewLetter;   // WB7b
  if (before == kHebrewLetter && last == kDoubleQuote && now == kHebrewLetter) return true;         // WB7c
  if (now == kNumeric && (last == kNumeric || is_letter(last))) return true;                        // WB8, WB9
  if (last == kNumeric && is_letter(now)) return true;                                              // WB10
  if (before == kNumeric && is_within_numbers(last) && now == kNumeric) return true;                // WB11
  if (last == kNumeric && is_within_numbers(now) && following(text, end) == kNumeric) return true;  // WB12
  if (last == kKatakana && now == kKatakana) return true;                                           // WB13
  if (takes_extension(last) && now == kExtendNumberOrLetter) return true;                           // WB13a
  if (last == kExtendNumberOrLetter && takes_extension(now)) return true;                           // WB13b
  return last == kRegionalIndicator && now == kRegionalIndicator && so_far.odd_indicators;          // WB15, WB16
}

}  // namespace

std::vector<size_t> word_boundaries(std::string_view text) {
  std::vector<size_t> out;
  WordsSoFar so_far;
  for (size_t at = 0; at < text.size();) {
    char32_t c = 0;
    const size_t end = at + next_character(text, at, c);
    const WordBreak now = word_break_of(c);
    if (at == 0 || !continues_word(so_far, c, now, text, end)) out.push_back(at);
    const bool extends = is_ignored(now) && at > 0 && !ends_line(so_far.raw);
    so_far.raw = now;
    if (!extends) {
      const bool second = so_far.last == WordBreak::kRegionalIndicator && so_far.odd_indicators;
      so_far.odd_indicators = now == WordBreak::kRegionalIndicator && !second;
      so_far.before_last = so_far.last;
      so_far.last = now;
    }
    at = end;
  }
  if (!text.empty()) out.push_back(text.size());
  return out;
}

}  // namespace longhand
