#include "longhand/nn/lstm_stack.h"

#include <algorithm>
#include <type_traits>

#include "longhand/base/error.h"
#include "longhand/nn/lstm_stack_parts.h"

namespace longhand::nn {
LstmStack::LstmStack(const LstmStackOptions& options, ParameterArena& arena)
    : options_(options), cell_(options.lstm.lstm_cell()), layers_(static_cast<size_t>(options.lstm.layers)) {
  const LstmOptions& lstm = options.lstm;
  LONGHAND_CHECK(lstm.misplaced().empty() && !(lstm.coupled_gates && lstm.layer_norm));
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
        const size_t index = arena.declare(options_.prefix + lstm.layer_name() + "." + name + suffix,
                                           std::move(extents), std::move(init));
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
      // From zeros, so that training begins with the cell as it is without them.
      if (lstm.peepholes) d.offsets.peepholes = declare("weight_peephole", {3, H}, constant(0.0));
      if (lstm.train_initial_state) {
        d.offsets.h_0 = declare("h_0", {R}, constant(0.0));
        if (lstm.is_lstm()) d.offsets.c_0 = declare("c_0", {H}, constant(0.0));
      }
    }
  }
}

kernels::LstmShape LstmStack::shape(const Direction& direction, int64_t steps, int64_t batch,
                                    const int32_t* lengths) const {
  return {.steps = steps,
          .batch = batch,
          .inputs = direction.inputs,
          .hidden = options_.lstm.hidden,
          .lengths = lengths,
          .projection = options_.lstm.proj,
          .reverse = direction.reverse};
}

template <class T>
void StackWeights<T>::set_values(const T* values) {
  values_ = values;
  packed_for_.clear();
}

template <class T>
void StackWeights<T>::pack(Pass pass, kernels::Context& context) {
  const bool drops = pass == Pass::kTraining && stack_->options().lstm.weight_drop > 0.0;
  if (drops || is_packed_for(pass)) return;
  packed_for_.set(pass, context.precision);
  if constexpr (std::is_same_v<T, float>) {
    size_t part = 0;
    for (const LstmStack::Layer& layer : stack_->layers()) {
      const bool dense = &layer != stack_->layers().data() || !stack_->options().one_hot;
      for (const LstmStack::Direction& d : layer.directions) {
        pack_direction(*stack_, d, values_, values_ + d.offsets.w_hh, dense,
                       pass == Pass::kInference ? kernels::PackFor::kInference : kernels::PackFor::kTraining,
                       packed_[part++], context);
      }
    }
  }
}

template <class T>
void StackState<T>::resize(int64_t batch) {
  const LstmOptions& lstm = stack_->options().lstm;
  for (Buffer<T>& h : h_) h.resize(batch * padded(lstm.state()));
  for (Buffer<T>& c : c_) c.resize(lstm.is_lstm() ? batch * padded(lstm.hidden) : 0);
  begins_.clear();
}

template <class T>
void StackState<T>::reset(int64_t batch) {
  resize(batch);
  for (Buffer<T>& h : h_) h.fill(T(0));
  for (Buffer<T>& c : c_) c.fill(T(0));
  begins_.assign(stack_->options().lstm.train_initial_state ? static_cast<size_t>(batch) : 0, 1);
}

template <class T>
void StackState<T>::reset_rows(std::span<const uint8_t> rows) {
  const LstmOptions& lstm = stack_->options().lstm;
  const auto B = static_cast<int64_t>(rows.size());
  LONGHAND_CHECK(fits(B));
  const auto clear = [&](Buffer<T>& state, int64_t width) {
    for (int64_t b = 0; b < B; ++b) {
      if (rows[static_cast<size_t>(b)] != 0) std::fill_n(state.data() + b * width, width, T(0));
    }
  };
  for (size_t part = 0; part < h_.size(); ++part) {
    clear(h_[part], padded(lstm.state()));
    if (lstm.is_lstm()) clear(c_[part], padded(lstm.hidden));
  }
  if (lstm.train_initial_state) begins_.assign(rows.begin(), rows.end());
}

