#include "longhand/io/page_text.h"

#include <fmt/core.h>

#include "longhand/base/utf8.h"
#include "longhand/io/chart.h"

namespace longhand::io {
namespace {

constexpr const char* kCut = "…";

// Marks, embeddings, overrides and isolates: they move what stands around them, or turn it round.
bool changes_direction(char32_t c) {
  return c == 0x200E || c == 0x200F || c == 0x061C || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::string shortened(std::string_view text, size_t max) {
  std::string out;
  char32_t c = 0;
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    if (count == max) return out + kCut;
    at += next_character(text, at, c);
    append_utf8(c, out);
  }
  return out;
}

std::string shortened_start(std::string_view text, size_t max) {
  size_t begin = text.size(), count = 0;
  while (begin > 0 && count < max) {
    --begin;
    for (int k = 0; k < 3 && begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80; ++k) --begin;
    ++count;
  }
  return (begin > 0 ? kCut : "") + shortened(text.substr(begin), max);
}

std::string visible_directions(std::string_view text) {
  std::string out;
  char32_t c = 0;
  for (size_t at = 0; at < text.size();) {
    at += next_character(text, at, c);
    if (changes_direction(c)) {
      out += fmt::format("\\u{:04X}", static_cast<uint32_t>(c));
    } else {
      append_utf8(c, out);
    }
  }
  return out;
}

std::string isolated(std::string_view text) { return "<bdi>" + escape_html(std::string(text)) + "</bdi>"; }

}  // namespace longhand::io
