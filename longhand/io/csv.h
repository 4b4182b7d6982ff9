// Fields of the CSV that we write (RFC 4180). What we read is in data/csv.cpp.
#pragma once

#include <string>

namespace longhand::io {

/// In quotes where it holds a comma, a quote or the end of a line, with quotes doubled.
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

}  // namespace longhand::io
