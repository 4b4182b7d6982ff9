#include "longhand/nn/lstm_stack.h"

#include <algorithm>
#include <type_traits>

#include "longhand/base/error.h"
#include "longhand/kernels/reference_lstm.h"
#include "longhand/nn/lstm_stack_parts.h"

namespace longhand::nn {
template <class T>
LstmStack<T>::LstmStack(const LstmStackOptions& options, ParameterArena& arena)
    : options_(options), layers_(static_cast<size_t>(options.lstm.layers)) {
  const LstmOptions& lstm = options.lstm;
  LONGHAND_CHECK(lstm.misplaced().empty());
  const int64_t H = lstm.hidden, R = lstm.state(), G = lstm.gates() * H;
  for (size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    layer.inputs = l == 0 ? options.inputs : lstm.outputs();
    layer.residual = lstm.residual && l > 0;  // layers above the first read as much as they write
    layer.drop = l > 0 ? lstm.dropout : options.one_hot ? 0.0 : lstm.input_dropout();
    layer.directions.resize(static_cast<size_t>(lstm.directions()));
    for (Direction& d : layer.directions) {
      d.reverse = &d != layer.directions.data();
      d.inputs = layer.inputs;
      const std::string suffix = "_l" + std::to_string(l) + (d.reverse ? "_reverse" : "");
      const auto declare = [&](const char* name, std::vector<int64_t> extents, Initialiser init) {
        const size_t index =
            arena.declare(options_.prefix + lstm.cell + "." + name + suffix, std::move(extents), std::move(init));
        return arena.parameters()[index].offset;
      };
      const auto weights_of = [&](Part part, int64_t n_in, int64_t n_out, int64_t blocks) {
        return nn::weights(options.init, part, {.n_in = n_in, .n_out = n_out, .hidden = H, .blocks = blocks});
      };
      d.offsets.w_ih = declare("weight_ih", {G, layer.inputs}, weights_of(Part::kInput, layer.inputs, H, G / H));
      d.offsets.w_hh = declare("weight_hh", {G, R}, weights_of(Part::kRecurrent, R, H, G / H));
      d.offsets.bias = declare("bias_ih", {G}, lstm.is_lstm() ? lstm_bias(options.init, H) : nn::bias(options.init, H));
      if (lstm.kind() == Cell::kGru) d.offsets.bias_hh = declare("bias_hh", {G}, nn::bias(options.init, H));
      if (lstm.proj > 0) d.offsets.w_hr = declare("weight_hr", {R, H}, weights_of(Part::kRecurrent, H, R, 1));
      if (lstm.layer_norm) {
        d.offsets.gain_ih = declare("gain_ih", {4 * H}, constant(1.0));
        d.offsets.gain_hh = declare("gain_hh", {4 * H}, constant(1.0));
        d.offsets.gain_c = declare("gain_c", {H}, constant(1.0));
        d.offsets.bias_c = declare("bias_c", {H}, constant(0.0));
      }
      if (lstm.train_initial_state) {
        d.offsets.h_0 = declare("h_0", {R}, constant(0.0));
        if (lstm.is_lstm()) d.offsets.c_0 = declare("c_0", {H}, constant(0.0));
      }
    }
  }
}

template <class T>
LstmStack<T>::~LstmStack() = default;

template <class T>
void LstmStack<T>::reset_state(int64_t batch) {
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      d.h_state.resize(batch * padded(options_.lstm.state()));
      d.c_state.resize(options_.lstm.is_lstm() ? batch * padded(options_.lstm.hidden) : 0);
      d.h_state.fill(T(0));
      d.c_state.fill(T(0));
    }
  }
  begins_.assign(options_.lstm.train_initial_state ? static_cast<size_t>(batch) : 0, 1);
}

template <class T>
void LstmStack<T>::reset_rows(std::span<const uint8_t> rows) {
  const auto B = static_cast<int64_t>(rows.size());
  LONGHAND_CHECK(state_fits(B));
  const auto clear = [&](Buffer<T>& state, int64_t width) {
    for (int64_t b = 0; b < B; ++b) {
      if (rows[static_cast<size_t>(b)] != 0) std::fill_n(state.data() + b * width, width, T(0));
    }
  };
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      clear(d.h_state, padded(options_.lstm.state()));
      if (options_.lstm.is_lstm()) clear(d.c_state, padded(options_.lstm.hidden));
    }
  }
  if (options_.lstm.train_initial_state) begins_.assign(rows.begin(), rows.end());
}

