// One or more LSTM layers, one above the other, with dropout between them and a state that is carried from batch to
// batch.
#pragma once

#include <string>
#include <vector>

#include "longhand/base/arena.h"
#include "longhand/kernels/lstm.h"
#include "longhand/nn/dropout.h"
#include "longhand/nn/engine.h"
#include "longhand/nn/initialisers.h"

namespace longhand::nn {

struct LstmStackOptions {
  int64_t layers = 1;
  int64_t inputs = 0;    ///< I of the first layer
  bool one_hot = false;  ///< the first layer's input is symbols below `inputs`
  int64_t hidden = 0;    ///< H of every layer
  double dropout = 0.0;  ///< between the layers
  InitOptions init;
};

/// What weights are packed for. Packed for training, they serve inference too.
enum class Packed { kNothing, kInference, kTraining };

/// One batch of sequences on its way through the stack.
struct StackInput {
  int64_t steps = 0;                 ///< T
  int64_t batch = 0;                 ///< B
  const int32_t* lengths = nullptr;  ///< [B] or null
  const float* x = nullptr;          ///< [T, B, I], or
  int64_t x_stride = 0;
  const int32_t* symbols = nullptr;  ///< [T, B]
  DropoutKey dropout;                ///< for training
};

class LstmStack {
 public:
  /// Declares `lstm.weight_ih_l0`, `lstm.weight_hh_l0`, `lstm.bias_ih_l0` and so on in the arena. The second bias of
  /// PyTorch's layers is not a parameter here: files carry it as zeros.
  LstmStack(const LstmStackOptions& options, ParameterArena& arena);

  /// Zeroes the carried state and fits it to `batch` rows.
  void reset_state(int64_t batch);
  /// The carried state: h and c of every layer, each [B, Hp].
  std::vector<Buffer<float>*> state();

  /// Tells that the arena's values, or the SIMD target, have changed.
  void parameters_changed() { packed_ = Packed::kNothing; }

  /// Runs the batch from the carried state and leaves its final state there. Returns the top layer's outputs [T, B,
  /// Hp], good until the next call.
  const float* forward(const StackInput& input, bool training, Engine engine, const ParameterArena& arena,
                       kernels::Context& context);

  /// The backward pass of the last training forward, from the gradient [T, B, Hp] of its outputs (overwritten). The
  /// gradient stops at the initial state: back-propagation is truncated there. Adds to the arena's gradients; writes
  /// `dx` [T, B, I] where it is not null.
  void backward(const StackInput& input, float* d_output, float* dx, int64_t dx_stride, Engine engine,
                ParameterArena& arena, kernels::Context& context);

 private:
  struct Layer {
    size_t w_ih, w_hh, bias;  // indices in the arena
    int64_t inputs;
    kernels::PackedLstm packed;
    Buffer<float> h0, c0;       // carried state [B, Hp]
    Buffer<float> h, c, gates;  // of the last forward
    Buffer<float> dropped;      // the outputs below after dropout
  };
  kernels::LstmShape shape(const Layer& layer, const StackInput& input) const;
  kernels::LstmInput<float> layer_input(size_t index, const StackInput& input, bool training) const;
  kernels::LstmWeights<float> weights(const Layer& layer, const ParameterArena& arena) const;
  void pack(bool training, const ParameterArena& arena, kernels::Context& context);

  LstmStackOptions options_;
  std::vector<Layer> layers_;
  Buffer<float> d_below_;
  Packed packed_ = Packed::kNothing;
};

}  // namespace longhand::nn
