// What every model is made of: an input, recurrent layers, a linear output layer, and their parameters. Constant while
// it is used: what changes is in the workspace of each user, of whom there may be any number.
//
// T steps, B rows, W = D R outputs of the layers, K outputs of the network.
#pragma once

#include <memory>
#include <optional>

#include "longhand/nn/gradient_pass.h"
#include "longhand/nn/output_layer.h"
#include "longhand/nn/word_encoder.h"

namespace longhand::nn {

struct NetworkOptions {
  LstmOptions lstm;
  InitOptions init;
  // The input at each step: one of these three.
  int64_t numbers = 0;                               ///< so many numbers
  int64_t symbols = 0;                               ///< a symbol below this
  const data::WordVocabulary* vocabulary = nullptr;  ///< a word; used by the constructor alone
  int64_t embed = 0;                                 ///< width of the symbols' embedding; 0: one-hot input
  double dropout_embedding = 0.0;                    ///< whole symbols' embeddings are zero, one mask a batch
  WordEncoderOptions encoder{};                      ///< of words
  double word_dropout = 0.0;                         ///< probability of a word's whole encoding to be zero
};

/// A batch of sequences.
struct NetworkInput {
  int64_t steps = 0;                       ///< T
  int64_t rows = 0;                        ///< B
  const int32_t* lengths = nullptr;        ///< [B]; null: all T
  const float* x = nullptr;                ///< [T, B, numbers], rows padded(numbers) apart; or
  const int32_t* symbols = nullptr;        ///< [T, B]; or
  const data::WordBatch* words = nullptr;  ///< of the same T and B
  DropoutKey masks;                        ///< for training
};

NetworkInput input_of(const data::WordBatch& words, const DropoutKey& masks);

class Network;

/// Memory, engine and threads of one user of a network. The network and the context must outlive it.
struct NetworkWorkspace : OutputWorkspace {
  NetworkWorkspace(const Network& network, Engine used, kernels::Context& of_user);

  StackState<float> state;
  StackWorkspace<float> stack;
  std::optional<WordWorkspace> words;
  Buffer<float> x, dx, symbol_mask, word_mask;
  Buffer<int32_t> rows;
  bool ends_update = true;  ///< no later pass adds to the gradients of the present one
};

class Network {
 public:
  /// Declares the input's and the layers' parameters. A model declares its own, then calls `add_output`.
  explicit Network(const NetworkOptions& options);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// Declares the output layer's parameters. `tied`: its weights are the symbols' embedding. `inputs` is the width of
  /// what it reads; 0: that of the layers' outputs.
  void add_output(int64_t outputs, bool tied = false, int64_t inputs = 0);

  ParameterArena& parameters() { return arena_; }
  const ParameterArena& parameters() const { return arena_; }
  const NetworkOptions& options() const { return options_; }
  const LstmStack& stack() const { return stack_; }
  /// The symbols' embedding [symbols, embed].
  const float* embedding() const { return arena_.value(embedding_); }
  /// W
  int64_t width() const { return options_.lstm.outputs(); }
  const OutputLayer& output() const { return *output_; }
  OutputLayer& output() { return *output_; }
  const WordEncoder* words() const { return words_ ? &*words_ : nullptr; }
  void set_word_vectors(const data::WordVectors& vectors) { words_->set_word_vectors(vectors); }

  /// From now on, a training step gives gradients to those rows of the symbols' or words' embedding alone that occur in
  /// it. Not where the output layer's weights are tied to it.
  void use_sparse_embedding();

  /// How the weights are kept where they are read step by step. Their values must be ones that this can hold.
  kernels::WeightType weight_type() const { return weight_type_; }
  void set_weight_type(kernels::WeightType type) { weight_type_ = type; }

  /// Draws the parameters' values, and packs them for inference.
  void initialise(uint64_t seed);
  /// To be called when the values have changed.
  void parameters_changed();
  /// Packs the weights for fused passes of this kind, unless that is done: for inference, before the network is used as
  /// a constant.
  void pack(Pass pass, kernels::Context& context);

  /// Runs a batch from the state and leaves the final one there. Returns the layers' outputs [T, B, padded(W)], good
  /// until the workspace is used again.
  const float* forward(const NetworkInput& input, StackState<float>& state, Pass pass,
                       NetworkWorkspace& workspace) const;
  /// The same for whole sequences, which begin with an empty state.
  const float* forward(const NetworkInput& input, Pass pass, NetworkWorkspace& workspace) const;

  /// Prepares for a training pass: packs the weights where the engine needs it; the gradients are there, and zero
  /// unless the pass adds to them. Returns the pass with its defaults filled in, where `predicted` things are predicted
  /// and all sequences together have `steps` steps.
  GradientPass begin_training(const GradientPass& pass, int64_t predicted, int64_t steps, NetworkWorkspace& workspace);
  /// Makes all gradients zero.
  void clear_gradients(kernels::Context& context);
  /// After a forward with the same input, which was not for inference: adds to the gradients what follows from
  /// `d_output`, the gradient of what that returned. See StackGradient for `penalty_scale`.
  void backward(const NetworkInput& input, const float* d_output, float penalty_scale, NetworkWorkspace& workspace);

 private:
  bool has_embedding() const { return options_.symbols > 0 && options_.embed > 0; }
  /// Width of what the layers read.
  int64_t inputs() const;
  /// The lowest layer that is not frozen; their number, if all are.
  size_t first_trained_layer() const;
  const float* embed(const NetworkInput& input, Pass pass, NetworkWorkspace& workspace) const;
  void scale_symbols(const NetworkInput& input, const NetworkWorkspace& workspace, float* rows) const;
  const float* encode_words(const NetworkInput& input, Pass pass, NetworkWorkspace& workspace) const;
  void scale_words(const NetworkInput& input, const NetworkWorkspace& workspace, float* rows) const;
  StackInput<float> stack_input(const NetworkInput& input, const float* x) const;

  NetworkOptions options_;
  kernels::WeightType weight_type_ = kernels::WeightType::kFloat;
  ParameterArena arena_;
  size_t embedding_ = 0;
  std::optional<WordEncoder> words_;
  LstmStack stack_;
  int64_t layers_end_ = 0;  // offset in the arena
  StackWeights<float> weights_{stack_};
  std::optional<OutputLayer> output_;
};

}  // namespace longhand::nn