template <class T>
std::vector<Buffer<T>*> LstmStack<T>::state() {
  std::vector<Buffer<T>*> out;
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      out.push_back(&d.h_state);
      if (options_.lstm.is_lstm()) out.push_back(&d.c_state);
    }
  }
  return out;
}

template <class T>
bool LstmStack<T>::state_fits(int64_t batch) const {
  const LstmOptions& lstm = options_.lstm;
  const int64_t h = batch * padded(lstm.state()), c = lstm.is_lstm() ? batch * padded(lstm.hidden) : 0;
  for (const Layer& layer : layers_) {
    for (const Direction& d : layer.directions) {
      if (d.h_state.size() != h || d.c_state.size() != c) return false;
    }
  }
  return true;
}

template <class T>
typename LstmStack<T>::SavedState LstmStack<T>::save_state() {
  SavedState saved{.arrays = {}, .begins = std::move(begins_)};
  begins_.clear();
  for (Buffer<T>* array : state()) saved.arrays.push_back(std::move(*array));
  for (Buffer<T>* array : state()) *array = Buffer<T>();
  return saved;
}

template <class T>
void LstmStack<T>::restore_state(SavedState saved) {
  const std::vector<Buffer<T>*> arrays = state();
  for (size_t i = 0; i < arrays.size(); ++i) *arrays[i] = std::move(saved.arrays[i]);
  begins_ = std::move(saved.begins);
}

template <class T>
std::vector<Buffer<T>*> LstmStack<T>::state_gradients() {
  std::vector<Buffer<T>*> out;
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      d.dh_state.resize(d.h_state.size());
      d.dc_state.resize(d.c_state.size());
      out.push_back(&d.dh_state);
      if (options_.lstm.is_lstm()) out.push_back(&d.dc_state);
    }
  }
  return out;
}

template <class T>
bool LstmStack<T>::drops(const Layer& layer) const {
  return pass_ == Pass::kTraining && layer.drop > 0.0;
}

template <class T>
kernels::LstmShape LstmStack<T>::shape(const Direction& direction, const StackInput<T>& input) const {
  return {.steps = input.steps,
          .batch = input.batch,
          .inputs = direction.inputs,
          .hidden = options_.lstm.hidden,
          .lengths = input.lengths,
          .projection = options_.lstm.proj,
          .reverse = direction.reverse};
}

template <class T>
kernels::LstmWeights<T> LstmStack<T>::weights(const Direction& direction, const T* values) const {
  kernels::LstmWeights<T> out = direction.offsets.view(values);
  if (pass_ == Pass::kTraining && options_.lstm.weight_drop > 0.0) out.w_hh = direction.dropped_w_hh.data();
  return out;
}

template <class T>
kernels::LstmMasks<T> LstmStack<T>::masks(const Direction& direction) const {
  const LstmOptions& lstm = options_.lstm;
  kernels::LstmMasks<T> out;
  if (pass_ == Pass::kTraining && lstm.dropout_recurrent > 0.0) out.recurrent = direction.recurrent_mask.data();
  if (lstm.zoneout > 0.0) out.zone_h = direction.zone_h.data();
  if (lstm.zoneout_cell > 0.0) out.zone_c = direction.zone_c.data();
  out.zone_h_stride = direction.zone_h_stride;
  out.zone_c_stride = direction.zone_c_stride;
  return out;
}

template <class T>
kernels::LstmCache<T> LstmStack<T>::cache(Direction& d, int64_t rows, bool dense) const {
  const int64_t Hp = padded(options_.lstm.hidden), Rp = padded(options_.lstm.state());
  const auto room = [rows](Buffer<T>& buffer, int64_t width, bool wanted) -> T* {
    if (!wanted) return nullptr;
    buffer.resize(rows * width);
    return buffer.data();
  };
  const bool masked = pass_ == Pass::kTraining && options_.lstm.dropout_recurrent > 0.0;
  return {.gates = room(d.gates, 4 * Hp, true),
          .masked_h = room(d.masked_h, Rp, masked),
          .m = room(d.m, Hp, options_.lstm.proj > 0),
          .norm_ih = room(d.norm_ih, 4 * Hp, options_.lstm.layer_norm && dense),
          .norm_hh = room(d.norm_hh, 4 * Hp, options_.lstm.layer_norm),
          .norm_c = room(d.norm_c, Hp, options_.lstm.layer_norm),
          .rstd = room(d.rstd, 3, options_.lstm.layer_norm)};
}

