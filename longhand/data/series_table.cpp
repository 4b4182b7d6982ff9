#include "longhand/data/series_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

constexpr double kLargest = 1e150;  // keeps squares finite

bool is_known_ahead_alone(const CsvRecord& record, const SeriesPlaces& places) {
  return std::all_of(places.values.begin(), places.values.end(),
                     [&](size_t place) { return trimmed(record.fields[place]).empty(); });
}

std::string shown_series(const Table& table, size_t s) {
  return table.series.empty() ? "" : " of series '" + visible(table.series[s]) + "'";
}

StaticColumn read_static(const std::string& name, size_t place, const std::vector<const CsvRecord*>& rows,
                         const NumberStyle& style, const Table& table, const std::string& source) {
  StaticColumn out{.name = name, .texts = {}, .numbers = {}};
  bool numbers = true;
  for (size_t s = 0; s + 1 < table.starts.size(); ++s) {
    const CsvRecord& first = *rows[static_cast<size_t>(table.starts[s])];
    const std::string value(trimmed(first.fields[place]));
    if (value.empty()) {
      throw input_error(
          fmt::format("{}:{}: column '{}': expected a value, found an empty cell", source, first.line, name),
          "fill the gap, or leave the column out of `static`");
    }
    for (int64_t row = table.starts[s] + 1; row < table.starts[s + 1]; ++row) {
      const CsvRecord& record = *rows[static_cast<size_t>(row)];
      if (trimmed(record.fields[place]) == value) continue;
      throw input_error(fmt::format("{}:{}: column '{}': expected '{}', as in line {}{}, found '{}'", source,
                                    record.line, name, visible(value), first.line, shown_series(table, s),
                                    visible(std::string(trimmed(record.fields[place])))),
                        "a static column has one value in a series; name one that changes with `inputs` or `known`");
    }
    const std::optional<double> number = parse_number(value, style);
    numbers = numbers && number && std::abs(*number) <= kLargest;
    if (numbers) out.numbers.push_back(*number);
    out.texts.push_back(value);
  }
  if (!numbers) out.numbers.clear();
  return out;
}

void expect_none_of(const std::vector<std::string>& names, const char* option, const std::vector<std::string>& others,
                    const char* other) {
  for (const std::string& name : names) {
    if (std::find(others.begin(), others.end(), name) == others.end()) continue;
    throw usage_error(
        fmt::format("`{}`: expected columns that `{}` does not have, found '{}' in both", option, other, name),
        "leave it out of one of them");
  }
}

}  // namespace

void check_series(const SeriesOptions& options) {
  const std::vector<std::string> statics = split_names(options.statics), known = split_names(options.known),
                                 inputs = split_names(options.inputs), targets = split_names(options.target);
  if (!options.series_column.empty() && !options.group.empty()) {
    throw usage_error("`series-column`: cannot be combined with `group`",
                      "leave `group` out: windows stay within a series anyway");
  }
  if (!options.series_column.empty() && options.window == 0) {
    throw usage_error("`series-column`: expected `window` of at least 1, found 0",
                      "set `window`; for whole sequences that are apart, give `group`");
  }
  if (!statics.empty() && options.series_column.empty()) {
    throw usage_error("`static`: expected `series-column` with it, found none",
                      "name the column of the series: in a single series, such columns say nothing");
  }
  if (!known.empty() && (options.horizon == 0 || !options.group.empty())) {
    throw usage_error(options.horizon == 0 ? "`known`: expected `horizon` of at least 1, found 0"
                                           : "`known`: cannot be combined with `group`",
                      options.horizon == 0 ? "name the columns with `inputs`: the row to predict is in the window"
                                           : "name the column of the series with `series-column` instead");
  }
  for (const auto* names : {&statics, &known}) {
    for (auto name = names->begin(); name != names->end(); ++name) {
      if (std::find(names->begin(), name, *name) == name) continue;
      throw usage_error(
          fmt::format("`{}`: expected each column once, found '{}' twice", names == &known ? "known" : "static", *name),
          "leave one out");
    }
  }
  expect_none_of(statics, "static", inputs, "inputs");
  expect_none_of(statics, "static", targets, "target");
  expect_none_of(statics, "static", known, "known");
  expect_none_of(known, "known", inputs, "inputs");
  expect_none_of(known, "known", targets, "target");
}

