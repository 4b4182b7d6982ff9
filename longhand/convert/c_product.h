// Products of matrices and rows in C.
#pragma once

#include <string>

#include "longhand/convert/c_program.h"

namespace longhand::convert {

/// Statements for y[r] += sum over k of W[r, k] x[k], with int8 without the scales. `x` and `y` are expressions of
/// pointers, y to restricted memory. The inner loop is over neighbours in memory, each with a sum of its own, so that
/// compilers make vectors of it without changing the order of any sum.
std::string c_multiply(const CMatrix& w, const std::string& x, const std::string& y);

/// The rows that a product is made of: row n is at x + n x_stride, and its result at y + n y_stride.
struct CRows {
  int64_t rows = 1, x_stride = 0, y_stride = 0;
};
/// Statements for y = W x + bias of some rows; `bias` is the name of an array, or empty.
std::string c_linear(const CMatrix& w, const std::string& bias, const CRows& rows, const std::string& x = "x");

/// Statements for y = W[:, column] + bias.
std::string c_column(const CMatrix& w, const std::string& bias, const std::string& column, const std::string& y);

}  // namespace longhand::convert
