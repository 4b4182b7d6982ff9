// TrainBuild is the argument of a node type's build function: the node, its values, and the pass that receives the
// node's forward and backward step.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "longhand/graph/node_build.h"
#include "longhand/graph/plan_parts.h"
#include "longhand/graph/training_pass.h"
#include "longhand/nn/layers.h"

namespace longhand::graph {

template <class T>
class TrainBuild {
 public:
  TrainBuild(const TrainableNetwork& network, size_t index, TrainingPass<T>& pass)
      : network_(network), index_(index), pass_(pass), described_(network.node(index), network.shapes()) {}

  const Node& node() const { return network_.node(index_); }
  size_t index() const { return index_; }
  /// The node's attributes, weights and shapes.
  NodeBuild& described() { return described_; }
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const {
    described_.fail(problem, advice);
  }
  TrainRun<T>& run() { return *pass_.run_; }

  size_t inputs() const { return node().inputs.size(); }
  TrainValue<T>& in(size_t i) { return *pass_.values_.at(node().inputs[i]); }
  /// Input i. Throws an input error if it is symbols.
  TrainValue<T>& floats(size_t i) {
    if (in(i).symbols) fail("expected rows of numbers, found symbols", "put an embedding before it");
    return in(i);
  }
  TrainValue<T>& out() { return *pass_.values_.at(node().outputs.front()); }

  bool has(const std::string& role) const { return node().weights.contains(role); }
  int64_t offset(const std::string& role) const { return network_.offset(index_, role); }
  const nn::LstmStack* stack() const { return network_.stack(index_); }
  const TrainableNetwork& network() const { return network_; }

  void forward(std::function<void()> step) { pass_.forward_.push_back(std::move(step)); }
  void backward(std::function<void()> step) { pass_.backward_.push_back(std::move(step)); }
  /// The gradient of an input, for backward steps. begin() returns the buffer that the step overwrites; null: no
  /// gradient is needed. Call done() afterwards: it adds the buffer to the gradient if the input has several consumers.
  struct InputGradient {
    TrainValue<T>* value;
    Buffer<T>* scratch;  // null if the node is the only consumer
    T* begin() const {
      if (!value->wants_gradient) return nullptr;
      if (scratch == nullptr) return value->gradient.data();
      scratch->resize(value->gradient.size());
      return scratch->data();
    }
    void done(TrainRun<T>& run) const {
      if (scratch == nullptr || !value->wants_gradient) return;
      T* to = value->gradient.data();
      const T* from = scratch->data();
      run.share(value->gradient.size(), 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] += from[i];
      });
    }
  };
  InputGradient gradient_of(size_t i) {
    TrainValue<T>& value = in(i);
    return {&value, value.consumers > 1 ? &pass_.scratch_.emplace_back() : nullptr};
  }

  Buffer<T>& memory() { return pass_.scratch_.emplace_back(); }
  template <class Thing, class... Arguments>
  Thing& make(Arguments&&... arguments) {
    auto thing = std::make_shared<Thing>(std::forward<Arguments>(arguments)...);
    Thing& out = *thing;
    pass_.kept_.push_back(std::move(thing));
    return out;
  }
  /// Adds `width` numbers per sequence to the state. Returns their index in NetworkState::pasts.
  size_t add_past(int64_t width) {
    const size_t place = count_states(false);
    pass_.states_.push_back([width](NetworkState<T>& state) {
      state.pasts.emplace_back();
      state.widths.push_back(width);
    });
    return place;
  }
  size_t add_stack_state() {
    const size_t place = count_states(true);
    pass_.states_.push_back([stack = stack()](NetworkState<T>& state) {
      state.stacks.push_back(std::make_unique<nn::StackState<T>>(*stack));
    });
    return place;
  }

 private:
  size_t count_states(bool of_stacks) const {
    NetworkState<T> state;
    for (const auto& add : pass_.states_) add(state);
    return of_stacks ? state.stacks.size() : state.pasts.size();
  }

  const TrainableNetwork& network_;
  size_t index_;
  TrainingPass<T>& pass_;
  NodeBuild described_;
};

/// A row of the table of trainable node types. `name` is the type's name in node_types.h.
struct TrainableType {
  std::string name;
  void (*build_float)(TrainBuild<float>& node);
  void (*build_double)(TrainBuild<double>& node);
};
/// Returns null for a type that cannot be trained.
const TrainableType* find_trainable_type(const std::string& name);

std::vector<TrainableType> trainable_dense_types();
std::vector<TrainableType> trainable_activation_types();
std::vector<TrainableType> trainable_convolution_types();
std::vector<TrainableType> trainable_recurrent_types();
std::vector<TrainableType> trainable_normalisation_types();
std::vector<TrainableType> trainable_arithmetic_types();
std::vector<TrainableType> trainable_move_types();
std::vector<TrainableType> trainable_pool_types();

/// y = W x + b, and its gradients. Packs W again when the values have changed.
template <class T>
class TrainLinear {
 public:
  /// `w` and `bias`: offsets in the arena of w [outputs, inputs] and bias [outputs]; -1: none.
  TrainLinear(int64_t outputs, int64_t inputs, int64_t w, int64_t bias)
      : outputs_(outputs), inputs_(inputs), w_(w), bias_(bias) {}

  void forward(TrainRun<T>& run, int64_t n, const T* x, int64_t x_stride, T* y, int64_t y_stride);
  /// Adds to the parameters' gradients. Writes dx unless it is null.
  void backward(TrainRun<T>& run, int64_t n, const T* x, int64_t x_stride, const T* dy, int64_t dy_stride, T* dx,
                int64_t dx_stride);

 private:
  int64_t outputs_, inputs_, w_, bias_;
  kernels::PackedLinear packed_;
  uint64_t version_ = 0;
  bool training_ = false;
};

}  // namespace longhand::graph
