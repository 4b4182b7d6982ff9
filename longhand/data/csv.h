// Tables as text: records of fields, with quotes (RFC 4180).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longhand::data {

struct CsvRecord {
  std::vector<std::string> fields;
  int64_t line = 0;  ///< where it begins, from 1
};

/// Takes a text apart into records. A field in double quotes may hold separators, newlines, and quotes written twice.
/// Empty lines are skipped. Throws what clean_text throws, and an input error naming `source` and the line for a quote
/// that is never closed, or one that is followed by something else than a separator.
std::vector<CsvRecord> parse_csv(std::string_view text, char separator, const std::string& source);

/// Splits one record into fields. `text`: its lines, cleaned, without the last newline. `line`: number of its first
/// line.
CsvRecord parse_record(std::string_view text, char separator, const std::string& source, int64_t line);

/// Finds the end of a record that is read line by line, in linear time.
class OpenQuote {
 public:
  explicit OpenQuote(char separator) : separator_(separator) {}
  /// Adds the next line of the record, cleaned, without its newline. Returns true if a quote is open at its end, so
  /// that the record continues in the next line.
  bool add(std::string_view line);

 private:
  char separator_;
  bool begins_field_ = true;
  bool open_ = false;
};

/// Like parse_csv with tabs as separators, but quotes are ordinary characters. Skips lines of white space.
std::vector<CsvRecord> parse_plain_tsv(std::string_view text, const std::string& source);

/// The separator of a table's fields among tab, semicolon and comma: that which its first line names (`sep=;`, as
/// spreadsheets write), or of those that stand in each of the first lines equally often, outside of quotes, the first
/// in this order; where there is none, that which the first line has most of.
char guess_separator(std::string_view text);

/// The text after a first line such as `sep=;`; all of it if there is none.
std::string_view without_separator_line(std::string_view text);

/// "comma", "semicolon" or "tab".
const char* separator_name(char separator);

}  // namespace longhand::data
