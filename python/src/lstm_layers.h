// The layers of `longhand.torch.LSTM`: runs nn::LstmStack on PyTorch's memory. Does not depend on Python. The caller
// must check all arrays.
//
// L layers, D directions, T time steps, B sequences, I input features, H hidden units, R = P (projection size) or H:
// size of the hidden state.
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "longhand/nn/lstm_stack.h"
#include "lstm_rows.h"

namespace longhand::python {

/// A parameter of the PyTorch module.
struct LstmParameter {
  std::string name;  ///< such as weight_ih_l0
  std::vector<int64_t> shape;
  int64_t offset = 0;  ///< in the array of all gradients, in elements
  int64_t size = 0;
  bool is_second_bias = false;  ///< bias_hh: is added to bias_ih and has the same gradient
};

/// Arguments of a forward pass. All arrays except x and y are contiguous.
template <class T>
struct LstmForwardCall {
  LstmBatch batch;
  RowsOf<const T> x;                 ///< rows of I, read; must stay valid until the backward pass
  std::vector<const T*> parameters;  ///< in the order of LstmLayers::parameters(), read
  const T* h_0 = nullptr;            ///< [L D, B, R] read; null: zeros
  const T* c_0 = nullptr;            ///< [L D, B, H] read; null: zeros
  RowsOf<T> y;                       ///< rows of D R, written; zeros at padded steps
  T* h_n = nullptr;                  ///< [L D, B, R] written
  T* c_n = nullptr;                  ///< [L D, B, H] written
  nn::Pass pass = nn::Pass::kInference;
  uint64_t seed = 0;  ///< of the dropout masks
  int threads = 1;
};

/// Arguments of a backward pass. Null inputs (dy, dh_n, dc_n) are zero gradients; null outputs (dx, dh_0, dc_0) are not
/// computed.
template <class T>
struct LstmBackwardCall {
  std::vector<const T*> parameters;  ///< as in the forward pass
  RowsOf<const T> dy;                ///< rows of D R, read
  const T* dh_n = nullptr;           ///< [L D, B, R] read
  const T* dc_n = nullptr;           ///< [L D, B, H] read
  RowsOf<T> dx;                      ///< rows of I, written; zeros at padded steps
  T* gradients = nullptr;            ///< [LstmLayers::extent()] written
  T* dh_0 = nullptr;                 ///< [L D, B, R] written
  T* dc_0 = nullptr;                 ///< [L D, B, H] written
  int threads = 1;
};

/// Activations and scratch memory of one forward and backward pass.
template <class T>
struct LstmMemoryOfPass {
  explicit LstmMemoryOfPass(const nn::LstmStack& stack) : state(stack), workspace(stack) {}
  nn::StackState<T> state;
  nn::StackWorkspace<T> workspace;
  Buffer<T> x, dy, dx;  // copies in the layout [T, B, ...], if PyTorch's arrays have a different one
};

template <class T>
class LstmLayers;

/// The activations of a forward pass, for at most one backward pass. Afterwards the memory is returned to the layers
/// for reuse.
template <class T>
class LstmPass {
 public:
  LstmPass(std::shared_ptr<LstmLayers<T>> layers, std::unique_ptr<LstmMemoryOfPass<T>> memory, LstmBatch batch,
           nn::StackInput<T> input, uint64_t values);
  ~LstmPass() { release(); }
  LstmPass(const LstmPass&) = delete;
  LstmPass& operator=(const LstmPass&) = delete;

  /// Whether backward has been called. The activations have been released then.
  bool is_done() const { return memory_ == nullptr; }
  /// Computes the gradients. Requires !is_done().
  void backward(const LstmBackwardCall<T>& call);

 private:
  void release();
  void read_state_gradients(const LstmBackwardCall<T>& call);
  void write_state_gradients(const LstmBackwardCall<T>& call);

  std::shared_ptr<LstmLayers<T>> layers_;
  std::unique_ptr<LstmMemoryOfPass<T>> memory_;
  LstmBatch batch_;
  nn::StackInput<T> input_;
  uint64_t values_;  // LstmLayers::version_ at the forward pass
};

/// The stacked layers of a module. T = float runs the fused engine, T = double the reference implementation.
/// Thread-safe.
template <class T>
class LstmLayers : public std::enable_shared_from_this<LstmLayers<T>> {
 public:
  /// `inputs` is I. Without `bias` there are no parameters bias_ih and bias_hh. Throws the exceptions of
  /// nn::LstmOptions::check.
  LstmLayers(const nn::LstmOptions& options, int64_t inputs, bool bias);

  const std::vector<LstmParameter>& parameters() const { return parameters_; }
  /// Number of elements of the array of all gradients.
  int64_t extent() const { return arena_.extent(); }
  /// Writes y, h_n and c_n. Returns the pass for `backward`, or null if call.pass is kInference.
  std::unique_ptr<LstmPass<T>> forward(const LstmForwardCall<T>& call);

 private:
  friend class LstmPass<T>;

  const nn::LstmOptions& options() const { return stack_.options().lstm; }
  void declare_parameters(bool bias);
  std::unique_ptr<LstmMemoryOfPass<T>> take_memory();
  void give_memory(std::unique_ptr<LstmMemoryOfPass<T>> memory);
  std::shared_lock<std::shared_mutex> hold_values(const std::vector<const T*>& parameters, nn::Pass pass,
                                                  kernels::Context& context);
  bool has_values(const std::vector<const T*>& parameters, ThreadPool& pool) const;
  void copy_values(const std::vector<const T*>& parameters);
  void read_state(const LstmForwardCall<T>& call, nn::StackState<T>& state) const;
  void write_state(const LstmForwardCall<T>& call, nn::StackState<T>& state) const;

  ParameterArena arena_;  // used for the layout only
  nn::LstmStack stack_;
  std::vector<LstmParameter> parameters_;
  std::shared_mutex values_mutex_;  // locked exclusively to change values_, weights_ or version_
  Buffer<T> values_;
  nn::StackWeights<T> weights_;
  uint64_t version_ = 0;  // incremented when values_ changes
  std::mutex memory_mutex_;
  std::vector<std::unique_ptr<LstmMemoryOfPass<T>>> memory_;  // idle, for reuse
};

}  // namespace longhand::python
