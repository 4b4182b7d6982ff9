// A stack as tests use it: its values are given to each pass.
#pragma once

#include "longhand/nn/lstm_stack.h"

namespace longhand::nn {

template <class T>
struct TestedStack : WholeStack<T> {
  using WholeStack<T>::WholeStack;

  const LstmStackOptions& options() const { return this->stack.options(); }
  void parameters_changed() { this->weights.set_values(nullptr); }
  std::vector<Buffer<T>*> state_gradients() { return this->workspace.state_gradients(batch); }

  void reset_state(int64_t rows) {
    batch = rows;
    this->state.reset(rows);
  }
  const T* forward(const StackInput<T>& input, Pass pass, Engine engine, const T* values, kernels::Context& context) {
    if (values != this->weights.values()) this->weights.set_values(values);
    return WholeStack<T>::forward(this->state, input, pass, engine, context);
  }

  int64_t batch = 0;
};

}  // namespace longhand::nn
