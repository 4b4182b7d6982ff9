// Tables of numbers, and the windows of their rows that regressors learn from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/base/options.h"

namespace longhand::data {

/// What is predicted from what. Names are those of the table's header, several with commas between.
struct SeriesOptions {
  std::string inputs;  ///< columns that are read; empty: the targets' own past
  std::string target;  ///< columns that are predicted; empty: the last
  std::string group;   ///< column that tells one sequence from the next: windows stay within one; empty: all are one
  std::string time;    ///< column of times, which should rise within a sequence; empty: none
  bool header = true;  ///< the first row has the columns' names; otherwise they are called 1, 2, ...
  std::string decimal = "auto";  ///< decimal separator: "point" or "comma"; auto: as the file shows
  int64_t window = 24;           ///< rows that are read; 0: a whole sequence
  int64_t horizon = 1;           ///< rows after the window that are predicted; 0: of the window's last row
  /// Column with the name of each row's series. Rows of several series may be mixed; rows of one series keep their
  /// order. A window lies within one series, and the end of each series is held out. Empty: `group`.
  std::string series_column{};
  std::string statics{};  ///< columns with one value for each series: numbers or texts
  std::string known{};    ///< columns with values known ahead, for the rows to predict

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
};

std::vector<std::string> split_names(const std::string& names);

/// Standardisation: models read (x - mean) / deviation.
struct Scale {
  double mean = 0.0;
  double deviation = 1.0;

  double apply(double x) const { return (x - mean) / deviation; }
  double undo(double z) const { return z * deviation + mean; }
};

/// A column with one value for each series.
struct StaticColumn {
  std::string name;
  std::vector<std::string> texts;  ///< [S] as in the file
  std::vector<double> numbers;     ///< [S]; empty if a text is not a number
};

/// Scales and encoded static columns of one series of a table, for one model; set by tasks::prepare.
struct PreparedSeries {
  std::vector<Scale> scales;   ///< [O] of the targets, for all rows; empty: `running`
  std::vector<Scale> running;  ///< [rows, O] of the rows up to and including each; for a series new to the model
  std::vector<float> statics;  ///< [static_width] inputs of the network
};

/// Columns of numbers, in the order of the file.
struct Table {
  std::vector<std::string> inputs, targets;        ///< names
  std::vector<std::vector<double>> input, target;  ///< [columns][rows]
  std::vector<int64_t> starts{0};                  ///< where each sequence begins, and the end of the last
  int64_t rows = 0;
  std::string format;  ///< "semicolon-separated, decimal commas"
  std::string times;   ///< warning for the user if times do not always increase; empty otherwise

  // Only for tables with a column of series. The rows of each series are contiguous.
  std::vector<std::string> series{};         ///< [S] names of the sequences
  std::vector<std::string> known_names{};    ///< names of the columns known ahead
  std::vector<std::vector<double>> known{};  ///< [columns][rows]
  std::vector<StaticColumn> statics{};
  std::vector<int64_t> observed{};         ///< [S] end of the rows whose inputs and targets are known
  std::vector<PreparedSeries> prepared{};  ///< [S]; empty before tasks::prepare

  int64_t sequences() const { return static_cast<int64_t>(starts.size()) - 1; }
  /// Index of the sequence that contains a row.
  int64_t sequence_of(int64_t row) const;
  /// End of the rows of a sequence whose inputs and targets are known. Later rows have only the columns known ahead.
  int64_t end_of(int64_t sequence) const {
    return observed.empty() ? starts[static_cast<size_t>(sequence) + 1] : observed[static_cast<size_t>(sequence)];
  }

  /// "semicolon-separated, decimal commas; inputs: a; targets: b", for a model that predicts `predicted`.
  std::string describe(const std::vector<std::string>& predicted) const;
  std::string describe() const { return describe(targets); }
};

/// Reads a table. Columns without a name are left alone. Throws an input error naming line and column for one that is
/// missing or twice in the header, for a first row of numbers where names should be, for a cell of these columns that
/// is empty, no number, or beyond 1e150, and for numbers that can be read in two ways.
Table read_table(std::string_view text, const SeriesOptions& options, const std::string& source);

/// Rows begin .. begin + length - 1 are read, and the `horizon` rows from `target` on are predicted (one, with a
/// horizon of 0).
struct Window {
  int64_t begin = 0;
  int64_t length = 0;
  int64_t target = 0;
};

/// The windows of a table, in order, whose targets lie in rows first .. last-1; what is read may lie before. (Of whole
/// sequences: those that lie in these rows.)
std::vector<Window> windows(const Table& table, const SeriesOptions& options, int64_t first, int64_t last);
/// The windows of a table of several series whose targets lie in rows [n from, n to) of the n rows of their series;
/// 0 <= from <= to <= 1.
std::vector<Window> windows_of_part(const Table& table, const SeriesOptions& options, double from, double to);
/// Index in the table of row floor(n fraction) of a sequence with n rows.
int64_t row_at(const Table& table, int64_t sequence, double fraction);

/// Targets of a window.
inline int64_t steps_ahead(const SeriesOptions& options) { return options.horizon > 0 ? options.horizon : 1; }

/// Mean and standard deviation of the first `rows` values; the deviation of values that are constant up to rounding is
/// 0.
Scale spread_of(const std::vector<double>& values, int64_t rows);
/// The same as a scale. A column that is constant up to rounding has deviation 1.
Scale scale_of(const std::vector<double>& values, int64_t rows);

}  // namespace longhand::data
