// The fully connected layer y = W x + b, over any number of rows.
#pragma once

#include <cstdint>

#include "longhand/kernels/context.h"

namespace longhand::kernels {

template <class T>
struct LinearForward {
  int64_t inputs = 0;
  int64_t outputs = 0;
  int64_t n = 0;                  ///< rows to compute
  const int32_t* rows = nullptr;  ///< [n] or null: result row i is made from row rows[i] of x
  const T* x = nullptr;           ///< [*, inputs] read
  int64_t x_stride = 0;
  const T* w = nullptr;     ///< [outputs, inputs] read
  const T* bias = nullptr;  ///< [outputs] or null
  T* y = nullptr;           ///< [n, outputs] written
  int64_t y_stride = 0;
};

template <class T>
struct LinearBackward {
  int64_t inputs = 0;
  int64_t outputs = 0;
  int64_t n = 0;
  const int32_t* rows = nullptr;  ///< [n] or null: row i of dy belongs to row rows[i] of x and dx
  const T* x = nullptr;           ///< [*, inputs] read
  int64_t x_stride = 0;
  const T* w = nullptr;   ///< [outputs, inputs] read
  const T* dy = nullptr;  ///< [n, outputs] read
  int64_t dy_stride = 0;
  T* dx = nullptr;  ///< [*, inputs] the named rows written; null: not wanted
  int64_t dx_stride = 0;
  T* dw = nullptr;     ///< [outputs, inputs] added to
  T* dbias = nullptr;  ///< [outputs] added to; null: none
};

/// W as the fused kernels read it.
struct PackedLinear {
  PackedMatrix forward;   ///< W' [inputs, outputs]
  PackedMatrix backward;  ///< W [outputs, inputs]; empty unless packed for training
};

void pack_linear(const float* w, int64_t outputs, int64_t inputs, bool training, PackedLinear& packed,
                 Context& context);

void linear_forward(const LinearForward<float>& args, const PackedLinear& packed, Context& context);
void linear_backward(const LinearBackward<float>& args, const PackedLinear& packed, Context& context);

}  // namespace longhand::kernels
