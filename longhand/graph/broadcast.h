// Two arrays element by element, the smaller repeated along axes where it has one element (NumPy's broadcasting).
#pragma once

#include <optional>

#include "longhand/graph/array.h"

namespace longhand::graph {

/// The dims of the result; nothing where the two do not fit.
std::optional<Dims> broadcast(const Dims& a, const Dims& b);

/// How an operand of `from` is read as if it had the dims `to`: a stride for each axis, 0 where it is repeated.
Dims broadcast_strides(const Dims& from, const Dims& to);

/// The pairs of a broadcast, with neighbouring axes joined where both operands go on the same way.
struct BroadcastLoop {
  Dims dims, a, b;  ///< extents and strides, the outermost axis first, never empty

  BroadcastLoop(const Dims& of_a, const Dims& of_b, const Dims& result);

  /// Calls row(n, a, a_stride, b, b_stride, y) for each innermost row: offsets, and strides of 0 or 1.
  template <class Row>
  void for_rows(const Row& row) const {
    const size_t axes = dims.size() - 1;
    int64_t rows = 1;
    for (size_t axis = 0; axis < axes; ++axis) rows *= dims[axis];
    for (int64_t r = 0; r < rows; ++r) {
      int64_t left = r, at_a = 0, at_b = 0;
      for (size_t axis = axes; axis-- > 0;) {
        const int64_t i = left % dims[axis];
        left /= dims[axis];
        at_a += i * a[axis];
        at_b += i * b[axis];
      }
      row(dims.back(), at_a, a.back(), at_b, b.back(), r * dims.back());
    }
  }
};

}  // namespace longhand::graph
