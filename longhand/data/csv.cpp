#include "longhand/data/csv.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "longhand/base/error.h"
#include "longhand/base/unicode.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

// What a line such as `sep=;` names, or 0.
char named_separator(std::string_view text) {
  std::string_view line = take_line(text);
  if (line.size() > 1 && line.front() == '"' && line.back() == '"') line = line.substr(1, line.size() - 2);
  if (line.size() != 5 || lowercased(line.substr(0, 4)) != "sep=") return 0;
  return line[4] == ',' || line[4] == ';' || line[4] == '\t' ? line[4] : '\0';
}

class Parser {
 public:
  Parser(std::string_view text, char separator, const std::string& source, int64_t first_line)
      : text_(text), separator_(separator), source_(source), line_(first_line) {}

  std::vector<CsvRecord> records() {
    std::vector<CsvRecord> out;
    while (at_ < text_.size()) {
      if (text_[at_] == '\n') {
        end_line();
        continue;
      }
      out.push_back(record());
      if (at_ < text_.size()) end_line();
    }
    return out;
  }

  CsvRecord record() {
    CsvRecord out{{}, line_};
    do {
      out.fields.push_back(field());
    } while (take(separator_));
    return out;
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void end_line() {
    take('\n');
    ++line_;
  }

  bool at_end_of_field() const { return at_ >= text_.size() || text_[at_] == separator_ || text_[at_] == '\n'; }

  std::string field() {
    std::string out;
    if (const size_t begin = text_.find_first_not_of(' ', at_);
        begin != std::string_view::npos && text_[begin] == '"') {
      at_ = begin;
    }
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
    const size_t behind = std::min(text_.find_first_not_of(' ', at_), text_.size());
    if (behind == text_.size() || text_[behind] == separator_ || text_[behind] == '\n') at_ = behind;
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
  int64_t line_;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view text, char separator, const std::string& source) {
  const std::string clean = clean_text(text, source);
  const std::string_view body = without_separator_line(clean);
  return Parser(body, separator, source, body.size() < clean.size() ? 2 : 1).records();
}

CsvRecord parse_record(std::string_view text, char separator, const std::string& source, int64_t line) {
  return Parser(text, separator, source, line).record();
}

bool OpenQuote::add(std::string_view line) {
  for (size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (open_) {
      if (c != '"') continue;
      const bool doubled = at + 1 < line.size() && line[at + 1] == '"';
      open_ = doubled;
      if (doubled) ++at;
    } else if (c == separator_) {
      begins_field_ = true;
    } else if (begins_field_ && c == '"') {
      open_ = true;
      begins_field_ = false;
    } else if (c != ' ') {
      begins_field_ = false;
    }
  }
  if (!open_) begins_field_ = true;
  return open_;
}

std::vector<CsvRecord> parse_plain_tsv(std::string_view text, const std::string& source) {
  const std::string clean = clean_text(text, source);
  std::string_view rest = without_separator_line(clean);
  std::vector<CsvRecord> out;
  int64_t number = rest.size() < clean.size() ? 1 : 0;
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    ++number;
    if (trimmed(line).empty()) continue;
    CsvRecord record{{}, number};
    for (size_t at = 0; at <= line.size();) {
      const size_t tab = std::min(line.find('\t', at), line.size());
      record.fields.emplace_back(line.substr(at, tab - at));
      at = tab + 1;
    }
    out.push_back(std::move(record));
  }
  return out;
}

std::string_view without_separator_line(std::string_view text) {
  if (named_separator(text) != 0) take_line(text);
  return text;
}

char guess_separator(std::string_view text) {
  if (const char named = named_separator(text); named != 0) return named;
  constexpr std::string_view kSeparators = "\t;,";
  constexpr int kLines = 50;
  std::array<int64_t, 3> first{}, now{};
  std::array<bool, 3> steady{true, true, true};
  int lines = 0;
  bool quoted = false;
  const auto end_line = [&] {
    if (lines == 0) first = now;
    for (size_t i = 0; i < now.size(); ++i) steady[i] = steady[i] && now[i] == first[i];
    now = {};
    ++lines;
  };
  size_t begin = 0;  // of the line
  size_t at = 0;
  for (; at < text.size() && lines < kLines; ++at) {
    const char c = text[at];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n') {
      if (!trimmed(text.substr(begin, at - begin)).empty()) end_line();
      begin = at + 1;
    } else if (const size_t which = kSeparators.find(c); which != std::string_view::npos) {
      ++now[which];
    }
  }
  if (at == text.size() && !quoted && begin < at) end_line();
  for (size_t i = 0; i < first.size(); ++i) {
    if (first[i] > 0 && steady[i]) return kSeparators[i];
  }
  const auto max = std::max_element(first.rbegin(), first.rend());  // a comma, where all are alike
  return kSeparators[static_cast<size_t>(first.rend() - max) - 1];
}

const char* separator_name(char separator) {
  return separator == '\t' ? "tab" : separator == ';' ? "semicolon" : "comma";
}

}  // namespace longhand::data
