// Texts as the symbols of a network.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace longhand::convert {

/// Finds symbols in texts: at each place the longest one that the text goes on with. Characters that are no symbol are
/// the last symbol if that is U+FFFD (it stands for all others), and an error otherwise.
class SymbolReader {
 public:
  /// `symbols`: texts, as Graph::symbols. Throws an input error, which begins with `where`, where there are none.
  SymbolReader(const std::vector<std::string>& symbols, const std::string& where);

  /// Appends the symbols of `text` and returns the bytes that were read: all of them if `is_end`; otherwise fewer where
  /// more text could change what the last ones are. Throws an input error for a text that is no UTF-8, and for a
  /// character that the network does not know; `place` stands before both.
  size_t read(std::string_view text, bool is_end, const std::string& place, std::vector<int64_t>& out) const;
  /// The symbols of a whole text.
  std::vector<int64_t> read(std::string_view text, const std::string& place) const;

  /// Whether the end of a line is a symbol, so that a text of several lines is one sequence.
  bool has_newline() const { return numbers_.contains("\n"); }

 private:
  std::unordered_map<std::string, int64_t> numbers_;
  size_t longest_ = 1;           // bytes of a symbol
  bool only_characters_ = true;  // each symbol is one code point
  int64_t other_ = -1;
};

}  // namespace longhand::convert
