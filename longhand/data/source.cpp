#include "longhand/data/source.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::data {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

int64_t line_of(std::string_view text, size_t at) {
  const std::string_view before = text.substr(0, at);
  const auto newlines = std::count(before.begin(), before.end(), '\n');
  return 1 + (newlines > 0 ? newlines : std::count(before.begin(), before.end(), '\r'));
}

void check(std::string_view text, const std::string& source, int64_t first_line) {
  const auto where = [&](size_t at) { return fmt::format("{}:{}", source, first_line - 1 + line_of(text, at)); };
  constexpr std::string_view kUtf32LittleEndian("\xFF\xFE\0\0", 4), kUtf32BigEndian("\0\0\xFE\xFF", 4);
  if (text.starts_with(kUtf32LittleEndian) || text.starts_with(kUtf32BigEndian)) {
    throw input_error(where(0) + ": expected UTF-8, found UTF-32",
                      "convert the file, for instance with `iconv -f UTF-32 -t UTF-8`");
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    throw input_error(where(0) + ": expected UTF-8, found UTF-16",
                      "convert the file, for instance with `iconv -f UTF-16 -t UTF-8`");
  }
  if (const size_t at = text.find('\0'); at != std::string_view::npos) {
    throw input_error(fmt::format("{}: expected a text, found a binary file (a zero byte at offset {})", where(at), at),
                      "give a text in UTF-8");
  }
  if (const size_t at = find_invalid_utf8(text); at != std::string_view::npos) {
    throw input_error(fmt::format("{}: expected UTF-8, found byte 0x{:02X} at offset {}", where(at),
                                  static_cast<unsigned char>(text[at]), at),
                      "convert the file to UTF-8, for instance with `iconv -f ISO-8859-1 -t UTF-8`");
  }
}

// What `check` has let pass.
std::string cleaned(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t next = std::min(text.find_first_of("\xEF\r", at), text.size());
    out += text.substr(at, next - at);
    at = next;
    if (at == text.size()) break;
    if (text[at] == '\r') {
      out += '\n';
      at += text.substr(at).starts_with("\r\n") ? 2 : 1;
    } else if (text.substr(at).starts_with(kByteOrderMark)) {
      at += kByteOrderMark.size();
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace

std::string clean_text(std::string_view text, const std::string& source) {
  check(text, source, 1);
  return cleaned(text);
}

std::string clean_line(std::string_view line, const std::string& source, int64_t number) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  check(line, source, number);
  return cleaned(line);
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string_view take_line(std::string_view& rest) {
  const size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

}  // namespace longhand::data
