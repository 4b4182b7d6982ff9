// The layers around the recurrent ones, computed by whichever engine: one call for the kernel, the textbook's version
// and the tape's.
#pragma once

#include "longhand/base/arena.h"
#include "longhand/kernels/embedding.h"
#include "longhand/kernels/softmax.h"
#include "longhand/nn/engine.h"

namespace longhand::nn {

/// Arguments are those of the kernels. `packed` is read by the fused engine alone.
void embedding_gather(const kernels::EmbeddingGather<float>& args, Engine engine, kernels::Context& context);
/// Says that those rows of a parameter of the arena get a gradient that are symbols [steps, batch] before their
/// sequence's end.
void touch_rows(ParameterArena& arena, size_t parameter, const int32_t* symbols, int64_t steps, int64_t batch,
                const int32_t* lengths);
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
