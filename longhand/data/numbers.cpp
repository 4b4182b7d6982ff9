#include "longhand/data/numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "longhand/data/source.h"

namespace longhand::data {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What may stand between groups of digits besides point and comma: a blank (plain, no-break, narrow), an apostrophe.
constexpr std::string_view kGroupMarks[] = {" ", "'", "\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x89", "\xE2\x80\x99"};

size_t group_mark(std::string_view text) {
  for (const std::string_view mark : kGroupMarks) {
    if (text.starts_with(mark)) return mark.size();
  }
  return 0;
}

// Without a sign in front.
std::string_view unsigned_part(std::string_view cell) {
  if (!cell.empty() && (cell[0] == '+' || cell[0] == '-')) cell.remove_prefix(1);
  return cell;
}

// Whether a text is 1 to 3 digits and then groups of `mark` and three digits, at least one.
bool is_grouped(std::string_view text, char mark) {
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits < 1 || digits > 3 || digits == text.size()) return false;
  text.remove_prefix(digits);
  while (!text.empty()) {
    if (text.size() < 4 || text[0] != mark || !std::all_of(text.begin() + 1, text.begin() + 4, is_digit)) return false;
    text.remove_prefix(4);
  }
  return true;
}

std::optional<double> plain_number(std::string_view text) {
  double value = 0.0;
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-';  // which from_chars does not read
  const auto [stop, error] = std::from_chars(text.data() + (plus ? 1 : 0), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// Reads digits of a number that is between `low` and `high`, at least `min` digits and at most `max`.
std::optional<int> take_digits(std::string_view& text, size_t min, size_t max, int low, int high) {
  size_t n = 0;
  int value = 0;
  while (n < text.size() && n < max && is_digit(text[n])) value = 10 * value + (text[n++] - '0');
  if (n < min || value < low || value > high) return std::nullopt;
  text.remove_prefix(n);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// Days from 1970-01-01 in the Gregorian calendar.
int64_t days_from_civil(int64_t year, int month, int day) {
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t year_of_era = y - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

std::optional<int64_t> take_date(std::string_view& text) {
  std::optional<int> year, month, day;
  if (text.size() > 4 && std::all_of(text.begin(), text.begin() + 4, is_digit)) {
    year = take_digits(text, 4, 4, 0, 9999);
    const char mark = text.empty() ? '\0' : text[0];
    if (mark != '-' && mark != '/') return std::nullopt;
    take(text, mark);
    month = take_digits(text, 1, 2, 1, 12);
    if (!month || !take(text, mark)) return std::nullopt;
    day = take_digits(text, 1, 2, 1, 31);
  } else {
    day = take_digits(text, 1, 2, 1, 31);
    if (!day || !take(text, '.')) return std::nullopt;
    month = take_digits(text, 1, 2, 1, 12);
    if (!month || !take(text, '.')) return std::nullopt;
    year = take_digits(text, 4, 4, 0, 9999);
  }
  if (!year || !month || !day) return std::nullopt;
  return days_from_civil(*year, *month, *day);
}

}  // namespace

void NumberStyleFinder::add(std::string_view cell) {
  cell = unsigned_part(trimmed(cell));
  if (cell.empty() || !is_digit(cell[0])) return;
  for (size_t at = 0; at < cell.size(); ++at) {  // dates and texts say nothing
    const size_t mark = group_mark(cell.substr(at));
    if (!is_digit(cell[at]) && cell[at] != '.' && cell[at] != ',' && mark == 0) return;
    at += mark > 0 ? mark - 1 : 0;
  }
  const size_t comma = cell.rfind(','), point = cell.rfind('.');
  const bool has_comma = comma != std::string_view::npos, has_point = point != std::string_view::npos;
  if (has_comma && has_point) {
    grouped_ = true;
    (comma > point ? decimal_comma_ : decimal_point_) = true;
  } else if (has_comma && is_grouped(cell, ',')) {
    if (std::count(cell.begin(), cell.end(), ',') > 1) {
      decimal_point_ = grouped_ = true;
    } else if (cell[0] == '0') {
      decimal_comma_ = true;
    } else if (ambiguous_.empty()) {
      ambiguous_ = cell;
    }
  } else if (has_comma) {
    decimal_comma_ = true;
  } else if (has_point && std::count(cell.begin(), cell.end(), '.') > 1) {
    if (is_grouped(cell, '.')) decimal_comma_ = grouped_ = true;
  } else if (has_point && (cell[0] == '0' || !is_grouped(cell, '.'))) {
    decimal_point_ = true;
  } else if (has_point && pointed_.empty()) {
    pointed_ = cell;
  }
  for (size_t at = 0; at + 4 <= cell.size(); ++at) {
    const size_t mark = group_mark(cell.substr(at));
    if (mark > 0 && at > 0 && is_digit(cell[at - 1])) grouped_ = true;
  }
}

NumberStyle NumberStyleFinder::style() const {
  const bool comma = decimal_comma_ && !decimal_point_;
  return {comma ? ',' : '.',
          grouped_ || (!comma && !ambiguous_.empty() && decimal_point_) || (comma && !pointed_.empty())};
}

std::string NumberStyleFinder::ambiguous(bool point_too) const {
  if (decimal_comma_ || decimal_point_) return "";
  return ambiguous_.empty() && point_too ? pointed_ : ambiguous_;
}

std::optional<double> parse_number(std::string_view cell, const NumberStyle& style) {
  cell = trimmed(cell);
  if (style.decimal == '.' && !style.thousands) return plain_number(cell);
  // In C's form: no marks between groups of three, and a point.
  const char mark = style.decimal == '.' ? ',' : '.';
  std::string plain(cell.substr(0, cell.size() - unsigned_part(cell).size()));
  std::string_view rest = unsigned_part(cell);
  size_t group = 0;  // digits since the beginning, or since the last mark
  bool marked = false, whole_part = true;
  while (!rest.empty()) {
    const size_t blank = group_mark(rest);
    if (whole_part && style.thousands && (rest[0] == mark || blank > 0)) {
      if (group < 1 || group > 3 || (marked && group != 3)) return std::nullopt;
      marked = true;
      group = 0;
      rest.remove_prefix(std::max<size_t>(blank, 1));
      continue;
    }
    if (is_digit(rest[0])) ++group;
    if (!is_digit(rest[0])) {
      if (whole_part && marked && group != 3) return std::nullopt;
      whole_part = false;
      if (rest[0] == mark) return std::nullopt;
    }
    plain += rest[0] == style.decimal ? '.' : rest[0];
    rest.remove_prefix(1);
  }
  if (whole_part && marked && group != 3) return std::nullopt;
  return plain_number(plain);
}

std::optional<double> parse_time(std::string_view cell) {
  std::string_view rest = trimmed(cell);
  if (const std::optional<double> number = plain_number(rest)) return number;
  const std::optional<int64_t> days = take_date(rest);
  if (!days) return std::nullopt;
  double seconds = 86400.0 * static_cast<double>(*days);
  if (rest.empty()) return seconds;
  if (!take(rest, ' ') && !take(rest, 'T')) return std::nullopt;
  const std::optional<int> hour = take_digits(rest, 1, 2, 0, 24);
  if (!hour || !take(rest, ':')) return std::nullopt;
  const std::optional<int> minute = take_digits(rest, 2, 2, 0, 59);
  if (!minute) return std::nullopt;
  seconds += 3600.0 * *hour + 60.0 * *minute;
  if (take(rest, ':')) {
    const std::optional<int> second = take_digits(rest, 2, 2, 0, 60);
    if (!second) return std::nullopt;
    seconds += *second;
    if (take(rest, '.')) {
      double part = 0.1;
      if (rest.empty() || !is_digit(rest[0])) return std::nullopt;
      for (; !rest.empty() && is_digit(rest[0]); rest.remove_prefix(1), part /= 10.0) seconds += part * (rest[0] - '0');
    }
  }
  if (take(rest, 'Z') || rest.empty()) return rest.empty() ? std::optional(seconds) : std::nullopt;
  const double sign = rest[0] == '+' ? 1.0 : rest[0] == '-' ? -1.0 : 0.0;
  rest.remove_prefix(1);
  const std::optional<int> hours = take_digits(rest, 2, 2, 0, 18);
  if (sign == 0.0 || !hours) return std::nullopt;
  take(rest, ':');
  const std::optional<int> minutes = take_digits(rest, 2, 2, 0, 59);
  if (!minutes || !rest.empty()) return std::nullopt;
  return seconds - sign * (3600.0 * *hours + 60.0 * *minutes);
}

}  // namespace longhand::data
