// Sums of rows: how the gradient of whatever was added to, or multiplied into, every row comes together.
#pragma once

#include <cstdint>

#include "longhand/kernels/context.h"

namespace longhand::kernels {

/// sums[slot of row] += values[row] (* factors[row]), in the order in which the rows are listed.
struct RowSums {
  const float* values = nullptr;   ///< [*, columns] on cache lines
  const float* factors = nullptr;  ///< [*, columns] or null: ones
  int64_t columns = 0;             ///< a multiple of kLineFloats
  int64_t n = 0;                   ///< rows to add
  const int32_t* rows = nullptr;   ///< [n] or null: which rows of the arrays they are
  const int32_t* slots = nullptr;  ///< [*] or null: the sum that each row belongs to; otherwise there is one
  float* sums = nullptr;           ///< [*, columns] added to
};

void sum_rows(const RowSums& args, Context& context);

}  // namespace longhand::kernels
