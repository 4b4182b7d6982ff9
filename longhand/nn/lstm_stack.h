// LSTM layers one above the other, in one direction or both, with everything between them. Four parts: the layers
// (LstmStack), their weights, the state of some sequences, and the memory of a pass over a batch. The first two are
// constant while a model is used, and shared by any number of states and workspaces. The equations of one layer in one
// direction are those of kernels/lstm.h, or for the other cells of kernels/recurrent.h.
//
// T steps, B rows, I inputs, H units, R = P or H, D directions; every array's rows are padded to cache lines.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "longhand/autograd/tape.h"
#include "longhand/base/arena.h"
#include "longhand/kernels/lstm.h"
#include "longhand/kernels/lstm_lanes.h"
#include "longhand/kernels/recurrent.h"
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

/// Offsets of the parameters of one layer in one direction in the arena; -1 for those that the options do not call for.
struct LstmOffsets {
  int64_t w_ih = -1, w_hh = -1, bias = -1, bias_hh = -1, w_hr = -1;
  int64_t gain_ih = -1, gain_hh = -1, gain_c = -1, bias_c = -1, peepholes = -1;
  int64_t h_0 = -1, c_0 = -1;

  template <class T>
  kernels::LstmParameters<T> view(T* base) const {
    const auto at = [base](int64_t offset) { return offset < 0 ? nullptr : base + offset; };
    return {at(w_ih), at(w_hh), at(bias), at(w_hr), at(gain_ih), at(gain_hh), at(gain_c), at(bias_c), at(peepholes)};
  }
  /// Of the other cells.
  template <class T>
  kernels::RecurrentParameters<T> recurrent_view(T* base) const {
    return {base + w_ih, base + w_hh, base + bias, bias_hh < 0 ? nullptr : base + bias_hh};
  }
};

/// The layers, and where their parameters are in an arena. Never changes.
class LstmStack {
 public:
  struct Direction {
    bool reverse = false;
    int64_t inputs = 0;
    LstmOffsets offsets;
  };
  struct Layer {
    int64_t inputs = 0;
    bool residual = false;
    double drop = 0.0;  ///< dropout probability of the layer's input
    std::vector<Direction> directions;
  };

  /// Declares `lstm.weight_ih_l0`, `lstm.weight_hh_l0`, `lstm.bias_ih_l0`, `lstm.weight_hr_l0` and so on, with
  /// `_reverse` for the reverse direction, as PyTorch names them; and, where the options call for them,
  /// `lstm.gain_ih_l0`, `gain_hh`, `gain_c`, `bias_c`, `weight_peephole` [3, H] in the order i f o, and the initial
  /// `h_0`, `c_0`. The second bias of PyTorch's layers is not a parameter here: files carry it as zeros. Layers of
  /// another cell are named `gru` or `rnn` instead; a GRU has its second bias, `gru.bias_hh_l0`, since the reset gate
  /// tells the two apart, and none of them has `c_0`.
  LstmStack(const LstmStackOptions& options, ParameterArena& arena);

  const LstmStackOptions& options() const { return options_; }
  const std::vector<Layer>& layers() const { return layers_; }
  /// Of an LSTM.
  const kernels::LstmCell& cell() const { return cell_; }
  /// Layers times directions.
  size_t parts() const { return layers_.size() * static_cast<size_t>(options_.lstm.directions()); }
  /// Shape of one layer in one direction over a batch.
  kernels::LstmShape shape(const Direction& direction, int64_t steps, int64_t batch, const int32_t* lengths) const;

 private:
  LstmStackOptions options_;
  kernels::LstmCell cell_;
  std::vector<Layer> layers_;
};

/// What a forward pass is for.
enum class Pass {
  kInference,  ///< outputs alone
  kGradients,  ///< the same outputs, and backward may follow: gradients of the model as it is used
  kTraining,   ///< with the regularisers' random masks, and backward may follow
};

/// The packed weights of one layer in one direction: one of the two, as its cell has it.
struct PackedLayer {
  kernels::PackedLstm lstm;
  kernels::PackedRecurrent recurrent;
};

/// What weights are packed for. Packed for training in floats, they serve inference too.
class Packed {
 public:
  bool serves(Pass pass) const { return pass == Pass::kInference ? inference_ : training_; }
  bool anything() const { return inference_ || training_; }
  void set(Pass pass, kernels::Precision precision) {
    training_ = pass != Pass::kInference;
    inference_ = !training_ || precision == kernels::Precision::kFloat;
  }
  void clear() { *this = {}; }

 private:
  bool inference_ = false, training_ = false;
};

/// The values of a stack's parameters, and their packed form for the fused engine. T is float, or double for checks
/// (which the fused engine does not do). The stack must outlive it.
template <class T>
class StackWeights {
 public:
  explicit StackWeights(const LstmStack& stack) : stack_(&stack), packed_(stack.parts()) {}

