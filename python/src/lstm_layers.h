// The layers of a `longhand.torch.LSTM`: PyTorch's arrays go in and come out, and nn::LstmStack does the work. Nothing
// here knows Python. Arrays are checked by the caller.
//
// L layers of D directions, T steps, B sequences, I inputs, H units, R = P or H outputs of a direction.
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
  int64_t offset = 0;  ///< in an array of all gradients, in elements
  int64_t size = 0;
  bool is_second_bias = false;  ///< bias_hh: added to bias_ih, whose gradient is its own
};

/// One forward pass. Addresses are of arrays without padding.
template <class T>
struct LstmForwardCall {
  LstmBatch batch;
  RowsOf<const T> x;                 ///< rows of I, read; kept until the backward pass
  std::vector<const T*> parameters;  ///< in the order of LstmLayers::parameters(), read
  const T* h_0 = nullptr;            ///< [L D, B, R] read; null: zeros
  const T* c_0 = nullptr;            ///< [L D, B, H] likewise
  RowsOf<T> y;                       ///< rows of D R, written; zeros beyond the end of a sequence
  T* h_n = nullptr;                  ///< [L D, B, R] written
  T* c_n = nullptr;                  ///< [L D, B, H] written
  nn::Pass pass = nn::Pass::kInference;
  uint64_t seed = 0;  ///< of the random masks
  int threads = 1;
};

/// The backward pass of a forward pass. Addresses of null are gradients that are zero, or that are not wanted.
template <class T>
struct LstmBackwardCall {
  std::vector<const T*> parameters;  ///< as in the forward pass
  RowsOf<const T> dy;                ///< rows of D R, read
  const T* dh_n = nullptr;           ///< [L D, B, R] read
  const T* dc_n = nullptr;           ///< [L D, B, H] read
  RowsOf<T> dx;                      ///< rows of I, written; zeros beyond the end of a sequence
  T* gradients = nullptr;            ///< [LstmLayers::extent()] written
  T* dh_0 = nullptr;                 ///< [L D, B, R] written
  T* dc_0 = nullptr;                 ///< [L D, B, H] written
  int threads = 1;
};

/// The memory of one pass.
template <class T>
struct LstmMemoryOfPass {
  explicit LstmMemoryOfPass(const nn::LstmStack& stack) : state(stack), workspace(stack) {}
  nn::StackState<T> state;
  nn::StackWorkspace<T> workspace;
  Buffer<T> x, dy, dx;  // [T, B, ...] where PyTorch's arrays are laid out otherwise
};

template <class T>
class LstmLayers;

/// A forward pass whose backward pass may follow, once. Its memory then goes back to its layers for the next pass.
template <class T>
class LstmPass {
 public:
  LstmPass(std::shared_ptr<LstmLayers<T>> layers, std::unique_ptr<LstmMemoryOfPass<T>> memory, LstmBatch batch,
           nn::StackInput<T> input, uint64_t values);
  ~LstmPass() { release(); }
  LstmPass(const LstmPass&) = delete;
  LstmPass& operator=(const LstmPass&) = delete;

  /// Whether backward was called: the activations are gone.
  bool is_done() const { return memory_ == nullptr; }
  /// Must not be done yet.
  void backward(const LstmBackwardCall<T>& call);

 private:
  void release();
  void read_state_gradients(const LstmBackwardCall<T>& call);
  void write_state_gradients(const LstmBackwardCall<T>& call);

  std::shared_ptr<LstmLayers<T>> layers_;
  std::unique_ptr<LstmMemoryOfPass<T>> memory_;
  LstmBatch batch_;
  nn::StackInput<T> input_;
  uint64_t values_;  // LstmLayers::version_ of the forward pass
};

/// T is float, computed by the fused engine, or double, by the reference. Any number of threads may call at the same
/// time.
template <class T>
class LstmLayers : public std::enable_shared_from_this<LstmLayers<T>> {
 public:
  /// Throws what nn::LstmOptions::check throws. Without `bias` there are no parameters bias_ih and bias_hh.
  LstmLayers(const nn::LstmOptions& options, int64_t inputs, bool bias);

  const std::vector<LstmParameter>& parameters() const { return parameters_; }
  /// Length of the array of all gradients.
  int64_t extent() const { return arena_.extent(); }
  /// Null for inference.
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

  ParameterArena arena_;  // for its layout alone
  nn::LstmStack stack_;
  std::vector<LstmParameter> parameters_;
  std::shared_mutex values_mutex_;  // held exclusively while the values change
  Buffer<T> values_;
  nn::StackWeights<T> weights_;
  uint64_t version_ = 0;  // of the values
  std::mutex memory_mutex_;
  std::vector<std::unique_ptr<LstmMemoryOfPass<T>>> memory_;  // of no pass
};

}  // namespace longhand::python
