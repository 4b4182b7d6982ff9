// The textbook gated recurrent unit and plain recurrent layer: the equations of docs/derivatives.md one after the
// other, row by row, for any scalar type. It is the specification of recurrent.h. Numbers in brackets are those of the
// equations.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "longhand/kernels/recurrent.h"
#include "longhand/kernels/reference_lstm.h"

namespace longhand::kernels::reference {

/// (73) phi of a plain layer, and (75) its derivative, from h = phi(a).
template <class T>
T activation(RecurrentCell cell, T a) {
  return cell == RecurrentCell::kTanh ? std::tanh(a) : a < T(0) ? T(0) : a;
}
template <class T>
T activation_slope(RecurrentCell cell, T h) {
  return cell == RecurrentCell::kTanh ? T(1) - h * h : h <= T(0) ? T(0) : T(1);
}

/// y [G, Hp] = W_ih x_t for one row.
template <class Round, class T>
void multiply_input(const LstmShape& shape, int64_t G, const T* w_ih, const LstmInput<T>& input, int64_t row, T* y) {
  const int64_t I = shape.inputs, H = shape.hidden;
  if (input.x != nullptr) return multiply<Round>(w_ih, input.x + row * input.x_stride, G, H, I, y);
  for (int64_t k = 0; k < G * H; ++k) y[k / H * padded(H) + k % H] = w_ih[k * I + input.symbols[row]];
}

template <class Round = NotRounded, class T>
void recurrent_forward(const RecurrentForward<T>& args) {
  const auto& [cell, shape, weights, input, h, cache, h_last] = args;
  const int64_t B = shape.batch, H = shape.hidden, Hp = padded(H), G = gates_of(cell);
  std::vector<T> u(static_cast<size_t>(G * Hp)), v(u), kept(static_cast<size_t>(cached_of(cell) * Hp));
  T *r = kept.data(), *z = r + Hp, *n = z + Hp, *v_n = n + Hp, *a = kept.data();  // of the one cell, or of the other
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t step = 0; step < shape.steps; ++step) {
      const int64_t t = shape.time(step), row = t * B + b;
      const T* h_prev = h + (shape.prev_slot(t, b) * B + b) * Hp;
      T* h_next = h + (shape.next_slot(t) * B + b) * Hp;
      if (t >= shape.length(b)) {
        std::fill_n(h_next, Hp, T(0));
        continue;
      }
      multiply_input<Round>(shape, G, weights.w_ih, input, row, u.data());
      multiply<Round>(weights.w_hh, h_prev, G, H, H, v.data());
      for (int64_t k = 0; k < G * H; ++k) {  // (60) (73)
        u[k / H * Hp + k % H] += weights.bias_ih[k];
        if (cell == RecurrentCell::kGru) v[k / H * Hp + k % H] += weights.bias_hh[k];
      }
      for (int64_t k = 0; k < H; ++k) {
        if (cell == RecurrentCell::kGru) {
          v_n[k] = v[2 * Hp + k];
          r[k] = sigmoid(u[k] + v[k]);                          // (61)
          z[k] = sigmoid(u[Hp + k] + v[Hp + k]);                // (61)
          n[k] = std::tanh(u[2 * Hp + k] + r[k] * v_n[k]);      // (61)
          h_next[k] = (T(1) - z[k]) * n[k] + z[k] * h_prev[k];  // (62)
        } else {
          a[k] = u[k] + v[k];                  // (73)
          h_next[k] = activation(cell, a[k]);  // (73)
        }
      }
      if (cache != nullptr) std::copy(kept.begin(), kept.end(), cache + row * cached_of(cell) * Hp);
    }
    if (h_last != nullptr) std::copy_n(h + (shape.last_slot(b) * B + b) * Hp, Hp, h_last + b * Hp);
  }
}

/// Back-propagation through time.
template <class Round = NotRounded, class T>
void recurrent_backward(const RecurrentBackward<T>& args) {
  const auto& [cell, shape, weights, input, h, cache, dh, dh_last, dx, dx_stride, add_to_dx, gradients, dh_first] =
      args;
  const int64_t B = shape.batch, I = shape.inputs, H = shape.hidden, Hp = padded(H), G = gates_of(cell);
  std::vector<T> dh_carry(static_cast<size_t>(Hp)), du(static_cast<size_t>(G * Hp)), dv(du);
  for (int64_t row = 0; dx != nullptr && !add_to_dx && row < shape.steps * B; ++row) {
    std::fill_n(dx + row * dx_stride, I, T(0));
  }
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t k = 0; k < H; ++k) dh_carry[k] = dh_last != nullptr ? dh_last[b * Hp + k] : T(0);
    for (int64_t step = shape.steps - 1; step >= 0; --step) {
      const int64_t t = shape.time(step), row = t * B + b;
      if (t >= shape.length(b)) continue;
      const T* h_prev = h + (shape.prev_slot(t, b) * B + b) * Hp;
      const T* h_now = h + (shape.next_slot(t) * B + b) * Hp;
      T* kept = cache + row * cached_of(cell) * Hp;
      for (int64_t k = 0; k < H; ++k) {
        const T dh_now = dh[row * Hp + k] + dh_carry[k];  // (63) (74)
        if (cell == RecurrentCell::kGru) {
          const T r = kept[k], z = kept[Hp + k], n = kept[2 * Hp + k], v_n = kept[3 * Hp + k];
          const T du_n = dh_now * (T(1) - z) * (T(1) - n * n);     // (64)
          du[Hp + k] = dh_now * (h_prev[k] - n) * z * (T(1) - z);  // (65)
          du[k] = du_n * v_n * r * (T(1) - r);                     // (66)
          du[2 * Hp + k] = du_n;
          dv[k] = du[k], dv[Hp + k] = du[Hp + k], dv[2 * Hp + k] = du_n * r;  // (67)
          kept[3 * Hp + k] = dv[2 * Hp + k];
          dh_carry[k] = z * dh_now;  // (63)
        } else {
          du[k] = dv[k] = dh_now * activation_slope(cell, h_now[k]);  // (75)
          dh_carry[k] = T(0);
        }
      }
      std::copy(du.begin(), du.end(), kept);
      for (int64_t k = 0; k < G * H; ++k) {  // (70)
        gradients.bias_ih[k] += du[k / H * Hp + k % H];
        if (cell == RecurrentCell::kGru) gradients.bias_hh[k] += dv[k / H * Hp + k % H];
      }
      multiply_backward<Round>(weights.w_hh, h_prev, dv.data(), G, H, H, gradients.w_hh, dh_carry.data());  // (63) (69)
      if (input.x != nullptr) {                                                                             // (68) (69)
        multiply_backward<Round>(weights.w_ih, input.x + row * input.x_stride, du.data(), G, H, I, gradients.w_ih,
                                 dx != nullptr ? dx + row * dx_stride : nullptr);
      } else {
        for (int64_t k = 0; k < G * H; ++k) gradients.w_ih[k * I + input.symbols[row]] += du[k / H * Hp + k % H];
      }
    }
    if (dh_first != nullptr) std::copy_n(dh_carry.data(), Hp, dh_first + b * Hp);  // (71) (76)
  }
}

}  // namespace longhand::kernels::reference
