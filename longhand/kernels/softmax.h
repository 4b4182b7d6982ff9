// The output layer of a classifier or language model: linear, softmax and cross-entropy in one, with their gradients.
#pragma once

#include "longhand/kernels/linear.h"

namespace longhand::kernels {

/// loss_n = -log softmax(W x + b)[target], for each named row of x. The logits of a block of rows at a time are held,
/// never all of them. `output.y` is not used.
template <class T>
struct SoftmaxCrossEntropy {
  LinearForward<T> output;
  const int32_t* targets = nullptr;  ///< indexed like the rows of x; each 0 .. outputs-1
  T* loss = nullptr;                 ///< [n] written: nats of each named row
  T scale = T(1);                    ///< the gradients are those of scale * (sum of the losses)
  const T* weights = nullptr;        ///< [outputs] times which the gradients are, by the target; null: all 1
  T smoothing = T(0);  ///< the gradients take this part of the target as spread over all outputs; the losses do not
  T* dx = nullptr;     ///< [*, inputs] the named rows written
  int64_t dx_stride = 0;
  T* dw = nullptr;     ///< [outputs, inputs] added to; null: no gradient is wanted at all
  T* dbias = nullptr;  ///< [outputs] added to
};

void softmax_cross_entropy(const SoftmaxCrossEntropy<float>& args, const PackedLinear& packed, Context& context);

}  // namespace longhand::kernels
