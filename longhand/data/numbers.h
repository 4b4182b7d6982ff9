// Numbers and times as people and spreadsheets write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace longhand::data {

/// How a file writes its numbers.
struct NumberStyle {
  char decimal = '.';  ///< the decimal separator: point or comma
  bool thousands =
      false;  ///< digits come in groups of three: with the other of the two, a blank or an apostrophe between
};

/// Recognises the style of a file from its cells, one after the other. Digits in one group of three after a comma, as
/// in 1,234, can be read in two ways; where no other cell settles it, `ambiguous` has the first such cell.
class NumberStyleFinder {
 public:
  void add(std::string_view cell);
  NumberStyle style() const;
  /// Empty: the style is certain. With `point_too`, 1.234 may have a point between thousands, as 1,234 may have a
  /// comma.
  std::string ambiguous(bool point_too = false) const;

 private:
  bool decimal_comma_ = false, decimal_point_ = false, grouped_ = false;
  std::string ambiguous_;  // the first such as 1,234
  std::string pointed_;    // the first such as 1.234
};

/// The finite number that a cell is, as a whole and in this style; nothing for any other cell.
std::optional<double> parse_number(std::string_view cell, const NumberStyle& style);

/// A time as seconds since 1970, or a plain number as itself: 2024-01-31, 2024/01/31 or 31.01.2024, then perhaps a
/// blank or T and 23:59, 23:59:59 or 23:59:59.5, then perhaps Z or +01:00. Nothing for any other cell.
std::optional<double> parse_time(std::string_view cell);

}  // namespace longhand::data
