// Which rows of a ragged batch there is work for. For the sources of layers alone.
#pragma once

#include "longhand/base/error.h"
#include "longhand/kernels/lstm.h"

namespace longhand::kernels {

inline void check_shape(const LstmShape& shape) {
  LONGHAND_CHECK(shape.steps >= 0 && shape.batch > 0 && shape.inputs > 0 && shape.hidden > 0 && shape.projection >= 0);
  LONGHAND_CHECK((shape.steps + 1) * shape.batch <= INT32_MAX);
  for (int64_t b = 0; shape.lengths != nullptr && b < shape.batch; ++b) {
    LONGHAND_CHECK(shape.lengths[b] >= 0 && shape.lengths[b] <= shape.steps);
  }
}

/// Lists the rows of `range` that are running at step t in `out`; returns their number.
inline int64_t active_rows(const LstmShape& shape, Range range, int64_t t, int32_t* out) {
  int64_t count = 0;
  for (int64_t b = range.begin; b < range.end; ++b) {
    if (t < shape.length(b)) out[count++] = static_cast<int32_t>(b);
  }
  return count;
}

/// Lists the unpadded rows t * B + b of some steps and rows of the batch, counted from the first of these steps. Null
/// if they are all there are.
inline const int32_t* unpadded_rows(const LstmShape& shape, Range steps, Range batch, Buffer<int32_t>& rows,
                                    int64_t& count) {
  count = steps.size() * batch.size();
  if (shape.lengths == nullptr && batch.size() == shape.batch) return nullptr;
  rows.resize(count);
  count = 0;
  for (int64_t t = steps.begin; t < steps.end; ++t) {
    for (int64_t b = batch.begin; b < batch.end; ++b) {
      if (t < shape.length(b)) rows[count++] = static_cast<int32_t>((t - steps.begin) * shape.batch + b);
    }
  }
  return rows.data();
}

/// Lists, for each unpadded row, the row of the state array that it starts from. Null where that is the row itself.
inline const int32_t* prev_rows(const LstmShape& shape, Buffer<int32_t>& rows) {
  if (!shape.reverse && shape.lengths == nullptr) return nullptr;
  rows.resize(shape.steps * shape.batch);
  int64_t count = 0;
  for (int64_t t = 0; t < shape.steps; ++t) {
    for (int64_t b = 0; b < shape.batch; ++b) {
      if (t < shape.length(b)) rows[count++] = static_cast<int32_t>(shape.prev_slot(t, b) * shape.batch + b);
    }
  }
  return rows.data();
}

}  // namespace longhand::kernels
