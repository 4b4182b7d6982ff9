#include "longhand/data/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/data/csv.h"
#include "longhand/data/numbers.h"
#include "longhand/data/series_table.h"
#include "longhand/data/source.h"

namespace longhand::data {
namespace {

// The columns of a table by their names.
class Header {
 public:
  Header(const CsvRecord& first, bool named, const std::string& source) : line_(first.line), source_(source) {
    for (size_t i = 0; i < first.fields.size(); ++i) {
      names_.push_back(named ? std::string(trimmed(first.fields[i])) : std::to_string(i + 1));
      if (names_.back().empty()) continue;  // spreadsheets write such columns
      if (!places_.emplace(names_.back(), i).second) {
        throw input_error(
            fmt::format("{}:{}: expected distinct names in the header, found '{}' twice", source, line_, names_.back()),
            "give each column a name of its own");
      }
    }
    if (places_.empty()) {
      throw input_error(fmt::format("{}:{}: expected names of columns, found none", source, line_),
                        "name the columns in the first line, or give `no-header`");
    }
  }

  size_t size() const { return names_.size(); }
  const std::string& last() const {
    return *std::find_if(names_.rbegin(), names_.rend(), [](const auto& name) { return !name.empty(); });
  }
  size_t find(const std::string& name) const {
    if (const auto found = places_.find(name); found != places_.end()) return found->second;
    size_t number = 0;  // of the column, from 1
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && stop == name.data() + name.size() && number >= 1 && number <= names_.size()) {
      return number - 1;
    }
    throw input_error(fmt::format("{}:{}: expected a column '{}', found {}", source_, line_, name, listed(names_, 20)),
                      "check the column names in the header" + did_you_mean(name, names_));
  }

 private:
  int64_t line_;
  const std::string& source_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, size_t> places_;
};

bool is_number(std::string_view field) { return parse_number(field, {'.', true}) || parse_number(field, {',', true}); }
bool is_value(std::string_view field) { return is_number(field) || parse_time(field); }

// A first row in which every cell is a number has no names in it.
bool is_all_numbers(const CsvRecord& first) {
  const auto fits = [](const std::string& field) { return trimmed(field).empty() || is_number(field); };
  return std::all_of(first.fields.begin(), first.fields.end(), fits) &&
         std::any_of(first.fields.begin(), first.fields.end(), is_number);
}

// Returns a warning with the number of times that do not increase within a sequence; empty if all increase.
std::string check_times(const std::vector<const CsvRecord*>& records, size_t column, const Table& table,
                        const std::string& name, const std::string& source) {
  int64_t backwards = 0, repeated = 0, line = 0;
  size_t sequence = 0;
  double before = 0.0;
  for (size_t i = 0; i < records.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    const std::optional<double> time = parse_time(records[i]->fields[column]);
    if (!time) {
      throw input_error(fmt::format("{}:{}: column '{}': expected a time, found '{}'", source, records[i]->line, name,
                                    trimmed(records[i]->fields[column])),
                        "write times as 2024-01-31 or 2024-01-31 23:59, or as numbers");
    }
    const bool begins = sequence < table.starts.size() && table.starts[sequence] == row;
    if (begins) ++sequence;
    const bool wrong = !begins && *time <= before;
    if (wrong && line == 0) line = records[i]->line;
    repeated += wrong && *time == before ? 1 : 0;
    backwards += wrong && *time < before ? 1 : 0;
    before = *time;
  }
  if (line == 0) return "";
  return fmt::format(
      "column '{}': {} of {} times are before and {} equal to that of the row above, first in line {}; "
      "rows are read in the order of the file: sort them by time",
      name, backwards, records.size(), repeated, line);
}

}  // namespace

