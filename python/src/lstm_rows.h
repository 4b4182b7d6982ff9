// Copies rows of a batch between PyTorch's memory and the kernels' layout [T, B, stride].
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "longhand/base/threads.h"

namespace longhand::python {

/// Number and lengths of the sequences of a batch. Rows are padded, or packed as in a PackedSequence: sequences sorted
/// by descending length; all rows of step 0, then all rows of step 1, and so on, without padding.
struct LstmBatch {
  int64_t steps = 0;             ///< T
  int64_t batch = 0;             ///< B
  std::vector<int32_t> lengths;  ///< [B], each 0 .. T; empty: all T
  std::vector<int64_t> offsets;  ///< [T + 1] first packed row of each step; empty: rows are not packed

  bool is_packed() const { return !offsets.empty(); }
  /// Number of stored rows of step t.
  int64_t rows_of(int64_t t) const {
    const auto i = static_cast<size_t>(t);
    return is_packed() ? offsets[i + 1] - offsets[i] : batch;
  }
};

/// Address and strides of the rows of a PyTorch array. Strides are in elements; rows are contiguous.
template <class T>
struct RowsOf {
  T* data = nullptr;        ///< null: no array
  int64_t step_stride = 0;  ///< from (t, b) to (t + 1, b); unused if rows are packed
  int64_t row_stride = 0;   ///< from (t, b) to (t, b + 1)

  T* row(const LstmBatch& batch, int64_t t, int64_t b) const {
    if (batch.is_packed()) return data + (batch.offsets[static_cast<size_t>(t)] + b) * row_stride;
    return data + t * step_stride + b * row_stride;
  }
  /// Whether the memory layout is [T, B, row_stride].
  bool is_dense(const LstmBatch& batch) const {
    return !batch.is_packed() && (batch.steps == 1 || step_stride == batch.batch * row_stride);
  }
};

/// Calls copy(row of `rows`, row of [T, B, stride]) for each stored row, on the threads of the pool.
template <class T, class U, class Copy>
void copy_rows(const LstmBatch& batch, const RowsOf<T>& rows, U* array, int64_t stride, ThreadPool& pool,
               const Copy& copy) {
  constexpr int64_t kElementsOfAThread = 1 << 15;
  pool.run(
      [&](int part, int parts) {
        const Range steps = split(batch.steps, parts, part);
        for (int64_t t = steps.begin; t < steps.end; ++t) {
          for (int64_t b = 0; b < batch.rows_of(t); ++b) {
            copy(rows.row(batch, t, b), array + (t * batch.batch + b) * stride);
          }
        }
      },
      batch.steps * batch.batch * stride / kElementsOfAThread);
}

/// Copies `width` elements of each row to an array [T, B, stride], and fills the rest of its rows with zeros.
template <class T>
void read_rows(const LstmBatch& batch, const RowsOf<const T>& rows, int64_t width, T* array, int64_t stride,
               ThreadPool& pool) {
  copy_rows(batch, rows, array, stride, pool, [width, stride](const T* from, T* to) {
    std::copy_n(from, width, to);
    std::fill(to + width, to + stride, T(0));
  });
}

/// Copies the first `width` elements of each row of an array [T, B, stride] to `rows`.
template <class T>
void write_rows(const LstmBatch& batch, const T* array, int64_t stride, int64_t width, const RowsOf<T>& rows,
                ThreadPool& pool) {
  copy_rows(batch, rows, array, stride, pool, [width](T* to, const T* from) { std::copy_n(from, width, to); });
}

}  // namespace longhand::python
