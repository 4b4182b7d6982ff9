// One sequence, one time step after the other, through a network: for models that run in real time. With exact
// activations, and weights as floats or as bf16, the results have the same bits as those of Network::forward. A step
// allocates nothing, takes no lock, and throws nothing.
//
// W = D R outputs of the layers, K outputs of the network.
#pragma once

#include <vector>

#include "longhand/kernels/lstm_step.h"
#include "longhand/nn/network.h"

namespace longhand::nn {

/// The weights of a network as steps read them; constant, and shared by any number of steppers. Not for bidirectional
/// networks, nor for cells other than the LSTM, nor for words.
class StepWeights {
 public:
  explicit StepWeights(const Network& network);

 private:
  friend class Stepper;
  struct Layer {
    kernels::PackedLstmStep lstm;
    bool residual = false;
    Buffer<float> h_0, c_0;        // [Rp], [Hp] the initial state
    Buffer<float> zone_h, zone_c;  // [Rp], [Hp] expectations; empty: none
  };

  int64_t embed_ = 0, width_ = 0;
  Buffer<float> embedding_;  // [symbols, padded(embed)]; empty: none
  std::vector<Layer> layers_;
  bool projects_ = false;
  kernels::PackedLinearStep projection_, output_;
};

/// The state and memory of one sequence.
class Stepper {
 public:
  /// `weights` must outlive it. The state is the initial one.
  explicit Stepper(const StepWeights& weights);

  /// Back to the initial state.
  void reset() noexcept;
  /// See kernels::LstmStep::fast.
  void use_fast_activations(bool fast) noexcept { fast_ = fast; }
  /// Reads the inputs of some steps, `x` [steps, numbers] in rows of `x_stride` or symbols [steps], and writes the
  /// outputs y [steps, K]. The results are those of single steps. At most `kMostSteps`; the caller flushes denormals.
  void step(int64_t steps, const float* x, int64_t x_stride, float* y) noexcept;
  void step(int64_t steps, const int32_t* symbols, float* y) noexcept;
  static constexpr int64_t kMostSteps = 16;  // weights that are not in the first-level cache are read once for so many

  /// Numbers of a state: h [R] and c [H] of each layer, the first layer first.
  int64_t state_size() const { return state_size_; }
  void get_state(float* to) const noexcept;
  void set_state(const float* from) noexcept;

 private:
  struct Layer {
    Buffer<float> h, c;  // [kMostSteps + 1, Rp] the state and what follows, [Hp]
    Buffer<float> y;     // [kMostSteps, padded(W)] of a residual layer
  };
  void run(int64_t steps, const float* x, int64_t x_stride, const int32_t* symbols, float* y) noexcept;

  const StepWeights& weights_;
  std::vector<Layer> layers_;
  Buffer<float> embedded_, scratch_, projected_;
  int64_t state_size_ = 0;
  bool fast_ = false;
};

}  // namespace longhand::nn