template <class T>
std::vector<Buffer<T>*> StackState<T>::arrays() {
  std::vector<Buffer<T>*> out;
  for (size_t part = 0; part < h_.size(); ++part) {
    out.push_back(&h_[part]);
    if (stack_->options().lstm.is_lstm()) out.push_back(&c_[part]);
  }
  return out;
}

template <class T>
bool StackState<T>::fits(int64_t batch) const {
  const LstmOptions& lstm = stack_->options().lstm;
  const int64_t h = batch * padded(lstm.state()), c = lstm.is_lstm() ? batch * padded(lstm.hidden) : 0;
  return std::all_of(h_.begin(), h_.end(), [h](const Buffer<T>& b) { return b.size() == h; }) &&
         std::all_of(c_.begin(), c_.end(), [c](const Buffer<T>& b) { return b.size() == c; });
}

template <class T>
StackWorkspace<T>::StackWorkspace(const LstmStack& stack) : stack_(stack) {
  size_t part = 0;
  for (const LstmStack::Layer& from : stack.layers()) {
    Layer& layer = layers_.emplace_back();
    layer.inputs = from.inputs;
    layer.residual = from.residual;
    layer.drop = from.drop;
    for (const LstmStack::Direction& direction : from.directions) {
      layer.directions.emplace_back(Direction{direction, part++, recurrent_cell(stack.options().lstm.kind())});
    }
  }
}

template <class T>
StackWorkspace<T>::~StackWorkspace() = default;

template <class T>
std::vector<Buffer<T>*> StackWorkspace<T>::state_gradients(int64_t batch) {
  const LstmOptions& lstm = options().lstm;
  std::vector<Buffer<T>*> out;
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      d.dh_state.resize(batch * padded(lstm.state()));
      out.push_back(&d.dh_state);
      if (!lstm.is_lstm()) continue;
      d.dc_state.resize(batch * padded(lstm.hidden));
      out.push_back(&d.dc_state);
    }
  }
  return out;
}

template <class T>
bool StackWorkspace<T>::drops(const Layer& layer) const {
  return pass_ == Pass::kTraining && layer.drop > 0.0;
}

template <class T>
kernels::LstmShape StackWorkspace<T>::shape(const Direction& direction, const StackInput<T>& input) const {
  return stack_.shape(direction, input.steps, input.batch, input.lengths);
}

// The weights of the recurrent product: its own, or what is left of them.
template <class T>
const T* StackWorkspace<T>::w_hh(const Direction& direction, const T* values) const {
  return drops_weights() ? direction.dropped_w_hh.data() : values + direction.offsets.w_hh;
}

template <class T>
kernels::LstmMasks<T> StackWorkspace<T>::masks(const Direction& direction) const {
  const LstmOptions& lstm = options().lstm;
  kernels::LstmMasks<T> out;
  if (pass_ == Pass::kTraining && lstm.dropout_recurrent > 0.0) out.recurrent = direction.recurrent_mask.data();
  if (lstm.zoneout > 0.0) out.zone_h = direction.zone_h.data();
  if (lstm.zoneout_cell > 0.0) out.zone_c = direction.zone_c.data();
  out.zone_h_stride = direction.zone_h_stride;
  out.zone_c_stride = direction.zone_c_stride;
  return out;
}

// What the directions of a layer read: the layer's input, or that with its mask.
template <class T>
kernels::LstmInput<T> StackWorkspace<T>::layer_input(const Layer& layer, const StackInput<T>& input) const {
  if (layer.x == nullptr) return {nullptr, 0, input.symbols};
  if (drops(layer)) return {layer.dropped.data(), padded(layer.inputs), nullptr};
  return {layer.x, layer.x_stride, nullptr};
}

