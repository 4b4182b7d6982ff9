// The textbook versions of all kernels: the specification, one readable loop each, for any scalar type, on one thread.
// The fused kernels are tested against these in float, and these against central differences in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/kernels/embedding.h"
#include "longhand/kernels/gemm.h"
#include "longhand/kernels/linear.h"
#include "longhand/kernels/lstm.h"
#include "longhand/kernels/optimizer.h"
#include "longhand/kernels/softmax.h"

namespace longhand::kernels::reference {

template <class T>
T sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}

/// One step of one row: `gates` [4, Hp] comes as the input's part of the pre-activations and leaves activated.
template <class T>
void lstm_cell(const LstmShape& shape, const T* w_hh, const T* h_prev, const T* c_prev, T* gates, T* h, T* c) {
  const int64_t H = shape.hidden;
  const int64_t Hp = padded(H);
  for (int64_t gate = 0; gate < 4; ++gate) {
    for (int64_t u = 0; u < H; ++u) {
      T a = gates[gate * Hp + u];
      for (int64_t j = 0; j < H; ++j) a += w_hh[(gate * H + u) * H + j] * h_prev[j];
      gates[gate * Hp + u] = gate == 2 ? std::tanh(a) : sigmoid(a);
    }
  }
  for (int64_t u = 0; u < H; ++u) {
    const T i = gates[u], f = gates[Hp + u], g = gates[2 * Hp + u], o = gates[3 * Hp + u];
    c[u] = f * c_prev[u] + i * g;
    h[u] = o * std::tanh(c[u]);
  }
}

template <class T>
void lstm_forward(const LstmForward<T>& args) {
  const auto& [shape, weights, input, h, c, gates, h_last, c_last] = args;
  const int64_t B = shape.batch, I = shape.inputs, H = shape.hidden, Hp = padded(H);
  std::vector<T> step_gates(static_cast<size_t>(4 * Hp));
  for (int64_t b = 0; b < B; ++b) {
    const int64_t length = shape.lengths != nullptr ? shape.lengths[b] : shape.steps;
    for (int64_t t = 0; t < shape.steps; ++t) {
      const int64_t row = t * B + b;
      T* h_next = h + (row + B) * Hp;
      const T* c_prev = gates != nullptr ? c + row * Hp : c + b * Hp;
      T* c_next = gates != nullptr ? c + (row + B) * Hp : c + b * Hp;
      if (t >= length) {
        std::fill_n(h_next, Hp, T(0));
        if (gates != nullptr) std::fill_n(c_next, Hp, T(0));
        continue;
      }
      T* a = gates != nullptr ? gates + row * 4 * Hp : step_gates.data();
      for (int64_t k = 0; k < 4 * H; ++k) {
        T sum = weights.bias[k];
        if (input.x == nullptr) {
          sum += weights.w_ih[k * I + input.symbols[row]];
        } else {
          for (int64_t j = 0; j < I; ++j) sum += weights.w_ih[k * I + j] * input.x[row * input.x_stride + j];
        }
        a[k / H * Hp + k % H] = sum;
      }
      lstm_cell(shape, weights.w_hh, h + row * Hp, c_prev, a, h_next, c_next);
    }
    if (h_last != nullptr) std::copy_n(h + (length * B + b) * Hp, Hp, h_last + b * Hp);
    if (c_last != nullptr) std::copy_n(c + (length * B + b) * Hp, Hp, c_last + b * Hp);
  }
}

