// Helpers for C source text: templates, constants, comments and names.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhand::exporters {

/// Whether `c` may occur in a C identifier: a letter, a digit or an underscore.
bool is_c_word(char c);

/// The replacement of `$name` in a template.
struct CWord {
  CWord(const char* of, std::string text) : name(of), value(std::move(text)) {}
  CWord(const char* of, int64_t number) : name(of), value(std::to_string(number)) {}

  std::string name, value;
};
using CWords = std::vector<CWord>;

/// Replaces each `$name` (letters, digits and `_`) by its value. The longest known name matches. Aborts if no name
/// matches.
std::string c_fill(std::string_view text, const CWords& words);

/// Returns the shortest decimal C constant that reads back as `value`, such as "0.25f". `value` must be finite.
std::string c_float(float value);
/// Returns the elements of an array initialiser, in lines of at most 100 characters.
std::string c_numbers(const std::vector<float>& values);
std::string c_numbers(const std::vector<int64_t>& values);
/// Returns a C string literal. Bytes other than printable ASCII are written in octal.
std::string c_string(std::string_view text);
/// Makes any text safe inside a C comment: it cannot end the comment or begin another.
std::string c_comment(std::string_view text);
/// Returns the number with thousands separators: "1,234,567".
std::string grouped(int64_t number);

/// Indents each line that is not empty.
std::string indented(const std::string& text, int spaces);

/// Throws a usage error unless `name` is a valid prefix of C and C++ names: a letter, then letters, digits and
/// underscores, at most 40 characters, and not a keyword.
void check_c_name(const std::string& name);

/// Makes unique C identifiers from arbitrary texts.
class CNames {
 public:
  explicit CNames(std::set<std::string> reserved) : taken_(std::move(reserved)) {}
  /// Returns an identifier made of the letters, digits and underscores of `text`, at most 32 characters. Appends a
  /// number if the identifier is taken.
  std::string take(std::string_view text);

 private:
  std::set<std::string> taken_;
};

}  // namespace longhand::exporters