// Draws the masks inside one direction, or sets what is expected of them.
template <class T>
void StackWorkspace<T>::draw_masks(Direction& d, const StackInput<T>& input, uint32_t place, const T* values,
                                   ThreadPool& pool) {
  const LstmOptions& lstm = options().lstm;
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
void StackWorkspace<T>::draw_activation_mask(const StackInput<T>& input, uint32_t place, double p, int64_t width,
                                             Buffer<T>& mask, ThreadPool& pool) {
  if (pass_ != Pass::kTraining || p == 0.0) return;
  const int64_t rows = options().lstm.variational ? input.batch : input.steps * input.batch;
  DropoutKey key = input.masks;
  key.place += place;
  mask.resize(rows * padded(width));
  draw_mask(dropout_draw<T>(key, p), mask.data(), rows, width, padded(width), pool);
}

// Everything that a forward pass needs before any engine runs.
template <class T>
void StackWorkspace<T>::begin(const StackInput<T>& input, StackState<T>& state, const T* values, ThreadPool& pool) {
  const LstmOptions& lstm = options().lstm;
  const int64_t B = input.batch, Hp = padded(lstm.hidden), Rp = padded(lstm.state());
  LONGHAND_CHECK(state.fits(B));
  std::swap(began_, state.begins());
  state.begins().clear();
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      for (int64_t b = 0; !began_.empty() && b < B; ++b) {  // (43)
        if (began_[static_cast<size_t>(b)] == 0) continue;
        std::copy_n(values + d.offsets.h_0, lstm.state(), state.h(d.part).data() + b * Rp);
        if (lstm.is_lstm()) std::copy_n(values + d.offsets.c_0, lstm.hidden, state.c(d.part).data() + b * Hp);
      }
      draw_masks(d, input, mask_place(static_cast<size_t>(&layer - layers_.data()), d.reverse), values, pool);
    }
    draw_activation_mask(input, static_cast<uint32_t>(&layer - layers_.data()), layer.drop, layer.inputs, layer.mask,
                         pool);
  }
  draw_activation_mask(input, static_cast<uint32_t>(layers_.size()), lstm.output_dropout(), lstm.outputs(),
                       output_mask_, pool);
}

// Dropped weights are good for one batch.
template <class T>
void StackWorkspace<T>::pack_dropped(const T* values, kernels::Context& context) {
  if constexpr (std::is_same_v<T, float>) {
    for (Layer& layer : layers_) {
      for (Direction& d : layer.directions) {
        pack_direction(stack_, d, values, d.dropped_w_hh.data(), &layer != layers_.data() || !options().one_hot,
                       kernels::PackFor::kTraining, d.dropped, context);
      }
    }
  }
}

template <class T>
const PackedLayer& StackWorkspace<T>::packed(const StackWeights<T>& weights, const Direction& d) const {
  return drops_weights() ? d.dropped : weights.packed(d.part);
}

// Where the layer's output will be: in its direction's own h, unless that has to be joined to something.
template <class T>
const T* StackWorkspace<T>::output(Layer& layer, const StackInput<T>& input) const {
  if (layer.directions.size() == 1 && !layer.residual) {
    const Direction& d = layer.directions[0];
    return d.h.data() + shape(d, input).next_slot(0) * input.batch * padded(options().lstm.state());
  }
  layer.y.resize(input.steps * input.batch * padded(options().lstm.outputs()));
  return layer.y.data();
}

template <class T>
const T* StackWorkspace<T>::forward(const StackWeights<T>& weights, StackState<T>& state, const StackInput<T>& input,
                                    Pass pass, Engine engine, kernels::Context& context) {
  pass_ = pass;
  engine_ = engine;
  const T* values = weights.values();
  begin(input, state, values, context.pool);
  if (engine == Engine::kAutograd) return record(input, state, values);
  if (engine == Engine::kFused) {
    if (drops_weights()) pack_dropped(values, context);
    LONGHAND_CHECK(drops_weights() || weights.is_packed_for(pass));
  }
  const int64_t rows = input.steps * input.batch, width = options().lstm.outputs(), stride = padded(width);
  const T* y = nullptr;
  for (size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    layer.x = l > 0 ? y : options().one_hot ? nullptr : input.x;
    layer.x_stride = l > 0 ? stride : input.x_stride;
    if (drops(layer)) layer.dropped.resize(rows * padded(layer.inputs));
    for (Direction& d : layer.directions) prepare_forward(layer, d, weights, state, input);
    y = output(layer, input);
  }
  if (engine == Engine::kFused) {
    const size_t at_once = options().lstm.bidirectional ? 1 : layers_.size();
    for (size_t l = 0; l < layers_.size(); l += at_once) forward_lanes(l, at_once, weights, input, context);
  } else {
    for (Layer& layer : layers_) {
      enter(layer, input, whole(input, layer.inputs), context.pool);
      for (Direction& d : layer.directions) d.run_reference_forward();
      join(layer, input, whole(input, width), context.pool);
    }
  }
  raw_output_ = final_output_ = y;
  if (!drops_output()) return y;
  output_.resize(rows * stride);
  apply_mask(input, whole(input, width), output_mask_, width, y, stride, output_.data(), stride, context.pool);
  final_output_ = output_.data();
  return output_.data();
}

