// One vector for a whole sequence, made of the outputs of a stack of layers: what classifiers and regressors read.
#pragma once

#include <cstdint>
#include <string>

#include "longhand/base/buffer.h"
#include "longhand/base/threads.h"

namespace longhand::nn {

enum class PoolKind {
  kLast,       ///< the last output of the forward direction, and the reverse one's at the first step, where it ends
  kMean,       ///< over the steps
  kMax,        ///< over the steps, each element for itself
  kAttention,  ///< sum of a_t h_t, a = softmax over the steps of v . tanh(h_t) (Zhou et al. 2016, equations 9 to 11)
  kConcat,     ///< last, max and mean side by side (Howard and Ruder 2018, "concat pooling")
};

/// The kind of that name, which is last, mean, max, attention or concat: options are checked before.
PoolKind parse_pool(const std::string& name);
/// Elements V of a pooled vector, of outputs with `width` elements.
inline int64_t pooled_width(PoolKind kind, int64_t width) { return kind == PoolKind::kConcat ? 3 * width : width; }

/// T steps, B sequences, W = D R elements of an output.
template <class T>
struct PoolInput {
  PoolKind kind = PoolKind::kLast;
  int64_t steps = 0;
  int64_t batch = 0;
  int64_t width = 0;                 ///< W
  int64_t directions = 1;            ///< D: of an output the first W / D elements are the forward direction's
  const int32_t* lengths = nullptr;  ///< [B], each 1 .. T; null: all T
  const T* x = nullptr;              ///< [T, B, W]
  int64_t stride = 0;
  const T* query = nullptr;  ///< [W] v of attention

  int64_t length(int64_t row) const { return lengths == nullptr ? steps : lengths[row]; }
};

/// What the backward pass needs of the forward one.
template <class T>
struct PoolKept {
  Buffer<T> attention;      ///< [T, B] the weights a
  Buffer<int32_t> largest;  ///< [B, W] the step with the largest element, the first of equal ones
};

/// Writes y [B, V].
template <class T>
void pool(const PoolInput<T>& input, T* y, int64_t y_stride, PoolKept<T>& kept, ThreadPool& threads);

/// From the gradient dy [B, V] of the pooled vectors: writes dx [T, B, W] with the input's stride, zeros where a
/// sequence has ended, and adds to `d_query` [W] (for attention alone).
template <class T>
void pool_backward(const PoolInput<T>& input, const PoolKept<T>& kept, const T* dy, int64_t dy_stride, T* dx,
                   T* d_query, ThreadPool& threads);

}  // namespace longhand::nn
