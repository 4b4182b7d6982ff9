// What every fused kernel needs besides its arguments: threads, and scratch memory that lives from call to call.
#pragma once

#include <cstdint>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/base/threads.h"

namespace longhand::kernels {

/// A matrix rearranged for the multiplying kernel of the running SIMD target: panels of a few vectors' width, each
/// contiguous along k, zero-padded to whole vectors. Private to the kernels, and never stored in files.
struct PackedMatrix {
  int64_t k = 0;  ///< rows: the length of the sums
  int64_t n = 0;  ///< columns: the width of the result
  Buffer<float> data;
};

/// Threads and scratch for one stream of kernel calls. Kernels overwrite the scratch freely; nothing in it outlives a
/// call. Not to be shared between threads.
struct Context {
  explicit Context(Threads threads = 0)
      : pool(threads), strips(static_cast<size_t>(pool.size())), active(static_cast<size_t>(pool.size())) {}

  ThreadPool pool;
  std::vector<Buffer<float>> strips;    ///< one a thread: rows of a transposed left operand, packed
  std::vector<Buffer<int32_t>> active;  ///< one a thread: rows of the batch still running
  PackedMatrix operand;                 ///< the packed right operand of a weight gradient
  Buffer<float> block;     ///< logits of one block of rows; pre-activations of one block of time; deviations
  Buffer<float> step;      ///< what inference keeps of one step
  Buffer<float> carry;     ///< gradients that flow from step to step
  Buffer<float> d_gates;   ///< gradients of W_hh h in a normalised layer
  Buffer<float> d_cell;    ///< gradients of the normalised cell
  Buffer<float> d_output;  ///< gradients of the projections' results
  Buffer<float> columns;   ///< weight columns, or their gradients, of the symbols in a batch; other sums of rows
  Buffer<float> normalised_columns;  ///< the same columns, normalised
  Buffer<int32_t> rows;              ///< indices of the unpadded rows of a ragged batch
  Buffer<int32_t> prev;              ///< rows of the state array that they start from
  Buffer<int32_t> symbols;           ///< distinct symbols of a batch
  Buffer<int32_t> slots;             ///< where each symbol's column is
  Buffer<double> partial;            ///< partial sums, added in a fixed order
};

}  // namespace longhand::kernels
