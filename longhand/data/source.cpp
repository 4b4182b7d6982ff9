#include "longhand/data/source.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::data {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The line of byte `at` of what comes after a place.
int64_t line_of(std::string_view text, size_t at, const TextPlace& place) {
  const std::string_view before = text.substr(0, at);
  const int64_t newlines = place.newlines + std::count(before.begin(), before.end(), '\n');
  return 1 + (newlines > 0 ? newlines : place.returns + std::count(before.begin(), before.end(), '\r'));
}

void check_beginning(std::string_view text, const std::string& where) {
  constexpr std::string_view kUtf32LittleEndian("\xFF\xFE\0\0", 4), kUtf32BigEndian("\0\0\xFE\xFF", 4);
  if (text.starts_with(kUtf32LittleEndian) || text.starts_with(kUtf32BigEndian)) {
    throw input_error(where + ": expected UTF-8, found UTF-32",
                      "convert the file, for instance with `iconv -f UTF-32 -t UTF-8`");
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    throw input_error(where + ": expected UTF-8, found UTF-16",
                      "convert the file, for instance with `iconv -f UTF-16 -t UTF-8`");
  }
}

void check(std::string_view text, const std::string& source, const TextPlace& place) {
  const auto where = [&](size_t at) { return fmt::format("{}:{}", source, line_of(text, at, place)); };
  if (place.bytes == 0) check_beginning(text, where(0));
  if (const size_t at = text.find('\0'); at != std::string_view::npos) {
    throw input_error(fmt::format("{}: expected a text, found a binary file (a zero byte at offset {})", where(at),
                                  place.bytes + static_cast<int64_t>(at)),
                      "give a text in UTF-8");
  }
  if (const size_t at = find_invalid_utf8(text); at != std::string_view::npos) {
    throw input_error(fmt::format("{}: expected UTF-8, found byte 0x{:02X} at offset {}", where(at),
                                  static_cast<unsigned char>(text[at]), place.bytes + static_cast<int64_t>(at)),
                      "convert the file to UTF-8, for instance with `iconv -f ISO-8859-1 -t UTF-8`");
  }
}

// Bytes at the end of a piece that may belong to a character, or a line end, whose rest has not come.
size_t open_end(std::string_view piece) {
  if (piece.ends_with('\r')) return 1;
  for (size_t n = 1; n <= std::min<size_t>(3, piece.size()); ++n) {
    const auto byte = static_cast<unsigned char>(piece[piece.size() - n]);
    if (byte < 0x80) return 0;
    if (byte >= 0xC0) return n < (byte < 0xE0 ? 2U : byte < 0xF0 ? 3U : 4U) ? n : 0;
  }
  return 0;
}

// What `check` has let pass.
void append_cleaned(std::string_view text, std::string& out) {
  out.reserve(out.size() + text.size());
  for (size_t at = 0; at < text.size();) {
    size_t next = at;
    while (next < text.size() && text[next] != '\r' && text[next] != kByteOrderMark[0]) ++next;
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
}

}  // namespace

std::string clean_text(std::string_view text, const std::string& source) {
  std::string out;
  TextCleaner cleaner(source);
  cleaner.push(text, out);
  cleaner.finish(out);
  return out;
}

void TextCleaner::push(std::string_view piece, std::string& out) {
  std::string joined;
  if (!kept_.empty()) {
    joined = std::exchange(kept_, {});
    joined += piece;
    piece = joined;
  }
  constexpr size_t kMark = 4;  // bytes that tell UTF-32
  const size_t open = read_.bytes == 0 && piece.size() < kMark ? piece.size() : open_end(piece);
  kept_ = piece.substr(piece.size() - open);
  clean(piece.substr(0, piece.size() - open), out);
}

void TextCleaner::finish(std::string& out) { clean(std::exchange(kept_, {}), out); }

void TextCleaner::clean(std::string_view piece, std::string& out) {
  check(piece, source_, read_);
  append_cleaned(piece, out);
  read_.bytes += static_cast<int64_t>(piece.size());
  read_.newlines += std::count(piece.begin(), piece.end(), '\n');
  read_.returns += std::count(piece.begin(), piece.end(), '\r');
}

std::string clean_line(std::string_view line, const std::string& source, int64_t number) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  check(line, source, {.newlines = number - 1});
  std::string out;
  append_cleaned(line, out);
  return out;
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
