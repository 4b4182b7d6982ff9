// Tables with the rows of several series: how the rows are put in order, and the columns that only such tables have.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "longhand/data/csv.h"
#include "longhand/data/numbers.h"
#include "longhand/data/series.h"

namespace longhand::data {

/// What stands for a value that is not known yet.
inline constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

/// Numbers of the columns in the header.
struct SeriesPlaces {
  std::optional<size_t> name;          ///< of the series; none: all rows are one series
  std::vector<size_t> statics, known;  ///< in the order of the options
  std::vector<size_t> values;          ///< inputs and targets
};

/// Throws a usage error for options of several series that cannot be combined.
void check_series(const SeriesOptions& options);

/// Puts the rows of each series together, in the order of the file, the series in that of their first rows; sets the
/// table's `series`, `starts` and `observed`. Throws an input error for a row without a name.
void sort_by_series(const SeriesOptions& options, const SeriesPlaces& places, std::vector<const CsvRecord*>& rows,
                    Table& table, const std::string& source);
/// Reads the columns known ahead and those that do not change. Throws an input error for a cell that is empty, for one
/// of a column known ahead that is no number, and for one that does change.
void read_series_columns(const SeriesOptions& options, const SeriesPlaces& places,
                         const std::vector<const CsvRecord*>& rows, const NumberStyle& style, Table& table,
                         const std::string& source);
/// Whether a row is after those whose values are known.
inline bool is_future(const Table& table, int64_t row) { return row >= table.end_of(table.sequence_of(row)); }

/// A cell as a number. Throws an input error for one that is empty, no number, or beyond 1e150.
double read_number(const CsvRecord& record, size_t column, const std::string& name, const NumberStyle& style,
                   const std::string& source);

}  // namespace longhand::data