// What the directions of a layer read: the layer's input, or that with its mask.
template <class T>
kernels::LstmInput<T> LstmStack<T>::layer_input(const Layer& layer, const StackInput<T>& input) const {
  if (layer.x == nullptr) return {nullptr, 0, input.symbols};
  if (drops(layer)) return {layer.dropped.data(), padded(layer.inputs), nullptr};
  return {layer.x, layer.x_stride, nullptr};
}

// Draws the masks inside one direction, or sets what is expected of them.
template <class T>
void LstmStack<T>::draw_masks(Direction& d, const StackInput<T>& input, uint32_t place, const T* values,
                              ThreadPool& pool) {
  const LstmOptions& lstm = options_.lstm;
  const int64_t B = input.batch, rows = input.steps * B, H = lstm.hidden;
  const int64_t R = lstm.state(), Rp = padded(R);
  const bool training = pass_ == Pass::kTraining;
  DropoutKey key = input.masks;
  key.place += place;
  if (training && lstm.dropout_recurrent > 0.0) {
    d.recurrent_mask.resize(B * Rp);
    draw_mask(dropout_draw<T>(key, lstm.dropout_recurrent), d.recurrent_mask.data(), B, R, Rp, pool);
  }
  ++key.place;
  if (training && lstm.weight_drop > 0.0) {
    const int64_t size = lstm.gates() * H * R;
    d.weight_mask.resize(size);
    d.dropped_w_hh.resize(size);
    draw_mask(dropout_draw<T>(key, lstm.weight_drop), d.weight_mask.data(), lstm.gates() * H, R, R, pool);
    const T* w_hh = values + d.offsets.w_hh;
    for (int64_t i = 0; i < size; ++i) d.dropped_w_hh[i] = w_hh[i] * d.weight_mask[i];  // (35)
  }
  const auto zone = [&](double p, Buffer<T>& mask, int64_t width, int64_t& stride) {
    ++key.place;
    if (p == 0.0) return;
    stride = training ? padded(width) : 0;
    mask.resize(training ? rows * stride : padded(width));
    if (training) {
      draw_mask(Draw<T>{key, p, T(1), T(0)}, mask.data(), rows, width, stride, pool);
    } else {
      std::fill_n(mask.data(), width, static_cast<T>(p));
    }
  };
  zone(lstm.zoneout, d.zone_h, R, d.zone_h_stride);
  zone(lstm.zoneout_cell, d.zone_c, H, d.zone_c_stride);
}

// Draws the mask of an array [T, B, width]; one row for all steps of a sequence where variational.
template <class T>
void LstmStack<T>::draw_activation_mask(const StackInput<T>& input, uint32_t place, double p, int64_t width,
                                        Buffer<T>& mask, ThreadPool& pool) {
  if (pass_ != Pass::kTraining || p == 0.0) return;
  const int64_t rows = options_.lstm.variational ? input.batch : input.steps * input.batch;
  DropoutKey key = input.masks;
  key.place += place;
  mask.resize(rows * padded(width));
  draw_mask(dropout_draw<T>(key, p), mask.data(), rows, width, padded(width), pool);
}

// (44) y = x * mask for an array [T, B, width]; dx = dy * mask likewise.
template <class T>
void LstmStack<T>::apply_mask(const StackInput<T>& input, const Buffer<T>& mask, int64_t width, const T* x,
                              int64_t x_stride, T* y, int64_t y_stride, ThreadPool& pool) const {
  const int64_t rows = input.steps * input.batch;
  multiply_mask<T>({.x = x,
                    .x_stride = x_stride,
                    .mask = mask.data(),
                    .mask_rows = options_.lstm.variational ? input.batch : rows,
                    .mask_stride = padded(width),
                    .y = y,
                    .y_stride = y_stride,
                    .rows = rows,
                    .width = width},
                   pool);
}

