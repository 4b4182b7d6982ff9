#include "longhand/data/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "longhand/base/error.h"
#include "longhand/data/csv.h"

namespace longhand::data {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

size_t find_column(const CsvRecord& header, const std::string& name, const std::string& source) {
  const auto found = std::find(header.fields.begin(), header.fields.end(), name);
  if (found == header.fields.end()) {
    throw input_error(fmt::format("{}:{}: expected a column '{}', found {}", source, header.line, name,
                                  fmt::join(header.fields, ", ")),
                      "name columns of the header" + did_you_mean(name, header.fields));
  }
  return static_cast<size_t>(found - header.fields.begin());
}

double number(const CsvRecord& record, size_t column, const std::string& name, const std::string& source) {
  const std::string_view cell = trimmed(record.fields[column]);
  double value = 0.0;
  const bool plus = cell.size() > 1 && cell[0] == '+' && cell[1] != '-';  // which from_chars does not read
  const auto [stop, error] = std::from_chars(cell.data() + (plus ? 1 : 0), cell.data() + cell.size(), value);
  if (error == std::errc() && stop == cell.data() + cell.size() && std::isfinite(value)) return value;
  throw input_error(fmt::format("{}:{}: column '{}': expected a number, found {}", source, record.line, name,
                                cell.empty() ? "an empty cell" : "'" + std::string(cell) + "'"),
                    "fill the gap, or leave the row out");
}

}  // namespace

void SeriesOptions::add_to(OptionTable& table) {
  table.add("inputs", inputs, "columns to read, with commas between; by default the targets' own past");
  table.add("target", target, "columns to predict, with commas between; by default the last");
  table.add("group", group, "column that tells one sequence from the next; by default all rows are one");
  table.add("window", window, "rows that are read for each prediction; 0: a whole sequence", between(0, 1 << 20));
  table.add("horizon", horizon, "rows after these that are predicted; 0: the last of these", between(0, 1 << 16));
}

void SeriesOptions::check() const {
  if (window == 0 && (horizon > 0 || group.empty())) {
    throw usage_error("--window 0: expected --group and --horizon 0 beside it",
                      "whole sequences have nothing after them; say what tells them apart, and predict their last row");
  }
  if (horizon == 0 && inputs.empty()) {
    throw usage_error("--horizon 0: expected --inputs, found none",
                      "the targets' own past would hold what is to be predicted; name other columns");
  }
  const std::vector<std::string> read = split_names(inputs), predicted = split_names(target);
  for (const auto* names : {&read, &predicted}) {
    for (auto name = names->begin(); name != names->end(); ++name) {
      if (std::find(names->begin(), name, *name) == name) continue;
      throw usage_error(
          fmt::format("--{}: expected each column once, found '{}' twice", names == &read ? "inputs" : "target", *name),
          "leave one out");
    }
  }
  for (const std::string& name : predicted) {
    if (horizon == 0 && std::find(read.begin(), read.end(), name) != read.end()) {
      throw usage_error(
          "--horizon 0: expected other columns in --inputs than in --target, found '" + name + "' in both",
          "the last row that is read would hold what is to be predicted");
    }
  }
}

std::vector<std::string> split_names(const std::string& names) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= names.size() && !names.empty();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    out.emplace_back(trimmed(std::string_view(names).substr(begin, end - begin)));
    begin = end + 1;
  }
  return out;
}

