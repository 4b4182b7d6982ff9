// The layers around the recurrent ones, computed by whichever engine: one call for the kernel, the textbook's version
// and the tape's.
#pragma once

#include "longhand/kernels/embedding.h"
#include "longhand/kernels/softmax.h"
#include "longhand/nn/engine.h"

namespace longhand::nn {

/// Arguments are those of the kernels. `packed` is read by the fused engine alone.
void embedding_gather(const kernels::EmbeddingGather<float>& args, Engine engine, kernels::Context& context);
/// `table` [table_rows, width] holds the values: a tape wants them.
void embedding_scatter(const kernels::EmbeddingScatter<float>& args, const float* table, int64_t table_rows,
                       Engine engine, kernels::Context& context);
void linear_forward(const kernels::LinearForward<float>& args, const kernels::PackedLinear& packed, Engine engine,
                    kernels::Context& context);
void linear_backward(const kernels::LinearBackward<float>& args, const kernels::PackedLinear& packed, Engine engine,
                     kernels::Context& context);
void softmax_cross_entropy(const kernels::SoftmaxCrossEntropy<float>& args, const kernels::PackedLinear& packed,
                           Engine engine, kernels::Context& context);

}  // namespace longhand::nn
