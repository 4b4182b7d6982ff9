#include "longhand/autograd/cells.h"

namespace longhand::autograd {
namespace {

/// 1 - x
template <class T>
Var<T> complement(Var<T> x) {
  return add_scalar(scale(x, -1), 1);
}

/// share * a + (1 - share) * b
template <class T>
Var<T> mix(Var<T> share, Var<T> a, Var<T> b) {
  return add(multiply(share, a), multiply(complement(share), b));
}

/// The mask of step t among one a step, one for all, or none.
template <class T>
std::optional<Var<T>> mask_at(const std::vector<Var<T>>& masks, int64_t t) {
  if (masks.empty()) return std::nullopt;
  return masks.size() == 1 ? masks.front() : masks[static_cast<size_t>(t)];
}

/// W_ih x_t: one row for each of the B sequences.
template <class T>
Var<T> input_part(const SequenceInput<T>& in, Var<T> w_ih, int64_t t, int64_t B) {
  if (in.symbols == nullptr) return matmul_transposed(in.x[static_cast<size_t>(t)], w_ih);
  std::vector<int32_t> symbols(in.symbols + t * B, in.symbols + (t + 1) * B);
  for (int64_t b = 0; in.lengths != nullptr && b < B; ++b) {
    if (t >= in.lengths[b]) symbols[static_cast<size_t>(b)] = 0;
  }
  return gather_columns(w_ih, symbols.data(), B);
}

/// What a layer puts out of its cell's state.
template <class T>
Var<T> output_of(Var<T> h) {
  return h;
}
template <class T>
Var<T> output_of(const LstmState<T>& state) {
  return state.h;
}

template <class T>
LstmState<T> select_rows(const uint8_t* pick_a, const LstmState<T>& a, const LstmState<T>& b) {
  return {select_rows(pick_a, a.h, b.h), select_rows(pick_a, a.c, b.c)};
}

/// Any cell over a sequence: step(t, u, prev) is its state after step t, given u = W_ih x_t.
template <class T, class State, class Step>
SequenceOutputs<T, State> run_sequence(const SequenceInput<T>& in, Var<T> w_ih, const State& initial,
                                       const Step& step) {
  LONGHAND_CHECK(in.symbols != nullptr ? in.x.empty() : static_cast<int64_t>(in.x.size()) == in.steps);
  const Var<T> h_0 = output_of(initial);
  const int64_t B = h_0.rows();
  for (int64_t b = 0; in.lengths != nullptr && b < B; ++b) {
    LONGHAND_CHECK(in.lengths[b] >= 0 && in.lengths[b] <= in.steps);
  }
  const Var<T> zeros = h_0.tape->filled(B, h_0.columns(), T(0));

  SequenceOutputs<T, State> out{std::vector<Var<T>>(static_cast<size_t>(in.steps)), initial};
  std::vector<uint8_t> runs(static_cast<size_t>(B));
  for (int64_t k = 0; k < in.steps; ++k) {
    // Padding is on the right. In reverse it comes first, and a row waits in its initial state until it begins.
    const int64_t t = in.reverse ? in.steps - 1 - k : k;
    const State next = step(t, input_part(in, w_ih, t, B), out.last);
    Var<T>& h = out.h[static_cast<size_t>(t)];
    if (in.lengths == nullptr) {
      h = output_of(next);
      out.last = next;
      continue;
    }
    for (int64_t b = 0; b < B; ++b) runs[static_cast<size_t>(b)] = t < in.lengths[b];
    h = select_rows(runs.data(), output_of(next), zeros);
    out.last = select_rows(runs.data(), next, out.last);
  }
  return out;
}

}  // namespace

template <class T>
Var<T> normalise(Var<T> v) {
  const Var<T> centred = subtract_column(v, row_mean(v));
  const Var<T> variance = row_mean(multiply(centred, centred));
  return multiply_column(centred, rsqrt(add_scalar(variance, T(1e-5))));
}

template <class T>
LstmState<T> lstm_step(const LstmVars<T>& vars, Var<T> u, const LstmState<T>& prev, const LstmMasks<T>& masks) {
  const bool layer_norm = vars.gain_ih.has_value();
  LONGHAND_CHECK(vars.gain_hh.has_value() == layer_norm);
  LONGHAND_CHECK(vars.gain_c.has_value() == layer_norm && vars.bias_c.has_value() == layer_norm);
  const int64_t H = prev.c.columns();

  const Var<T> from_h = masks.recurrent ? multiply(prev.h, *masks.recurrent) : prev.h;
  Var<T> recurrent = matmul_transposed(from_h, vars.w_hh);
  if (layer_norm) {
    u = multiply_row(normalise(u), *vars.gain_ih);
    recurrent = multiply_row(normalise(recurrent), *vars.gain_hh);
  }
  const Var<T> a = add_row(add(u, recurrent), vars.bias);
  LONGHAND_CHECK(a.columns() == 4 * H);
  const LstmVariant<T> standard;
  const LstmVariant<T>& variant = vars.variant != nullptr ? *vars.variant : standard;
  // Gate k of i f g o, which sees `c` by peephole `p`, if by any.
  const auto gate = [&](int64_t k, const typename LstmVariant<T>::Function& function, int64_t p, Var<T> c) {
    Var<T> sum = columns(a, k * H, H);
    if (vars.peepholes && p >= 0) sum = add(sum, multiply_row(c, columns(*vars.peepholes, p * H, H)));
    if (variant.gate_clip > T(0)) sum = clip(sum, variant.gate_clip);
    return function ? function(sum) : k == 2 ? tanh(sum) : sigmoid(sum);
  };
  const Var<T> i = gate(0, variant.gate, 0, prev.c);
  const Var<T> f = variant.coupled ? complement(i) : gate(1, variant.gate, 1, prev.c);
  const Var<T> g = gate(2, variant.candidate, -1, prev.c);

  Var<T> c = add(multiply(f, prev.c), multiply(i, g));
  if (variant.cell_clip > T(0)) c = clip(c, variant.cell_clip);
  const Var<T> o = gate(3, variant.gate, 2, c);
  const Var<T> seen = layer_norm ? add_row(multiply_row(normalise(c), *vars.gain_c), *vars.bias_c) : c;
  Var<T> h = multiply(o, variant.output ? variant.output(seen) : tanh(seen));
  if (vars.w_hr) h = matmul_transposed(h, *vars.w_hr);

  if (masks.zone_h) h = mix(*masks.zone_h, prev.h, h);
  if (masks.zone_c) c = mix(*masks.zone_c, prev.c, c);
  return {h, c};
}

template <class T>
LstmOutputs<T> lstm_sequence(const LstmSequence<T>& s) {
  const auto fits = [&](const std::vector<Var<T>>& masks) {
    return masks.size() <= 1 || static_cast<int64_t>(masks.size()) == s.input.steps;
  };
  LONGHAND_CHECK(fits(s.zone_h) && fits(s.zone_c));
  return run_sequence(s.input, s.vars.w_ih, s.initial, [&s](int64_t t, Var<T> u, const LstmState<T>& prev) {
    return lstm_step(s.vars, u, prev, {s.recurrent_mask, mask_at(s.zone_h, t), mask_at(s.zone_c, t)});
  });
}

template <class T>
Var<T> rnn_step(Var<T> w_hh, Var<T> bias, Var<T> u, Var<T> h_prev, Activation activation) {
  const Var<T> a = add_row(add(u, matmul_transposed(h_prev, w_hh)), bias);
  switch (activation) {
    case Activation::kTanh: return tanh(a);
    case Activation::kRelu: return relu(a);
    case Activation::kSigmoid: return sigmoid(a);
  }
  LONGHAND_CHECK(false);
}

template <class T>
SequenceOutputs<T, Var<T>> rnn_sequence(const RnnVars<T>& vars, const SequenceInput<T>& input, Var<T> h_0,
                                        Activation activation) {
  return run_sequence(input, vars.w_ih, h_0, [&vars, activation](int64_t, Var<T> u, Var<T> h_prev) {
    return rnn_step(vars.w_hh, vars.bias, u, h_prev, activation);
  });
}

template <class T>
Var<T> gru_step(const GruVars<T>& vars, Var<T> u, Var<T> h_prev) {
  const int64_t H = h_prev.columns();
  const Var<T> input = add_row(u, vars.bias_ih);
  const Var<T> recurrent = add_row(matmul_transposed(h_prev, vars.w_hh), vars.bias_hh);
  const Var<T> r = sigmoid(add(columns(input, 0, H), columns(recurrent, 0, H)));
  const Var<T> z = sigmoid(add(columns(input, H, H), columns(recurrent, H, H)));
  const Var<T> n = tanh(add(columns(input, 2 * H, H), multiply(r, columns(recurrent, 2 * H, H))));
  return mix(z, h_prev, n);
}

template <class T>
SequenceOutputs<T, Var<T>> gru_sequence(const GruVars<T>& vars, const SequenceInput<T>& input, Var<T> h_0) {
  return run_sequence(input, vars.w_ih, h_0,
                      [&vars](int64_t, Var<T> u, Var<T> h_prev) { return gru_step(vars, u, h_prev); });
}

template Var<float> normalise(Var<float>);
template LstmState<float> lstm_step(const LstmVars<float>&, Var<float>, const LstmState<float>&,
                                    const LstmMasks<float>&);
template LstmOutputs<float> lstm_sequence(const LstmSequence<float>&);
template Var<float> rnn_step(Var<float>, Var<float>, Var<float>, Var<float>, Activation);
template Var<float> gru_step(const GruVars<float>&, Var<float>, Var<float>);
template SequenceOutputs<float, Var<float>> rnn_sequence(const RnnVars<float>&, const SequenceInput<float>&, Var<float>,
                                                         Activation);
template SequenceOutputs<float, Var<float>> gru_sequence(const GruVars<float>&, const SequenceInput<float>&,
                                                         Var<float>);

template Var<double> normalise(Var<double>);
template LstmState<double> lstm_step(const LstmVars<double>&, Var<double>, const LstmState<double>&,
                                     const LstmMasks<double>&);
template LstmOutputs<double> lstm_sequence(const LstmSequence<double>&);
template Var<double> rnn_step(Var<double>, Var<double>, Var<double>, Var<double>, Activation);
template Var<double> gru_step(const GruVars<double>&, Var<double>, Var<double>);
template SequenceOutputs<double, Var<double>> rnn_sequence(const RnnVars<double>&, const SequenceInput<double>&,
                                                           Var<double>, Activation);
template SequenceOutputs<double, Var<double>> gru_sequence(const GruVars<double>&, const SequenceInput<double>&,
                                                           Var<double>);

}  // namespace longhand::autograd
