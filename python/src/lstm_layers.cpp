#include "lstm_layers.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "longhand/base/error.h"
#include "lstm_contexts.h"

namespace longhand::python {
namespace {

// Maximum number of idle LstmMemoryOfPass objects to keep. Usually one pass is active; two forward passes before a
// backward pass need two.
constexpr size_t kIdleMemory = 2;

template <class T>
constexpr nn::Engine engine() {
  return std::is_same_v<T, float> ? nn::Engine::kFused : nn::Engine::kReference;
}

bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 64 == 0; }

// Copies `rows` rows of `width` elements between PyTorch's state and the stack's; zeros if `from` is null.
template <class T>
void copy_state(const T* from, int64_t from_stride, int64_t rows, int64_t width, T* to, int64_t to_stride) {
  for (int64_t b = 0; b < rows; ++b) {
    if (from != nullptr) {
      std::copy_n(from + b * from_stride, width, to + b * to_stride);
    } else {
      std::fill_n(to + b * to_stride, width, T(0));
    }
  }
}

nn::LstmStackOptions checked(const nn::LstmOptions& options, int64_t inputs) {
  options.check();
  return {.lstm = options, .inputs = inputs, .one_hot = false, .init = {}};
}

// Fills with zeros on our thread pool. PyTorch's threads would spin for a while afterwards and occupy processors.
template <class T>
void clear(T* values, int64_t size, ThreadPool& pool) {
  constexpr int64_t kElementsOfAThread = 1 << 16;
  pool.run(
      [&](int part, int parts) {
        const Range range = split(size, parts, part);
        std::fill_n(values + range.begin, range.size(), T(0));
      },
      size / kElementsOfAThread);
}

template <class T>
T* at(T* base, int64_t offset) {
  return base == nullptr ? nullptr : base + offset;
}

}  // namespace

template <class T>
LstmLayers<T>::LstmLayers(const nn::LstmOptions& options, int64_t inputs, bool bias)
    : stack_(checked(options, inputs), arena_), weights_(stack_) {
  declare_parameters(bias);
  values_.resize(arena_.extent());
  weights_.set_values(values_.data());
}

template <class T>
void LstmLayers<T>::declare_parameters(bool bias) {
  for (const Parameter& parameter : arena_.parameters()) {
    const std::string name = parameter.name.substr(parameter.name.find('.') + 1);
    const bool is_bias = name.starts_with("bias_ih");
    if (is_bias && !bias) continue;
    parameters_.push_back({name, parameter.shape, parameter.offset, parameter.size});
    if (!is_bias) continue;
    parameters_.push_back(parameters_.back());
    parameters_.back().name.replace(0, 7, "bias_hh");
    parameters_.back().is_second_bias = true;
  }
}

template <class T>
std::unique_ptr<LstmMemoryOfPass<T>> LstmLayers<T>::take_memory() {
  {
    const std::lock_guard lock(memory_mutex_);
    if (!memory_.empty()) {
      std::unique_ptr<LstmMemoryOfPass<T>> memory = std::move(memory_.back());
      memory_.pop_back();
      return memory;
    }
  }
  return std::make_unique<LstmMemoryOfPass<T>>(stack_);
}

template <class T>
void LstmLayers<T>::give_memory(std::unique_ptr<LstmMemoryOfPass<T>> memory) {
  const std::lock_guard lock(memory_mutex_);
  if (memory_.size() < kIdleMemory) memory_.push_back(std::move(memory));
}

// Whether the parameters are equal to values_. Compares all elements, since PyTorch's version counter of a tensor does
// not count changes through `.data`.
template <class T>
bool LstmLayers<T>::has_values(const std::vector<const T*>& parameters, ThreadPool& pool) const {
  constexpr int64_t kElementsOfAThread = 1 << 17;
  std::atomic<bool> equal = version_ > 0;
  for (size_t i = 0; i < parameters_.size() && equal; ++i) {
    const LstmParameter& parameter = parameters_[i];
    const T* const values = values_.data() + parameter.offset;
    const bool summed = i + 1 < parameters_.size() && parameters_[i + 1].is_second_bias;
    if (summed) {
      for (int64_t k = 0; k < parameter.size && equal; ++k) {
        const T sum = parameters[i][k] + parameters[i + 1][k];
        const bool both_nan = std::isnan(sum) && std::isnan(values[k]);  // NaNs may have different bits
        if (std::memcmp(&sum, values + k, sizeof(T)) != 0 && !both_nan) equal = false;
      }
      ++i;
      continue;
    }
    pool.run(
        [&](int part, int parts) {
          const Range range = split(parameter.size, parts, part);
          const auto bytes = static_cast<size_t>(range.size()) * sizeof(T);
          if (bytes > 0 && std::memcmp(parameters[i] + range.begin, values + range.begin, bytes) != 0) equal = false;
        },
        parameter.size / kElementsOfAThread);
  }
  return equal;
}

