// A pass over a batch of sequences through a network that is trained, forward and backward. The derivative of each node
// type is in the training_*.cpp; recurrent layers are nn's, linear ones the kernels'.
//
// T steps, B sequences, L rows of a step (1, or more where a step is a frame of rows), C numbers of a row. Arrays are
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

/// What flows between nodes. T is float, or double for checks (with the reference engine).
template <class T>
struct TrainValue {
  bool symbols = false;                 ///< integers, one a step
  const TrainValue* one_hot = nullptr;  ///< the symbols that its rows stand for
  bool over_time = true;                ///< otherwise one step for a whole sequence
  int64_t rows = 1;                     ///< L
  int64_t width = 0;                    ///< C
  bool wants_gradient = false;          ///< a parameter is below it
  int consumers = 0;                    ///< nodes that read it, and the loss

  // Of the present pass.
  int64_t steps = 0, batch = 0;
  std::vector<int32_t> lengths;  ///< [B] steps of each sequence; empty: all T. Beyond them nothing counts.
  T* data = nullptr;             ///< [T, B, L, padded(C)]
  Buffer<T> own, gradient;
  Buffer<int32_t> ints;  ///< [T, B] of symbols

  int64_t stride() const { return padded(width); }
  /// T B L
  int64_t count() const { return steps * batch * rows; }
  int64_t length(int64_t b) const { return lengths.empty() ? steps : lengths[static_cast<size_t>(b)]; }
  /// Row l of step t of sequence b.
  int64_t at(int64_t t, int64_t b, int64_t l = 0) const { return ((t * batch + b) * rows + l) * stride(); }
  /// Of so many steps of the sequences of another.
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

/// What sequences carry from one pass to the next: states of recurrent layers, the past of convolutions, contexts.
template <class T>
struct NetworkState {
  std::vector<std::unique_ptr<nn::StackState<T>>> stacks;
  std::deque<Buffer<T>> pasts;
  std::vector<int64_t> widths;  ///< of the pasts, numbers of a sequence

  /// At the beginning of `batch` sequences.
  void reset(int64_t batch);
  bool fits(int64_t batch) const;
  std::vector<Buffer<T>*> arrays();
};

/// A batch.
template <class T>
struct TrainInput {
  int64_t steps = 0, batch = 0;
  const int32_t* lengths = nullptr;     ///< [B], each from 0 on; null: all T
  std::vector<const T*> floats;         ///< for each input [T, B, padded(C)], or null
  std::vector<const int32_t*> symbols;  ///< or [T, B]
  nn::DropoutKey masks;
};

/// What all nodes of a pass see.
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
  uint64_t version = 0;  ///< of the values

  /// Calls work(begin, end) for parts of 0 .. n-1, on all threads; `cost` is that of one, in operations.
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

/// Memory, engine and threads of one user. The network and the context must outlive it.
template <class T>
class TrainingPass {
 public:
  TrainingPass(const TrainableNetwork& network, nn::Engine engine, kernels::Context& context);
  ~TrainingPass();
  TrainingPass(const TrainingPass&) = delete;
  TrainingPass& operator=(const TrainingPass&) = delete;

  /// The parameters' values, in the arena's layout; also to be called when they have changed.
  void set_values(const T* values);
  NetworkState<T> new_state() const;

  /// Runs a batch from the state and leaves the final one there. Returns the output, whose gradient the loss writes.
  TrainValue<T>& forward(const TrainInput<T>& input, NetworkState<T>& state, nn::Pass pass);
  /// After a forward that was not for inference, with the gradient of the output written, [T, B, L, padded(C)] with
  /// zeros where nothing counts: adds to `gradients`, in the arena's layout. It is truncated at the state.
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
