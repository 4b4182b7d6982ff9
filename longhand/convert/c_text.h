// The text of C programs: templates, constants, comments and names.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longhand::convert {

/// Whether a name of C can have it: a letter, a digit or an underscore.
bool is_c_word(char c);

/// What stands for `$name` in a template.
struct CWord {
  CWord(const char* of, std::string text) : name(of), value(std::move(text)) {}
  CWord(const char* of, int64_t number) : name(of), value(std::to_string(number)) {}

  std::string name, value;
};
using CWords = std::vector<CWord>;

/// Replaces each `$name`: letters, digits and `_`, of which the longest known name is taken. Aborts for an unknown one.
std::string c_fill(std::string_view text, const CWords& words);

/// "0.25f": the shortest decimal constant of C that is this float. It must be finite.
std::string c_float(float value);
/// The numbers of an array, as lines of at most 100 characters.
std::string c_numbers(const std::vector<float>& values);
std::string c_numbers(const std::vector<int64_t>& values);
/// A string constant. All but printable ASCII is written as octal.
std::string c_string(std::string_view text);
/// A text of any origin for a comment: it cannot end the comment, nor begin another.
std::string c_comment(std::string_view text);
/// "1,234,567"
std::string grouped(int64_t number);

/// Indents each line that is not empty.
std::string indented(const std::string& text, int spaces);

/// Throws a usage error unless `name` can begin the names of a program in C and C++: a letter, then letters, digits and
/// underscores, at most 40, and no keyword.
void check_c_name(const std::string& name);

/// Identifiers made of any texts, each once.
class CNames {
 public:
  explicit CNames(std::set<std::string> reserved) : taken_(std::move(reserved)) {}
  /// Letters, digits and underscores of `text`, at most 32, with a number where another has that name.
  std::string take(std::string_view text);

 private:
  std::set<std::string> taken_;
};

}  // namespace longhand::convert
