// Unicode code points from UTF-8 and back, strictly: nothing is replaced or skipped.
#pragma once

#include <string>
#include <string_view>

namespace longhand {

/// Reads the code point that begins at byte `at` and returns how many bytes it has; 0 where there is no valid UTF-8 (a
/// stray or missing continuation byte, an overlong form, a surrogate, a value above U+10FFFF).
size_t decode_utf8(std::string_view text, size_t at, char32_t& code_point);

/// The same for loops that must advance on any bytes: for invalid UTF-8, one byte, read as
/// the replacement character U+FFFD.
size_t next_character(std::string_view text, size_t at, char32_t& code_point);

/// The offset of the first byte at which `text` is not UTF-8; npos if it is.
size_t find_invalid_utf8(std::string_view text);

/// Appends the one to four bytes of a code point.
void append_utf8(char32_t code_point, std::string& out);

/// `text` with control characters, and bytes that are no UTF-8, written as \n, \r, \t or \xNN. What a file or a model
/// says must neither steer a terminal nor pass for a line or a field of ours.
std::string visible(std::string_view text);
/// The same of control characters alone, but that newlines and tabs stay.
std::string visible_lines(std::string_view text);

}  // namespace longhand