  /// `values` are in the arena's layout. Also to be called when they, or the SIMD target, have changed.
  void set_values(const T* values);
  /// Packs for fused passes of this kind, unless that is done. (In training with dropped weights each workspace packs
  /// what is left of them.)
  void pack(Pass pass, kernels::Context& context);

  const T* values() const { return values_; }
  bool is_packed_for(Pass pass) const { return packed_for_.serves(pass); }
  const PackedLayer& packed(size_t part) const { return packed_[part]; }

 private:
  const LstmStack* stack_;
  const T* values_ = nullptr;
  std::vector<PackedLayer> packed_;  // by layer and direction
  Packed packed_for_;
};

/// The state of B sequences: h [B, padded(R)] and, where the cell has one, c [B, padded(H)] of layer 0, of its reverse
/// direction, of layer 1, ... The stack must outlive it.
template <class T>
class StackState {
 public:
  explicit StackState(const LstmStack& stack) : stack_(&stack), h_(stack.parts()), c_(stack.parts()) {}

  /// Resizes to `batch` rows of sequences that have begun; the caller writes their states.
  void resize(int64_t batch);
  /// Resizes to `batch` rows and resets them to zeros, or to the trained initial state.
  void reset(int64_t batch);
  /// Resets the rows whose flag is not 0; `rows` is [B]. The others keep their state.
  void reset_rows(std::span<const uint8_t> rows);
  /// Whether there are `batch` rows.
  bool fits(int64_t batch) const;
  /// All arrays, in the order above. (After `reset`, a trained initial state takes the place of what is there.)
  std::vector<Buffer<T>*> arrays();

  Buffer<T>& h(size_t part) { return h_[part]; }
  Buffer<T>& c(size_t part) { return c_[part]; }
  /// [B] not 0: the row begins with the trained initial state in the next pass; empty: none does.
  std::vector<uint8_t>& begins() { return begins_; }

 private:
  const LstmStack* stack_;
  std::vector<Buffer<T>> h_, c_;
  std::vector<uint8_t> begins_;
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
  /// The lowest layer whose gradients are wanted: those below are frozen, and `dx` is null. (A tape computes all.)
  size_t first_layer = 0;
  /// The workspace's state_gradients() hold the gradients of the final states, and are overwritten by those of the
  /// initial ones. Otherwise the former are zero, and the latter are not computed: back-propagation is truncated there.
  bool states = false;
  /// The gradients are also those of this times penalty().
  T penalty_scale = T(0);
  /// Called when the gradients of a layer's parameters are complete, from the last layer down. (A tape has all at its
  /// end.)
  std::function<void(size_t layer)> on_layer{};
};

/// What a forward pass computed in one layer and direction. R = P or H.
template <class T>
struct StackActivations {
  const T* h = nullptr;  ///< [T, B, padded(R)] outputs
  const T* c = nullptr;  ///< [T, B, padded(H)] cell states; null: the cell has none, or the engine does not keep them
  const T* gates = nullptr;  ///< [T, B, 4, padded(H)] i f g o after their activation; null likewise
  const T* sums = nullptr;   ///< [T, B, 4, padded(H)] what these are of; null: not kept (LstmCell::keeps_sums)
};

/// The memory of a pass over a batch, forward and backward. It grows to the largest batch. The stack must outlive it.
template <class T>
class StackWorkspace {
 public:
  explicit StackWorkspace(const LstmStack& stack);
  ~StackWorkspace();
  StackWorkspace(const StackWorkspace&) = delete;
  StackWorkspace& operator=(const StackWorkspace&) = delete;

  /// Runs the batch from the state and leaves the final one there. For the fused engine, `weights` are packed for this
  /// pass. Returns the last layer's outputs [T, B, padded(D R)], good until the next call.
  const T* forward(const StackWeights<T>& weights, StackState<T>& state, const StackInput<T>& input, Pass pass,
                   Engine engine, kernels::Context& context);

  /// The sums of (49) and (50) over what the last forward computed; 0 unless it was for training. With N symbols in the
  /// batch, 1 / N times this is what activation regularisation adds to the mean loss.
  double penalty(const StackInput<T>& input) const;

  /// What the last forward computed in part `part` (by layer and direction); good until the next forward or backward.
  /// It was for gradients, or for training by an engine other than the tape.
  StackActivations<T> activations(size_t part, const StackInput<T>& input) const;

  /// Gradients of the states of `batch` rows, in the order of StackState::arrays; see StackGradient.
  std::vector<Buffer<T>*> state_gradients(int64_t batch);

  /// The backward pass of the last forward, on the same engine, which was not one for inference. Adds to `gradients`,
  /// which have the arena's layout.
  void backward(const StackWeights<T>& weights, const StackInput<T>& input, const StackGradient<T>& gradient,
                Engine engine, T* gradients, kernels::Context& context);

 private:
  struct Direction;
  struct Layer;
  struct Area;
  struct Recording;

