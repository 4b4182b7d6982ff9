// The textbook cell of the LSTM layer, one unit at a time and for any scalar type: one pair of functions, forward and
// backward, with all its variants. Numbers in brackets are those of the equations of docs/derivatives.md.
#pragma once

#include <algorithm>
#include <cmath>

#include "longhand/kernels/lstm_cell.h"

namespace longhand::kernels::reference {

template <class T>
T sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}

template <class T>
T activate(const Activation& f, T x) {
  const T alpha = static_cast<T>(f.alpha), beta = static_cast<T>(f.beta);
  switch (f.kind) {
    case ActivationKind::kSigmoid: return sigmoid(x);
    case ActivationKind::kTanh: return std::tanh(x);
    case ActivationKind::kRelu: return x < T(0) ? T(0) : x;
    case ActivationKind::kAffine: return alpha * x + beta;
    case ActivationKind::kLeakyRelu: return x < T(0) ? alpha * x : x;
    case ActivationKind::kThresholdedRelu: return x < alpha ? T(0) : x;
    case ActivationKind::kScaledTanh: return alpha * std::tanh(beta * x);
    case ActivationKind::kHardSigmoid: return std::clamp(alpha * x + beta, T(0), T(1));
    case ActivationKind::kElu: return x < T(0) ? alpha * std::expm1(x) : x;
    case ActivationKind::kSoftsign: return x / (T(1) + std::abs(x));
    case ActivationKind::kSoftplus: return std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}

/// (78) dy times the derivative at x, where the function is y. Sigmoid and tanh do not read x.
template <class T>
T activate_backward(const Activation& f, T x, T y, T dy) {
  const T alpha = static_cast<T>(f.alpha), beta = static_cast<T>(f.beta);
  switch (f.kind) {
    case ActivationKind::kSigmoid: return dy * y * (T(1) - y);
    case ActivationKind::kTanh: return dy * (T(1) - y * y);
    case ActivationKind::kRelu: return x > T(0) ? dy : T(0);
    case ActivationKind::kAffine: return dy * alpha;
    case ActivationKind::kLeakyRelu: return x > T(0) ? dy : dy * alpha;
    case ActivationKind::kThresholdedRelu: return x < alpha ? T(0) : dy;
    case ActivationKind::kScaledTanh: {
      const T tanh = std::tanh(beta * x);
      return dy * alpha * beta * (T(1) - tanh * tanh);
    }
    case ActivationKind::kHardSigmoid: return y > T(0) && y < T(1) ? dy * alpha : T(0);
    case ActivationKind::kElu: return x > T(0) ? dy : dy * (y + alpha);
    case ActivationKind::kSoftsign: return dy / ((T(1) + std::abs(x)) * (T(1) + std::abs(x)));
    case ActivationKind::kSoftplus: return dy * sigmoid(x);
  }
  return dy;
}

/// Holds x within [-bound, bound]; a bound of 0 is none.
template <class T>
T clip(double bound, T x) {
  const T most = static_cast<T>(bound);
  return bound > 0.0 ? std::clamp(x, -most, most) : x;
}
/// dy where that left x as it was, otherwise zero.
template <class T>
T clip_backward(double bound, T x, T dy) {
  return bound > 0.0 && std::abs(x) > static_cast<T>(bound) ? T(0) : dy;
}

/// One unit in one step.
template <class T>
struct CellUnit {
  T a[4];     ///< (1), and what peepholes add: of i f g o
  T gate[4];  ///< i f g o
  T c_prev;
  T c;  ///< c~
};

/// The unit's weights of its peepholes, or zeros.
template <class T>
struct CellPeepholes {
  T i = 0, f = 0, o = 0;
};

/// (2) (3), with (77) (79) (81) (82) (83): gates and cell from `a` and c_prev.
template <class T>
void cell_forward(const LstmCell& cell, const CellPeepholes<T>& p, CellUnit<T>& unit) {
  const auto gate = [&](int k) { return activate(cell.of(k), clip(cell.gate_clip, unit.a[k])); };
  unit.a[0] += p.i * unit.c_prev;
  unit.a[1] += p.f * unit.c_prev;
  unit.gate[0] = gate(0);
  unit.gate[1] = cell.coupled ? T(1) - unit.gate[0] : gate(1);
  unit.gate[2] = gate(2);
  unit.c = clip(cell.cell_clip, unit.gate[1] * unit.c_prev + unit.gate[0] * unit.gate[2]);
  unit.a[3] += p.o * unit.c;
  unit.gate[3] = gate(3);
}

/// (4) (77): m from o and s, which is c~, or that normalised.
template <class T>
T cell_output(const LstmCell& cell, T o, T s) {
  return o * activate(cell.output, s);
}

template <class T>
T gate_backward(const LstmCell& cell, const CellUnit<T>& unit, int k, T d_gate) {
  const T d = activate_backward(cell.of(k), clip(cell.gate_clip, unit.a[k]), unit.gate[k], d_gate);
  return clip_backward(cell.gate_clip, unit.a[k], d);  // (82)
}

/// (4): what dm is for a_o (25) and for s (21).
template <class T>
void cell_output_backward(const LstmCell& cell, const CellUnit<T>& unit, T s, T dm, T& da_o, T& ds) {
  const T y = activate(cell.output, s);
  da_o = gate_backward(cell, unit, 3, dm * y);                   // (25)
  ds = activate_backward(cell.output, s, y, dm * unit.gate[3]);  // (21)
}

/// What reaches the cell before, the pre-activations and the peepholes.
template <class T>
struct CellGradient {
  T da_i, da_f, da_g, dc_prev;
  CellPeepholes<T> dp;
};

/// What the gradient `dc` of c~ is for all that it is made of. da_o goes into c~ by the peephole of o.
template <class T>
CellGradient<T> cell_backward(const LstmCell& cell, const CellPeepholes<T>& p, const CellUnit<T>& unit, T da_o, T dc) {
  const T i = unit.gate[0], f = unit.gate[1], g = unit.gate[2], c_prev = unit.c_prev;
  const T before_clip = f * c_prev + i * g;
  dc = clip_backward(cell.cell_clip, before_clip, dc + p.o * da_o);  // (80) (83)
  CellGradient<T> d;
  d.da_i = gate_backward(cell, unit, 0, cell.coupled ? dc * (g - c_prev) : dc * g);     // (22) (81)
  d.da_f = cell.coupled ? T(0) : gate_backward(cell, unit, 1, dc * c_prev);             // (23)
  d.da_g = gate_backward(cell, unit, 2, dc * i);                                        // (24)
  d.dc_prev = f * dc + (p.i * d.da_i + p.f * d.da_f);                                   // (21) (80)
  d.dp = {d.da_i * c_prev, d.da_f * c_prev, da_o * clip(cell.cell_clip, before_clip)};  // (80)
  return d;
}

}  // namespace longhand::kernels::reference
