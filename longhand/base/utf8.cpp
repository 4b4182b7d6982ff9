#include "longhand/base/utf8.h"

namespace longhand {
namespace {

// Bytes in the sequence that `lead` opens, 0 if it opens none.
size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

bool is_scalar_value(char32_t c, size_t length) {
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  return c >= kSmallest[length] && c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
}

}  // namespace

size_t decode_utf8(std::string_view text, size_t at, char32_t& code_point) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const size_t length = sequence_length(lead);
  if (length == 0 || at + length > text.size()) return 0;
  constexpr unsigned kLeadBits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t c = lead & kLeadBits[length];
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + i]);
    if ((byte & 0xC0U) != 0x80U) return 0;
    c = (c << 6) | (byte & 0x3FU);
  }
  code_point = c;
  return is_scalar_value(c, length) ? length : 0;
}

size_t next_character(std::string_view text, size_t at, char32_t& code_point) {
  const size_t length = decode_utf8(text, at, code_point);
  if (length == 0) code_point = 0xFFFD;
  return length > 0 ? length : 1;
}

size_t find_invalid_utf8(std::string_view text) {
  char32_t ignored = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t length = decode_utf8(text, at, ignored);
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

void append_utf8(char32_t c, std::string& out) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

namespace {

std::string escape_controls(std::string_view text, bool lines) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    const bool second_set = byte == 0xC2 && next >= 0x80 && next < 0xA0;  // U+0080 to U+009F
    char32_t ignored = 0;
    const bool stray = !lines && byte >= 0x80 && decode_utf8(text, i, ignored) == 0;  // lines may be parts of a text
    const bool control = byte < 0x20 || byte == 0x7F || second_set || stray;
    if (!control || (lines && (byte == '\n' || byte == '\t'))) {
      const size_t length = lines || byte < 0x80 ? 1 : decode_utf8(text, i, ignored);
      out.append(text, i, length);
      i += length - 1;
    } else if (byte == '\n' || byte == '\r' || byte == '\t') {
      out += byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : "\\t";
    } else {
      if (second_set) byte = static_cast<unsigned char>(text[++i]);
      out.append("\\x").append(1, kDigits[byte / 16]).append(1, kDigits[byte % 16]);
    }
  }
  return out;
}

}  // namespace

std::string visible(std::string_view text) { return escape_controls(text, false); }
std::string visible_lines(std::string_view text) { return escape_controls(text, true); }

}  // namespace longhand
