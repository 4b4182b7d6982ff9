// Ridge regression on the numbers of a window (Hoerl and Kennard 1970): every target, every step ahead, as a linear
// function of the window's last rows. Held-out windows choose the penalty, the columns and how many rows are read.
#pragma once

#include <optional>
#include <string>

#include "longhand/baselines/baseline_file.h"
#include "longhand/baselines/least_squares.h"

namespace longhand::baselines {

/// Numbers that a fit reads at most from a window: the time of a fit grows with their third power.
constexpr int64_t kMaxRidgeInputs = 2048;

/// A fitted forecast. All numbers are standardised as those that it was fitted to.
struct Ridge {
  std::vector<std::string> columns;  ///< C, by name
  int64_t window = 0;                ///< W: it reads the last rows of a window
  int64_t outputs = 0;               ///< K = A O, step by step
  double penalty = 0.0;              ///< of the sum of squared weights, beside the sum of squared errors
  std::vector<float> coefficients;   ///< [K, C, W]
  std::vector<float> intercept;      ///< [K]
  /// [K] root mean squares of its errors on the windows that it was chosen by, or else fitted to; empty: unknown
  std::vector<float> deviations{};

  /// x: [C, W]; y: [K] overwritten
  void predict(const double* x, double* y) const;

  void write(BaselineWriter& file) const;
  /// Throws an input error for a file whose numbers do not fit together.
  static Ridge read(const BaselineFile& file);
  static constexpr const char* kKind = "ridge";
};

/// Windows to fit to, and others to choose by. Each set is of one length; the held-out one may be empty: then the last
/// tenth of the windows to fit to is held out for the choice alone.
struct RidgeData {
  const Columns& train;
  std::span<const data::Window> train_windows;
  const Columns& valid;
  std::span<const data::Window> valid_windows;
  int64_t ahead = 1;               ///< A
  std::vector<std::string> names;  ///< of the columns x
};

/// What a fit may read: these columns of x, and at most so many rows.
struct RidgeChoice {
  std::vector<size_t> columns;
  int64_t window = 0;
  bool shorter = true;  ///< halves, quarters, ... of the window are tried too
};

struct RidgeFit {
  Ridge ridge;
  Reading reading;
  double held_out_mse = 0.0;  ///< of standardised values, where nothing was fitted
};

/// The choice with the smallest held-out error, over penalties from 1e-6 to 10 times the number of windows. Windows
/// that hold too many numbers are read in part. No value where no choice can be fitted.
std::optional<RidgeFit> fit_ridge(const RidgeData& data, std::span<const RidgeChoice> choices);

/// Multiplications that `fit_ridge` takes for one choice of `columns` columns and `window` rows, nearly.
double ridge_work(const RidgeData& data, size_t columns, int64_t window);

/// Forward selection: begins with no column, and adds the one that reduces the held-out error most, as long as it does
/// so by `min_gain` of it.
///
/// The work is at most `most_work`, or one fit of each column's last row where that is more. First fewer rows of a
/// window are read: so many that the first step, which tries every column, takes a third of the work. Each later step
/// takes at most half of what is left. Where that is too little for all columns, it tries those whose errors were
/// smallest when they were last tried, and the selection ends where it is too little for one.
struct ChosenColumns {
  struct Column {
    size_t column = 0;
    double held_out_mse = 0.0;  ///< after it was added
  };
  std::vector<Column> columns;  ///< in the order of their addition
  int64_t window = 0;           ///< rows that were read at most
  int64_t fits = 0;
  double work = 0.0;      ///< that they took, by `ridge_work`
  bool tried_all = true;  ///< each step tried every column that was left, and the last one found none
};
inline constexpr double kMostSelectionWork = 3e10;  ///< some ten seconds
ChosenColumns choose_columns(const RidgeData& data, int64_t window, double min_gain,
                             double most_work = kMostSelectionWork);

}  // namespace longhand::baselines
