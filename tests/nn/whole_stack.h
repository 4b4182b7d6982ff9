// A stack with weights, one state and one workspace, for tests of what it computes.
#pragma once

#include "longhand/nn/lstm_stack.h"

namespace longhand::nn {

template <class T>
struct WholeStack {
  WholeStack(const LstmStackOptions& options, ParameterArena& arena) : stack(options, arena) {}

  const LstmStackOptions& options() const { return stack.options(); }
  void parameters_changed() { weights.set_values(nullptr); }
  std::vector<Buffer<T>*> state_gradients() { return workspace.state_gradients(batch); }

  void reset_state(int64_t rows) {
    batch = rows;
    state.reset(rows);
  }
  const T* forward(const StackInput<T>& input, Pass pass, Engine engine, const T* values, kernels::Context& context) {
    if (values != weights.values()) weights.set_values(values);
    if (engine == Engine::kFused) weights.pack(pass, context);
    return workspace.forward(weights, state, input, pass, engine, context);
  }
  void backward(const StackInput<T>& input, const StackGradient<T>& gradient, Engine engine, T* gradients,
                kernels::Context& context) {
    workspace.backward(weights, input, gradient, engine, gradients, context);
  }

  LstmStack stack;
  StackWeights<T> weights{stack};
  StackState<T> state{stack};
  StackWorkspace<T> workspace{stack};
  int64_t batch = 0;
};

}  // namespace longhand::nn
