// Least squares with a penalty (ridge regression, Hoerl and Kennard 1970) from sums of products: everything that a fit
// and its error need to know of the data, however many rows these have.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "longhand/data/series.h"

namespace longhand::baselines {

/// Columns of numbers on a common scale; x are read, y are predicted.
struct Columns {
  std::vector<std::vector<double>> x, y;  ///< [columns][rows]
};

/// What is read: the last `window` rows of each window, of some columns of x; and the rows ahead that are predicted.
struct Reading {
  std::vector<size_t> columns;  ///< C
  int64_t window = 0;           ///< W
  int64_t ahead = 1;            ///< A

  int64_t inputs() const { return static_cast<int64_t>(columns.size()) * window; }
};

/// Sums over windows of the products of inputs and outputs. Input c W + t is row t of the part of the window that is
/// read, of column c; output a O + o is target o, so many rows ahead.
struct Sums {
  int64_t n = 0, m = 0;    ///< C W inputs, A O outputs
  int64_t count = 0;       ///< windows
  std::vector<double> xx;  ///< [n, n]
  std::vector<double> xy;  ///< [n, m]
  std::vector<double> x, y, yy;
};

/// Windows that follow one another share nearly all products: the sums of n numbers in N windows take n (N C + n) steps
/// instead of n^2 N.
Sums sums_of(const Columns& columns, std::span<const data::Window> windows, const Reading& reading);
/// Those of a shorter window, which ends where the longer one ends.
Sums shortened(const Sums& sums, int64_t from_window, int64_t to_window);
/// Those of all windows but these.
void subtract(Sums& from, const Sums& sums);

/// y = W x + b
struct Linear {
  std::vector<double> weight;  ///< [n, m]
  std::vector<double> bias;    ///< [m]
};

/// Minimises |y - W x - b|^2 + penalty |W|^2, by Cholesky's factors of the centred normal equations. `penalty` is
/// above 0.
Linear fit(const Sums& sums, double penalty);
/// Squared errors of a fit, summed over the windows of these sums and over the outputs.
double squared_error(const Sums& sums, const Linear& fit);

}  // namespace longhand::baselines
