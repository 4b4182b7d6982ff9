#include "longhand/nn/layers.h"

#include "longhand/kernels/reference.h"
#include "longhand/nn/tape_layers.h"

namespace longhand::nn {

void embedding_gather(const kernels::EmbeddingGather<float>& args, Engine engine, kernels::Context& context) {
  if (engine == Engine::kFused) {
    kernels::embedding_gather(args, context);
  } else {
    kernels::reference::embedding_gather(args);
  }
}

void embedding_scatter(const kernels::EmbeddingScatter<float>& args, const float* table, int64_t table_rows,
                       Engine engine, kernels::Context& context) {
  if (engine == Engine::kFused) {
    kernels::embedding_scatter(args, context);
  } else if (engine == Engine::kAutograd) {
    embedding_scatter_on_tape(args, table, table_rows);
  } else {
    kernels::reference::embedding_scatter(args);
  }
}

void touch_rows(ParameterArena& arena, size_t parameter, const int32_t* symbols, int64_t steps, int64_t batch,
                const int32_t* lengths) {
  for (int64_t t = 0; t < steps; ++t) {
    for (int64_t b = 0; b < batch; ++b) {
      if (lengths == nullptr || t < lengths[b]) arena.touch(parameter, symbols[t * batch + b]);
    }
  }
}

void linear_forward(const kernels::LinearForward<float>& args, const kernels::PackedLinear& packed, Engine engine,
                    kernels::Context& context) {
  if (engine == Engine::kFused) {
    kernels::linear_forward(args, packed, context);
  } else {
    kernels::reference::linear_forward(args);
  }
}

void linear_backward(const kernels::LinearBackward<float>& args, const kernels::PackedLinear& packed, Engine engine,
                     kernels::Context& context) {
  if (engine == Engine::kFused) {
    kernels::linear_backward(args, packed, context);
  } else if (engine == Engine::kAutograd) {
    linear_backward_on_tape(args);
  } else {
    kernels::reference::linear_backward(args);
  }
}

void softmax_cross_entropy(const kernels::SoftmaxCrossEntropy<float>& args, const kernels::PackedLinear& packed,
                           Engine engine, kernels::Context& context) {
  if (engine == Engine::kFused) {
    kernels::softmax_cross_entropy(args, packed, context);
  } else if (engine == Engine::kAutograd) {
    softmax_cross_entropy_on_tape(args);
  } else {
    kernels::reference::softmax_cross_entropy(args);
  }
}

}  // namespace longhand::nn
