// Reads tables with the rows of several series: sorts the rows by series, and reads static and known columns.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "longhand/data/csv.h"
#include "longhand/data/numbers.h"
#include "longhand/data/series.h"

namespace longhand::data {

/// Marks a value that is not known yet.
inline constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

/// Indices of columns in the header.
struct SeriesPlaces {
  std::optional<size_t> name;          ///< column with the series' name; none: all rows are one series
  std::vector<size_t> statics, known;  ///< in the order of the options
  std::vector<size_t> values;          ///< inputs and targets
};

/// Throws a usage error for options of several series that cannot be combined.
void check_series(const SeriesOptions& options);

/// Sorts `rows` by series, stably; series are ordered by their first rows. Sets the table's `series`, `starts` and
/// `observed`. Throws an input error for a row without a series name.
void sort_by_series(const SeriesOptions& options, const SeriesPlaces& places, std::vector<const CsvRecord*>& rows,
                    Table& table, const std::string& source);
/// Reads the known and the static columns into `table`. Throws an input error for an empty cell, for a cell of a known
/// column that is not a number, and for a static column whose value changes within a series.
void read_series_columns(const SeriesOptions& options, const SeriesPlaces& places,
                         const std::vector<const CsvRecord*>& rows, const NumberStyle& style, Table& table,
                         const std::string& source);
/// Whether a row lies after the observed rows of its series.
inline bool is_future(const Table& table, int64_t row) { return row >= table.end_of(table.sequence_of(row)); }

/// Parses a cell. Throws an input error if it is empty, not a number, or its absolute value is above 1e150.
double read_number(const CsvRecord& record, size_t column, const std::string& name, const NumberStyle& style,
                   const std::string& source);

}  // namespace longhand::data
