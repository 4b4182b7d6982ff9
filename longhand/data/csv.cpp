#include "longhand/data/csv.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::data {
namespace {

int64_t line_of(std::string_view text, size_t at) {
  return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
}

class Parser {
 public:
  Parser(std::string_view text, char separator, const std::string& source)
      : text_(text), separator_(separator), source_(source) {}

  std::vector<CsvRecord> records() {
    std::vector<CsvRecord> out;
    while (at_ < text_.size()) {
      if (text_[at_] == '\n' || text_.substr(at_).starts_with("\r\n")) {
        end_line();
        continue;
      }
      CsvRecord record{{}, line_};
      do {
        record.fields.push_back(field());
      } while (take(separator_));
      if (at_ < text_.size()) end_line();
      out.push_back(std::move(record));
    }
    return out;
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void end_line() {
    take('\r');
    take('\n');
    ++line_;
  }

  bool at_end_of_field() const {
    return at_ >= text_.size() || text_[at_] == separator_ || text_[at_] == '\n' ||
           text_.substr(at_).starts_with("\r\n") || text_.substr(at_) == "\r";
  }

  std::string field() {
    std::string out;
    if (!take('"')) {
      while (!at_end_of_field()) out.push_back(text_[at_++]);
      return out;
    }
    const int64_t opened = line_;
    while (true) {
      if (at_ >= text_.size()) {
        throw input_error(fmt::format("{}:{}: expected a closing quote, found the end of the file", source_, opened),
                          "close it, and write a quote within quotes twice");
      }
      const char c = text_[at_++];
      if (c == '\n') ++line_;
      if (c != '"') {
        out.push_back(c);
      } else if (!take('"')) {
        break;
      } else {
        out.push_back('"');
      }
    }
    if (!at_end_of_field()) {
      throw input_error(fmt::format("{}:{}: expected a {} after the closing quote, found '{}'", source_, line_,
                                    separator_name(separator_), text_[at_]),
                        "write a quote within quotes twice");
    }
    return out;
  }

  std::string_view text_;
  char separator_;
  const std::string& source_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view text, char separator, const std::string& source) {
  if (const size_t at = find_invalid_utf8(text); at != std::string_view::npos) {
    throw input_error(fmt::format("{}:{}: expected UTF-8, found byte 0x{:02X}", source, line_of(text, at),
                                  static_cast<unsigned char>(text[at])),
                      "convert the file to UTF-8");
  }
  if (const size_t at = text.find('\0'); at != std::string_view::npos) {
    throw input_error(fmt::format("{}:{}: expected text, found a zero byte", source, line_of(text, at)),
                      "give a text file");
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return Parser(text, separator, source).records();
}

char guess_separator(std::string_view text) {
  int64_t commas = 0, semicolons = 0, tabs = 0;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n') break;
    commas += c == ',' ? 1 : 0;
    semicolons += c == ';' ? 1 : 0;
    tabs += c == '\t' ? 1 : 0;
  }
  if (tabs > commas && tabs >= semicolons) return '\t';
  return semicolons > commas ? ';' : ',';
}

const char* separator_name(char separator) {
  return separator == '\t' ? "tab" : separator == ';' ? "semicolon" : "comma";
}

}  // namespace longhand::data
