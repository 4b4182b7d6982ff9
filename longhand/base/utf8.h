// Unicode code points from UTF-8 and back, strictly: nothing is replaced or skipped.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhand {

/// The code points of `text`. Where `text` is not valid UTF-8 (a stray or missing continuation byte, an overlong form,
/// a surrogate, a value above U+10FFFF), returns nothing and sets `bad_offset` to the byte at which it fails.
std::optional<std::vector<char32_t>> decode_utf8(std::string_view text, size_t& bad_offset);

/// Appends the one to four bytes of a code point.
void append_utf8(char32_t code_point, std::string& out);

}  // namespace longhand
