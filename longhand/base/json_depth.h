// Guards a JSON parser, which takes memory for every level of nesting, from a text that has nothing else.
#pragma once

#include <cstdint>
#include <string_view>

namespace longhand {

/// Whether the arrays and objects of a JSON text are ever nested deeper than `max`. Reads it once, and takes no
/// memory.
inline bool json_nests_deeper(std::string_view text, int64_t max) {
  int64_t depth = 0;
  bool quoted = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      at += c == '\\' ? 1 : 0;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > max) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace longhand
