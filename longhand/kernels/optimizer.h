// One pass over all parameters: the gradient's norm, and the update rules.
#pragma once

#include <cstdint>

#include "longhand/kernels/context.h"

namespace longhand::kernels {

/// Stochastic gradient descent: w -= learning_rate * gradient_scale * dw.
template <class T>
struct SgdUpdate {
  int64_t n = 0;
  T* w = nullptr;           ///< [n] updated
  const T* dw = nullptr;    ///< [n] read
  T gradient_scale = T(1);  ///< clipping
  T learning_rate = T(0);
};

/// Adam (Kingma and Ba 2015, algorithm 1), with the bias corrections of step t folded into two scalars.
template <class T>
struct AdamUpdate {
  int64_t n = 0;
  T* w = nullptr;         ///< [n] updated
  const T* dw = nullptr;  ///< [n] read
  T* m = nullptr;         ///< [n] first moment, updated
  T* v = nullptr;         ///< [n] second moment, updated
  T gradient_scale = T(1);
  T beta1 = T(0.9);
  T beta2 = T(0.999);
  T epsilon = T(1e-8);
  T step_size = T(0);     ///< learning rate / (1 - beta1^t)
  T v_correction = T(1);  ///< 1 / sqrt(1 - beta2^t)
};

/// Sum of squares in double, the same for any number of threads.
double squared_norm(const float* values, int64_t n, Context& context);
void sgd_update(const SgdUpdate<float>& args, Context& context);
void adam_update(const AdamUpdate<float>& args, Context& context);

}  // namespace longhand::kernels