template <class T>
bool StackWorkspace<T>::penalises() const {
  return pass_ == Pass::kTraining && (options().lstm.activation_reg > 0.0 || options().lstm.temporal_reg > 0.0);
}

// The gradient of the outputs as the last layer made them, from that of what forward returned: with the penalties of
// (49) and (50), and through the mask.
template <class T>
const T* StackWorkspace<T>::output_gradient(const StackInput<T>& input, const StackGradient<T>& gradient,
                                            ThreadPool& pool) {
  if (!penalises() && !drops_output()) return gradient.d_output;
  const int64_t B = input.batch, rows = input.steps * B, width = options().lstm.outputs(), stride = padded(width);
  d_output_.resize(rows * stride);
  std::copy_n(gradient.d_output, rows * stride, d_output_.data());
  const T scale = T(2) * gradient.penalty_scale / static_cast<T>(width);
  const T alpha = scale * static_cast<T>(options().lstm.activation_reg);
  const T beta = scale * static_cast<T>(options().lstm.temporal_reg);
  for (int64_t b = 0; penalises() && b < B; ++b) {
    const int64_t length = input.lengths != nullptr ? input.lengths[b] : input.steps;
    for (int64_t t = 0; t < length; ++t) {
      T* d = d_output_.data() + (t * B + b) * stride;
      const T* y = final_output_ + (t * B + b) * stride;
      for (int64_t j = 0; j < width; ++j) d[j] += alpha * y[j];  // (49)
    }
  }
  if (drops_output()) {
    apply_mask(input, whole(input, width), output_mask_, width, d_output_.data(), stride, d_output_.data(), stride,
               pool);
  }
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
double StackWorkspace<T>::penalty(const StackInput<T>& input) const {
  if (!penalises()) return 0.0;
  const int64_t B = input.batch, width = options().lstm.outputs(), stride = padded(width);
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
  return (options().lstm.activation_reg * squares + options().lstm.temporal_reg * changes) / static_cast<double>(width);
}

template <class T>
StackActivations<T> StackWorkspace<T>::activations(size_t part, const StackInput<T>& input) const {
  LONGHAND_CHECK(pass_ == Pass::kGradients || (pass_ == Pass::kTraining && engine_ != Engine::kAutograd));
  const auto directions = static_cast<size_t>(options().lstm.directions());
  const Direction& d = layers_[part / directions].directions[part % directions];
  const int64_t first = d.reverse ? 0 : input.batch;  // the row of step 0 in arrays of T+1 slots
  StackActivations<T> out{.h = d.h.data() + first * padded(options().lstm.state())};
  if (!options().lstm.is_lstm() || engine_ == Engine::kAutograd) return out;
  out.c = d.c.data() + first * padded(options().lstm.hidden);
  out.gates = d.gates.data();
  if (stack_.cell().keeps_sums()) out.sums = d.sums.data();
  return out;
}

// The gradient of a direction's own output: of two directions, each has its part of the layer's.
template <class T>
const T* StackWorkspace<T>::direction_gradient(const Layer& layer, Direction& d, const StackInput<T>& input,
                                               ThreadPool& pool) {
  if (layer.directions.size() == 1) return layer.dy;
  const int64_t rows = input.steps * input.batch, R = options().lstm.state(), Rp = padded(R);
  d.dy.resize(rows * Rp);
  pool.run(
      [&](int part, int parts) {
        const Range range = split(rows, parts, part);
        for (int64_t row = range.begin; row < range.end; ++row) {
          std::copy_n(layer.dy + row * padded(2 * R) + (d.reverse ? R : 0), R, d.dy.data() + row * Rp);
        }
      },
      rows * R / kCopyOfAThread);
  return d.dy.data();
}

// What the kernels do not know of a direction's gradients.
template <class T>
void StackWorkspace<T>::finish_gradients(Direction& d, const StackInput<T>& input, T* gradients) {
  const LstmOptions& lstm = options().lstm;
  const int64_t H = lstm.hidden, R = lstm.state(), Rp = padded(R);
  for (int64_t i = 0; drops_weights() && i < lstm.gates() * H * R; ++i) {  // (35)
    gradients[d.offsets.w_hh + i] += d.weight_mask[i] * d.d_dropped_w_hh[i];
  }
  for (int64_t b = 0; !began_.empty() && b < input.batch; ++b) {  // (43)
    if (began_[static_cast<size_t>(b)] == 0) continue;
    for (int64_t j = 0; j < R; ++j) gradients[d.offsets.h_0 + j] += d.dh_state[b * Rp + j];
    for (int64_t k = 0; lstm.is_lstm() && k < H; ++k) gradients[d.offsets.c_0 + k] += d.dc_state[b * padded(H) + k];
  }
}

template <class T>
void StackWorkspace<T>::finish_layer(size_t layer, const StackInput<T>& input, const StackGradient<T>& gradient,
                                     T* gradients) {
  for (Direction& d : layers_[layer].directions) finish_gradients(d, input, gradients);
  if (gradient.on_layer) gradient.on_layer(layer);
}

template <class T>
void StackWorkspace<T>::backward(const StackWeights<T>& weights, const StackInput<T>& input,
                                 const StackGradient<T>& gradient, Engine engine, T* gradients,
                                 kernels::Context& context) {
  LONGHAND_CHECK(pass_ != Pass::kInference && engine == engine_);
  if (engine == Engine::kAutograd) return backward_on_tape(input, gradient, gradients);
  const int64_t rows = input.steps * input.batch, stride = padded(options().lstm.outputs());
  const size_t first = gradient.first_layer;
  LONGHAND_CHECK(first < layers_.size() && (first == 0 || gradient.dx == nullptr));
  const T* dy = output_gradient(input, gradient, context.pool);
  for (size_t l = layers_.size(); l-- > first;) {
    Layer& layer = layers_[l];
    layer.dy = dy;
    layer.dx = gradient.dx;
    layer.dx_stride = gradient.dx_stride;
    if (l > first) {
      layer.dx_memory.resize(rows * stride);
      layer.dx = layer.dx_memory.data();
      layer.dx_stride = stride;
    }
    dy = layer.dx;
  }
  // A normalised layer has the gradient of its input only when it has done all steps.
  const bool one_by_one = engine == Engine::kReference || options().lstm.bidirectional || options().lstm.layer_norm;
  const size_t at_once = one_by_one ? 1 : layers_.size() - first;
  for (size_t end = layers_.size(); end > first; end -= at_once) {
    for (size_t l = end; l-- > end - at_once;) {
      for (Direction& d : layers_[l].directions) {
        const T* d_output = direction_gradient(layers_[l], d, input, context.pool);
        prepare_backward(layers_[l], d, input, d_output, gradient.states, gradients);
      }
    }
    if (engine == Engine::kFused) {
      backward_lanes(end - 1, at_once, weights, input, gradient, gradients, context);
      continue;
    }
    Layer& layer = layers_[end - 1];
    for (Direction& d : layer.directions) d.run_reference_backward();
    leave(layer, input, whole(input, layer.inputs), context.pool);
    finish_layer(end - 1, input, gradient, gradients);
  }
}

template class StackWeights<float>;
template class StackWeights<double>;
template class StackState<float>;
template class StackState<double>;
template class StackWorkspace<float>;
template class StackWorkspace<double>;

}  // namespace longhand::nn
