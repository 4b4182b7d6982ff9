// The stack as its forward equations, on a tape that finds the gradients by itself (--engine autograd).
#include <algorithm>

#include "longhand/nn/lstm_stack_parts.h"
#include "longhand/nn/tape_cell.h"

namespace longhand::nn {

using autograd::Var;

namespace {

// Rows t * B .. (t + 1) * B of a mask as a constant.
template <class T>
Var<T> step_constant(autograd::Tape<T>& tape, const Buffer<T>& mask, int64_t t, int64_t B, int64_t width) {
  return tape.constant(B, width, mask.data() + t * B * padded(width), padded(width));
}

template <class T>
void copy_rows(std::span<const T> from, int64_t rows, int64_t width, T* to, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t j = 0; j < width; ++j) {
      to[row * stride + j] = from.empty() ? T(0) : from[static_cast<size_t>(row * width + j)];
    }
  }
}

// Where the kernels leave them: activations() reads them.
template <class T>
void keep_outputs(const std::vector<Var<T>>& h, const StackInput<T>& input, int64_t width, bool reverse,
                  Buffer<T>& to) {
  const int64_t slot = input.batch * padded(width);
  to.resize((input.steps + 1) * slot);
  for (size_t t = 0; t < h.size(); ++t) {
    const int64_t at = static_cast<int64_t>(t) + (reverse ? 0 : 1);
    copy_rows(h[t].value(), input.batch, width, to.data() + at * slot, padded(width));
  }
}

}  // namespace

// Records one direction of a layer, leaves its final state, and returns its outputs.
template <class T>
std::vector<Var<T>> StackWorkspace<T>::record_direction(Direction& d, const StackInput<T>& input,
                                                        const std::vector<Var<T>>& x, StackState<T>& state,
                                                        const T* values) {
  const LstmOptions& lstm = options().lstm;
  const int64_t B = input.batch, H = lstm.hidden, R = lstm.state(), G = lstm.gates() * H;
  autograd::Tape<T>& tape = recording_->tape;
  typename Recording::Part& part = recording_->parts.emplace_back();
  const auto leaf = [&](int64_t offset, int64_t rows, int64_t columns) {
    const Var<T> parameter = tape.variable(rows, columns, values + offset);
    part.parameters.emplace_back(parameter, offset);
    return parameter;
  };
  const auto first = [&](int64_t offset, const Buffer<T>& from, int64_t width) {
    const Var<T> carried = tape.variable(B, width, from.data(), padded(width));
    return began_.empty() ? carried : select_rows(began_.data(), expand_row(leaf(offset, 1, width), B), carried);
  };
  const Var<T> w_ih = leaf(d.offsets.w_ih, G, d.inputs), bias = leaf(d.offsets.bias, 1, G);
  Var<T> w_hh = leaf(d.offsets.w_hh, G, R);
  if (pass_ == Pass::kTraining && lstm.weight_drop > 0.0) {
    w_hh = autograd::multiply(w_hh, tape.constant(G, R, d.weight_mask.data()));
  }
  part.h_first = first(d.offsets.h_0, state.h(d.part), R);
  const autograd::SequenceInput<T> sequence{.steps = input.steps,
                                            .x = x,
                                            .symbols = x.empty() ? input.symbols : nullptr,
                                            .lengths = input.lengths,
                                            .reverse = d.reverse};
  std::vector<Var<T>> h;
  if (lstm.is_lstm()) {
    part.c_first = first(d.offsets.c_0, state.c(d.part), H);
    autograd::LstmSequence<T> layer{.vars = {.w_ih = w_ih, .w_hh = w_hh, .bias = bias},
                                    .input = sequence,
                                    .initial = {part.h_first, *part.c_first}};
    if (lstm.proj > 0) layer.vars.w_hr = leaf(d.offsets.w_hr, R, H);
    if (lstm.layer_norm) {
      layer.vars.gain_ih = leaf(d.offsets.gain_ih, 1, G);
      layer.vars.gain_hh = leaf(d.offsets.gain_hh, 1, G);
      layer.vars.gain_c = leaf(d.offsets.gain_c, 1, H);
      layer.vars.bias_c = leaf(d.offsets.bias_c, 1, H);
    }
    if (lstm.peepholes) layer.vars.peepholes = leaf(d.offsets.peepholes, 1, 3 * H);
    const autograd::LstmVariant<T> variant = tape_variant<T>(stack_.cell());
    layer.vars.variant = &variant;
    if (masks(d).recurrent != nullptr) layer.recurrent_mask = step_constant(tape, d.recurrent_mask, 0, B, R);
    const auto zones = [&](const T* mask, int64_t stride, int64_t columns) {
      std::vector<Var<T>> out;
      for (int64_t t = 0; mask != nullptr && t < (stride > 0 ? input.steps : 1); ++t) {
        out.push_back(stride > 0 ? tape.constant(B, columns, mask + t * B * stride, stride)
                                 : expand_row(tape.constant(1, columns, mask), B));
      }
      return out;
    };
    layer.zone_h = zones(masks(d).zone_h, d.zone_h_stride, R);
    layer.zone_c = zones(masks(d).zone_c, d.zone_c_stride, H);
    autograd::LstmOutputs<T> out = autograd::lstm_sequence(layer);
    h = std::move(out.h);
    part.h_last = out.last.h;
    part.c_last = out.last.c;
    copy_rows(out.last.c.value(), B, H, state.c(d.part).data(), padded(H));
  } else {
    autograd::SequenceOutputs<T, Var<T>> out =
        lstm.kind() == Cell::kGru
            ? autograd::gru_sequence<T>({w_ih, w_hh, bias, leaf(d.offsets.bias_hh, 1, G)}, sequence, part.h_first)
            : autograd::rnn_sequence<T>(
                  {w_ih, w_hh, bias}, sequence, part.h_first,
                  lstm.kind() == Cell::kRnn ? autograd::Activation::kTanh : autograd::Activation::kRelu);
    h = std::move(out.h);
    part.h_last = out.last;
  }
  copy_rows(part.h_last.value(), B, R, state.h(d.part).data(), padded(R));
  return h;
}

