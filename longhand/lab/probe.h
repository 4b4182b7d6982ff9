// The recurrent layers of a trained model with everything in view: what each unit computed at each step, and the exact
// gradient of whatever follows from the outputs with respect to what the layers read.
//
// T steps, B rows, I inputs, W outputs of the layers.
#pragma once

#include <memory>

#include "longhand/nn/network.h"

namespace longhand::lab {

/// What the layers read.
struct ProbeInput {
  int64_t steps = 0;                 ///< T
  int64_t rows = 0;                  ///< B
  const float* x = nullptr;          ///< [T, B, I], rows padded(I) apart; or
  const int32_t* symbols = nullptr;  ///< [T, B] of a model with one-hot input
};

class Probe {
 public:
  /// The network's weights have values, which stay as they are. Network and context must outlive it.
  Probe(const nn::Network& network, nn::Engine engine, kernels::Context& context);

  /// A state of `rows` sequences that begin.
  nn::StackState<float> new_state(int64_t rows) const;
  /// Runs the batch from the state and leaves the final one there. Returns the outputs [T, B, padded(W)]. Input and
  /// result must stay until `activations` or `backward`, which want a pass for gradients.
  const float* forward(const ProbeInput& input, nn::StackState<float>& state, nn::Pass pass);
  /// Of the last forward, in a layer and direction.
  nn::StackActivations<float> activations(size_t part) const;
  /// From the gradient [T, B, padded(W)] of the outputs: that of the inputs, [T, B, padded(I)]. One-hot input is dense
  /// here: forward must have had x.
  const float* backward(const float* d_output);

  const nn::LstmStack& stack() const { return *stack_; }
  /// I
  int64_t inputs() const { return stack_->options().inputs; }
  nn::Engine engine() const { return engine_; }

  /// The same layers, which read one-hot input as dense rows: for gradients with respect to it.
  static std::unique_ptr<Probe> with_dense_input(const nn::Network& network, nn::Engine engine,
                                                 kernels::Context& context);

 private:
  struct Twin;  // of one-hot layers
  Probe(std::shared_ptr<const nn::LstmStack> stack, const nn::Network& network, nn::Engine engine,
        kernels::Context& context);

  std::shared_ptr<const nn::LstmStack> stack_;
  nn::Engine engine_;
  kernels::Context& context_;
  int64_t parameters_;
  nn::StackWeights<float> weights_;
  nn::StackWorkspace<float> workspace_;
  nn::StackInput<float> input_;
  Buffer<float> dx_, ignored_;  // gradients of the parameters, which nobody wants
};

}  // namespace longhand::lab
