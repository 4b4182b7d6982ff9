// Inverted dropout: at training time an element is zero with probability p and scaled by 1 / (1 - p) otherwise, so that
// nothing has to change at inference (Srivastava et al. 2014).
#pragma once

#include <cstdint>

#include "longhand/base/rng.h"
#include "longhand/base/threads.h"

namespace longhand::nn {

/// The mask is a function of (seed, step, place, element): backward draws the same one again, and so does a resumed
/// run.
struct DropoutKey {
  uint64_t seed = 0;
  uint64_t step = 0;
  uint32_t place = 0;  ///< which dropout layer of the model
};

/// y = x * mask / (1 - p), for `rows` rows of `width` elements, `stride` apart in both. `y` may be `x`. The gradient is
/// the same function of the gradient.
void dropout(const DropoutKey& key, double p, const float* x, float* y, int64_t rows, int64_t width, int64_t stride,
             ThreadPool& pool);

}  // namespace longhand::nn
