#include "longhand/convert/number_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <span>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/data/csv.h"
#include "longhand/data/numbers.h"
#include "longhand/data/source.h"
#include "longhand/io/csv.h"
#include "longhand/io/file.h"

namespace longhand::convert {
namespace {

constexpr std::string_view kBlanks = " \t";

// Fields between runs of blanks.
std::vector<data::CsvRecord> blank_separated(std::string_view text) {
  std::vector<data::CsvRecord> out;
  for (int64_t line = 1; !text.empty(); ++line) {
    std::string_view rest = data::take_line(text);
    data::CsvRecord record{{}, line};
    for (;;) {
      rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
      if (rest.empty()) break;
      const size_t size = std::min(rest.find_first_of(kBlanks), rest.size());
      record.fields.emplace_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    if (!record.fields.empty()) out.push_back(std::move(record));
  }
  return out;
}

std::vector<data::CsvRecord> records_of(const std::string& text, const std::string& name) {
  std::string_view rest = text;
  std::string_view first = data::take_line(rest);
  first = first.substr(0, first.find_last_not_of(' ') + 1);
  const size_t begin = first.find_first_not_of(' ');
  const bool blanks = begin != std::string_view::npos && first.find_first_of(",;\t\"") == std::string_view::npos &&
                      first.find(' ', begin) != std::string_view::npos;
  return blanks ? blank_separated(text) : data::parse_csv(text, data::guess_separator(text), name);
}

Error bad_cell(const std::string& name, int64_t line, size_t column, const std::string& cell) {
  const std::string shown = cell.empty() ? "nothing" : "'" + visible(std::string_view(cell).substr(0, 40)) + "'";
  return input_error(fmt::format("{}:{}: column {}: expected a finite number, found {}", name, line, column + 1, shown),
                     "fix the cell, or remove the row");
}

// How the table writes its numbers, and whether its first row has names: those are no numbers in either style.
data::NumberStyle style_of(std::span<const data::CsvRecord> rows, const std::string& name) {
  data::NumberStyleFinder finder;
  for (const data::CsvRecord& row : rows) {
    for (const std::string& cell : row.fields) finder.add(cell);
  }
  if (const std::string cell = finder.ambiguous(); !cell.empty()) {
    throw input_error(
        fmt::format("{}: '{}' can be read with a decimal comma or with commas between thousands", name, visible(cell)),
        "write numbers with a decimal point and without separators between thousands");
  }
  return finder.style();
}

bool has_names(const data::CsvRecord& row) {
  return std::none_of(row.fields.begin(), row.fields.end(), [](const std::string& cell) {
    return cell.empty() || data::parse_number(cell, {.decimal = '.'}) || data::parse_number(cell, {.decimal = ','});
  });
}

}  // namespace

NumberTable read_number_table(const std::string& path) {
  return read_number_table(path == "-" ? "standard input" : path, io::read_file(path));
}

NumberTable read_number_table(const std::string& name, std::string_view text) {
  const std::vector<data::CsvRecord> records = records_of(data::clean_text(text, name), name);
  NumberTable out;
  std::span<const data::CsvRecord> rows = records;
  if (!rows.empty() && has_names(rows.front())) {
    out.names = rows.front().fields;
    rows = rows.subspan(1);
  }
  if (rows.empty()) throw input_error(name + ": expected rows of numbers, found none", "add at least one row");
  const size_t columns = records.front().fields.size();
  const data::NumberStyle style = style_of(rows, name);
  std::vector<double> numbers;
  for (const data::CsvRecord& row : rows) {
    if (row.fields.size() != columns) {
      throw input_error(fmt::format("{}:{}: expected {} numbers as in the first row, found {}", name, row.line, columns,
                                    row.fields.size()),
                        "give every row the same number of cells");
    }
    for (size_t c = 0; c < columns; ++c) {
      const std::optional<double> number = data::parse_number(row.fields[c], style);
      if (!number) throw bad_cell(name, row.line, c, row.fields[c]);
      numbers.push_back(*number);
    }
  }
  out.numbers = io::make_array({static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns)},
                               std::span<const double>(numbers));
  return out;
}

void write_number_rows(io::OutputStream& output, int64_t columns, std::span<const float> values) {
  LONGHAND_CHECK(columns > 0 && values.size() % static_cast<size_t>(columns) == 0);
  std::string text;
  for (size_t i = 0; i < values.size(); ++i) {
    const bool last = (i + 1) % static_cast<size_t>(columns) == 0;
    text += fmt::format("{}{}", values[i], last ? '\n' : ',');  // the shortest digits that are this float
  }
  output.write(text);
}

void write_names(io::OutputStream& output, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& one : names) {
    if (!text.empty()) text += ',';
    text += io::csv_field(one);
  }
  output.write(text + "\n");
}

}  // namespace longhand::convert
