// Python source text: names and literals.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace longhand::exporters {

/// Returns a valid Python name for any text: ASCII letters, digits and underscores; not a keyword, not empty, no digit
/// at the beginning; at most 40 characters of the text.
std::string python_name(const std::string& text);
/// Returns a class name: "river_level" becomes "RiverLevel".
std::string python_class_name(const std::string& text);
/// Throws a usage error, which suggests another name, unless `path` ends in .py and Python can import its name: an
/// identifier that is neither a keyword nor a module of the standard library or of PyTorch.
void check_module_path(const std::string& path);

/// Hands out each name once.
class PythonNames {
 public:
  explicit PythonNames(std::set<std::string> taken) : taken_(std::move(taken)) {}
  /// Returns python_name(text), followed by a number if that name is taken.
  std::string take(const std::string& text);
  void give_back(const std::string& name) { taken_.erase(name); }
  bool is_free(const std::string& name) const { return !taken_.contains(name); }

 private:
  std::set<std::string> taken_;
};

/// Returns an ASCII string literal in double quotes.
std::string python_string(const std::string& text);
/// Returns the shortest literal that reads back as the same float: "0.01", "-1e-05", "float('inf')".
std::string python_float(float value);
/// [1, 2, 3]
std::string python_list(const std::vector<int64_t>& values);
/// (1, 2, 3); (1,)
std::string python_tuple(const std::vector<int64_t>& values);
std::string python_floats(const std::vector<float>& values);

}  // namespace longhand::exporters
