// Forward and backward pass of a trainable network over a batch of sequences. The training_*.cpp files have the
// gradient of each node type; recurrent layers use nn, linear layers use kernels.
//
// T time steps, B sequences, L rows per time step (more than 1 if a step is a frame), C numbers per row. Arrays are
// [T, B, L, padded(C)].
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "longhand/graph/trainable.h"
#include "longhand/kernels/context.h"
#include "longhand/nn/dropout.h"
#include "longhand/nn/engine.h"

namespace longhand::graph {

/// A value between nodes. T is float, or double for gradient checks (with the reference engine).
template <class T>
struct TrainValue {
  bool symbols = false;                 ///< one integer per time step, no floats
  const TrainValue* one_hot = nullptr;  ///< the symbols, if the rows are one-hot vectors
  bool over_time = true;                ///< false: one step per sequence
  int64_t rows = 1;                     ///< L
  int64_t width = 0;                    ///< C
  bool wants_gradient = false;          ///< a parameter comes before it
  int consumers = 0;                    ///< number of nodes that read it, plus the loss

  // Of the current pass:
  int64_t steps = 0, batch = 0;
  std::vector<int32_t> lengths;  ///< [B] steps of each sequence, the rest is padding; empty: all T
  T* data = nullptr;             ///< [T, B, L, padded(C)]
  Buffer<T> own, gradient;
  Buffer<int32_t> ints;  ///< [T, B] of symbols

  int64_t stride() const { return padded(width); }
  /// Number of rows, T B L.
  int64_t count() const { return steps * batch * rows; }
  int64_t length(int64_t b) const { return lengths.empty() ? steps : lengths[static_cast<size_t>(b)]; }
  /// Offset of row l of step t of sequence b.
  int64_t at(int64_t t, int64_t b, int64_t l = 0) const { return ((t * batch + b) * rows + l) * stride(); }
  /// Resizes to `of_steps` steps of the batch of `other`.
  void resize_like(const TrainValue& other, int64_t of_steps) {
    steps = of_steps;
    batch = other.batch;
    if (symbols) return ints.resize(steps * batch);
    own.resize(count() * stride());
    data = own.data();
  }
  void resize_like(const TrainValue& other) {
    lengths = other.lengths;
    resize_like(other, other.steps);
  }
};

/// State that sequences carry from one pass to the next: recurrent states, past rows of convolutions, contexts.
template <class T>
struct NetworkState {
  std::vector<std::unique_ptr<nn::StackState<T>>> stacks;
  std::deque<Buffer<T>> pasts;
  std::vector<int64_t> widths;  ///< numbers per sequence of each past

  /// Sets the initial state of `batch` sequences.
  void reset(int64_t batch);
  bool fits(int64_t batch) const;
  std::vector<Buffer<T>*> arrays();
};

/// A batch of inputs. Each input is in `floats` or in `symbols`; the other is null.
template <class T>
struct TrainInput {
  int64_t steps = 0, batch = 0;
  const int32_t* lengths = nullptr;     ///< [B], each at least 0; null: all T
  std::vector<const T*> floats;         ///< [T, B, padded(C)] for each input, or null
  std::vector<const int32_t*> symbols;  ///< [T, B] for each input, or null
  nn::DropoutKey masks;
};

/// Shared by all nodes of a pass.
template <class T>
struct TrainRun {
  explicit TrainRun(kernels::Context& of) : context(of) {}

  kernels::Context& context;
  nn::Engine engine = nn::Engine::kFused;
  nn::Pass pass = nn::Pass::kInference;
  nn::DropoutKey masks;
  const T* values = nullptr;
  T* gradients = nullptr;
  NetworkState<T>* state = nullptr;
  uint64_t version = 0;  ///< changes with the values

  /// Splits 0 .. n-1 over the threads and calls work(begin, end). `cost`: operations per element.
  template <class Work>
  void share(int64_t n, int64_t cost, const Work& work) {
    constexpr int64_t kWorthIt = 16384;
    context.pool.run(
        [&](int part, int parts) {
          const Range range = split(n, parts, part);
          if (range.size() > 0) work(range.begin, range.end);
        },
        std::max<int64_t>(1, n * cost / kWorthIt));
  }
};

/// Buffers, engine and threads of one user. The network and the context must outlive it.
template <class T>
class TrainingPass {
 public:
  TrainingPass(const TrainableNetwork& network, nn::Engine engine, kernels::Context& context);
  ~TrainingPass();
  TrainingPass(const TrainingPass&) = delete;
  TrainingPass& operator=(const TrainingPass&) = delete;

  /// Sets the parameters' values, in the arena's layout. Call it again when the values have changed.
  void set_values(const T* values);
  NetworkState<T> new_state() const;

  /// Runs a batch, and replaces `state` by the final state. Returns the output; the loss writes its gradient.
  TrainValue<T>& forward(const TrainInput<T>& input, NetworkState<T>& state, nn::Pass pass);
  /// Adds the parameters' gradients to `gradients`, in the arena's layout. Call it after a training forward pass, with
  /// the output's gradient [T, B, L, padded(C)] written, zero for steps not measured. Gradients do not flow into the
  /// state.
  void backward(T* gradients);

 private:
  const TrainableNetwork& network_;
  std::unique_ptr<TrainRun<T>> run_;
  std::map<std::string, std::unique_ptr<TrainValue<T>>> values_;
  std::vector<std::function<void()>> forward_, backward_;
  std::vector<std::shared_ptr<void>> kept_;
  std::deque<Buffer<T>> scratch_;
  std::vector<std::function<void(NetworkState<T>&)>> states_;
  TrainValue<T>* output_ = nullptr;

  template <class>
  friend class TrainBuild;
};

}  // namespace longhand::graph