template <class T>
const T* StackWorkspace<T>::record(const StackInput<T>& input, StackState<T>& state, const T* values) {
  const LstmOptions& lstm = options().lstm;
  const int64_t B = input.batch, width = lstm.outputs();
  if (recording_ == nullptr) recording_ = std::make_unique<Recording>();
  Recording& r = *recording_;
  autograd::Tape<T>& tape = r.tape;
  tape.clear();
  r.parts.clear();
  r.x.clear();
  for (int64_t t = 0; !options().one_hot && t < input.steps; ++t) {
    r.x.push_back(tape.variable(B, options().inputs, input.x + t * B * input.x_stride, input.x_stride));
  }
  const auto masked = [&](std::vector<Var<T>> steps, const Buffer<T>& mask, int64_t columns) {
    for (size_t t = 0; t < steps.size(); ++t) {
      steps[t] = autograd::multiply(
          steps[t], step_constant(tape, mask, lstm.variational ? 0 : static_cast<int64_t>(t), B, columns));
    }
    return steps;
  };

  std::vector<Var<T>> y = r.x;
  for (Layer& layer : layers_) {
    const std::vector<Var<T>> x = drops(layer) ? masked(y, layer.mask, layer.inputs) : y;
    std::vector<Var<T>> joined;
    for (Direction& d : layer.directions) {
      const std::vector<Var<T>> h = record_direction(d, input, x, state, values);
      if (pass_ == Pass::kGradients) keep_outputs(h, input, lstm.state(), d.reverse, d.h);
      for (size_t t = 0; t < h.size(); ++t) {
        if (d.reverse) {
          joined[t] = concat_columns(joined[t], h[t]);
        } else {
          joined.push_back(h[t]);
        }
      }
    }
    for (size_t t = 0; layer.residual && t < joined.size(); ++t) joined[t] = add(joined[t], y[t]);
    y = std::move(joined);
  }
  r.raw = y;
  r.y = drops_output() ? masked(y, output_mask_, width) : y;
  output_.resize(input.steps * B * padded(width));
  for (int64_t t = 0; t < input.steps; ++t) {
    copy_rows(r.y[static_cast<size_t>(t)].value(), B, width, output_.data() + t * B * padded(width), padded(width));
  }
  if (penalises()) {  // penalty() reads them
    tape_raw_.resize(output_.size());
    for (int64_t t = 0; t < input.steps; ++t) {
      copy_rows(r.raw[static_cast<size_t>(t)].value(), B, width, tape_raw_.data() + t * B * padded(width),
                padded(width));
    }
  }
  raw_output_ = tape_raw_.data();
  final_output_ = output_.data();
  return output_.data();
}