// Everything that a forward pass needs before any engine runs.
template <class T>
void LstmStack<T>::begin(const StackInput<T>& input, const T* values, ThreadPool& pool) {
  const LstmOptions& lstm = options_.lstm;
  const int64_t B = input.batch, Hp = padded(lstm.hidden), Rp = padded(lstm.state());
  LONGHAND_CHECK(state_fits(B));
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      for (int64_t b = 0; !begins_.empty() && b < B; ++b) {  // (43)
        if (begins_[static_cast<size_t>(b)] == 0) continue;
        std::copy_n(values + d.offsets.h_0, lstm.state(), d.h_state.data() + b * Rp);
        if (lstm.is_lstm()) std::copy_n(values + d.offsets.c_0, lstm.hidden, d.c_state.data() + b * Hp);
      }
      draw_masks(d, input, mask_place(static_cast<size_t>(&layer - layers_.data()), d.reverse), values, pool);
    }
    draw_activation_mask(input, static_cast<uint32_t>(&layer - layers_.data()), layer.drop, layer.inputs, layer.mask,
                         pool);
  }
  draw_activation_mask(input, static_cast<uint32_t>(layers_.size()), lstm.output_dropout(), lstm.outputs(),
                       output_mask_, pool);
  std::swap(began_, begins_);
  begins_.clear();
}

template <class T>
void LstmStack<T>::pack(const T* values, kernels::Context& context) {
  // Dropped weights are good for one batch.
  const bool dropped = pass_ == Pass::kTraining && options_.lstm.weight_drop > 0.0;
  const Packed wanted = pass_ == Pass::kInference ? Packed::kInference : Packed::kTraining;
  if (packed_ >= wanted && !dropped) return;
  if constexpr (std::is_same_v<T, float>) {
    for (size_t l = 0; l < layers_.size(); ++l) {
      for (Direction& d : layers_[l].directions) {
        kernels::pack_lstm(shape(d, {}), weights(d, values), l > 0 || !options_.one_hot,
                           wanted == Packed::kTraining ? kernels::PackFor::kTraining : kernels::PackFor::kInference,
                           d.packed, context);
      }
    }
  }
  packed_ = dropped ? Packed::kNothing : wanted;
}

template <class T>
void LstmStack<T>::run_direction(Layer& layer, Direction& d, const StackInput<T>& input, Engine engine, const T* values,
                                 kernels::Context& context) {
  const bool keep = pass_ != Pass::kInference;
  const int64_t B = input.batch, rows = input.steps * B;
  const int64_t Hp = padded(options_.lstm.hidden), Rp = padded(options_.lstm.state());
  const kernels::LstmShape layer_shape = shape(d, input);
  const int64_t initial = layer_shape.initial_slot() * B;
  d.h.resize((rows + B) * Rp);
  std::copy_n(d.h_state.data(), B * Rp, d.h.data() + initial * Rp);
  if (keep) {
    d.c.resize((rows + B) * Hp);
    std::copy_n(d.c_state.data(), B * Hp, d.c.data() + initial * Hp);
  }
  const kernels::LstmForward<T> args{.shape = layer_shape,
                                     .weights = weights(d, values),
                                     .input = layer_input(layer, input),
                                     .masks = masks(d),
                                     .h = d.h.data(),
                                     .c = keep ? d.c.data() : d.c_state.data(),
                                     .cache = keep ? cache(d, rows, layer.x != nullptr) : kernels::LstmCache<T>{},
                                     .h_last = d.h_state.data(),
                                     .c_last = keep ? d.c_state.data() : nullptr};
  if constexpr (std::is_same_v<T, float>) {
    if (engine == Engine::kFused) return kernels::lstm_forward(args, d.packed, context);
  }
  LONGHAND_CHECK(engine == Engine::kReference);
  kernels::reference::lstm_forward(args);
}

// The layer's output: its directions side by side, plus its input where it is residual.
template <class T>
const T* LstmStack<T>::join(Layer& layer, const StackInput<T>& input) {
  const int64_t B = input.batch, rows = input.steps * B, R = options_.lstm.state(), Rp = padded(R);
  const int64_t width = options_.lstm.outputs(), stride = padded(width);
  const auto outputs = [&](const Direction& d) { return d.h.data() + shape(d, input).next_slot(0) * B * Rp; };
  if (layer.directions.size() == 1 && !layer.residual) return outputs(layer.directions[0]);
  layer.y.resize(rows * stride);
  for (int64_t row = 0; row < rows; ++row) {
    T* y = layer.y.data() + row * stride;
    for (const Direction& d : layer.directions) std::copy_n(outputs(d) + row * Rp, R, y + (d.reverse ? R : 0));
    for (int64_t j = 0; layer.residual && j < width; ++j) y[j] += layer.x[row * layer.x_stride + j];  // (42)
  }
  return layer.y.data();
}

