#include "longhand/nn/word_stack.h"

namespace longhand::nn {

WordStack::WordStack(const WordEncoderOptions& encoder, const data::WordVocabulary& vocabulary, const LstmOptions& lstm,
                     const InitOptions& init, ParameterArena& arena)
    : arena_(arena),
      encoder_(encoder, vocabulary, init, arena),
      stack_({.lstm = lstm, .inputs = encoder.width(), .init = init}, arena) {}

void WordStack::parameters_changed() {
  encoder_.parameters_changed();
  stack_.weights.set_values(arena_.values().data());
}

StackInput<float> WordStack::input(const data::WordBatch& batch, const float* x, const DropoutKey& masks) const {
  return {.steps = batch.steps,
          .batch = batch.rows,
          .lengths = batch.ragged ? batch.lengths.data() : nullptr,
          .x = x,
          .x_stride = encoder_.stride(),
          .masks = masks};
}

const float* WordStack::forward(const data::WordBatch& batch, const DropoutKey& masks, Pass pass, Engine engine,
                                kernels::Context& context) {
  const float* x = encoder_.forward(batch, pass, engine, context);
  stack_.state.reset(batch.rows);
  return stack_.forward(stack_.state, input(batch, x, masks), pass, engine, context);
}

void WordStack::backward(const data::WordBatch& batch, const DropoutKey& masks, const float* d_output,
                         float penalty_scale, Engine engine, kernels::Context& context) {
  dx_.resize(batch.steps * batch.rows * encoder_.stride());
  stack_.backward(
      input(batch, nullptr, masks),
      {.d_output = d_output, .dx = dx_.data(), .dx_stride = encoder_.stride(), .penalty_scale = penalty_scale}, engine,
      arena_.gradients().data(), context);
  encoder_.backward(batch, dx_.data(), engine, context);
}

}  // namespace longhand::nn
