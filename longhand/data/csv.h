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
/// Empty lines are skipped, and so is a byte-order mark. Throws an input error naming `source` and the line for text
/// that is not UTF-8, a quote that is never closed, or one that is followed by something else than a separator.
std::vector<CsvRecord> parse_csv(std::string_view text, char separator, const std::string& source);

/// The one of , ; and tab that stands in the first line most often, outside of quotes; a comma if none does.
char guess_separator(std::string_view text);

/// "comma", "semicolon" or "tab".
const char* separator_name(char separator);

}  // namespace longhand::data