void SeriesOptions::add_to(OptionTable& table) {
  table.add("inputs", inputs, "names of the input columns, separated by commas; by default the targets");
  table.add("target", target, "names of the columns to predict, separated by commas; by default the last column");
  table.add("group", group, "column that identifies the sequence of each row; by default all rows are one sequence");
  table.add("time", time, "column of times, checked to increase within each sequence; by default none");
  table.add("header", header, "read the first row as column names; without names, columns are called 1, 2, ...");
  table.add("decimal", decimal, "decimal separator; auto recognises it", one_of({"auto", "point", "comma"}));
  table.add("window", window, "number of rows to read for each prediction; 0: the whole sequence", between(0, 1 << 20));
  table.add("horizon", horizon, "number of rows to predict after the window; 0: the last row of the window",
            between(0, 1 << 16));
  table.add("series-column", series_column,
            "column with the name of each row's series: windows stay within a series, and the end of each is held out");
  table.add("static", statics,
            "names of columns that do not change within a series, numbers or texts, separated by commas");
  table.add("known", known,
            "names of columns of numbers whose future values are known when predicting, separated by commas");
}

void SeriesOptions::check() const {
  check_series(*this);
  if (window == 0 && (horizon > 0 || group.empty())) {
    throw usage_error("`window` 0: expected `group` and `horizon` 0 with it",
                      "nothing follows a whole sequence: give `group`, and `horizon` 0 to predict its last row");
  }
  if (horizon == 0 && inputs.empty()) {
    throw usage_error("`horizon` 0: expected `inputs`, found none",
                      "the past of the targets would contain the target; name other columns with `inputs`");
  }
  const std::vector<std::string> read = split_names(inputs), predicted = split_names(target);
  for (const auto* names : {&read, &predicted}) {
    for (auto name = names->begin(); name != names->end(); ++name) {
      if (std::find(names->begin(), name, *name) == name) continue;
      throw usage_error(
          fmt::format("`{}`: expected each column once, found '{}' twice", names == &read ? "inputs" : "target", *name),
          "leave one out");
    }
  }
  for (const std::string& name : predicted) {
    if (horizon == 0 && std::find(read.begin(), read.end(), name) != read.end()) {
      throw usage_error("`horizon` 0: expected inputs that are not targets, found '" + name + "' in both",
                        "the window's last row would contain the target");
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

Table read_table(std::string_view raw, const SeriesOptions& options, const std::string& source) {
  const std::string text = clean_text(raw, source);
  const char separator = guess_separator(text);
  const std::vector<CsvRecord> records = parse_csv(text, separator, source);
  const size_t first = options.header ? 1 : 0;
  if (records.size() < first + 1) {
    throw input_error(
        source + ": expected a header and rows of numbers, found " + (records.empty() ? "nothing" : "one line"),
        "give a table with some rows");
  }
  const Header header(records.front(), options.header, source);
  const bool begins_with_values =
      is_all_numbers(records.front()) || (options.target.empty() && is_value(header.last()));
  if (options.header && begins_with_values) {
    throw input_error(fmt::format("{}:{}: expected names of columns, found what may be a row of values ({})", source,
                                  records.front().line, listed(records.front().fields)),
                      "add a header line with the column names, give `no-header`, or name a column with `target`");
  }
  Table table;
  table.targets = split_names(options.target);
  if (table.targets.empty()) table.targets = {header.last()};
  table.inputs = split_names(options.inputs);
  if (table.inputs.empty()) table.inputs = table.targets;
  std::vector<size_t> input_places, target_places;
  for (const std::string& name : table.targets) {
    if (options.horizon == 0 && std::find(table.inputs.begin(), table.inputs.end(), name) != table.inputs.end()) {
      throw input_error(
          fmt::format("{}:{}: expected a target that is not an input, found '{}' in both", source, records.front().line,
                      name),
          "the window's last row would contain the target; choose another column with `target` or `inputs`");
    }
    if (name.find(',') != std::string::npos) {
      throw input_error(fmt::format("{}:{}: expected a target column without a comma in its name, found '{}'", source,
                                    records.front().line, name),
                        "rename the column, or choose another with `target`");
    }
  }
  for (const std::string& name : table.inputs) input_places.push_back(header.find(name));
  for (const std::string& name : table.targets) target_places.push_back(header.find(name));
  const bool grouped = !options.group.empty();
  const size_t group = grouped ? header.find(options.group) : 0;
  NumberStyleFinder finder;
  for (size_t i = first; i < records.size(); ++i) {
    const CsvRecord& record = records[i];
    if (record.fields.size() != header.size()) {
      throw input_error(fmt::format("{}:{}: expected {} columns, as in the {}, found {}", source, record.line,
                                    header.size(), options.header ? "header" : "first row", record.fields.size()),
                        "fix the line");
    }
    for (const std::string& field : record.fields) finder.add(field);  // other columns show the style, too
  }
  NumberStyle style = finder.style();
  if (options.decimal != "auto") {
    style = {options.decimal == "comma" ? ',' : '.', true};
  } else if (const std::string cell = finder.ambiguous(separator == ';'); !cell.empty()) {
    throw input_error(
        fmt::format("{}: expected numbers, found '{}', in which the {} may be a decimal separator or "
                    "a thousands separator",
                    source, cell, cell.find(',') != std::string::npos ? "comma" : "point"),
        "write the numbers without thousands separators; `train` also accepts `decimal` comma or `decimal` point");
  }

  std::unordered_set<std::string> groups;
  table.input.resize(table.inputs.size());
  table.target.resize(table.targets.size());
  table.starts.clear();
  std::vector<const CsvRecord*> rows;
  for (size_t i = first; i < records.size(); ++i) rows.push_back(&records[i]);
  std::optional<SeriesPlaces> series;
  if (!options.series_column.empty() || !options.known.empty()) {
    series.emplace();
    const auto places = [&](const std::vector<std::string>& names) {
      std::vector<size_t> out;
      for (const std::string& name : names) out.push_back(header.find(name));
      return out;
    };
    if (!options.series_column.empty()) series->name = header.find(options.series_column);
    series->statics = places(split_names(options.statics));
    series->known = places(split_names(options.known));
    series->values = input_places;
    series->values.insert(series->values.end(), target_places.begin(), target_places.end());
    sort_by_series(options, *series, rows, table, source);
    read_series_columns(options, *series, rows, style, table, source);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const CsvRecord& record = *rows[i];
    const bool begins = i == 0 || (grouped && record.fields[group] != rows[i - 1]->fields[group]);
    if (begins && !series) table.starts.push_back(table.rows);
    if (begins && grouped && !groups.insert(record.fields[group]).second) {
      throw input_error(fmt::format("{}:{}: expected the rows of each sequence together, found '{}' in '{}' again",
                                    source, record.line, record.fields[group], options.group),
                        "sort the table by that column, or name it with `series-column`");
    }
    const bool future = series && is_future(table, static_cast<int64_t>(i));
    for (size_t c = 0; c < input_places.size(); ++c) {
      table.input[c].push_back(future ? kNoValue
                                      : read_number(record, input_places[c], table.inputs[c], style, source));
    }
    for (size_t c = 0; c < target_places.size(); ++c) {
      table.target[c].push_back(future ? kNoValue
                                       : read_number(record, target_places[c], table.targets[c], style, source));
    }
    ++table.rows;
  }
  if (!series) table.starts.push_back(table.rows);
  table.format =
      fmt::format("{}-separated{}{}{}", separator_name(separator), style.decimal == ',' ? ", decimal commas" : "",
                  style.thousands && options.decimal == "auto" ? ", thousands separators" : "",
                  options.header ? "" : ", no header");
  if (!options.time.empty()) {
    table.times = check_times(rows, header.find(options.time), table, options.time, source);
  }
  return table;
}

std::string Table::describe(const std::vector<std::string>& predicted) const {
  return fmt::format("{}; inputs: {}; targets: {}", format, visible(listed(inputs)), visible(listed(predicted)));
}

}  // namespace longhand::data