template <class T>
void LstmLayers<T>::copy_values(const std::vector<const T*>& parameters) {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const LstmParameter& parameter = parameters_[i];
    T* const values = values_.data() + parameter.offset;
    if (parameter.is_second_bias) {
      for (int64_t k = 0; k < parameter.size; ++k) values[k] += parameters[i][k];
    } else {
      std::copy_n(parameters[i], parameter.size, values);
    }
  }
  weights_.set_values(values_.data());
  ++version_;
}

// Copies the parameters to values_ and packs the weights for `pass`, if needed. Returns a shared lock: values_ and
// weights_ do not change while it is held.
template <class T>
std::shared_lock<std::shared_mutex> LstmLayers<T>::hold_values(const std::vector<const T*>& parameters, nn::Pass pass,
                                                               kernels::Context& context) {
  const bool packs = !(pass == nn::Pass::kTraining && options().weight_drop > 0.0);
  for (;;) {
    std::shared_lock shared(values_mutex_);
    if (has_values(parameters, context.pool) && (!packs || weights_.is_packed_for(pass))) return shared;
    shared.unlock();
    const std::unique_lock exclusive(values_mutex_);
    if (!has_values(parameters, context.pool)) copy_values(parameters);
    weights_.pack(pass, context);
  }
}

template <class T>
void LstmLayers<T>::read_state(const LstmForwardCall<T>& call, nn::StackState<T>& state) const {
  const int64_t B = call.batch.batch, R = options().state(), H = options().hidden;
  state.resize(B);
  for (size_t part = 0; part < stack_.parts(); ++part) {
    const auto i = static_cast<int64_t>(part);
    copy_state(at(call.h_0, i * B * R), R, B, R, state.h(part).data(), padded(R));
    copy_state(at(call.c_0, i * B * H), H, B, H, state.c(part).data(), padded(H));
  }
}

template <class T>
void LstmLayers<T>::write_state(const LstmForwardCall<T>& call, nn::StackState<T>& state) const {
  const int64_t B = call.batch.batch, R = options().state(), H = options().hidden;
  for (size_t part = 0; part < stack_.parts(); ++part) {
    const auto i = static_cast<int64_t>(part);
    copy_state<T>(state.h(part).data(), padded(R), B, R, call.h_n + i * B * R, R);
    copy_state<T>(state.c(part).data(), padded(H), B, H, call.c_n + i * B * H, H);
  }
}

template <class T>
std::unique_ptr<LstmPass<T>> LstmLayers<T>::forward(const LstmForwardCall<T>& call) {
  LONGHAND_CHECK(call.parameters.size() == parameters_.size());
  const LstmBatch& batch = call.batch;
  const int64_t I = stack_.options().inputs, width = options().outputs();
  const BorrowedContext borrowed(call.threads);
  kernels::Context& context = *borrowed;
  std::unique_ptr<LstmMemoryOfPass<T>> memory = take_memory();
  nn::StackInput<T> input{.steps = batch.steps,
                          .batch = batch.batch,
                          .lengths = batch.lengths.empty() ? nullptr : batch.lengths.data(),
                          .x = call.x.data,
                          .x_stride = call.x.row_stride,
                          .symbols = nullptr,
                          .masks = {call.seed, 0, 0}};
  if (!call.x.is_dense(batch)) {
    memory->x.resize(batch.steps * batch.batch * padded(I));
    read_rows(batch, call.x, I, memory->x.data(), padded(I), context.pool);
    input.x = memory->x.data();
    input.x_stride = padded(I);
  }
  read_state(call, memory->state);
  const std::shared_lock lock = hold_values(call.parameters, call.pass, context);
  const T* y = memory->workspace.forward(weights_, memory->state, input, call.pass, engine<T>(), context);
  write_rows(batch, y, padded(width), width, call.y, context.pool);
  write_state(call, memory->state);
  if (call.pass == nn::Pass::kInference) {
    give_memory(std::move(memory));
    return nullptr;
  }
  return std::make_unique<LstmPass<T>>(this->shared_from_this(), std::move(memory), batch, input, version_);
}

