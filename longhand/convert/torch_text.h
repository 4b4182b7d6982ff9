// Texts of Python: names, literals, lines.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace longhand::convert {

/// A name of Python's from any text: letters, digits and underscores of ASCII, not a keyword, not empty, not beginning
/// with a digit. Of hostile texts the first 40 characters.
std::string python_name(const std::string& text);
/// "river_level" as "RiverLevel"; the name of a class.
std::string python_class_name(const std::string& text);

/// Names that are taken once.
class PythonNames {
 public:
  explicit PythonNames(std::set<std::string> taken) : taken_(std::move(taken)) {}
  /// python_name(text), with a number where that is taken.
  std::string take(const std::string& text);
  void give_back(const std::string& name) { taken_.erase(name); }
  bool is_free(const std::string& name) const { return !taken_.contains(name); }

 private:
  std::set<std::string> taken_;
};

/// A string literal in double quotes, of ASCII alone.
std::string python_string(const std::string& text);
/// The shortest literal that is the float again: "0.01", "-1e-05", "float('inf')".
std::string python_float(float value);
/// [1, 2, 3]
std::string python_list(const std::vector<int64_t>& values);
/// (1, 2, 3); (1,)
std::string python_tuple(const std::vector<int64_t>& values);
std::string python_floats(const std::vector<float>& values);

}  // namespace longhand::convert
