#include "cli/run_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/utf8.h"
#include "longhand/data/series_table.h"

namespace longhand::cli {
namespace {

// Splits a line into fields at runs of blanks.
data::CsvRecord blank_separated(std::string_view line, int64_t number) {
  data::CsvRecord out{{}, number};
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(data::kBlanks), line.size()));
    if (line.empty()) return out;
    const size_t size = std::min(line.find_first_of(data::kBlanks), line.size());
    out.fields.emplace_back(line.substr(0, size));
    line.remove_prefix(size);
  }
}

bool is_number_in_any_style(const std::string& cell) {
  return data::parse_number(cell, {.decimal = '.'}) || data::parse_number(cell, {.decimal = ','});
}

// Returns the column number, from 1, that `name` stands for in a table without a header; 0: `name` is not a number.
size_t column_number(const std::string& name) {
  size_t out = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), out);
  return error == std::errc() && stop == name.data() + name.size() ? out : 0;
}

bool has_any(const data::CsvRecord& record, const std::vector<std::string>& names) {
  return std::any_of(record.fields.begin(), record.fields.end(), [&](const std::string& field) {
    return std::find(names.begin(), names.end(), data::trimmed(field)) != names.end();
  });
}

}  // namespace

TableLines::TableLines(const std::string& path)
    : file_(path), cleaner_(file_.name()), is_file_(path != "-" && file_.size().has_value()) {}

bool TableLines::next(std::string& line) {
  constexpr size_t kLongestLine = size_t{1} << 26, kPiece = 65536;
  size_t searched = at_;
  while (true) {
    const size_t end = pending_.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(pending_, at_, end - at_);
      at_ = end + 1;
      ++number_;
      return true;
    }
    pending_.erase(0, at_);
    at_ = 0;
    searched = pending_.size();
    if (ended_) {
      line = std::exchange(pending_, {});
      number_ += line.empty() ? 0 : 1;
      return !line.empty();
    }
    if (pending_.size() > kLongestLine) {
      throw input_error(fmt::format("{}:{}: expected a line of less than 64 MiB", name(), number_ + 1),
                        "is it a file of text?");
    }
    std::string piece(kPiece, '\0');
    piece.resize(file_.read_some({piece.data(), kPiece}));
    ended_ = piece.empty();
    ended_ ? cleaner_.finish(pending_) : cleaner_.push(piece, pending_);
  }
}

bool TableLines::next_filled(std::string& line) {
  while (next(line)) {
    if (!data::trimmed(line).empty()) return true;
  }
  return false;
}

std::optional<data::CsvRecord> TableRecords::next() {
  std::string line;
  if (!lines_->next_filled(line)) return std::nullopt;
  return begun(std::move(line));
}

data::CsvRecord TableRecords::begun(std::string line) {
  const int64_t number = lines_->number();
  if (separator_ == ' ') return blank_separated(line, number);
  data::OpenQuote quote(separator_);
  std::string more;
  bool open = quote.add(line);
  while (open && lines_->next(more)) {
    open = quote.add(more);
    line.append("\n").append(more);
  }
  return data::parse_record(line, separator_, lines_->name(), number);
}

NamedTable::NamedTable(const std::string& path, std::shared_ptr<TableLines> lines, char separator,
                       data::CsvRecord first, RowLayout layout)
    : layout_(std::move(layout)), lines_(std::move(lines)), records_(lines_, separator), separator_(separator) {
  columns_ = first.fields.size();
  if ((layout_.header && has_any(first, layout_.columns)) ||
      std::none_of(first.fields.begin(), first.fields.end(), is_number_in_any_style)) {
    find_columns(first);
  } else {
    number_columns(first);
    record_ = std::move(first);
  }
  find_style(path);
  if (fetch()) begin_sequence();
}

std::optional<size_t> NamedTable::find(const data::CsvRecord& header, const std::string& name) const {
  std::optional<size_t> out;
  for (size_t i = 0; i < header.fields.size(); ++i) {
    if (data::trimmed(header.fields[i]) != name) continue;
    if (out) {
      throw input_error(fmt::format("{}:{}: expected distinct names in the header, found '{}' twice", lines_->name(),
                                    header.line, visible(name)),
                        "give each column a name of its own");
    }
    out = i;
  }
  return out;
}

void NamedTable::find_columns(const data::CsvRecord& header) {
  for (const std::string& field : header.fields) header_.emplace_back(data::trimmed(field));
  for (const std::string& name : layout_.columns) {
    std::optional<size_t> place = find(header, name);
    const size_t number = column_number(name);
    if (!place && number >= 1 && number <= columns_) place = number - 1;
    if (!place) {
      throw input_error(fmt::format("{}:{}: expected a column '{}', found {}", lines_->name(), header.line,
                                    visible(name), visible(listed(header_, 20).substr(0, 400))),
                        "name the columns in the header as in training" + did_you_mean(name, header_));
    }
    places_.push_back(*place);
  }
  if (!layout_.group.empty()) group_ = find(header, layout_.group);
}

