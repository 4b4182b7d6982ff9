#include "longhand/graph/training_pass.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/graph/training_build.h"

namespace longhand::graph {
namespace {

const std::vector<TrainableType>& all_trainable_types() {
  static const std::vector<TrainableType> kTypes = [] {
    std::vector<TrainableType> out;
    for (auto* list :
         {trainable_dense_types, trainable_activation_types, trainable_convolution_types, trainable_recurrent_types,
          trainable_normalisation_types, trainable_arithmetic_types, trainable_move_types, trainable_pool_types}) {
      for (TrainableType& type : list()) out.push_back(std::move(type));
    }
    return out;
  }();
  return kTypes;
}

// Creates a value with the sizes of `shape`.
template <class T>
std::unique_ptr<TrainValue<T>> make_train_value(const std::string& name, const Value& shape, const std::string& where) {
  auto out = std::make_unique<TrainValue<T>>();
  const int64_t rank = shape.rank();
  out->symbols = shape.type == ElementType::kInt;
  const bool fits = out->symbols ? rank == 2 : rank >= 2 && rank <= 4;
  if (!fits) {
    throw input_error(
        where + ": '" + name + "': expected steps of rows of numbers, or of one symbol, found " + shown(shape.dims),
        "such a network can be run, but not trained");
  }
  if (out->symbols) return out;
  out->over_time = rank > 2;
  out->rows = rank == 4 ? shape.dim(2) : 1;
  out->width = shape.last();
  return out;
}

}  // namespace

const TrainableType* find_trainable_type(const std::string& name) {
  for (const TrainableType& type : all_trainable_types()) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

std::vector<std::string> trainable_types() {
  std::vector<std::string> out;
  for (const TrainableType& type : all_trainable_types()) out.push_back(type.name);
  std::sort(out.begin(), out.end());
  return out;
}

template <class T>
void NetworkState<T>::reset(int64_t batch) {
  for (auto& stack : stacks) stack->reset(batch);
  for (size_t i = 0; i < pasts.size(); ++i) {
    pasts[i].resize(batch * widths[i]);
    pasts[i].fill(T(0));
  }
}

template <class T>
bool NetworkState<T>::fits(int64_t batch) const {
  for (const auto& stack : stacks) {
    if (!stack->fits(batch)) return false;
  }
  for (size_t i = 0; i < pasts.size(); ++i) {
    if (pasts[i].size() != batch * widths[i]) return false;
  }
  return true;
}

template <class T>
std::vector<Buffer<T>*> NetworkState<T>::arrays() {
  std::vector<Buffer<T>*> out;
  for (auto& stack : stacks) {
    for (Buffer<T>* array : stack->arrays()) out.push_back(array);
  }
  for (Buffer<T>& past : pasts) out.push_back(&past);
  return out;
}

template <class T>
TrainingPass<T>::TrainingPass(const TrainableNetwork& network, nn::Engine engine, kernels::Context& context)
    : network_(network), run_(std::make_unique<TrainRun<T>>(context)) {
  run_->engine = engine;
  const auto add_value = [&](const std::string& name) {
    const Value* shape = network.shapes().find(name);
    LONGHAND_CHECK(shape != nullptr);
    values_[name] = make_train_value<T>(name, *shape, network.where());
  };
  for (const Port& port : network.graph().inputs) add_value(port.name);
  for (const size_t i : network.nodes()) {
    for (const std::string& input : network.node(i).inputs) ++values_.at(input)->consumers;
    add_value(network.node(i).outputs.front());
  }
  output_ = values_.at(network.output()).get();
  ++output_->consumers;
  for (const size_t i : network.nodes()) {
    TrainBuild<T> node(network, i, *this);
    bool wants = network.stack(i) != nullptr;
    for (const auto& [role, name] : node.node().weights) wants = wants || network.offset(i, role) >= 0;
    for (size_t k = 0; k < node.inputs(); ++k) wants = wants || node.in(k).wants_gradient;
    node.out().wants_gradient = wants;
    const TrainableType& type = *find_trainable_type(node.node().type);
    if constexpr (std::is_same_v<T, float>) {
      type.build_float(node);
    } else {
      type.build_double(node);
    }
  }
}

template <class T>
TrainingPass<T>::~TrainingPass() = default;

template <class T>
void TrainingPass<T>::set_values(const T* values) {
  run_->values = values;
  ++run_->version;
}

template <class T>
NetworkState<T> TrainingPass<T>::new_state() const {
  NetworkState<T> out;
  for (const auto& add : states_) add(out);
  return out;
}

template <class T>
TrainValue<T>& TrainingPass<T>::forward(const TrainInput<T>& input, NetworkState<T>& state, nn::Pass pass) {
  run_->state = &state;
  run_->pass = pass;
  run_->masks = input.masks;
  for (size_t i = 0; i < network_.graph().inputs.size(); ++i) {
    TrainValue<T>& value = *values_.at(network_.graph().inputs[i].name);
    value.steps = input.steps;
    value.batch = input.batch;
    value.lengths.clear();
    if (input.lengths != nullptr) value.lengths.assign(input.lengths, input.lengths + input.batch);
    if (value.symbols) {
      value.ints.resize(value.steps * value.batch);
      std::copy_n(input.symbols[i], value.ints.size(), value.ints.data());
    } else {
      value.data = const_cast<T*>(input.floats[i]);  // no step writes an input
    }
  }
  for (const auto& step : forward_) step();
  if (pass != nn::Pass::kInference) output_->gradient.resize(output_->count() * output_->stride());
  return *output_;
}

template <class T>
void TrainingPass<T>::backward(T* gradients) {
  run_->gradients = gradients;
  for (const auto& [name, value] : values_) {
    if (!value->wants_gradient || value.get() == output_) continue;
    value->gradient.resize(value->count() * value->stride());
    if (value->consumers > 1) value->gradient.fill(T(0));
  }
  LONGHAND_CHECK(output_->consumers == 1 || output_->wants_gradient);
  for (size_t i = backward_.size(); i-- > 0;) backward_[i]();
}

template struct NetworkState<float>;
template struct NetworkState<double>;
template class TrainingPass<float>;
template class TrainingPass<double>;

}  // namespace longhand::graph
