// C code for matrix-vector and matrix-matrix products.
#pragma once

#include <string>

#include "longhand/exporters/c_program.h"

namespace longhand::exporters {

/// Returns C statements for y[r] += sum over k of W[r, k] x[k]. With int8 weights, the scales are not applied. `x` and
/// `y` are pointer expressions; y is a restrict pointer. The inner loop runs over adjacent elements of y, each with its
/// own sum, so that compilers can vectorise it without changing the order of any sum.
std::string c_multiply(const CMatrix& w, const std::string& x, const std::string& y);

/// Layout of a product over several rows: row n of the input starts at x + n x_stride, row n of the result at y + n
/// y_stride.
struct CRows {
  int64_t rows = 1, x_stride = 0, y_stride = 0;
};
/// Returns C statements for y = W x + bias for all rows. `bias` is the name of an array; empty: no bias.
std::string c_linear(const CMatrix& w, const std::string& bias, const CRows& rows, const std::string& x = "x");

/// Returns C statements for y = W[:, column] + bias.
std::string c_column(const CMatrix& w, const std::string& bias, const std::string& column, const std::string& y);

}  // namespace longhand::exporters
