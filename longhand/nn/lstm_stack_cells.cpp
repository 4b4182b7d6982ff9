// What of a layer depends on its cell: the kernels that compute it, with their arguments and their packed weights.
#include <algorithm>

#include "longhand/kernels/reference_recurrent.h"
#include "longhand/nn/lstm_stack_parts.h"

namespace longhand::nn {

void pack_direction(const LstmStack& stack, const LstmStack::Direction& direction, const float* values,
                    const float* w_hh, bool dense, kernels::PackFor purpose, PackedLayer& packed,
                    kernels::Context& context) {
  const kernels::LstmShape shape = stack.shape(direction, 0, 0, nullptr);
  if (const auto cell = recurrent_cell(stack.options().lstm.kind())) {
    kernels::RecurrentWeights<float> weights = direction.offsets.recurrent_view(values);
    weights.w_hh = w_hh;
    kernels::pack_recurrent(*cell, shape, weights, dense, purpose, packed.recurrent, context);
  } else {
    kernels::LstmWeights<float> weights = direction.offsets.view(values);
    weights.w_hh = w_hh;
    kernels::pack_lstm(shape, weights, dense, purpose, packed.lstm, context);
  }
}

template <class T>
kernels::LstmCache<T> StackWorkspace<T>::cache(Direction& d, int64_t rows, bool dense) const {
  const int64_t Hp = padded(options().lstm.hidden), Rp = padded(options().lstm.state());
  const auto room = [rows](Buffer<T>& buffer, int64_t width, bool wanted) -> T* {
    if (!wanted) return nullptr;
    buffer.resize(rows * width);
    return buffer.data();
  };
  const bool masked = pass_ == Pass::kTraining && options().lstm.dropout_recurrent > 0.0;
  return {.gates = room(d.gates, 4 * Hp, true),
          .masked_h = room(d.masked_h, Rp, masked),
          .m = room(d.m, Hp, options().lstm.proj > 0),
          .norm_ih = room(d.norm_ih, 4 * Hp, options().lstm.layer_norm && dense),
          .norm_hh = room(d.norm_hh, 4 * Hp, options().lstm.layer_norm),
          .norm_c = room(d.norm_c, Hp, options().lstm.layer_norm),
          .rstd = room(d.rstd, 3, options().lstm.layer_norm),
          .sums = room(d.sums, 4 * Hp, stack_.cell().keeps_sums())};
}

template <class T>
T* StackWorkspace<T>::recurrent_cache(Direction& d, int64_t rows) const {
  d.gates.resize(rows * kernels::cached_of(*d.cell) * padded(options().lstm.hidden));
  return d.gates.data();
}

template <class T>
void StackWorkspace<T>::prepare_forward(Layer& layer, Direction& d, const StackWeights<T>& weights,
                                        StackState<T>& state, const StackInput<T>& input) {
  const bool keep = pass_ != Pass::kInference;
  const int64_t B = input.batch, rows = input.steps * B;
  const int64_t Hp = padded(options().lstm.hidden), Rp = padded(options().lstm.state());
  const kernels::LstmShape layer_shape = shape(d, input);
  const int64_t initial = layer_shape.initial_slot() * B;
  d.h.resize((rows + B) * Rp);
  Buffer<T>&h_state = state.h(d.part), &c_state = state.c(d.part);
  std::copy_n(h_state.data(), B * Rp, d.h.data() + initial * Rp);
  if (d.cell) {
    d.recurrent_forward = {.cell = *d.cell,
                           .shape = layer_shape,
                           .weights = d.offsets.recurrent_view(weights.values()),
                           .input = layer_input(layer, input),
                           .h = d.h.data(),
                           .cache = keep ? recurrent_cache(d, rows) : nullptr,
                           .h_last = h_state.data()};
    d.recurrent_forward.weights.w_hh = w_hh(d, weights.values());
    return;
  }
  if (keep) {
    d.c.resize((rows + B) * Hp);
    std::copy_n(c_state.data(), B * Hp, d.c.data() + initial * Hp);
  }
  d.forward = {.shape = layer_shape,
               .cell = stack_.cell(),
               .weights = d.offsets.view(weights.values()),
               .input = layer_input(layer, input),
               .masks = masks(d),
               .h = d.h.data(),
               .c = keep ? d.c.data() : c_state.data(),
               .cache = keep ? cache(d, rows, layer.x != nullptr) : kernels::LstmCache<T>{},
               .h_last = h_state.data(),
               .c_last = keep ? c_state.data() : nullptr};
  d.forward.weights.w_hh = w_hh(d, weights.values());
}

// What the backward pass of a direction reads and writes; `dy` is the gradient of its output.
template <class T>
void StackWorkspace<T>::prepare_backward(Layer& layer, Direction& d, const StackInput<T>& input, const T* dy,
                                         bool states, T* gradients) {
  const LstmOptions& lstm = options().lstm;
  const int64_t B = input.batch, rows = input.steps * B, H = lstm.hidden, R = lstm.state();
  T* d_w_hh = gradients + d.offsets.w_hh;
  if (drops_weights()) {
    d.d_dropped_w_hh.resize(lstm.gates() * H * R);
    d.d_dropped_w_hh.fill(T(0));
    d_w_hh = d.d_dropped_w_hh.data();
  }
  const bool to_initial = states || !began_.empty();
  if (to_initial) d.dh_state.resize(B * padded(R));
  if (to_initial && lstm.is_lstm()) d.dc_state.resize(B * padded(H));
  if (d.cell) {
    d.recurrent_backward = {.cell = *d.cell,
                            .shape = shape(d, input),
                            .weights = d.recurrent_forward.weights,
                            .input = layer_input(layer, input),
                            .h = d.h.data(),
                            .cache = recurrent_cache(d, rows),
                            .dh = dy,
                            .dh_last = states ? d.dh_state.data() : nullptr,
                            .dx = layer.dx,
                            .dx_stride = layer.dx_stride,
                            .add_to_dx = d.reverse,
                            .gradients = d.offsets.recurrent_view(gradients),
                            .dh_first = to_initial ? d.dh_state.data() : nullptr};
    d.recurrent_backward.gradients.w_hh = d_w_hh;
    return;
  }
  d.backward = {.shape = shape(d, input),
                .cell = stack_.cell(),
                .weights = d.forward.weights,
                .input = layer_input(layer, input),
                .masks = masks(d),
                .h = d.h.data(),
                .c = d.c.data(),
                .cache = cache(d, rows, layer.x != nullptr),
                .dh = dy,
                .dh_last = states ? d.dh_state.data() : nullptr,
                .dc_last = states ? d.dc_state.data() : nullptr,
                .dx = layer.dx,
                .dx_stride = layer.dx_stride,
                .add_to_dx = d.reverse,
                .gradients = d.offsets.view(gradients),
                .dh_first = to_initial ? d.dh_state.data() : nullptr,
                .dc_first = to_initial ? d.dc_state.data() : nullptr};
  d.backward.gradients.w_hh = d_w_hh;
}

template <class T>
void StackWorkspace<T>::Direction::run_reference_forward() {
  cell ? kernels::reference::recurrent_forward(recurrent_forward) : kernels::reference::lstm_forward(forward);
}
template <class T>
void StackWorkspace<T>::Direction::run_reference_backward() {
  cell ? kernels::reference::recurrent_backward(recurrent_backward) : kernels::reference::lstm_backward(backward);
}

template <class T>
bool StackWorkspace<T>::Direction::may_share_steps(bool going_back) const {
  if (cell) return false;
  return going_back ? kernels::may_share_steps(backward) : kernels::may_share_steps(forward);
}
template <class T>
void StackWorkspace<T>::Direction::begin_forward(const PackedLayer& packed, bool shared, kernels::Context& context) {
  if (cell) return kernels::recurrent_forward_begin(recurrent_forward, packed.recurrent, memory, context);
  kernels::lstm_forward_begin(forward, packed.lstm, shared, memory, context);
}
template <class T>
void StackWorkspace<T>::Direction::forward_inputs(const PackedLayer& packed, const kernels::LstmPiece& piece,
                                                  kernels::Context& context) {
  if (cell) return kernels::recurrent_forward_inputs(recurrent_forward, packed.recurrent, piece, context);
  kernels::lstm_forward_inputs(forward, packed.lstm, piece, memory, context);
}
template <class T>
void StackWorkspace<T>::Direction::forward_steps(const PackedLayer& packed, const kernels::LstmPiece& piece,
                                                 kernels::Context& context) {
  if (cell) return kernels::recurrent_forward_steps(recurrent_forward, packed.recurrent, piece, memory, context);
  kernels::lstm_forward_steps(forward, packed.lstm, piece, memory, context);
}
template <class T>
void StackWorkspace<T>::Direction::begin_backward() {
  if (cell) return kernels::recurrent_backward_begin(recurrent_backward, memory);
  kernels::lstm_backward_begin(backward, memory);
}
template <class T>
void StackWorkspace<T>::Direction::backward_steps(const PackedLayer& packed, const kernels::LstmPiece& piece,
                                                  kernels::Context& context) {
  if (cell) return kernels::recurrent_backward_steps(recurrent_backward, packed.recurrent, piece, memory, context);
  kernels::lstm_backward_steps(backward, packed.lstm, piece, memory, context);
}
template <class T>
void StackWorkspace<T>::Direction::backward_inputs(const PackedLayer& packed, const kernels::LstmPiece& piece,
                                                   kernels::Context& context) {
  if (cell) return kernels::recurrent_backward_inputs(recurrent_backward, packed.recurrent, piece, context);
  kernels::lstm_backward_inputs(backward, packed.lstm, piece, context);
}
template <class T>
void StackWorkspace<T>::Direction::backward_weights(const PackedLayer& packed, bool dx_too, kernels::Context& context) {
  if (cell) return kernels::recurrent_backward_weights(recurrent_backward, packed.recurrent, dx_too, context);
  kernels::lstm_backward_weights(backward, packed.lstm, dx_too, memory, context);
}

template void StackWorkspace<float>::prepare_forward(Layer&, Direction&, const StackWeights<float>&, StackState<float>&,
                                                     const StackInput<float>&);
template void StackWorkspace<double>::prepare_forward(Layer&, Direction&, const StackWeights<double>&,
                                                      StackState<double>&, const StackInput<double>&);
template void StackWorkspace<float>::prepare_backward(Layer&, Direction&, const StackInput<float>&, const float*, bool,
                                                      float*);
template void StackWorkspace<double>::prepare_backward(Layer&, Direction&, const StackInput<double>&, const double*,
                                                       bool, double*);
template void StackWorkspace<float>::Direction::run_reference_forward();
template void StackWorkspace<double>::Direction::run_reference_forward();
template void StackWorkspace<float>::Direction::run_reference_backward();
template void StackWorkspace<double>::Direction::run_reference_backward();
template bool StackWorkspace<float>::Direction::may_share_steps(bool) const;
template void StackWorkspace<float>::Direction::begin_forward(const PackedLayer&, bool, kernels::Context&);
template void StackWorkspace<float>::Direction::forward_inputs(const PackedLayer&, const kernels::LstmPiece&,
                                                               kernels::Context&);
template void StackWorkspace<float>::Direction::forward_steps(const PackedLayer&, const kernels::LstmPiece&,
                                                              kernels::Context&);
template void StackWorkspace<float>::Direction::begin_backward();
template void StackWorkspace<float>::Direction::backward_steps(const PackedLayer&, const kernels::LstmPiece&,
                                                               kernels::Context&);
template void StackWorkspace<float>::Direction::backward_inputs(const PackedLayer&, const kernels::LstmPiece&,
                                                                kernels::Context&);
template void StackWorkspace<float>::Direction::backward_weights(const PackedLayer&, bool, kernels::Context&);

}  // namespace longhand::nn
