// Tables of numbers as text, without any meaning of the columns: what a model is run on, and what it answers. Tables
// that a forecaster learns from are read by data/series.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "longhand/io/array.h"
#include "longhand/io/byte_stream.h"

namespace longhand::convert {

struct NumberTable {
  std::vector<std::string> names;  ///< of the columns; empty: the table has none
  io::Array numbers;               ///< float64 [rows, columns]
};

/// Reads CSV with commas, semicolons or tabs, or columns between blanks as numpy.savetxt writes them. A first row
/// without a number has the names. Decimal commas are recognised as in other tables. Throws an input error naming line
/// and column for a cell that is empty or no finite number, a row that is shorter or longer than the first, numbers
/// that can be read in two ways, and a table without rows.
NumberTable read_number_table(const std::string& path);
/// The same for the contents of a file, which `name` stands for in errors.
NumberTable read_number_table(const std::string& name, std::string_view text);

/// Appends rows of `columns` numbers, as float32: with commas, and digits enough to read the same numbers back.
void write_number_rows(io::OutputStream& output, int64_t columns, std::span<const float> values);
/// Appends a row of names.
void write_names(io::OutputStream& output, const std::vector<std::string>& names);

}  // namespace longhand::convert
