// The tokenizer "punctuation".
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "longhand/base/unicode.h"
#include "longhand/base/utf8.h"
#include "longhand/data/token_parts.h"

namespace longhand::data {
namespace {

struct PunctuationCharacter {
  uint32_t begin;  // byte
  char32_t code;
  CharacterKind kind;
};

bool in(char32_t c, std::u32string_view set) { return set.find(c) != std::u32string_view::npos; }
bool is_letter_kind(CharacterKind k) { return k == CharacterKind::kLetter || k == CharacterKind::kCapital; }
bool is_number_kind(CharacterKind k) { return k == CharacterKind::kDigit || k == CharacterKind::kNumber; }
bool is_ascii_letter(char32_t c) { return (c | 32) >= U'a' && (c | 32) <= U'z' && c < 0x80; }

// English words that keep their period; a treebank teaches those of its own language.
constexpr std::array<std::string_view, 16> kAbbreviations{"mr",  "mrs", "ms", "dr",  "prof", "st",   "jr",  "sr",
                                                          "inc", "ltd", "co", "etc", "vs",   "corp", "rev", "gen"};
// What contractions end in, where a text has them apart already: "do n't", "it 's".
constexpr std::array<std::string_view, 7> kContracted{"s", "m", "d", "re", "ve", "ll", "em"};

constexpr std::u32string_view kApostrophes = U"'\u2019";
constexpr std::u32string_view kHyphens = U"-\u2010\u2011";
// Of these, several in a row are one mark.
constexpr std::u32string_view kRepeated = U".-!?*=_~`'#+\u2026\u2014\u2013";

// Whether a mark between two characters of a word belongs to the word.
bool is_kept_inside(char32_t mark, const PunctuationCharacter& left, const PunctuationCharacter& right,
                    size_t left_part) {
  const bool letters = is_letter_kind(left.kind) && is_letter_kind(right.kind);
  const bool numbers = is_number_kind(left.kind) && is_number_kind(right.kind);
  if (in(mark, kApostrophes)) return is_letter_kind(right.kind);
  if (in(mark, kHyphens) || mark == U'_') return true;
  if (mark == U'.') {  // "U.S", "3.5", "b.com", but not "end.Next"
    return !(letters && left.kind != CharacterKind::kCapital && right.kind == CharacterKind::kCapital && left_part > 2);
  }
  if (in(mark, U",:/\u066B\u066C")) return numbers;
  return letters && in(mark, U"&\u00B7\u05F3\u05F4\"") && (mark != U'"' || (left.code >= 0x5D0 && left.code <= 0x5EA));
}

class PunctuationScanner {
 public:
  PunctuationScanner(std::string_view piece, size_t offset, const TokenRules& rules, std::vector<Span>& out)
      : piece_(piece), offset_(offset), rules_(rules), out_(out) {
    characters_.reserve(piece.size());
    for (size_t at = 0; at < piece.size();) {
      char32_t c = 0;
      const size_t length = next_character(piece, at, c);
      characters_.push_back({static_cast<uint32_t>(at), c, kind_of(c)});
      at += length;
    }
  }

  void scan() {
    find_addresses();
    size_t next = 0;
    for (size_t i = 0; i < size();) {
      limit_ = next < addresses_.size() ? addresses_[next].begin : size();
      const size_t end = i == limit_ ? addresses_[next++].end : token_end(i);
      out_.push_back({offset_ + byte(i), offset_ + byte(end)});
      i = end;
    }
  }

 private:
  size_t size() const { return characters_.size(); }
  size_t byte(size_t i) const { return i < size() ? characters_[i].begin : piece_.size(); }
  char32_t code(size_t i) const { return i < size() ? characters_[i].code : 0; }
  bool is_word(size_t i) const {
    return i < size() && (is_letter_kind(characters_[i].kind) || is_number_kind(characters_[i].kind));
  }
  std::string lower(size_t begin, size_t end) const {
    return lowercased(piece_.substr(byte(begin), byte(end) - byte(begin)));
  }

  // Characters that are one address; in order, without overlap.
  void find_addresses() {
    size_t last = 0;  // end of the one before
    for (size_t i = 0; i < size(); ++i) {
      Span found;
      if (code(i) == U':' && code(i + 1) == U'/' && code(i + 2) == U'/') {
        size_t begin = i;
        while (begin > last && i - begin < 10 && is_ascii_letter(code(begin - 1))) --begin;
        if (i - begin >= 2) found = {begin, address_end(i + 3)};
        if (found.end <= i + 3) found = {};
      } else if ((code(i) | 32) == U'w' && (i == last || !is_word(i - 1)) &&
                 lower(i, std::min(i + 4, size())) == "www.") {
        found = {i, address_end(i + 4)};
        if (found.end <= i + 4) found = {};
      } else if (code(i) == U'@') {
        found = mail_address(i, last);
      }
      if (found.end == 0) continue;
      addresses_.push_back(found);
      last = found.end;
      i = found.end - 1;
    }
  }