Table read_table(std::string_view text, const SeriesOptions& options, const std::string& source) {
  const std::vector<CsvRecord> records = parse_csv(text, guess_separator(text), source);
  if (records.size() < 2) {
    throw input_error(
        source + ": expected a header and rows of numbers, found " + (records.empty() ? "nothing" : "one line"),
        "give a table with some rows");
  }
  CsvRecord header = records.front();
  for (std::string& name : header.fields) name = trimmed(name);
  for (size_t i = 0; i < header.fields.size(); ++i) {
    if (std::find(header.fields.begin(), header.fields.begin() + static_cast<std::ptrdiff_t>(i), header.fields[i]) !=
        header.fields.begin() + static_cast<std::ptrdiff_t>(i)) {
      throw input_error(fmt::format("{}:{}: expected distinct names in the header, found '{}' twice", source,
                                    header.line, header.fields[i]),
                        "give each column a name of its own");
    }
  }
  Table table;
  table.targets = split_names(options.target);
  if (table.targets.empty()) table.targets = {header.fields.back()};
  table.inputs = split_names(options.inputs);
  if (table.inputs.empty()) table.inputs = table.targets;
  std::vector<size_t> input_places, target_places;
  for (const std::string& name : table.targets) {
    if (options.horizon == 0 && std::find(table.inputs.begin(), table.inputs.end(), name) != table.inputs.end()) {
      throw input_error(
          fmt::format("{}:{}: expected a column to predict that is not read, found '{}' in both", source, header.line,
                      name),
          "the last row that is read would hold what is to be predicted; choose another with --target or --inputs");
    }
    if (name.find(',') != std::string::npos) {
      throw input_error(fmt::format("{}:{}: expected a name without a comma for what is predicted, found '{}'", source,
                                    header.line, name),
                        "rename the column, or choose another with --target");
    }
  }
  for (const std::string& name : table.inputs) input_places.push_back(find_column(header, name, source));
  for (const std::string& name : table.targets) target_places.push_back(find_column(header, name, source));
  const bool grouped = !options.group.empty();
  const size_t group = grouped ? find_column(header, options.group, source) : 0;

  std::set<std::string> groups;
  table.input.resize(table.inputs.size());
  table.target.resize(table.targets.size());
  table.starts.clear();
  for (size_t i = 1; i < records.size(); ++i) {
    const CsvRecord& record = records[i];
    if (record.fields.size() != header.fields.size()) {
      throw input_error(fmt::format("{}:{}: expected {} columns, as in the header, found {}", source, record.line,
                                    header.fields.size(), record.fields.size()),
                        "mend the line");
    }
    const bool begins = i == 1 || (grouped && record.fields[group] != records[i - 1].fields[group]);
    if (begins) table.starts.push_back(table.rows);
    if (begins && grouped && !groups.insert(record.fields[group]).second) {
      throw input_error(fmt::format("{}:{}: expected the rows of each sequence together, found '{}' in '{}' again",
                                    source, record.line, record.fields[group], options.group),
                        "sort the table by that column");
    }
    for (size_t c = 0; c < input_places.size(); ++c) {
      table.input[c].push_back(number(record, input_places[c], table.inputs[c], source));
    }
    for (size_t c = 0; c < target_places.size(); ++c) {
      table.target[c].push_back(number(record, target_places[c], table.targets[c], source));
    }
    ++table.rows;
  }
  table.starts.push_back(table.rows);
  return table;
}

std::vector<Window> windows(const Table& table, const SeriesOptions& options, int64_t first, int64_t last) {
  std::vector<Window> out;
  const int64_t ahead = steps_ahead(options);
  for (size_t s = 0; s + 1 < table.starts.size(); ++s) {
    const int64_t begin = table.starts[s], end = table.starts[s + 1];
    if (options.window == 0) {
      if (begin >= first && end <= last) out.push_back({begin, end - begin, end - 1});
      continue;
    }
    for (int64_t at = begin;; ++at) {
      const int64_t target = at + options.window - (options.horizon == 0 ? 1 : 0);
      if (target + ahead > std::min(end, last)) break;
      if (target >= first) out.push_back({at, options.window, target});
    }
  }
  return out;
}

Scale scale_of(const std::vector<double>& values, int64_t rows) {
  double mean = 0.0, squares = 0.0;
  for (int64_t i = 0; i < rows; ++i) mean += values[static_cast<size_t>(i)];
  mean /= static_cast<double>(std::max<int64_t>(rows, 1));
  for (int64_t i = 0; i < rows; ++i) squares += std::pow(values[static_cast<size_t>(i)] - mean, 2);
  const double deviation = std::sqrt(squares / static_cast<double>(std::max<int64_t>(rows, 1)));
  return {mean, deviation > 0.0 ? deviation : 1.0};
}

}  // namespace longhand::data
