#include "longhand/base/unicode.h"

#include <utf8proc.h>

#include "longhand/base/utf8.h"

namespace longhand {
namespace {

utf8proc_int32_t code(char32_t c) { return static_cast<utf8proc_int32_t>(c); }

constexpr char32_t kZeroWidthNonJoiner = 0x200C, kZeroWidthJoiner = 0x200D;

}  // namespace

char32_t lower_case(char32_t c) {
  if (c < 0x80) return c >= U'A' && c <= U'Z' ? c + 32 : c;
  return static_cast<char32_t>(utf8proc_tolower(code(c)));
}

char32_t upper_case(char32_t c) { return static_cast<char32_t>(utf8proc_toupper(code(c))); }

bool is_lower_case(char32_t c) { return utf8proc_category(code(c)) == UTF8PROC_CATEGORY_LL; }

std::string lowercased(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    char32_t c = 0;
    const size_t length = next_character(text, at, c);
    const char32_t lower = lower_case(c);
    if (lower == c) {
      out += text.substr(at, length);
    } else {
      append_utf8(lower, out);
    }
    at += length;
  }
  return out;
}

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == U' ' || (c >= U'\t' && c <= U'\r');
  if (c == 0x85) return true;
  const utf8proc_category_t category = utf8proc_category(code(c));
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

CharacterKind kind_of(char32_t c) {
  if (is_white_space(c)) return CharacterKind::kSpace;
  if (c == kZeroWidthJoiner || c == kZeroWidthNonJoiner) return CharacterKind::kLetter;
  switch (utf8proc_category(code(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT: return CharacterKind::kCapital;
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME: return CharacterKind::kLetter;
    case UTF8PROC_CATEGORY_ND: return CharacterKind::kDigit;
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return CharacterKind::kNumber;
    default: return CharacterKind::kOther;
  }
}

size_t display_width(std::string_view text) {
  size_t columns = 0;
  for (size_t at = 0; at < text.size();) {
    char32_t c = 0;
    at += next_character(text, at, c);
    columns += static_cast<size_t>(utf8proc_charwidth(code(c)));
  }
  return columns;
}

static std::string padding(std::string_view text, size_t width) {
  const size_t has = display_width(text);
  return std::string(has < width ? width - has : 0, ' ');
}

std::string left_aligned(std::string_view text, size_t width) { return std::string(text) + padding(text, width); }
std::string right_aligned(std::string_view text, size_t width) { return padding(text, width) + std::string(text); }

std::string_view cut_to_width(std::string_view text, size_t width) {
  size_t columns = 0, at = 0;
  while (at < text.size()) {
    char32_t c = 0;
    const size_t bytes = next_character(text, at, c);
    columns += static_cast<size_t>(utf8proc_charwidth(code(c)));
    if (columns > width) break;
    at += bytes;
  }
  return text.substr(0, at);
}

}  // namespace longhand