void sort_by_series(const SeriesOptions& options, const SeriesPlaces& places, std::vector<const CsvRecord*>& rows,
                    Table& table, const std::string& source) {
  std::vector<std::vector<const CsvRecord*>> of_series;
  std::unordered_map<std::string, size_t> numbers;
  if (!places.name) of_series.push_back(rows);
  for (const CsvRecord* record : rows) {
    if (!places.name) break;
    const std::string name(trimmed(record->fields[*places.name]));
    if (name.empty()) {
      throw input_error(fmt::format("{}:{}: column '{}': expected the name of a series, found an empty cell", source,
                                    record->line, options.series_column),
                        "fill the gap, or leave the row out");
    }
    const auto [found, is_new] = numbers.emplace(name, of_series.size());
    if (is_new) {
      of_series.emplace_back();
      table.series.push_back(name);
    }
    of_series[found->second].push_back(record);
  }
  rows.clear();
  table.starts = {0};
  for (const std::vector<const CsvRecord*>& some : of_series) {
    size_t end = some.size();
    while (!places.known.empty() && end > 0 && is_known_ahead_alone(*some[end - 1], places)) --end;
    table.observed.push_back(static_cast<int64_t>(rows.size() + end));
    rows.insert(rows.end(), some.begin(), some.end());
    table.starts.push_back(static_cast<int64_t>(rows.size()));
  }
}

void read_series_columns(const SeriesOptions& options, const SeriesPlaces& places,
                         const std::vector<const CsvRecord*>& rows, const NumberStyle& style, Table& table,
                         const std::string& source) {
  for (const auto* some : {&places.statics, &places.known}) {
    for (const size_t place : *some) {
      if (std::find(places.values.begin(), places.values.end(), place) == places.values.end()) continue;
      throw input_error(fmt::format("{}: expected inputs and targets that `{}` does not have, found column {} in both",
                                    source, some == &places.known ? "known" : "static", place + 1),
                        "name the column to predict with `target`, which is the last one by default");
    }
  }
  table.known_names = split_names(options.known);
  table.known.resize(table.known_names.size());
  for (size_t k = 0; k < table.known.size(); ++k) {
    for (size_t row = 0; row < rows.size(); ++row) {
      const CsvRecord* record = rows[row];
      if (trimmed(record->fields[places.known[k]]).empty() && is_future(table, static_cast<int64_t>(row))) {
        throw input_error(fmt::format("{}:{}: column '{}': expected a value that is known ahead, found an empty cell",
                                      source, record->line, table.known_names[k]),
                          "fill it in: rows after the last known target need the values of all `known` columns");
      }
      table.known[k].push_back(read_number(*record, places.known[k], table.known_names[k], style, source));
    }
  }
  const std::vector<std::string> statics = split_names(options.statics);
  for (size_t c = 0; c < statics.size(); ++c) {
    table.statics.push_back(read_static(statics[c], places.statics[c], rows, style, table, source));
  }
}

double read_number(const CsvRecord& record, size_t column, const std::string& name, const NumberStyle& style,
                   const std::string& source) {
  const std::string_view cell = trimmed(record.fields[column]);
  const std::optional<double> value = parse_number(cell, style);
  if (value && std::abs(*value) <= kLargest) return *value;
  throw input_error(fmt::format("{}:{}: column '{}': expected a number{}, found {}", source, record.line, name,
                                value ? fmt::format(" between -{:g} and {:g}", kLargest, kLargest) : "",
                                cell.empty() ? "an empty cell" : "'" + std::string(cell) + "'"),
                    value          ? "scale the column, or leave the row out"
                    : cell.empty() ? "fill the gap, or leave the row out"
                                   : "remove units and other text, set `decimal`, or choose other columns");
}

}  // namespace longhand::data
