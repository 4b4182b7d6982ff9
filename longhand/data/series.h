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

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
};

std::vector<std::string> split_names(const std::string& names);

/// Columns of numbers, in the order of the file.
struct Table {
  std::vector<std::string> inputs, targets;        ///< names
  std::vector<std::vector<double>> input, target;  ///< [columns][rows]
  std::vector<int64_t> starts{0};                  ///< where each sequence begins, and the end of the last
  int64_t rows = 0;
  std::string format;  ///< "semicolon-separated, decimal commas"
  std::string times;   ///< what was noticed in the column of times; empty: nothing

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

/// Targets of a window.
inline int64_t steps_ahead(const SeriesOptions& options) { return options.horizon > 0 ? options.horizon : 1; }

/// x - mean over deviation: what models see.
struct Scale {
  double mean = 0.0;
  double deviation = 1.0;

  double apply(double x) const { return (x - mean) / deviation; }
  double undo(double z) const { return z * deviation + mean; }
};

/// Mean and standard deviation of the first `rows` values; the deviation of values that are constant up to rounding is
/// 0.
Scale spread_of(const std::vector<double>& values, int64_t rows);
/// The same as a scale. A column that is constant up to rounding has deviation 1.
Scale scale_of(const std::vector<double>& values, int64_t rows);

}  // namespace longhand::data
