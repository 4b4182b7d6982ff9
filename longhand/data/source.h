// What a text from outside is before anything else is made of it: UTF-8 without a byte-order mark, lines that end in a
// newline. Every reader of text but that of word vectors begins here, so that a file means the same to all of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace longhand::data {

/// The text without byte-order marks (U+FEFF, wherever files were joined) and with every line end (CR LF, or CR alone)
/// as one newline. Throws an input error naming `source` and the line for zero bytes, UTF-16, and bytes that are no
/// UTF-8. Takes linear time.
std::string clean_text(std::string_view text, const std::string& source);

/// How far a text has been read: counts since its beginning.
struct TextPlace {
  int64_t bytes = 0;
  int64_t newlines = 0;
  int64_t returns = 0;
};

/// The same of a text that comes in pieces, which may be cut anywhere.
class TextCleaner {
 public:
  explicit TextCleaner(std::string source) : source_(std::move(source)) {}
  /// Appends to `out` what the pieces so far give: whole characters and line ends; the rest is kept for the next piece.
  void push(std::string_view piece, std::string& out);
  /// Appends the rest.
  void finish(std::string& out);

 private:
  void clean(std::string_view piece, std::string& out);

  std::string source_;
  std::string kept_;  // of earlier pieces
  TextPlace read_;    // of what was cleaned
};

/// The same for one line of a stream, without its newline; `number` is the line's.
std::string clean_line(std::string_view line, const std::string& source, int64_t number);

/// What separates words within a line.
inline constexpr std::string_view kBlanks = " \t";
/// Without the blanks and tabs at both ends.
std::string_view trimmed(std::string_view text);

/// The next line of `rest`, without its newline; `rest` then starts after it.
std::string_view take_line(std::string_view& rest);

}  // namespace longhand::data