// Seeds the tape with the penalties of activation regularisation.
template <class T>
void StackWorkspace<T>::seed_penalties(const StackInput<T>& input, T scale) {
  const int64_t B = input.batch, width = options().lstm.outputs();
  const T alpha = scale * static_cast<T>(options().lstm.activation_reg) / static_cast<T>(width);
  const T beta = scale * static_cast<T>(options().lstm.temporal_reg) / static_cast<T>(width);
  Recording& r = *recording_;
  std::vector<T> runs(static_cast<size_t>(B));
  for (int64_t t = 0; t < input.steps; ++t) {
    for (int64_t b = 0; b < B; ++b) {
      runs[static_cast<size_t>(b)] = input.lengths == nullptr || t < input.lengths[b] ? T(1) : T(0);
    }
    const Var<T> counts = r.tape.constant(B, 1, runs.data());
    const auto seed_square = [&](Var<T> v, T weight) {
      r.tape.seed(sum(multiply(v, multiply_column(v, counts))), &weight);
    };
    const auto at = static_cast<size_t>(t);
    seed_square(r.y[at], alpha);
    if (t > 0) seed_square(subtract(r.raw[at], r.raw[at - 1]), beta);
  }
}

template <class T>
void StackWorkspace<T>::backward_on_tape(const StackInput<T>& input, const StackGradient<T>& gradient, T* gradients) {
  const LstmOptions& lstm = options().lstm;
  const int64_t B = input.batch, H = lstm.hidden, R = lstm.state(), stride = padded(lstm.outputs());
  Recording& r = *recording_;
  for (int64_t t = 0; t < input.steps; ++t) {
    r.tape.seed(r.y[static_cast<size_t>(t)], gradient.d_output + t * B * stride, stride);
  }
  if (penalises()) seed_penalties(input, gradient.penalty_scale);
  size_t index = 0;
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      const auto& part = r.parts[index++];
      if (!gradient.states) continue;
      r.tape.seed(part.h_last, d.dh_state.data(), padded(R));
      if (part.c_last) r.tape.seed(*part.c_last, d.dc_state.data(), padded(H));
    }
  }
  r.tape.backward();
  index = 0;
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      const auto& part = r.parts[index++];
      for (const auto& [parameter, offset] : part.parameters) parameter.add_gradient_to(gradients + offset);
      if (!gradient.states) continue;
      copy_rows(part.h_first.gradient(), B, R, d.dh_state.data(), padded(R));
      if (part.c_first) copy_rows(part.c_first->gradient(), B, H, d.dc_state.data(), padded(H));
    }
  }
  for (int64_t t = 0; gradient.dx != nullptr && t < input.steps; ++t) {
    copy_rows(r.x[static_cast<size_t>(t)].gradient(), B, options().inputs, gradient.dx + t * B * gradient.dx_stride,
              gradient.dx_stride);
  }
}

template const float* StackWorkspace<float>::record(const StackInput<float>&, StackState<float>&, const float*);
template const double* StackWorkspace<double>::record(const StackInput<double>&, StackState<double>&, const double*);
template void StackWorkspace<float>::seed_penalties(const StackInput<float>&, float);
template void StackWorkspace<double>::seed_penalties(const StackInput<double>&, double);
template void StackWorkspace<float>::backward_on_tape(const StackInput<float>&, const StackGradient<float>&, float*);
template void StackWorkspace<double>::backward_on_tape(const StackInput<double>&, const StackGradient<double>&,
                                                       double*);

}  // namespace longhand::nn
