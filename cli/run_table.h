// Tables as text, which `longhand run` reads row by row from files and pipes: by the names of their columns if the
// model knows these, otherwise by place.
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

/// The lines of a file or a pipe, as they come: UTF-8 without byte-order marks and carriage returns.
class TableLines {
 public:
  explicit TableLines(const std::string& path);

  /// Reads the next line, without its newline. Returns false at the end. Throws an input error for text that
  /// data::clean_text refuses, and for a line of 64 MiB.
  bool next(std::string& line);
  /// Reads the next line that is not blank.
  bool next_filled(std::string& line);
  /// Text that was read behind the last line: more of the file, or what a pipe had.
  std::string_view buffered() const { return std::string_view(pending_).substr(at_); }
  /// Number of the last line, from 1.
  int64_t number() const { return number_; }
  const std::string& name() const { return file_.name(); }
  /// Whether the file can be read a second time.
  bool is_file() const { return is_file_; }

 private:
  io::InputStream file_;
  data::TextCleaner cleaner_;
  bool is_file_;
  std::string pending_;
  size_t at_ = 0;  // of the next line in `pending_`
  int64_t number_ = 0;
  bool ended_ = false;
};

/// The records of a table from a line on.
class TableRecords {
 public:
  /// `separator`: comma, semicolon, tab, or a blank for columns between blanks and tabs.
  TableRecords(std::shared_ptr<TableLines> lines, char separator) : lines_(std::move(lines)), separator_(separator) {}

  /// The next record that is not blank; nothing at the end. Throws what data::parse_csv throws.
  std::optional<data::CsvRecord> next();
  /// The record that begins with a line that has been read.
  data::CsvRecord begun(std::string line);

 private:
  std::shared_ptr<TableLines> lines_;
  char separator_;
};

/// A table whose columns the model knows by name.
///
/// A first row that has one of the names, or no number, is the header. The columns are then found by name, in any
/// order; others are not read. Without a header, columns are taken by place. Rows of a sequence stand together if the
/// table has the column `layout.group`. Numbers are read as in training: decimal commas and marks between thousands are
/// recognised in a file, which is read twice. On a pipe a comma is decimal if commas do not separate the columns, and
/// there are no marks between thousands.
class NamedTable : public RowReader {
 public:
  /// `first`: the first record, which was read from `lines`. Throws an input error for a column that is missing or
  /// twice in the header, and what TableRecords throws.
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
  std::vector<std::string> header_;         // names in the table; empty: none
  size_t columns_ = 0;                      // of the table
  std::vector<size_t> places_;              // of the model's columns
  std::optional<size_t> group_;             // place of the column of sequences
  std::optional<data::NumberStyle> style_;  // none: a pipe
  std::optional<data::CsvRecord> record_;   // read from the table and not yet returned
  std::string sequence_;                    // the present one
  std::unordered_set<std::string> sequences_;
};

/// Opens a table. If the model does not know its columns by name, a row has the layout's numbers, with commas,
/// semicolons, tabs or blanks between them, and a first row without a number is left out.
std::unique_ptr<RowReader> open_table(const std::string& path, const RowLayout& layout);

}  // namespace longhand::cli
