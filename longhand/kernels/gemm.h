// Dense matrix products on a packed right operand, with sums of floats. All products of a batch are made of these.
#pragma once

#include <cstdint>
#include <span>

#include "longhand/kernels/context.h"

namespace longhand::kernels {

/// A right operand B [k, n] before packing.
template <class T>
struct PackSource {
  const T* b = nullptr;           ///< read: [k, n], or [n, k] where `transposed`
  int64_t stride = 0;             ///< floats from one row of `b` to the next
  int64_t k = 0;                  ///< rows of B
  int64_t n = 0;                  ///< columns of B
  bool transposed = false;        ///< B is the transpose of what `b` holds
  const int32_t* rows = nullptr;  ///< [k] or null: the row of `b` that row i of B is (not where `transposed`)
  /// With a group > 0 the rows of `b` fall into groups of that many, each of which is padded with zero rows to
  /// padded(group): so the four gates of an LSTM each begin on a cache line. `k` (or `n`, where `transposed`) counts
  /// the padded rows.
  int64_t group = 0;
  Precision precision = Precision::kFloat;  ///< of the product: with bf16, A is rounded, too
};

/// Packs B. Repeat it whenever the weights, or the SIMD target, have changed.
void pack(const PackSource<float>& source, PackedMatrix& packed, Context& context);

/// C = A B (+ bias), or C += A B, for a packed B [k, n], whose precision is that of the product.
template <class T>
struct Gemm {
  const T* a = nullptr;             ///< read: [m, k], or [k, m] where `a_transposed`
  int64_t a_stride = 0;             ///< floats from one row of `a` to the next
  bool a_transposed = false;        ///< A is the transpose of what `a` holds
  const int32_t* a_rows = nullptr;  ///< or null: row i of A is row a_rows[i] of `a`; where `a_transposed`, it is the
                                    ///< rows of `a`, over which the sums run, that are picked so: [k]
  const int32_t* c_rows = nullptr;  ///< or null: row i of C is row c_rows[i] of `c`
  int64_t m = 0;
  const PackedMatrix* b = nullptr;  ///< the reference takes the PackSource instead
  const T* bias = nullptr;          ///< read: [n] or null, added to every row; not together with `accumulate`
  bool accumulate = false;          ///< C is added to; otherwise written
  T* c = nullptr;                   ///< [m, n] written or added to
  int64_t c_stride = 0;
};

/// Each element of C is summed in the order of k whatever the number of threads.
void gemm(const Gemm<float>& args, Context& context);
/// Several products of one A (all that says what A is is equal) in one precision. Threads take rows.
void gemm(std::span<const Gemm<float>> products, Context& context);

/// The share of one of several threads, each of which calls this: some columns of C. `context` is the thread's own.
void gemm_columns(const Gemm<float>& args, int member, int members, Context& context);

/// Which of n columns of C these are.
Range columns_of(int64_t n, int member, int members);
/// Into how many parts n columns can be divided.
int64_t most_members(int64_t n);

}  // namespace longhand::kernels
