#include "longhand/exporters/c_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/base/utf8.h"

namespace longhand::exporters {
namespace {

bool is_c_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// Keywords of C99 and C++23, and C++'s alternative operator names.
constexpr const char* kCKeywords[] = {"alignas",
                                      "alignof",
                                      "and",
                                      "and_eq",
                                      "asm",
                                      "auto",
                                      "bitand",
                                      "bitor",
                                      "bool",
                                      "break",
                                      "case",
                                      "catch",
                                      "char",
                                      "char16_t",
                                      "char32_t",
                                      "char8_t",
                                      "class",
                                      "co_await",
                                      "co_return",
                                      "co_yield",
                                      "compl",
                                      "concept",
                                      "const",
                                      "const_cast",
                                      "consteval",
                                      "constexpr",
                                      "constinit",
                                      "continue",
                                      "decltype",
                                      "default",
                                      "delete",
                                      "do",
                                      "double",
                                      "dynamic_cast",
                                      "else",
                                      "enum",
                                      "explicit",
                                      "export",
                                      "extern",
                                      "false",
                                      "float",
                                      "for",
                                      "friend",
                                      "goto",
                                      "if",
                                      "inline",
                                      "int",
                                      "long",
                                      "mutable",
                                      "namespace",
                                      "new",
                                      "noexcept",
                                      "not",
                                      "not_eq",
                                      "nullptr",
                                      "operator",
                                      "or",
                                      "or_eq",
                                      "private",
                                      "protected",
                                      "public",
                                      "register",
                                      "reinterpret_cast",
                                      "requires",
                                      "restrict",
                                      "return",
                                      "short",
                                      "signed",
                                      "sizeof",
                                      "static",
                                      "static_assert",
                                      "static_cast",
                                      "struct",
                                      "switch",
                                      "template",
                                      "this",
                                      "thread_local",
                                      "throw",
                                      "true",
                                      "try",
                                      "typedef",
                                      "typeid",
                                      "typename",
                                      "union",
                                      "unsigned",
                                      "using",
                                      "virtual",
                                      "void",
                                      "volatile",
                                      "wchar_t",
                                      "while",
                                      "xor",
                                      "xor_eq"};

template <class T, class Text>
std::string lines_of(const std::vector<T>& values, const Text& text_of) {
  constexpr size_t kWidth = 100;
  std::string out, line;
  for (const T& value : values) {
    const std::string each = fmt::format("{},", text_of(value));
    if (!line.empty() && line.size() + each.size() + 3 > kWidth) {
      out += fmt::format("  {}\n", line);
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += each;
  }
  if (!line.empty()) out += fmt::format("  {}\n", line);
  return out;
}

}  // namespace

bool is_c_word(char c) { return is_c_letter(c) || (c >= '0' && c <= '9') || c == '_'; }

std::string c_fill(std::string_view text, const CWords& words) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      out += text[at++];
      continue;
    }
    size_t end = at + 1;
    while (end < text.size() && is_c_word(text[end])) ++end;
    const auto word_of = [&](std::string_view name) {
      return std::find_if(words.begin(), words.end(), [&](const CWord& word) { return word.name == name; });
    };
    while (end > at + 1 && word_of(text.substr(at + 1, end - at - 1)) == words.end()) --end;
    LONGHAND_CHECK(end > at + 1);
    out += word_of(text.substr(at + 1, end - at - 1))->value;
    at = end;
  }
  return out;
}

std::string c_float(float value) {
  LONGHAND_CHECK(std::isfinite(value));
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  std::string out(text, end);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out + "f";
}

std::string c_numbers(const std::vector<float>& values) { return lines_of(values, c_float); }
std::string c_numbers(const std::vector<int64_t>& values) {
  return lines_of(values, [](int64_t value) { return std::to_string(value); });
}

std::string c_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '?') {  // two question marks could begin a trigraph
      out += '\\';
      out += c;
    } else if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      out += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
    }
  }
  return out + "\"";
}

std::string c_comment(std::string_view text) {
  std::string out;
  for (const char c : visible(text)) {
    if (!out.empty() && ((out.back() == '*' && c == '/') || (out.back() == '/' && c == '*'))) out += ' ';
    if (!out.empty() && out.back() == '?' && c == '?') out += ' ';
    out += c;
  }
  return out;
}

std::string grouped(int64_t number) { return format_count(static_cast<double>(number)); }

std::string indented(const std::string& text, int spaces) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && c != '\n') out.append(static_cast<size_t>(spaces), ' ');
    begins = c == '\n';
    out += c;
  }
  return out;
}

void check_c_name(const std::string& name) {
  constexpr size_t kLongest = 40;
  const bool word = !name.empty() && name.size() <= kLongest && is_c_letter(name.front()) &&
                    std::all_of(name.begin(), name.end(), is_c_word);
  const bool keyword = std::find(std::begin(kCKeywords), std::end(kCKeywords), name) != std::end(kCKeywords);
  if (word && !keyword) return;
  throw usage_error(
      fmt::format("--name: expected a name for C (a letter, then letters, digits and underscores, at most {}), found "
                  "{}'{}'",
                  kLongest, keyword ? "the keyword " : "", visible(name.substr(0, 80))),
      "choose another name, such as --name amp");
}

std::string CNames::take(std::string_view text) {
  constexpr size_t kLongest = 32;
  std::string name;
  for (const char c : text) {
    const bool joins = !is_c_word(c) || c == '_';
    if (joins && (name.empty() || name.back() == '_')) continue;
    name += joins ? '_' : c;
  }
  if (name.size() > kLongest) name.erase(0, name.size() - kLongest);  // keep the end of a path
  while (!name.empty() && (name.front() == '_' || (name.front() >= '0' && name.front() <= '9'))) name.erase(0, 1);
  while (!name.empty() && name.back() == '_') name.pop_back();
  if (name.empty()) name = "layer";
  std::string out = name;
  for (int number = 2; !taken_.insert(out).second; ++number) out = fmt::format("{}_{}", name, number);
  return out;
}

}  // namespace longhand::exporters
