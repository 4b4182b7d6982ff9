// Unicode code points from UTF-8 and back, strictly: nothing is replaced or skipped.
#pragma once

#include <string>
#include <string_view>

namespace longhand {

/// Reads the code point that begins at byte `at` and returns how many bytes it has; 0 where there is no valid UTF-8 (a
/// stray or missing continuation byte, an overlong form, a surrogate, a value above U+10FFFF).
size_t decode_utf8(std::string_view text, size_t at, char32_t& code_point);

/// The offset of the first byte at which `text` is not UTF-8; npos if it is.
size_t find_invalid_utf8(std::string_view text);

/// Appends the one to four bytes of a code point.
void append_utf8(char32_t code_point, std::string& out);

}  // namespace longhand
