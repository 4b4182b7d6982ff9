#include "longhand/exporters/torch_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/utf8.h"

namespace longhand::exporters {
namespace {

// Keywords and soft keywords of Python 3.12, and names that the methods of a module use.
const std::set<std::string> kPythonWords = {
    "False",   "None",  "True", "and",    "as",       "assert", "async", "await", "break",  "class",
    "case",    "match", "type", "_",      "continue", "def",    "del",   "elif",  "else",   "except",
    "finally", "for",   "from", "global", "if",       "import", "in",    "is",    "lambda", "nonlocal",
    "not",     "or",    "pass", "raise",  "return",   "try",    "while", "with",  "yield"};

constexpr size_t kLongestName = 40;

bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return is_small(c) || (c >= 'A' && c <= 'Z'); }

template <class T, class Shown>
std::string joined_python(const std::vector<T>& values, const Shown& shown) {
  std::string out;
  for (const T& value : values) out += (out.empty() ? "" : ", ") + shown(value);
  return out;
}

std::string whole_python(int64_t value) { return std::to_string(value); }

}  // namespace

std::string python_name(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool fits = is_letter(c) || is_digit(c);
    if (fits) out += c;
    if (!fits && !out.empty() && out.back() != '_') out += '_';
    if (out.size() == kLongestName) break;
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  if (out.empty()) return "value";
  if (is_digit(out.front())) out.insert(out.begin(), 'n');
  if (kPythonWords.contains(out)) out += "_";
  return out;
}

std::string python_class_name(const std::string& text) {
  std::string out;
  bool begins = true;
  for (const char c : python_name(text)) {
    if (c == '_') {
      begins = true;
    } else {
      out += begins && is_small(c) ? static_cast<char>(c - 'a' + 'A') : c;
      begins = false;
    }
  }
  return kPythonWords.contains(out) || out.empty() ? out + "Model" : out;
}

std::string PythonNames::take(const std::string& text) {
  const std::string name = python_name(text);
  std::string out = name;
  for (int n = 2; !taken_.insert(out).second; ++n) out = fmt::format("{}_{}", name, n);
  return out;
}

std::string python_string(const std::string& text) {
  std::string out = "\"";
  char32_t c = 0;
  for (size_t at = 0; at < text.size();) {
    at += next_character(text, at, c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c >= 32 && c < 127) {
      out += static_cast<char>(c);
    } else {
      const auto code = static_cast<uint32_t>(c);
      out += c < 256     ? fmt::format("\\x{:02x}", code)
             : c < 65536 ? fmt::format("\\u{:04x}", code)
                         : fmt::format("\\U{:08x}", code);
    }
  }
  return out + '"';
}

std::string python_float(float value) {
  if (std::isnan(value)) return "float(\"nan\")";
  if (std::isinf(value)) return value > 0.0F ? "float(\"inf\")" : "float(\"-inf\")";
  std::string out = fmt::format("{}", value);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

std::string python_list(const std::vector<int64_t>& values) {
  return fmt::format("[{}]", joined_python(values, whole_python));
}

std::string python_tuple(const std::vector<int64_t>& values) {
  return fmt::format("({}{})", joined_python(values, whole_python), values.size() == 1 ? "," : "");
}

std::string python_floats(const std::vector<float>& values) {
  return fmt::format("[{}]", joined_python(values, python_float));
}

}  // namespace longhand::exporters
