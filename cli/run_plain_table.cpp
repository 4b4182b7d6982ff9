#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "cli/run_table.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::cli {
namespace {

// Reads a table by position: the model has no column names, or the table lacks them.
class PlainTable : public RowReader {
 public:
  /// `first`: the first line of `lines` that is not blank, already read.
  PlainTable(std::shared_ptr<TableLines> lines, std::string first, const RowLayout& layout)
      : lines_(std::move(lines)), width_(layout.width), names_(layout.names) {
    if (!is_header(first)) first_ = std::move(first);
  }

  int64_t read(int64_t most, std::vector<float>& rows) override {
    int64_t n = 0;
    std::string line;
    while (n < most && next_line(line)) {
      read_line(line, rows);
      ++n;
    }
    return n;
  }

 private:
  bool next_line(std::string& line) {
    if (!first_) return lines_->next_filled(line);
    line = *std::exchange(first_, std::nullopt);
    return true;
  }

  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const {
    throw input_error(fmt::format("{}:{}: {}", lines_->name(), lines_->number(), problem), advice);
  }

  static bool is_header(std::string_view line) {
    constexpr std::string_view kBetween = " \t\r,;\"";
    while (true) {
      line.remove_prefix(std::min(line.find_first_not_of(kBetween), line.size()));
      if (line.empty()) return true;
      const std::string_view field = line.substr(0, line.find_first_of(kBetween));
      const bool sign = field.size() > 1 && (field.front() == '+' || field.front() == '-');
      float value = 0.0F;
      const char* end = field.data() + field.size();
      const auto [after, error] = std::from_chars(field.data() + (sign ? 1 : 0), end, value);
      const bool as_number = field[sign ? 1 : 0] >= '0' && field[sign ? 1 : 0] <= '9';
      if (error == std::errc() && (after == end || as_number)) return false;
      line.remove_prefix(field.size());
    }
  }

  void read_line(const std::string& line, std::vector<float>& rows) {
    if (line.find(',') != std::string::npos && line.find_first_of(";\t") != std::string::npos) {
      fail("expected one kind of separator, found commas beside semicolons or tabs",
           "write decimal points instead of decimal commas");
    }
    int64_t found = 0;
    const char *at = line.data(), *end = at + line.size();
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (true) {
      while (at < end && is_space(*at)) ++at;
      if (at == end) break;
      if (*at == '+') ++at;
      float value = 0.0F;
      const auto [after, error] = std::from_chars(at, end, value);
      if (error != std::errc() || !std::isfinite(value)) {
        const std::string_view rest(at, static_cast<size_t>(end - at));
        fail(fmt::format("expected a finite number, found '{}'", visible(rest.substr(0, 20))), "write rows of numbers");
      }
      rows.push_back(value);
      ++found;
      if (after < end && !is_space(*after) && *after != ',' && *after != ';') {
        const std::string_view rest(at, static_cast<size_t>(end - at));
        fail(fmt::format("expected a number, found '{}'", visible(rest.substr(0, rest.find_first_of(" \t\r,;")))),
             "write numbers with a decimal point, and commas between them");
      }
      at = after;
      while (at < end && is_space(*at)) ++at;
      if (at < end && (*at == ',' || *at == ';')) ++at;
    }
    if (found != width_)
      fail(fmt::format("expected {} number{}{}, found {}", width_, width_ == 1 ? "" : "s",
                       names_.empty() ? "" : " (" + visible(names_) + ")", found),
           "write one time step a line");
  }

  std::shared_ptr<TableLines> lines_;
  int64_t width_;
  std::string names_;
  std::optional<std::string> first_;  // first line, if it is not a header and was not yet returned
};

bool is_separator_line(const std::string& line) { return data::without_separator_line(line + "\n").empty(); }

char separator_of(const std::string& first, std::string_view behind) {
  const std::string_view line = data::trimmed(first);
  const bool blanks =
      line.find_first_of(",;\t\"") == std::string_view::npos && line.find(' ') != std::string_view::npos;
  return blanks ? ' ' : data::guess_separator(first + "\n" + std::string(behind));
}

bool has_all(const data::CsvRecord& record, const std::vector<std::string>& names) {
  return !names.empty() && std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::any_of(record.fields.begin(), record.fields.end(),
                       [&](const std::string& field) { return data::trimmed(field) == name; });
  });
}

}  // namespace

std::unique_ptr<RowReader> open_table(const std::string& path, const RowLayout& layout) {
  const auto lines = std::make_shared<TableLines>(path);
  std::string first;
  lines->next_filled(first);
  const char separator = separator_of(first, lines->buffered());
  if (is_separator_line(first)) lines->next_filled(first);
  if (layout.columns.empty() || first.empty()) return std::make_unique<PlainTable>(lines, first, layout);
  // PlainTable can take over after one line, not after a record of several lines.
  if (!layout.trained_on_columns && separator != ' ' && data::OpenQuote(separator).add(first)) {
    return std::make_unique<PlainTable>(lines, first, layout);
  }
  data::CsvRecord record = TableRecords(lines, separator).begun(first);
  if (layout.trained_on_columns || has_all(record, layout.columns)) {
    return std::make_unique<NamedTable>(path, lines, separator, std::move(record), layout);
  }
  return std::make_unique<PlainTable>(lines, first, layout);
}

}  // namespace longhand::cli