/// Back-propagation through time. With dh and dc the gradients that reach h_t and c_t from above and from later steps:
///
///   dc += dh * o * (1 - tanh(c_t)^2)
///   da_i = dc * g * i (1 - i)            da_f = dc * c_{t-1} * f (1 - f)
///   da_g = dc * i * (1 - g^2)            da_o = dh * tanh(c_t) * o (1 - o)
///   dc_{t-1} = dc * f    dh_{t-1} = W_hh' da    dx_t = W_ih' da
///   dW_ih += da x_t'     dW_hh += da h_{t-1}'   db += da
template <class T>
void lstm_backward(const LstmBackward<T>& args) {
  const LstmShape& shape = args.shape;
  const LstmInput<T>& input = args.input;
  const int64_t B = shape.batch, I = shape.inputs, H = shape.hidden, Hp = padded(H);
  std::vector<T> dh_carry(static_cast<size_t>(Hp)), dc(static_cast<size_t>(Hp));
  for (int64_t b = 0; b < B; ++b) {
    const int64_t length = shape.lengths != nullptr ? shape.lengths[b] : shape.steps;
    for (int64_t u = 0; u < H; ++u) {
      dh_carry[u] = args.dh_last != nullptr ? args.dh_last[b * Hp + u] : T(0);
      dc[u] = args.dc_last != nullptr ? args.dc_last[b * Hp + u] : T(0);
    }
    for (int64_t t = shape.steps - 1; t >= 0; --t) {
      const int64_t row = t * B + b;
      T* gates = args.gates + row * 4 * Hp;
      if (args.dx != nullptr) std::fill_n(args.dx + row * args.dx_stride, I, T(0));
      if (t >= length) continue;
      const T* h_prev = args.h + row * Hp;
      const T* c_prev = args.c + row * Hp;
      const T* c_now = args.c + (row + B) * Hp;
      for (int64_t u = 0; u < H; ++u) {
        const T i = gates[u], f = gates[Hp + u], g = gates[2 * Hp + u], o = gates[3 * Hp + u];
        const T dh = args.dh[row * Hp + u] + dh_carry[u];
        const T tanh_c = std::tanh(c_now[u]);
        dc[u] += dh * o * (T(1) - tanh_c * tanh_c);
        gates[u] = dc[u] * g * i * (T(1) - i);
        gates[Hp + u] = dc[u] * c_prev[u] * f * (T(1) - f);
        gates[2 * Hp + u] = dc[u] * i * (T(1) - g * g);
        gates[3 * Hp + u] = dh * tanh_c * o * (T(1) - o);
        dc[u] *= f;
      }
      std::fill(dh_carry.begin(), dh_carry.end(), T(0));
      for (int64_t k = 0; k < 4 * H; ++k) {
        const T da = gates[k / H * Hp + k % H];
        args.dbias[k] += da;
        for (int64_t j = 0; j < H; ++j) {
          dh_carry[j] += args.weights.w_hh[k * H + j] * da;
          args.dw_hh[k * H + j] += da * h_prev[j];
        }
        if (input.x == nullptr) {
          args.dw_ih[k * I + input.symbols[row]] += da;
          continue;
        }
        for (int64_t j = 0; j < I; ++j) {
          args.dw_ih[k * I + j] += da * input.x[row * input.x_stride + j];
          if (args.dx != nullptr) args.dx[row * args.dx_stride + j] += args.weights.w_ih[k * I + j] * da;
        }
      }
    }
    if (args.dh_first != nullptr) std::copy_n(dh_carry.data(), Hp, args.dh_first + b * Hp);
    if (args.dc_first != nullptr) std::copy_n(dc.data(), Hp, args.dc_first + b * Hp);
  }
}

/// C = A B + bias, or C += A B, with B as it is before packing.
template <class T>
void gemm(const Gemm<T>& args, const PackSource<T>& source) {
  const auto picked = [](const int32_t* rows, int64_t i) { return rows != nullptr ? rows[i] : i; };
  // A grouped row of B, or -1 where it is padding.
  const auto source_row = [&](int64_t i) -> int64_t {
    if (source.group == 0) return picked(source.rows, i);
    const int64_t in_group = i % padded(source.group);
    return in_group < source.group ? i / padded(source.group) * source.group + in_group : -1;
  };
  for (int64_t i = 0; i < args.m; ++i) {
    for (int64_t j = 0; j < source.n; ++j) {
      T* c = args.c + picked(args.c_rows, i) * args.c_stride + j;
      T sum = args.accumulate ? *c : args.bias != nullptr ? args.bias[j] : T(0);
      for (int64_t k = 0; k < source.k; ++k) {
        const T a = args.a_transposed ? args.a[picked(args.a_rows, k) * args.a_stride + i]
                                      : args.a[picked(args.a_rows, i) * args.a_stride + k];
        const int64_t row = source_row(source.transposed ? j : k);
        if (row >= 0) sum += a * source.b[row * source.stride + (source.transposed ? k : j)];
      }
      *c = sum;
    }
  }
}

