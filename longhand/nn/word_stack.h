// The part that a tagger and a classifier share: vectors of words, and a stack of layers that reads them from a zero
// state.
//
// T steps, B rows, R units of state, D directions.
#pragma once

#include "longhand/nn/word_encoder.h"

namespace longhand::nn {

class WordStack {
 public:
  /// Declares the parameters of the encoder, then those of the stack.
  WordStack(const WordEncoderOptions& encoder, const data::WordVocabulary& vocabulary, const LstmOptions& lstm,
            const InitOptions& init, ParameterArena& arena);

  void set_word_vectors(const data::WordVectors& vectors) { encoder_.set_word_vectors(vectors); }
  void parameters_changed();

  /// Returns the outputs of the last layer [T, B, padded(D R)], good until the next call.
  const float* forward(const data::WordBatch& batch, const DropoutKey& masks, Pass pass, Engine engine,
                       kernels::Context& context);
  /// From the gradient of these outputs, after a forward with the same batch and masks: adds to the arena's gradients.
  /// See StackGradient for `penalty_scale`.
  void backward(const data::WordBatch& batch, const DropoutKey& masks, const float* d_output, float penalty_scale,
                Engine engine, kernels::Context& context);

 private:
  StackInput<float> input(const data::WordBatch& batch, const float* x, const DropoutKey& masks) const;

  ParameterArena& arena_;
  WordEncoder encoder_;
  WholeStack<float> stack_;
  Buffer<float> dx_;
};

}  // namespace longhand::nn