template <class T>
LstmPass<T>::LstmPass(std::shared_ptr<LstmLayers<T>> layers, std::unique_ptr<LstmMemoryOfPass<T>> memory,
                      LstmBatch batch, nn::StackInput<T> input, uint64_t values)
    : layers_(std::move(layers)),
      memory_(std::move(memory)),
      batch_(std::move(batch)),
      input_(std::move(input)),
      values_(values) {
  if (input_.lengths != nullptr) input_.lengths = batch_.lengths.data();
}

template <class T>
void LstmPass<T>::release() {
  if (memory_ != nullptr) layers_->give_memory(std::move(memory_));
}

template <class T>
void LstmPass<T>::read_state_gradients(const LstmBackwardCall<T>& call) {
  const nn::LstmOptions& options = layers_->options();
  const int64_t B = batch_.batch, R = options.state(), H = options.hidden;
  int64_t part = 0;
  const std::vector<Buffer<T>*> arrays = memory_->workspace.state_gradients(B);
  for (size_t i = 0; i < arrays.size(); i += 2, ++part) {
    copy_state(at(call.dh_n, part * B * R), R, B, R, arrays[i]->data(), padded(R));
    copy_state(at(call.dc_n, part * B * H), H, B, H, arrays[i + 1]->data(), padded(H));
  }
}

template <class T>
void LstmPass<T>::write_state_gradients(const LstmBackwardCall<T>& call) {
  const nn::LstmOptions& options = layers_->options();
  const int64_t B = batch_.batch, R = options.state(), H = options.hidden;
  int64_t part = 0;
  const std::vector<Buffer<T>*> arrays = memory_->workspace.state_gradients(B);
  for (size_t i = 0; i < arrays.size(); i += 2, ++part) {
    if (call.dh_0 != nullptr) copy_state<T>(arrays[i]->data(), padded(R), B, R, call.dh_0 + part * B * R, R);
    if (call.dc_0 != nullptr) copy_state<T>(arrays[i + 1]->data(), padded(H), B, H, call.dc_0 + part * B * H, H);
  }
}

template <class T>
void LstmPass<T>::backward(const LstmBackwardCall<T>& call) {
  LONGHAND_CHECK(!is_done());
  const BorrowedContext borrowed(call.threads);
  kernels::Context& context = *borrowed;
  const int64_t I = layers_->stack_.options().inputs, width = layers_->options().outputs(), stride = padded(width);
  const int64_t rows = batch_.steps * batch_.batch;
  clear(call.gradients, layers_->extent(), context.pool);
  nn::StackGradient<T> gradient{.d_output = call.dy.data};
  const bool as_it_is = call.dy.data != nullptr && call.dy.is_dense(batch_) && call.dy.row_stride == stride &&
                        width == stride && is_aligned(call.dy.data);
  if (!as_it_is) {
    memory_->dy.resize(rows * stride);
    if (call.dy.data != nullptr) {
      read_rows(batch_, call.dy, width, memory_->dy.data(), stride, context.pool);
    } else {
      memory_->dy.fill(T(0));
    }
    gradient.d_output = memory_->dy.data();
  }
  gradient.states = call.dh_n != nullptr || call.dc_n != nullptr || call.dh_0 != nullptr || call.dc_0 != nullptr;
  if (gradient.states) read_state_gradients(call);
  if (call.dx.data != nullptr) {
    gradient.dx = call.dx.data;
    gradient.dx_stride = call.dx.row_stride;
    if (!call.dx.is_dense(batch_)) {
      memory_->dx.resize(rows * padded(I));
      gradient.dx = memory_->dx.data();
      gradient.dx_stride = padded(I);
    }
  }
  {
    std::shared_lock lock(layers_->values_mutex_);
    if (values_ != layers_->version_) {  // another forward pass has changed values_
      lock.unlock();
      lock = layers_->hold_values(call.parameters, nn::Pass::kGradients, context);
    }
    memory_->workspace.backward(layers_->weights_, input_, gradient, engine<T>(), call.gradients, context);
  }
  if (call.dx.data != nullptr && !call.dx.is_dense(batch_)) {
    write_rows<T>(batch_, gradient.dx, padded(I), I, call.dx, context.pool);
  }
  if (gradient.states) write_state_gradients(call);
  release();
}

template class LstmLayers<float>;
template class LstmLayers<double>;
template class LstmPass<float>;
template class LstmPass<double>;

}  // namespace longhand::python
