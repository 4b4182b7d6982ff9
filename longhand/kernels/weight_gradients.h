// What is left of a layer's backward pass once its time loop has the gradients of the pre-activations: those of
// weights, biases and inputs, each a sum or one product over all steps. For the sources of layers alone.
#pragma once

#include <initializer_list>

#include "longhand/kernels/lstm.h"

namespace longhand::kernels {

/// The unpadded rows of all steps; null where they are all there are, in order.
struct StepRows {
  const int32_t* rows;
  const int32_t* prev;  ///< of the state arrays, for the state that each row starts from
  int64_t count;
};
/// Lists them in the context's memory.
StepRows step_rows(const LstmShape& shape, Context& context);

/// Sums the rows of values [*, groups, Hp], times factors where there are any: to [groups, Hp], in the context's
/// memory.
const float* sum_steps(const float* values, const float* factors, int64_t groups, int64_t H, const StepRows& rows,
                       Context& context);
/// sum [groups * H] += that.
void add_sum(const float* values, const float* factors, int64_t groups, int64_t H, const StepRows& rows, float* sum,
             Context& context);

/// One operand of a weight's gradient: rows of `width` elements in `groups` that begin on cache lines.
struct StepOperand {
  const float* data;
  int64_t groups;
  int64_t width;
  int64_t stride;
  const int32_t* rows;
};

/// What the gradient of a weight is made of besides dy: dw [groups * width of dy, x.width] += dy' x, over all steps.
struct WeightGradient {
  StepOperand x;
  float* dw;
};

/// The gradients of one or two weights that have the same dy.
void add_weight_gradients(const StepOperand& dy, std::initializer_list<WeightGradient> weights, int64_t count,
                          Context& context);

/// (26): dx from the gradient d_ih of W_ih x.
struct InputGradient {
  const LstmShape& shape;
  const float* d_ih = nullptr;  ///< [T, B] rows on cache lines
  int64_t d_stride = 0;
  const PackedMatrix* input_back = nullptr;  ///< W_ih
  float* dx = nullptr;                       ///< [T, B, I] written, zero in the padding
  int64_t dx_stride = 0;
  bool add_to_dx = false;  ///< dx is added to instead
};
/// For some steps and rows of the batch, and the member's share of the columns, on the calling thread.
void input_gradient(const InputGradient& args, Range times, const LstmPiece& piece, Context& context);
/// For all of them, on all threads.
void input_gradient(const InputGradient& args, Context& context);

}  // namespace longhand::kernels
