// Reads tables in text form for `longhand run`, row by row, from files and pipes. Columns are found by name if the
// model has column names, otherwise by position.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "cli/run_rows.h"
#include "longhand/data/csv.h"
#include "longhand/data/numbers.h"
#include "longhand/data/source.h"
#include "longhand/io/byte_stream.h"

namespace longhand::cli {

/// Reads a file or a pipe line by line, as UTF-8. Removes byte-order marks and carriage returns.
class TableLines {
 public:
  explicit TableLines(const std::string& path);

  /// Reads the next line, without its newline. Returns false at the end. Throws an input error for text that
  /// data::clean_text refuses, and for a line of 64 MiB or more.
  bool next(std::string& line);
  /// Reads the next line that is not blank. Returns false at the end.
  bool next_filled(std::string& line);
  /// Text after the last line returned that is already in memory.
  std::string_view buffered() const { return std::string_view(pending_).substr(at_); }
  /// Number of the last line returned, from 1.
  int64_t number() const { return number_; }
  const std::string& name() const { return file_.name(); }
  /// Whether the file can be read a second time.
  bool is_file() const { return is_file_; }

 private:
  io::InputStream file_;
  data::TextCleaner cleaner_;
  bool is_file_;
  std::string pending_;
  size_t at_ = 0;  // offset of the next line in `pending_`
  int64_t number_ = 0;
  bool ended_ = false;
};

/// Reads the remaining records of a table.
class TableRecords {
 public:
  /// `separator`: comma, semicolon or tab; a space: fields are separated by runs of spaces and tabs.
  TableRecords(std::shared_ptr<TableLines> lines, char separator) : lines_(std::move(lines)), separator_(separator) {}

  /// Returns the next record that is not blank; no value at the end. Throws the errors of data::parse_csv.
  std::optional<data::CsvRecord> next();
  /// Returns the record whose first line is `line`, already read. Reads more lines while a quote is open.
  data::CsvRecord begun(std::string line);

 private:
  std::shared_ptr<TableLines> lines_;
  char separator_;
};

/// A table whose column names the model knows.
///
/// The first row is the header if it contains one of these names, or no number. Columns are then found by name, in any
/// order; other columns are ignored. Without a header, columns are found by position. The column `layout.group`, if the
/// table has it, identifies the sequence of each row; the rows of a sequence must be adjacent. Numbers are read as in
/// training. In a file, which is read twice, decimal commas and thousands separators are recognised. On a pipe, a comma
/// is the decimal separator unless commas separate the columns, and thousands separators are not allowed.
class NamedTable : public RowReader {
 public:
  /// `first`: the first record, already read from `lines`. Throws an input error for a column that is missing from the
  /// header or occurs twice in it, and the errors of TableRecords.
  NamedTable(const std::string& path, std::shared_ptr<TableLines> lines, char separator, data::CsvRecord first,
             RowLayout layout);

  int64_t read(int64_t max, std::vector<float>& rows) override;
  bool next_sequence() override;
  std::string sequence_column() const override { return group_ ? layout_.group : ""; }
  std::string note() const override;

 private:
  void find_columns(const data::CsvRecord& header);
  void number_columns(const data::CsvRecord& first);
  std::optional<size_t> find(const data::CsvRecord& header, const std::string& name) const;
  void find_style(const std::string& path);
  bool fetch();
  void check_width(const data::CsvRecord& record) const;
  void begin_sequence();
  void append(std::vector<float>& rows) const;

  RowLayout layout_;
  std::shared_ptr<TableLines> lines_;
  TableRecords records_;
  char separator_;
  std::vector<std::string> header_;         // column names in the table; empty: no header
  size_t columns_ = 0;                      // number of columns in the table
  std::vector<size_t> places_;              // index of each of the model's columns in the table
  std::optional<size_t> group_;             // index of the column that identifies the sequence
  std::optional<data::NumberStyle> style_;  // number format; none: a pipe
  std::optional<data::CsvRecord> record_;   // read but not yet returned
  std::string sequence_;                    // the current sequence
  std::unordered_set<std::string> sequences_;
};

/// Opens a table. Columns are found by name if the model was trained on a table, or if the table has the names of all
/// the model's inputs. Otherwise each row has the layout's numbers, separated by commas, semicolons, tabs or blanks,
/// and a first row without numbers is skipped.
std::unique_ptr<RowReader> open_table(const std::string& path, const RowLayout& layout);

}  // namespace longhand::cli
