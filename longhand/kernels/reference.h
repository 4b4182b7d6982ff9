// The textbook versions of all kernels: the specification, one readable loop each, for any scalar type, on one thread.
// The LSTM's is in reference_lstm.h. The fused kernels are tested against these in float, and these against central
// differences in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/base/rng.h"
#include "longhand/kernels/embedding.h"
#include "longhand/kernels/gemm.h"
#include "longhand/kernels/linear.h"
#include "longhand/kernels/mask.h"
#include "longhand/kernels/optimizer.h"
#include "longhand/kernels/reference_lstm.h"
#include "longhand/kernels/softmax.h"

namespace longhand::kernels::reference {

/// C = A B + bias, or C += A B, with B as it is before packing.
template <class Round = NotRounded, class T>
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
        if (row >= 0) sum += Round::of(a) * Round::of(source.b[row * source.stride + (source.transposed ? k : j)]);
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

/// (46)
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

/// (45): d loss / d logit_v = scale (p_v - [v is the target]), with p the softmax of the logits, and (48) where the
/// target is smoothed; then (46).
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
    const T spread = args.smoothing / static_cast<T>(output.outputs);
    const T scale = args.weights != nullptr ? args.scale * args.weights[args.targets[row]] : args.scale;
    for (T& logit : logits) logit = scale * (std::exp(logit - largest) / sum - spread);
    logits[static_cast<size_t>(args.targets[row])] -= scale * (T(1) - args.smoothing);
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

/// (47)
template <class T>
void embedding_scatter(const EmbeddingScatter<T>& args) {
  for (int64_t n = 0; n < args.n; ++n) {
    for (int64_t j = 0; j < args.width; ++j) {
      args.dtable[args.symbols[n] * args.width + j] += args.dy[n * args.dy_stride + j];
    }
  }
}

template <class T>
void draw_mask(const DrawMask<T>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    for (int64_t i = 0; i < args.width; ++i) {
      const auto block = static_cast<uint32_t>(row * args.blocks_per_row() + i / 8);
      const auto words =
          philox({block, args.place, static_cast<uint32_t>(args.step), static_cast<uint32_t>(args.step >> 32)},
                 {static_cast<uint32_t>(args.seed), static_cast<uint32_t>(args.seed >> 32)});
      const uint32_t word = words[static_cast<size_t>(i % 8 / 2)];
      const uint32_t number = i % 2 == 0 ? word & 0xFFFFU : word >> 16;
      args.mask[row * args.stride + i] = number < args.threshold() ? args.hit : args.miss;
    }
  }
}

template <class T>
double squared_norm(const T* values, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

/// The rules as UpdateRule lists them, for element i.
template <class T>
void update_element(const ParameterUpdate<T>& a, int64_t i) {
  const T d = a.gradient_scale * a.dw[i] + a.l2 * a.w[i];
  T& w = a.w[i];
  const auto follow = [&](T& mean, T beta, T x) { mean += (T(1) - beta) * (x - mean); };
  w *= a.keep;
  switch (a.rule) {
    case UpdateRule::kSgd: w -= a.rate * d; break;
    case UpdateRule::kMomentum:
      a.m[i] = a.beta1 * a.m[i] + d;
      w -= a.rate * a.m[i];
      break;
    case UpdateRule::kNesterov:
      a.m[i] = a.beta1 * a.m[i] + d;
      w -= a.rate * (d + a.beta1 * a.m[i]);
      break;
    case UpdateRule::kAdagrad:
      a.v[i] += d * d;
      w -= a.rate * d / (std::sqrt(a.v[i]) + a.epsilon);
      break;
    case UpdateRule::kAdadelta: {
      follow(a.v[i], a.beta2, d * d);
      const T u = d * std::sqrt(a.m[i] + a.epsilon) / std::sqrt(a.v[i] + a.epsilon);
      follow(a.m[i], a.beta2, u * u);
      w -= a.rate * u;
      break;
    }
    case UpdateRule::kRmsprop:
      follow(a.v[i], a.beta2, d * d);
      w -= a.rate * d / (std::sqrt(a.v[i]) + a.epsilon);
      break;
    case UpdateRule::kAdam:
    case UpdateRule::kNadam: {
      follow(a.m[i], a.beta1, d);
      follow(a.v[i], a.beta2, d * d);
      const T ahead = a.rule == UpdateRule::kNadam ? a.d_rate * d : T(0);
      w -= (a.rate * a.m[i] + ahead) / (std::sqrt(a.v[i]) * a.v_scale + a.epsilon);
      break;
    }
  }
}

template <class T>
void update_parameters(const ParameterUpdate<T>& a) {
  for (const Range& range : a.where) {
    for (int64_t i = range.begin; i < range.end; ++i) update_element(a, i);
  }
}

}  // namespace longhand::kernels::reference