// For a table without a header: columns are in the model's order, or numbered as in a training table without a header.
void NamedTable::number_columns(const data::CsvRecord& first) {
  const std::vector<std::string>& names = layout_.columns;
  const bool numbered = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return column_number(name) >= 1 && column_number(name) <= columns_;
  });
  if (!numbered && columns_ != names.size()) {
    throw input_error(
        fmt::format("{}:{}: expected {} number{} ({}), found {}", lines_->name(), first.line, names.size(),
                    names.size() == 1 ? "" : "s", visible(fmt::format("{}", fmt::join(names, ", "))), columns_),
        "write one time step a line, with these columns alone; or name the columns in the first row");
  }
  for (size_t i = 0; i < names.size(); ++i) places_.push_back(numbered ? column_number(names[i]) - 1 : i);
  const size_t group = column_number(layout_.group);
  if (numbered && group >= 1 && group <= columns_) group_ = group - 1;
}

void NamedTable::find_style(const std::string& path) {
  if (layout_.decimal != "auto") style_ = {layout_.decimal == "comma" ? ',' : '.', true};
  if (style_ || !lines_->is_file()) return;
  data::NumberStyleFinder finder;
  const auto lines = std::make_shared<TableLines>(path);
  TableRecords records(lines, separator_);
  bool header = !header_.empty();
  while (const std::optional<data::CsvRecord> record = records.next()) {
    if (std::exchange(header, false)) continue;
    for (const std::string& field : record->fields) finder.add(field);
  }
  if (const std::string cell = finder.ambiguous(separator_ == ';'); !cell.empty()) {
    throw input_error(
        fmt::format("{}: expected numbers, found '{}', in which the {} may be a decimal separator or a thousands "
                    "separator",
                    lines_->name(), visible(cell), cell.find(',') != std::string::npos ? "comma" : "point"),
        "give `decimal` comma or `decimal` point");
  }
  style_ = finder.style();
}

void NamedTable::check_width(const data::CsvRecord& record) const {
  if (record.fields.size() == columns_) return;
  throw input_error(fmt::format("{}:{}: expected {} columns, as in the {}, found {}", lines_->name(), record.line,
                                columns_, header_.empty() ? "first row" : "header", record.fields.size()),
                    "fix the line");
}

// Reads the next record into `record_` if that is empty. Returns false at the end of the table.
bool NamedTable::fetch() {
  if (!record_ && (record_ = records_.next())) check_width(*record_);
  return record_.has_value();
}

void NamedTable::begin_sequence() {
  if (!group_) return;
  sequence_ = record_->fields[*group_];
  if (sequences_.insert(sequence_).second) return;
  throw input_error(fmt::format("{}:{}: expected the rows of each sequence together, found '{}' in '{}' again",
                                lines_->name(), record_->line, visible(sequence_), visible(layout_.group)),
                    "sort the table by that column");
}

bool NamedTable::next_sequence() {
  if (!fetch()) return false;
  begin_sequence();
  return true;
}

int64_t NamedTable::read(int64_t max, std::vector<float>& rows) {
  int64_t n = 0;
  while (n < max && fetch()) {
    if (group_ && record_->fields[*group_] != sequence_) break;
    append(rows);
    record_.reset();
    ++n;
  }
  return n;
}

void NamedTable::append(std::vector<float>& rows) const {
  for (size_t i = 0; i < places_.size(); ++i) {
    const std::string& cell = record_->fields[places_[i]];
    const bool comma = separator_ != ',' && cell.find(',') != std::string::npos;
    const data::NumberStyle style = style_.value_or(data::NumberStyle{comma ? ',' : '.', false});
    const double value = data::read_number(*record_, places_[i], visible(layout_.columns[i]), style, lines_->name());
    rows.push_back(static_cast<float>(value));
    if (std::isfinite(rows.back())) continue;
    throw input_error(fmt::format("{}:{}: column '{}': expected a number that float32 can hold, found {}",
                                  lines_->name(), record_->line, visible(layout_.columns[i]), value),
                      "scale the column");
  }
}

std::string NamedTable::note() const {
  const auto quoted = [](const std::vector<std::string>& names) { return visible(listed(names, 20)); };
  if (header_.empty()) {
    return fmt::format("{}: no header; columns are read in the order {}", lines_->name(), quoted(layout_.columns));
  }
  std::vector<std::string> others;
  for (size_t i = 0; i < columns_; ++i) {
    const bool read = std::find(places_.begin(), places_.end(), i) != places_.end() || group_ == i;
    if (!read) others.push_back(header_[i].empty() ? std::to_string(i + 1) : header_[i]);
  }
  const std::string sequences =
      group_ ? "; sequences by " + visible(layout_.group)
      : layout_.group.empty()
          ? ""
          : fmt::format("; without the column '{}', all rows are one sequence", visible(layout_.group));
  if (others.empty() && sequences.empty()) return "";
  return fmt::format("{}: columns {}{}{}", lines_->name(), quoted(layout_.columns), sequences,
                     others.empty() ? "" : "; not read: " + quoted(others));
}

}  // namespace longhand::cli
