#include "longhand/io/toml_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"

namespace longhand::io {
namespace {

// The line in which values, or the parts of a dotted key, are nested deeper than any file of ours has them; 0 if there
// is none. The parser and what it returns take stack for every level.
int64_t line_nested_too_deep(std::string_view text) {
  constexpr int kDeepest = 16;
  int64_t line = 1;
  int depth = 0, dots = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"' || c == '\'') {  // a text, of one line or between three quotes
      const bool three = text.substr(at).starts_with(std::string(3, c));
      for (at += three ? 3 : 1; at < text.size(); ++at) {
        if (text[at] == '\n') {
          if (!three) break;
          ++line;
        }
        if (text[at] == '\\' && c == '"') {
          ++at;
        } else if (text[at] == c && (!three || text.substr(at).starts_with(std::string(3, c)))) {
          at += three ? 2 : 0;
          break;
        }
      }
      if (at < text.size() && text[at] == '\n') --at;
      continue;
    }
    if (c == '#') at = std::min(text.find('\n', at), text.size()) - 1;
    if (c == '\n') ++line;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    dots = c == '.' ? dots + 1 : (std::string_view("\n,=[{").find(c) != std::string_view::npos ? 0 : dots);
    if (depth > kDeepest || dots > kDeepest) return line;
  }
  return 0;
}

}  // namespace

toml::table parse_toml(const std::string& text, const std::string& path, const std::string& advice) {
  if (const int64_t line = line_nested_too_deep(text); line > 0) {
    throw usage_error(fmt::format("{}:{}: nested too deep", path, line), advice);
  }
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& e) {
    throw usage_error(fmt::format("{}:{}: not TOML: {}", path, e.source().begin.line, e.description()), advice);
  }
}

}  // namespace longhand::io