template <class T>
const T* LstmStack<T>::forward(const StackInput<T>& input, Pass pass, Engine engine, const T* values,
                               kernels::Context& context) {
  LONGHAND_CHECK(options_.lstm.is_lstm() || engine == Engine::kAutograd);
  pass_ = pass;
  engine_ = engine;
  begin(input, values, context.pool);
  if (engine == Engine::kAutograd) return record(input, values);
  if (engine == Engine::kFused) pack(values, context);
  const int64_t rows = input.steps * input.batch, width = options_.lstm.outputs(), stride = padded(width);
  const T* y = nullptr;
  for (size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    layer.x = l > 0 ? y : options_.one_hot ? nullptr : input.x;
    layer.x_stride = l > 0 ? stride : input.x_stride;
    if (drops(layer)) {
      layer.dropped.resize(rows * padded(layer.inputs));
      apply_mask(input, layer.mask, layer.inputs, layer.x, layer.x_stride, layer.dropped.data(), padded(layer.inputs),
                 context.pool);
    }
    for (Direction& d : layer.directions) run_direction(layer, d, input, engine, values, context);
    y = join(layer, input);
  }
  raw_output_ = final_output_ = y;
  if (!drops_output()) return y;
  output_.resize(rows * stride);
  apply_mask(input, output_mask_, width, y, stride, output_.data(), stride, context.pool);
  final_output_ = output_.data();
  return output_.data();
}

template <class T>
bool LstmStack<T>::penalises() const {
  return pass_ == Pass::kTraining && (options_.lstm.activation_reg > 0.0 || options_.lstm.temporal_reg > 0.0);
}

// The gradient of the outputs as the last layer made them, from that of what forward returned: with the penalties of
// (49) and (50), and through the mask.
template <class T>
const T* LstmStack<T>::output_gradient(const StackInput<T>& input, const StackGradient<T>& gradient, ThreadPool& pool) {
  if (!penalises() && !drops_output()) return gradient.d_output;
  const int64_t B = input.batch, rows = input.steps * B, width = options_.lstm.outputs(), stride = padded(width);
  d_output_.resize(rows * stride);
  std::copy_n(gradient.d_output, rows * stride, d_output_.data());
  const T scale = T(2) * gradient.penalty_scale / static_cast<T>(width);
  const T alpha = scale * static_cast<T>(options_.lstm.activation_reg);
  const T beta = scale * static_cast<T>(options_.lstm.temporal_reg);
  for (int64_t b = 0; penalises() && b < B; ++b) {
    const int64_t length = input.lengths != nullptr ? input.lengths[b] : input.steps;
    for (int64_t t = 0; t < length; ++t) {
      T* d = d_output_.data() + (t * B + b) * stride;
      const T* y = final_output_ + (t * B + b) * stride;
      for (int64_t j = 0; j < width; ++j) d[j] += alpha * y[j];  // (49)
    }
  }
  if (drops_output()) apply_mask(input, output_mask_, width, d_output_.data(), stride, d_output_.data(), stride, pool);
  for (int64_t b = 0; penalises() && b < B; ++b) {
    const int64_t length = input.lengths != nullptr ? input.lengths[b] : input.steps;
    for (int64_t t = 1; t < length; ++t) {
      T* d = d_output_.data() + (t * B + b) * stride;
      const T* y = raw_output_ + (t * B + b) * stride;
      for (int64_t j = 0; j < width; ++j) {  // (50)
        const T change = beta * (y[j] - y[j - B * stride]);
        d[j] += change;
        d[j - B * stride] -= change;
      }
    }
  }
  return d_output_.data();
}

template <class T>
double LstmStack<T>::penalty(const StackInput<T>& input) const {
  if (!penalises()) return 0.0;
  const int64_t B = input.batch, width = options_.lstm.outputs(), stride = padded(width);
  double squares = 0.0, changes = 0.0;
  for (int64_t b = 0; b < B; ++b) {
    const int64_t length = input.lengths != nullptr ? input.lengths[b] : input.steps;
    for (int64_t t = 0; t < length; ++t) {
      const T* y = final_output_ + (t * B + b) * stride;
      const T* raw = raw_output_ + (t * B + b) * stride;
      for (int64_t j = 0; j < width; ++j) {
        squares += static_cast<double>(y[j] * y[j]);
        const T change = t > 0 ? raw[j] - raw[j - B * stride] : T(0);
        changes += static_cast<double>(change * change);
      }
    }
  }
  return (options_.lstm.activation_reg * squares + options_.lstm.temporal_reg * changes) / static_cast<double>(width);
}