template <class T>
void linear_forward(const LinearForward<T>& args) {
  for (int64_t n = 0; n < args.n; ++n) {
    const int64_t row = args.rows != nullptr ? args.rows[n] : n;
    for (int64_t o = 0; o < args.outputs; ++o) {
      T sum = args.bias != nullptr ? args.bias[o] : T(0);
      for (int64_t j = 0; j < args.inputs; ++j) sum += args.w[o * args.inputs + j] * args.x[row * args.x_stride + j];
      args.y[n * args.y_stride + o] = sum;
    }
  }
}

template <class T>
void linear_backward(const LinearBackward<T>& args) {
  for (int64_t n = 0; n < args.n; ++n) {
    const int64_t row = args.rows != nullptr ? args.rows[n] : n;
    if (args.dx != nullptr) std::fill_n(args.dx + row * args.dx_stride, args.inputs, T(0));
    for (int64_t o = 0; o < args.outputs; ++o) {
      const T dy = args.dy[n * args.dy_stride + o];
      if (args.dbias != nullptr) args.dbias[o] += dy;
      for (int64_t j = 0; j < args.inputs; ++j) {
        args.dw[o * args.inputs + j] += dy * args.x[row * args.x_stride + j];
        if (args.dx != nullptr) args.dx[row * args.dx_stride + j] += dy * args.w[o * args.inputs + j];
      }
    }
  }
}

/// d loss / d logit_v = scale (p_v - [v is the target]), with p the softmax of the logits.
template <class T>
void softmax_cross_entropy(const SoftmaxCrossEntropy<T>& args) {
  const LinearForward<T>& output = args.output;
  std::vector<T> logits(static_cast<size_t>(output.outputs));
  for (int64_t n = 0; n < output.n; ++n) {
    const int32_t row = output.rows != nullptr ? output.rows[n] : static_cast<int32_t>(n);
    LinearForward<T> one = output;
    one.n = 1;
    one.rows = &row;
    one.y = logits.data();
    linear_forward(one);
    const T largest = *std::max_element(logits.begin(), logits.end());
    T sum = 0;
    for (const T logit : logits) sum += std::exp(logit - largest);
    const T target = logits[static_cast<size_t>(args.targets[row])];
    args.loss[n] = std::log(sum) + largest - target;
    if (args.dw == nullptr) continue;
    for (T& logit : logits) logit = args.scale * std::exp(logit - largest) / sum;
    logits[static_cast<size_t>(args.targets[row])] -= args.scale;
    linear_backward<T>({.inputs = output.inputs,
                        .outputs = output.outputs,
                        .n = 1,
                        .rows = &row,
                        .x = output.x,
                        .x_stride = output.x_stride,
                        .w = output.w,
                        .dy = logits.data(),
                        .dy_stride = 0,
                        .dx = args.dx,
                        .dx_stride = args.dx_stride,
                        .dw = args.dw,
                        .dbias = args.dbias});
  }
}

template <class T>
void embedding_gather(const EmbeddingGather<T>& args) {
  for (int64_t n = 0; n < args.n; ++n) {
    std::copy_n(args.table + args.symbols[n] * args.width, args.width, args.y + n * args.y_stride);
  }
}

template <class T>
void embedding_scatter(const EmbeddingScatter<T>& args) {
  for (int64_t n = 0; n < args.n; ++n) {
    for (int64_t j = 0; j < args.width; ++j) {
      args.dtable[args.symbols[n] * args.width + j] += args.dy[n * args.dy_stride + j];
    }
  }
}

template <class T>
double squared_norm(const T* values, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

template <class T>
void sgd_update(const SgdUpdate<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) args.w[i] -= args.learning_rate * args.gradient_scale * args.dw[i];
}

template <class T>
void adam_update(const AdamUpdate<T>& args) {
  for (int64_t i = 0; i < args.n; ++i) {
    const T d = args.gradient_scale * args.dw[i];
    args.m[i] += (T(1) - args.beta1) * (d - args.m[i]);
    args.v[i] += (T(1) - args.beta2) * (d * d - args.v[i]);
    args.w[i] -= args.step_size * args.m[i] / (std::sqrt(args.v[i]) * args.v_correction + args.epsilon);
  }
}

}  // namespace longhand::kernels::reference
