// LSTM layers one above the other, in one direction or both, with everything that goes between them, and a state that
// can be carried from batch to batch. The equations of one layer in one direction are those of kernels/lstm.h. Layers
// of other cells, for comparison, are those of autograd/cells.h: the kernels know nothing of them.
//
// T steps, B rows, I inputs, H units, R = P or H, D directions; every array's rows are padded to cache lines.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "longhand/autograd/tape.h"
#include "longhand/base/arena.h"
#include "longhand/kernels/lstm.h"
#include "longhand/nn/dropout.h"
#include "longhand/nn/engine.h"
#include "longhand/nn/initialisers.h"
#include "longhand/nn/lstm_options.h"

namespace longhand::nn {

struct LstmStackOptions {
  LstmOptions lstm;
  int64_t inputs = 0;    ///< I of the first layer
  bool one_hot = false;  ///< the first layer's input is symbols below `inputs`, which are not dropped out
  InitOptions init;
  std::string prefix{};  ///< of the parameters' names
};

/// What weights are packed for. Packed for training, they serve inference too.
enum class Packed { kNothing, kInference, kTraining };

/// What a forward pass is for.
enum class Pass {
  kInference,  ///< outputs alone
  kGradients,  ///< the same outputs, and backward may follow: gradients of the model as it is used
  kTraining,   ///< with the regularisers' random masks, and backward may follow
};

/// One batch of sequences on its way through the stack.
template <class T>
struct StackInput {
  int64_t steps = 0;                 ///< T
  int64_t batch = 0;                 ///< B
  const int32_t* lengths = nullptr;  ///< [B], each 0 .. T; null: all T
  const T* x = nullptr;              ///< [T, B, I], or
  int64_t x_stride = 0;
  const int32_t* symbols = nullptr;  ///< [T, B]
  DropoutKey masks;                  ///< for training
};

template <class T>
struct StackGradient {
  const T* d_output = nullptr;  ///< [T, B, padded(D R)] gradient of the outputs, read
  T* dx = nullptr;              ///< [T, B, I] written; null: not wanted
  int64_t dx_stride = 0;
  /// The stack's state_gradients() hold the gradients of the final states, and are overwritten by those of the initial
  /// ones. Otherwise the former are zero, and the latter are not computed: back-propagation is truncated there.
  bool states = false;
  /// The gradients are also those of this times penalty().
  T penalty_scale = T(0);
};

/// T is float, or double for checks (which the fused engine does not do).
template <class T>
class LstmStack {
 public:
  /// Declares `lstm.weight_ih_l0`, `lstm.weight_hh_l0`, `lstm.bias_ih_l0`, `lstm.weight_hr_l0` and so on, with
  /// `_reverse` for the reverse direction, as PyTorch names them; and, where the options call for them,
  /// `lstm.gain_ih_l0`, `gain_hh`, `gain_c`, `bias_c` and the initial `h_0`, `c_0`. The second bias of PyTorch's layers
  /// is not a parameter here: files carry it as zeros. Layers of another cell are named `gru` or `rnn` instead; a GRU
  /// has its second bias, `gru.bias_hh_l0`, since the reset gate tells the two apart, and neither has `c_0`.
  LstmStack(const LstmStackOptions& options, ParameterArena& arena);
  ~LstmStack();
  LstmStack(const LstmStack&) = delete;
  LstmStack& operator=(const LstmStack&) = delete;

  const LstmStackOptions& options() const { return options_; }

  /// Resizes the state to `batch` rows and resets it to zeros, or to the trained initial state.
  void reset_state(int64_t batch);
  /// Resets the rows whose flag is not 0; `rows` is [B]. The others keep their state.
  void reset_rows(std::span<const uint8_t> rows);
  /// The state that the next forward begins with and then overwrites with its final one: h [B, padded(R)] and, where
  /// the cell has one, c [B, padded(H)] of layer 0, of its reverse direction, of layer 1, ... (After reset_state, a
  /// trained initial state takes the place of what is there.)
  std::vector<Buffer<T>*> state();
  /// Whether the state has `batch` rows.
  bool state_fits(int64_t batch) const;