  const LstmStackOptions& options() const { return stack_.options(); }
  bool drops(const Layer& layer) const;
  bool drops_output() const { return pass_ == Pass::kTraining && options().lstm.output_dropout() > 0.0; }
  bool drops_weights() const { return pass_ == Pass::kTraining && options().lstm.weight_drop > 0.0; }
  kernels::LstmShape shape(const Direction& direction, const StackInput<T>& input) const;
  const T* w_hh(const Direction& direction, const T* values) const;
  kernels::LstmMasks<T> masks(const Direction& direction) const;
  kernels::LstmCache<T> cache(Direction& direction, int64_t rows, bool dense) const;
  T* recurrent_cache(Direction& direction, int64_t rows) const;
  Area whole(const StackInput<T>& input, int64_t width) const;
  kernels::LstmInput<T> layer_input(const Layer& layer, const StackInput<T>& input) const;

  bool penalises() const;
  const T* output_gradient(const StackInput<T>& input, const StackGradient<T>& gradient, ThreadPool& pool);
  void begin(const StackInput<T>& input, StackState<T>& state, const T* values, ThreadPool& pool);
  void draw_masks(Direction& direction, const StackInput<T>& input, uint32_t place, const T* values, ThreadPool& pool);
  void draw_activation_mask(const StackInput<T>& input, uint32_t place, double p, int64_t width, Buffer<T>& mask,
                            ThreadPool& pool);
  void apply_mask(const StackInput<T>& input, const Area& area, const Buffer<T>& mask, int64_t width, const T* x,
                  int64_t x_stride, T* y, int64_t y_stride, ThreadPool& pool) const;
  const PackedLayer& packed(const StackWeights<T>& weights, const Direction& direction) const;
  void pack_dropped(const T* values, kernels::Context& context);
  void prepare_forward(Layer& layer, Direction& direction, const StackWeights<T>& weights, StackState<T>& state,
                       const StackInput<T>& input);
  const T* output(Layer& layer, const StackInput<T>& input) const;
  void enter(Layer& layer, const StackInput<T>& input, const Area& area, ThreadPool& pool);
  void join(Layer& layer, const StackInput<T>& input, const Area& area, ThreadPool& pool);
  Direction& lane_direction(size_t first, int step, int lane);
  void forward_lanes(size_t first, size_t count, const StackWeights<T>& weights, const StackInput<T>& input,
                     kernels::Context& context);
  const T* direction_gradient(const Layer& layer, Direction& direction, const StackInput<T>& input, ThreadPool& pool);
  void prepare_backward(Layer& layer, Direction& direction, const StackInput<T>& input, const T* dy, bool states,
                        T* gradients);
  void backward_lanes(size_t last, size_t count, const StackWeights<T>& weights, const StackInput<T>& input,
                      const StackGradient<T>& gradient, T* gradients, kernels::Context& context);
  void leave(Layer& layer, const StackInput<T>& input, const Area& area, ThreadPool& pool);
  void finish_gradients(Direction& direction, const StackInput<T>& input, T* gradients);
  void finish_layer(size_t layer, const StackInput<T>& input, const StackGradient<T>& gradient, T* gradients);
  const T* record(const StackInput<T>& input, StackState<T>& state, const T* values);
  std::vector<autograd::Var<T>> record_direction(Direction& direction, const StackInput<T>& input,
                                                 const std::vector<autograd::Var<T>>& x, StackState<T>& state,
                                                 const T* values);
  void seed_penalties(const StackInput<T>& input, T scale);
  void backward_on_tape(const StackInput<T>& input, const StackGradient<T>& gradient, T* gradients);

  const LstmStack& stack_;
  std::vector<Layer> layers_;
  Buffer<T> output_mask_, output_, d_output_, tape_raw_;
  kernels::LstmPlan plan_;
  const T* raw_output_ = nullptr;  // of the last layer, before dropout; good until the next forward
  const T* final_output_ = nullptr;
  std::vector<uint8_t> began_;  // rows that began with the trained initial state in the last forward; empty: none
  Pass pass_ = Pass::kInference;
  Engine engine_ = Engine::kFused;
  std::unique_ptr<Recording> recording_;
};

/// A stack with its weights, a state and a workspace, for one user.
template <class T>
struct WholeStack {
  WholeStack(const LstmStackOptions& options, ParameterArena& arena) : stack(options, arena) {}

  /// Packs the weights if the engine needs that, and runs the batch from `from`.
  const T* forward(StackState<T>& from, const StackInput<T>& input, Pass pass, Engine engine,
                   kernels::Context& context) {
    if (engine == Engine::kFused) weights.pack(pass, context);
    return workspace.forward(weights, from, input, pass, engine, context);
  }
  void backward(const StackInput<T>& input, const StackGradient<T>& gradient, Engine engine, T* gradients,
                kernels::Context& context) {
    workspace.backward(weights, input, gradient, engine, gradients, context);
  }

  LstmStack stack;
  StackWeights<T> weights{stack};
  StackState<T> state{stack};
  StackWorkspace<T> workspace{stack};
};

}  // namespace longhand::nn