template <class T>
void LstmStack<T>::backward_direction(Layer& layer, Direction& d, const StackInput<T>& input, const T* dy, T* dx,
                                      int64_t dx_stride, bool states, Engine engine, const T* values, T* gradients,
                                      kernels::Context& context) {
  const LstmOptions& lstm = options_.lstm;
  const int64_t B = input.batch, rows = input.steps * B, H = lstm.hidden, R = lstm.state(), Rp = padded(R);
  if (layer.directions.size() > 1) {
    d_direction_.resize(rows * Rp);
    for (int64_t row = 0; row < rows; ++row) {
      std::copy_n(dy + row * padded(2 * R) + (d.reverse ? R : 0), R, d_direction_.data() + row * Rp);
    }
    dy = d_direction_.data();
  }
  const bool weight_dropped = pass_ == Pass::kTraining && lstm.weight_drop > 0.0;
  kernels::LstmGradients<T> into = d.offsets.view(gradients);
  if (weight_dropped) {
    d.d_dropped_w_hh.resize(4 * H * R);
    d.d_dropped_w_hh.fill(T(0));
    into.w_hh = d.d_dropped_w_hh.data();
  }
  const bool to_initial = states || !began_.empty();
  if (to_initial) {
    d.dh_state.resize(B * Rp);
    d.dc_state.resize(B * padded(H));
  }
  const kernels::LstmBackward<T> args{.shape = shape(d, input),
                                      .weights = weights(d, values),
                                      .input = layer_input(layer, input),
                                      .masks = masks(d),
                                      .h = d.h.data(),
                                      .c = d.c.data(),
                                      .cache = cache(d, rows, layer.x != nullptr),
                                      .dh = dy,
                                      .dh_last = states ? d.dh_state.data() : nullptr,
                                      .dc_last = states ? d.dc_state.data() : nullptr,
                                      .dx = dx,
                                      .dx_stride = dx_stride,
                                      .add_to_dx = d.reverse,
                                      .gradients = into,
                                      .dh_first = to_initial ? d.dh_state.data() : nullptr,
                                      .dc_first = to_initial ? d.dc_state.data() : nullptr};
  bool done = false;
  if constexpr (std::is_same_v<T, float>) {
    if (engine == Engine::kFused) kernels::lstm_backward(args, d.packed, context);
    done = engine == Engine::kFused;
  }
  if (!done) kernels::reference::lstm_backward(args);
  for (int64_t i = 0; weight_dropped && i < 4 * H * R; ++i) {  // (35)
    gradients[d.offsets.w_hh + i] += d.weight_mask[i] * d.d_dropped_w_hh[i];
  }
  for (int64_t b = 0; !began_.empty() && b < B; ++b) {  // (43)
    if (began_[static_cast<size_t>(b)] == 0) continue;
    for (int64_t j = 0; j < R; ++j) gradients[d.offsets.h_0 + j] += d.dh_state[b * Rp + j];
    for (int64_t k = 0; k < H; ++k) gradients[d.offsets.c_0 + k] += d.dc_state[b * padded(H) + k];
  }
}

template <class T>
void LstmStack<T>::backward(const StackInput<T>& input, const StackGradient<T>& gradient, Engine engine,
                            const T* values, T* gradients, kernels::Context& context) {
  LONGHAND_CHECK(pass_ != Pass::kInference && engine == engine_);
  if (engine == Engine::kAutograd) return backward_on_tape(input, gradient, gradients);
  const int64_t rows = input.steps * input.batch, width = options_.lstm.outputs(), stride = padded(width);
  const T* dy = output_gradient(input, gradient, context.pool);
  for (size_t l = layers_.size(); l-- > 0;) {
    Layer& layer = layers_[l];
    T* dx = gradient.dx;
    int64_t dx_stride = gradient.dx_stride;
    if (l > 0) {
      layer.dx.resize(rows * stride);
      dx = layer.dx.data();
      dx_stride = stride;
    }
    for (Direction& d : layer.directions) {
      backward_direction(layer, d, input, dy, dx, dx_stride, gradient.states, engine, values, gradients, context);
    }
    if (dx != nullptr && drops(layer)) {
      apply_mask(input, layer.mask, layer.inputs, dx, dx_stride, dx, dx_stride, context.pool);
    }
    for (int64_t i = 0; layer.residual && i < rows * stride; ++i) dx[i] += dy[i];  // (42)
    dy = dx;
  }
}

template class LstmStack<float>;
template class LstmStack<double>;

}  // namespace longhand::nn