  /// A state that has been put aside.
  struct SavedState {
    std::vector<Buffer<T>> arrays;
    std::vector<uint8_t> begins;
  };
  /// Puts the state aside, and back again: so that something else can be run in between.
  SavedState save_state();
  void restore_state(SavedState saved);
  /// In the same order; see StackGradient.
  std::vector<Buffer<T>*> state_gradients();

  /// Tells that the parameters' values, or the SIMD target, have changed.
  void parameters_changed() { packed_ = Packed::kNothing; }

  /// Runs the batch from the present state and leaves its final one. `values` are the parameters in their arena's
  /// layout. Returns the last layer's outputs [T, B, padded(D R)], good until the next call.
  const T* forward(const StackInput<T>& input, Pass pass, Engine engine, const T* values, kernels::Context& context);

  /// The sums of (49) and (50) over what the last forward computed; 0 unless it was for training. With N symbols in the
  /// batch, 1 / N times this is what activation regularisation adds to the mean loss.
  double penalty(const StackInput<T>& input) const;

  /// The backward pass of the last forward, on the same engine, which was not one for inference. Adds to `gradients`,
  /// which have the arena's layout.
  void backward(const StackInput<T>& input, const StackGradient<T>& gradient, Engine engine, const T* values,
                T* gradients, kernels::Context& context);

 private:
  struct Direction;
  struct Layer;
  struct Recording;

  bool drops(const Layer& layer) const;
  bool drops_output() const { return pass_ == Pass::kTraining && options_.lstm.output_dropout() > 0.0; }
  kernels::LstmShape shape(const Direction& direction, const StackInput<T>& input) const;
  kernels::LstmWeights<T> weights(const Direction& direction, const T* values) const;
  kernels::LstmMasks<T> masks(const Direction& direction) const;
  kernels::LstmCache<T> cache(Direction& direction, int64_t rows, bool dense) const;
  kernels::LstmInput<T> layer_input(const Layer& layer, const StackInput<T>& input) const;

  bool penalises() const;
  const T* output_gradient(const StackInput<T>& input, const StackGradient<T>& gradient, ThreadPool& pool);
  void begin(const StackInput<T>& input, const T* values, ThreadPool& pool);
  void draw_masks(Direction& direction, const StackInput<T>& input, uint32_t place, const T* values, ThreadPool& pool);
  void draw_activation_mask(const StackInput<T>& input, uint32_t place, double p, int64_t width, Buffer<T>& mask,
                            ThreadPool& pool);
  void apply_mask(const StackInput<T>& input, const Buffer<T>& mask, int64_t width, const T* x, int64_t x_stride, T* y,
                  int64_t y_stride, ThreadPool& pool) const;
  void pack(const T* values, kernels::Context& context);
  void run_direction(Layer& layer, Direction& direction, const StackInput<T>& input, Engine engine, const T* values,
                     kernels::Context& context);
  const T* join(Layer& layer, const StackInput<T>& input);
  void backward_direction(Layer& layer, Direction& direction, const StackInput<T>& input, const T* dy, T* dx,
                          int64_t dx_stride, bool states, Engine engine, const T* values, T* gradients,
                          kernels::Context& context);
  const T* record(const StackInput<T>& input, const T* values);
  std::vector<autograd::Var<T>> record_direction(Direction& direction, const StackInput<T>& input,
                                                 const std::vector<autograd::Var<T>>& x, const T* values);
  void seed_penalties(const StackInput<T>& input, T scale);
  void backward_on_tape(const StackInput<T>& input, const StackGradient<T>& gradient, T* gradients);

  LstmStackOptions options_;
  std::vector<Layer> layers_;
  Buffer<T> output_mask_, output_, d_output_, d_direction_, tape_raw_;
  const T* raw_output_ = nullptr;  // of the last layer, before dropout; good until the next forward
  const T* final_output_ = nullptr;
  std::vector<uint8_t> begins_;  // rows that begin with the trained initial state in the next forward; empty: none
  std::vector<uint8_t> began_;   // that did in the last one
  Pass pass_ = Pass::kInference;
  Engine engine_ = Engine::kFused;
  Packed packed_ = Packed::kNothing;
  std::unique_ptr<Recording> recording_;
};

}  // namespace longhand::nn
