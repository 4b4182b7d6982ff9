// The embedding and the output layer on a tape: what --engine autograd uses in the place of their derived gradients.
#pragma once

#include "longhand/kernels/embedding.h"
#include "longhand/kernels/softmax.h"

namespace longhand::nn {

void softmax_cross_entropy_on_tape(const kernels::SoftmaxCrossEntropy<float>& args);

/// Writes dx and adds to dw and dbias what the tape makes of `args.dy`.
void linear_backward_on_tape(const kernels::LinearBackward<float>& args);

/// Adds to the table's gradient what the tape makes of `args.dy`.
void embedding_scatter_on_tape(const kernels::EmbeddingScatter<float>& args, const float* table, int64_t table_rows);

}  // namespace longhand::nn
