// What every fused kernel needs besides its arguments: threads, and scratch memory that lives from call to call.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/base/schedule.h"
#include "longhand/base/threads.h"

namespace longhand::kernels {

/// What the operands of matrix products are rounded to. Sums are of floats.
enum class Precision {
  kFloat,
  kBf16,  ///< the upper half of a float: 8 bits of precision
};

/// A matrix rearranged for the multiplying kernel of the running SIMD target: panels of a few vectors' width, each
/// contiguous along k, zero-padded to whole vectors. Private to the kernels, and never stored in files.
struct PackedMatrix {
  int64_t k = 0;                            ///< rows: the length of the sums
  int64_t n = 0;                            ///< columns: the width of the result
  Precision precision = Precision::kFloat;  ///< with bf16, rows 2j and 2j + 1 share a row of `data`
  Buffer<float> data;
};

/// The distinct symbols of a batch, numbered in order of appearance.
struct DistinctSymbols {
  int64_t count = 0;
  Buffer<int32_t> symbols;  ///< [count]
  Buffer<int32_t> slots;    ///< [I + T B] each symbol's number, or -1; then each row's
};

/// Memory of a layer during a pass that is done in pieces. It grows to the largest.
struct LstmMemory {
  Buffer<float> pre;          ///< the input's part of the gates: [distinct, 4, Hp] of symbols, or [T, B, 4, Hp]
  DistinctSymbols distinct;   ///< of the batch
  Buffer<float> carry;        ///< gradients that flow from step to step
  Buffer<float> d_gates;      ///< gradients of W_hh r in a normalised layer
  Buffer<float> d_cell;       ///< gradients of the normalised cell
  Buffer<float> d_output;     ///< gradients of the projections' results
  Buffer<float> d_peepholes;  ///< parts of the gradients of peepholes, by step and row
};

class LstmPlan;

/// Threads and scratch for one stream of kernel calls. Kernels overwrite the scratch freely; nothing in it outlives a
/// call. Not to be shared between threads.
struct Context {
  explicit Context(Threads threads = 0) : pool(threads), strips(static_cast<size_t>(pool.size())) {}

  /// A context of one thread, for what one of the pool's does alone; `thread` is that one's number.
  Context& alone(int thread) { return *alone_[static_cast<size_t>(thread)]; }
  /// Makes these contexts, unless they exist.
  void make_alone() {
    while (static_cast<int>(alone_.size()) < pool.size()) alone_.push_back(std::make_unique<Context>(1));
  }

  ThreadPool pool;
  Precision precision = Precision::kFloat;  ///< of the products of passes that train
  Schedule schedule;
  LstmMemory layer;                   ///< of one whose pass is not done in the caller's pieces
  std::shared_ptr<LstmPlan> plan;     ///< of that one; made by the first (lstm_lanes.h)
  std::vector<Buffer<float>> strips;  ///< one a thread: rows of a left operand that is transposed, or rounded
  Buffer<int32_t> active;             ///< rows of the batch still running
  PackedMatrix operands[2];           ///< the packed right operands of weights' gradients
  Buffer<float> block;                ///< logits of one block of rows; pre-activations of one block of time; deviations
  Buffer<float> step;                 ///< what inference keeps of one step
  Buffer<float> columns;  ///< weight columns, or their gradients, of the symbols in a batch; other sums of rows
  Buffer<float> normalised_columns;  ///< the same columns, normalised
  Buffer<int32_t> rows;              ///< indices of the unpadded rows of a ragged batch
  Buffer<int32_t> prev;              ///< rows of the state array that they start from
  DistinctSymbols symbols;           ///< of a batch whose columns' gradients are summed
  Buffer<double> partial;            ///< partial sums, added in a fixed order
  std::vector<Range> pieces;         ///< of the stretches of an array

 private:
  std::vector<std::unique_ptr<Context>> alone_;
};

}  // namespace longhand::kernels
