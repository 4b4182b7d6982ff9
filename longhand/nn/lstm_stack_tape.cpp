// The stack as its forward equations, on a tape that finds the gradients by itself (--engine autograd).
#include <algorithm>

#include "longhand/nn/lstm_stack_parts.h"

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

}  // namespace

template <class T>
const T* LstmStack<T>::record(const StackInput<T>& input, const T* values) {
  const LstmOptions& lstm = options_.lstm;
  const int64_t B = input.batch, H = lstm.hidden, R = lstm.state(), width = lstm.outputs();
  const bool training = pass_ == Pass::kTraining;
  if (recording_ == nullptr) recording_ = std::make_unique<Recording>();
  Recording& r = *recording_;
  autograd::Tape<T>& tape = r.tape;
  tape.clear();
  r.parts.clear();
  r.x.clear();
  for (int64_t t = 0; !options_.one_hot && t < input.steps; ++t) {
    r.x.push_back(tape.variable(B, options_.inputs, input.x + t * B * input.x_stride, input.x_stride));
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
      const auto leaf = [&](int64_t offset, int64_t rows, int64_t columns) {
        return tape.variable(rows, columns, values + offset);
      };
      typename Recording::Part part{.vars = {.w_ih = leaf(d.offsets.w_ih, 4 * H, d.inputs),
                                             .w_hh = leaf(d.offsets.w_hh, 4 * H, R),
                                             .bias = leaf(d.offsets.bias, 1, 4 * H)}};
      part.w_hh = part.vars.w_hh;
      if (training && lstm.weight_drop > 0.0) {
        part.vars.w_hh = autograd::multiply(part.vars.w_hh, tape.constant(4 * H, R, d.weight_mask.data()));
      }
      if (lstm.proj > 0) part.vars.w_hr = leaf(d.offsets.w_hr, R, H);
      if (lstm.layer_norm) {
        part.vars.gain_ih = leaf(d.offsets.gain_ih, 1, 4 * H);
        part.vars.gain_hh = leaf(d.offsets.gain_hh, 1, 4 * H);
        part.vars.gain_c = leaf(d.offsets.gain_c, 1, H);
        part.vars.bias_c = leaf(d.offsets.bias_c, 1, H);
      }
      if (began_) {
        part.h_0 = leaf(d.offsets.h_0, 1, R);
        part.c_0 = leaf(d.offsets.c_0, 1, H);
        part.initial = {expand_row(*part.h_0, B), expand_row(*part.c_0, B)};
      } else {
        part.initial = {tape.variable(B, R, d.h_state.data(), padded(R)),
                        tape.variable(B, H, d.c_state.data(), padded(H))};
      }
      autograd::LstmSequence<T> sequence{.vars = part.vars,
                                         .steps = input.steps,
                                         .x = x,
                                         .symbols = x.empty() ? input.symbols : nullptr,
                                         .lengths = input.lengths,
                                         .reverse = d.reverse,
                                         .initial = part.initial};
      if (masks(d).recurrent != nullptr) sequence.recurrent_mask = step_constant(tape, d.recurrent_mask, 0, B, R);
      const auto zones = [&](const T* mask, int64_t stride, int64_t columns) {
        std::vector<Var<T>> out;
        for (int64_t t = 0; mask != nullptr && t < (stride > 0 ? input.steps : 1); ++t) {
          out.push_back(stride > 0 ? tape.constant(B, columns, mask + t * B * stride, stride)
                                   : expand_row(tape.constant(1, columns, mask), B));
        }
        return out;
      };
      sequence.zone_h = zones(masks(d).zone_h, d.zone_h_stride, R);
      sequence.zone_c = zones(masks(d).zone_c, d.zone_c_stride, H);
      const autograd::LstmOutputs<T> out = autograd::lstm_sequence(sequence);
      part.last = out.last;
      copy_rows(out.last.h.value(), B, R, d.h_state.data(), padded(R));
      copy_rows(out.last.c.value(), B, H, d.c_state.data(), padded(H));
      for (size_t t = 0; t < out.h.size(); ++t) {
        if (d.reverse) {
          joined[t] = concat_columns(joined[t], out.h[t]);
        } else {
          joined.push_back(out.h[t]);
        }
      }
      r.parts.push_back(std::move(part));
    }
    for (size_t t = 0; layer.residual && t < joined.size(); ++t) joined[t] = add(joined[t], y[t]);
    y = std::move(joined);
  }
  r.y = drops_output() ? masked(y, output_mask_, width) : y;
  output_.resize(input.steps * B * padded(width));
  for (int64_t t = 0; t < input.steps; ++t) {
    copy_rows(r.y[static_cast<size_t>(t)].value(), B, width, output_.data() + t * B * padded(width), padded(width));
  }
  return output_.data();
}

template <class T>
void LstmStack<T>::backward_on_tape(const StackInput<T>& input, const StackGradient<T>& gradient, T* gradients) {
  const LstmOptions& lstm = options_.lstm;
  const int64_t B = input.batch, H = lstm.hidden, R = lstm.state(), stride = padded(lstm.outputs());
  Recording& r = *recording_;
  for (int64_t t = 0; t < input.steps; ++t) {
    r.tape.seed(r.y[static_cast<size_t>(t)], gradient.d_output + t * B * stride, stride);
  }
  size_t index = 0;
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      const auto& part = r.parts[index++];
      if (!gradient.states) continue;
      r.tape.seed(part.last.h, d.dh_state.data(), padded(R));
      r.tape.seed(part.last.c, d.dc_state.data(), padded(H));
    }
  }
  r.tape.backward();
  index = 0;
  for (Layer& layer : layers_) {
    for (Direction& d : layer.directions) {
      const auto& part = r.parts[index++];
      const auto add_to = [&](const std::optional<Var<T>>& leaf, int64_t offset) {
        if (leaf) leaf->add_gradient_to(gradients + offset);
      };
      add_to(part.vars.w_ih, d.offsets.w_ih);
      add_to(part.w_hh, d.offsets.w_hh);
      add_to(part.vars.bias, d.offsets.bias);
      add_to(part.vars.w_hr, d.offsets.w_hr);
      add_to(part.vars.gain_ih, d.offsets.gain_ih);
      add_to(part.vars.gain_hh, d.offsets.gain_hh);
      add_to(part.vars.gain_c, d.offsets.gain_c);
      add_to(part.vars.bias_c, d.offsets.bias_c);
      add_to(part.h_0, d.offsets.h_0);
      add_to(part.c_0, d.offsets.c_0);
      if (!gradient.states) continue;
      copy_rows(part.initial.h.gradient(), B, R, d.dh_state.data(), padded(R));
      copy_rows(part.initial.c.gradient(), B, H, d.dc_state.data(), padded(H));
    }
  }
  for (int64_t t = 0; gradient.dx != nullptr && t < input.steps; ++t) {
    copy_rows(r.x[static_cast<size_t>(t)].gradient(), B, options_.inputs, gradient.dx + t * B * gradient.dx_stride,
              gradient.dx_stride);
  }
}

template const float* LstmStack<float>::record(const StackInput<float>&, const float*);
template const double* LstmStack<double>::record(const StackInput<double>&, const double*);
template void LstmStack<float>::backward_on_tape(const StackInput<float>&, const StackGradient<float>&, float*);
template void LstmStack<double>::backward_on_tape(const StackInput<double>&, const StackGradient<double>&, double*);

}  // namespace longhand::nn
