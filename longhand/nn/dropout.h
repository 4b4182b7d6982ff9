// Random masks, and their multiplication into activations: dropout, variational dropout, weight drop and zoneout are
// all made of these two.
//
// Dropout is inverted: at training time an element is zero with probability p and scaled by 1 / (1 - p) otherwise, so
// that nothing has to change at inference (Srivastava et al. 2014).
#pragma once

#include <cstdint>

#include "longhand/base/rng.h"
#include "longhand/base/threads.h"

namespace longhand::nn {

/// A mask is a function of (seed, step, place, element): a resumed run draws the same one again.
struct DropoutKey {
  uint64_t seed = 0;
  uint64_t step = 0;
  uint32_t place = 0;  ///< which mask of the model
};

/// A mask to draw: each element is `hit` with probability p, to 1 in 65,536, and `miss` otherwise.
template <class T>
struct Draw {
  DropoutKey key;
  double p = 0.0;
  T hit{};
  T miss{};
};

/// The mask of inverted dropout.
template <class T>
Draw<T> dropout_draw(const DropoutKey& key, double p) {
  return {key, p, T(0), static_cast<T>(static_cast<float>(1.0 / (1.0 - p)))};
}

/// Writes the mask for `rows` rows of `width` elements, `stride` apart; the elements between are left alone.
template <class T>
void draw_mask(const Draw<T>& draw, T* mask, int64_t rows, int64_t width, int64_t stride, ThreadPool& pool);

/// y = x * mask, for `rows` rows of `width` elements; y may be x. Row n takes row n modulo `mask_rows` of the mask: so
/// one mask of B rows serves all steps of [T, B]. The gradient is the same function of the gradient.
template <class T>
struct MultiplyMask {
  const T* x = nullptr;
  int64_t x_stride = 0;
  const T* mask = nullptr;
  int64_t mask_rows = 0;
  int64_t mask_stride = 0;
  T* y = nullptr;
  int64_t y_stride = 0;
  int64_t rows = 0;
  int64_t width = 0;
};

template <class T>
void multiply_mask(const MultiplyMask<T>& args, ThreadPool& pool);

}  // namespace longhand::nn