  size_t address_end(size_t begin) const {
    size_t end = begin;
    bool opened = false;
    while (end < size() && !in(code(end), U"<>\"") && (code(end) < 0x80 || is_word(end))) {
      opened = opened || code(end) == U'(';
      ++end;
    }
    while (end > begin && (in(code(end - 1), U".,;:!?']}*") || (code(end - 1) == U')' && !opened))) --end;
    return end;
  }

  Span mail_address(size_t at, size_t last) const {
    size_t begin = at, end = at + 1, dots = 0;
    while (begin > last && (is_word(begin - 1) || in(code(begin - 1), U".+-_%"))) --begin;
    while (begin < at && !is_word(begin)) ++begin;
    while (end < size() && (is_word(end) || in(code(end), U".-"))) ++end;
    while (end > at + 1 && !is_word(end - 1)) --end;
    for (size_t i = at + 2; i < end; ++i) dots += code(i) == U'.' ? 1 : 0;
    return begin < at && dots > 0 ? Span{begin, end} : Span{};
  }

  size_t token_end(size_t i) const {
    if (is_word(i)) return word_end(i, i);
    const char32_t c = code(i);
    const bool free = i == 0 || !is_word(i - 1);
    if (i == 0 && in(c, U"+-\u2212.") && i + 1 < limit_ && is_number_kind(characters_[1].kind)) return word_end(0, 1);
    if (free && in(c, U"#@") && i + 1 < limit_ && is_letter_kind(characters_[i + 1].kind)) {  // #topic, @name
      size_t end = i + 1;
      while (end < limit_ && (is_word(end) || code(end) == U'_')) ++end;
      return end;
    }
    if (i == 0 && in(c, kApostrophes) && size() > 1 && size() <= 3) {
      const std::string rest = lower(1, size());
      if (std::find(kContracted.begin(), kContracted.end(), rest) != kContracted.end()) return size();
    }
    return mark_end(i);
  }

  // One mark with what combines with it, or the same one several times.
  size_t mark_end(size_t i) const {
    size_t end = i + 1;
    if (in(code(i), kRepeated)) {
      while (end < limit_ && code(end) == code(i)) ++end;
    }
    utf8proc_int32_t state = 0;
    while (end < limit_ && utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(code(end - 1)),
                                                            static_cast<utf8proc_int32_t>(code(end)), &state) == 0) {
      ++end;
    }
    return end;
  }

  size_t word_end(size_t begin, size_t i) const {
    size_t part = i;  // begins after the last mark
    size_t end = i;
    while (end < limit_) {
      if (!is_word(end)) {
        if (end == begin || end + 1 >= limit_ || !is_word(end + 1) || !is_kept(end, end - part)) break;
        part = end + 1;
      }
      ++end;
    }
    const bool one_period = end < limit_ && code(end) == U'.' && code(end + 1) != U'.';
    return one_period && keeps_period(i, end) ? end + 1 : end;
  }

  bool is_kept(size_t at, size_t left_part) const {
    const PunctuationCharacter &left = characters_[at - 1], &right = characters_[at + 1];
    if (!rules_.inside.empty()) {
      const auto known =
          rules_.inside.find(inside_key(left.code, piece_.substr(byte(at), byte(at + 1) - byte(at)), right.code));
      if (known != rules_.inside.end()) return !known->second;
    }
    return is_kept_inside(code(at), left, right, left_part);
  }

  // A word before a period: one capital ("J."), letters between periods ("U.S."), or a known one ("Dr.").
  bool keeps_period(size_t begin, size_t end) const {
    constexpr size_t kLongestAbbreviation = 16;
    if (end - begin > kLongestAbbreviation) return false;
    if (end - begin == 1) return characters_[begin].kind == CharacterKind::kCapital;
    size_t part = 0;
    bool periods = false, short_parts = true;
    for (size_t i = begin; i < end; ++i) {
      periods = periods || code(i) == U'.';
      part = code(i) == U'.' ? 0 : part + 1;
      short_parts = short_parts && part <= 2 && (code(i) == U'.' || is_letter_kind(characters_[i].kind));
    }
    if (periods && short_parts) return true;
    return std::find(kAbbreviations.begin(), kAbbreviations.end(), lower(begin, end)) != kAbbreviations.end();
  }

  std::string_view piece_;
  size_t offset_;
  const TokenRules& rules_;
  std::vector<Span>& out_;
  std::vector<PunctuationCharacter> characters_;
  std::vector<Span> addresses_;  // as numbers of characters
  size_t limit_ = 0;             // where the next address begins
};

}  // namespace

std::string inside_key(char32_t left, std::string_view mark, char32_t right) {
  const auto side = [](char32_t c) { return is_number_kind(kind_of(c)) ? 'd' : 'a'; };
  return std::string(mark) + side(left) + side(right);
}

void split_punctuation(std::string_view piece, size_t offset, const TokenRules& rules, std::vector<Span>& out) {
  PunctuationScanner(piece, offset, rules, out).scan();
}

}  // namespace longhand::data
