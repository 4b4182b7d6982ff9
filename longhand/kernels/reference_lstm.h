// The textbook LSTM layer: the equations of docs/derivatives.md one after the other, row by row, for any scalar type.
// It is the specification of lstm.h, and the cell itself is in reference_cell.h. Numbers in brackets are those of the
// equations.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/kernels/lstm.h"
#include "longhand/kernels/reference_cell.h"
#include "longhand/kernels/weight_type.h"

namespace longhand::kernels::reference {

/// How the operands of matrix products are rounded: not at all, or as in Precision::kBf16.
struct NotRounded {
  template <class T>
  static T of(T x) {
    return x;
  }
};
struct RoundedToBf16 {
  template <class T>
  static T of(T x) {
    return static_cast<T>(from_bf16(to_bf16(static_cast<float>(x))));
  }
};

/// (38) Normalises v, `groups` times H elements Hp apart, to n; returns 1 / sqrt(variance + epsilon).
template <class T>
T normalise(const T* v, int64_t groups, int64_t H, T* n) {
  const int64_t Hp = padded(H);
  T mean = 0, variance = 0;
  for (int64_t k = 0; k < groups * H; ++k) mean += v[k / H * Hp + k % H];
  mean /= static_cast<T>(groups * H);
  for (int64_t k = 0; k < groups * H; ++k) {
    const T centred = v[k / H * Hp + k % H] - mean;
    variance += centred * centred;
  }
  variance /= static_cast<T>(groups * H);
  const T deviation = T(1) / std::sqrt(variance + static_cast<T>(kNormEpsilon));
  for (int64_t k = 0; k < groups * H; ++k) n[k / H * Hp + k % H] = (v[k / H * Hp + k % H] - mean) * deviation;
  return deviation;
}

/// (39) The gradient of v from that of y = gain * n: dv = (dn - mean(dn) - n * mean(dn * n)) * deviation, dn = gain *
/// dy. Adds dy * n to dgain.
template <class T>
void normalise_backward(const T* dy, const T* n, const T* gain, T deviation, int64_t groups, int64_t H, T* dgain,
                        T* dv) {
  const int64_t Hp = padded(H);
  T mean = 0, mean_n = 0;
  for (int64_t k = 0; k < groups * H; ++k) {
    const int64_t at = k / H * Hp + k % H;
    dgain[k] += dy[at] * n[at];
    mean += gain[k] * dy[at];
    mean_n += gain[k] * dy[at] * n[at];
  }
  mean /= static_cast<T>(groups * H);
  mean_n /= static_cast<T>(groups * H);
  for (int64_t k = 0; k < groups * H; ++k) {
    const int64_t at = k / H * Hp + k % H;
    dv[at] = (gain[k] * dy[at] - mean - n[at] * mean_n) * deviation;
  }
}

/// y [groups, Hp] = W x for W [groups * H, n].
template <class Round, class T>
void multiply(const T* w, const T* x, int64_t groups, int64_t H, int64_t n, T* y) {
  for (int64_t k = 0; k < groups * H; ++k) {
    T sum = 0;
    for (int64_t j = 0; j < n; ++j) sum += Round::of(w[k * n + j]) * Round::of(x[j]);
    y[k / H * padded(H) + k % H] = sum;
  }
}

/// dW += dy x' and, where dx is not null, dx += W' dy.
template <class Round, class T>
void multiply_backward(const T* w, const T* x, const T* dy, int64_t groups, int64_t H, int64_t n, T* dw, T* dx) {
  for (int64_t k = 0; k < groups * H; ++k) {
    const T d = Round::of(dy[k / H * padded(H) + k % H]);
    for (int64_t j = 0; j < n; ++j) {
      dw[k * n + j] += d * Round::of(x[j]);
      if (dx != nullptr) dx[j] += Round::of(w[k * n + j]) * d;
    }
  }
}

/// Unit k of a row of sums [4, Hp].
template <class T>
CellUnit<T> unit_of(const T* a, int64_t k, int64_t Hp, T c_prev) {
  return {.a = {a[k], a[Hp + k], a[2 * Hp + k], a[3 * Hp + k]}, .gate = {}, .c_prev = c_prev, .c = T(0)};
}
/// Unit k of a row of gates [4, Hp], with what the cache has of its sums, a row that begins at `row`.
template <class T>
CellUnit<T> gates_of_unit(const T* gates, const T* sums, int64_t row, int64_t k, int64_t Hp) {
  CellUnit<T> unit{};
  for (int64_t gate = 0; gate < 4; ++gate) {
    unit.gate[gate] = gates[gate * Hp + k];
    if (sums != nullptr) unit.a[gate] = sums[row + gate * Hp + k];
  }
  return unit;
}
template <class T>
CellPeepholes<T> peepholes_of(const T* p, int64_t k, int64_t H) {
  if (p == nullptr) return {};
  return {p[k], p[H + k], p[2 * H + k]};
}

template <class Round = NotRounded, class T>
void lstm_forward(const LstmForward<T>& args) {
  const auto& [shape, cell, weights, input, masks, h, c, cache, h_last, c_last] = args;
  const int64_t B = shape.batch, I = shape.inputs, H = shape.hidden, R = shape.outputs();
  const int64_t Hp = padded(H), Rp = padded(R);
  const bool keep = args.keeps(), normalised = weights.gain_ih != nullptr, projected = shape.projection > 0;
  const auto gates_size = static_cast<size_t>(4 * Hp);
  std::vector<T> u(gates_size), v(gates_size), a(gates_size), r(static_cast<size_t>(Rp));
  std::vector<T> c_now(static_cast<size_t>(Hp)), s(c_now), m(c_now), h_now(r);
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t step = 0; step < shape.steps; ++step) {
      const int64_t t = shape.time(step), row = t * B + b;
      const int64_t prev = shape.prev_slot(t, b) * B + b, next = shape.next_slot(t) * B + b;
      T* c_next = c + (keep ? next : b) * Hp;
      if (t >= shape.length(b)) {
        std::fill_n(h + next * Rp, Rp, T(0));
        if (keep) std::fill_n(c_next, Hp, T(0));
        continue;
      }
      const T* h_prev = h + prev * Rp;
      const T* c_prev = c + (keep ? prev : b) * Hp;
      for (int64_t j = 0; j < R; ++j) {  // (34)
        r[j] = masks.recurrent != nullptr ? masks.recurrent[b * Rp + j] * h_prev[j] : h_prev[j];
      }
      if (input.x != nullptr) {
        multiply<Round>(weights.w_ih, input.x + row * input.x_stride, 4, H, I, u.data());
      } else {
        for (int64_t k = 0; k < 4 * H; ++k) u[k / H * Hp + k % H] = weights.w_ih[k * I + input.symbols[row]];
      }
      multiply<Round>(weights.w_hh, r.data(), 4, H, R, v.data());
      if (normalised) {  // (40)
        const T rstd_ih = normalise(u.data(), 4, H, u.data());
        const T rstd_hh = normalise(v.data(), 4, H, v.data());
        if (keep && cache.norm_ih != nullptr) std::copy_n(u.data(), 4 * Hp, cache.norm_ih + row * 4 * Hp);
        if (keep) {
          std::copy_n(v.data(), 4 * Hp, cache.norm_hh + row * 4 * Hp);
          cache.rstd[row * 3] = rstd_ih;
          cache.rstd[row * 3 + 1] = rstd_hh;
        }
      }
      for (int64_t k = 0; k < 4 * H; ++k) {
        const int64_t at = k / H * Hp + k % H;
        const T gain_ih = normalised ? weights.gain_ih[k] : T(1), gain_hh = normalised ? weights.gain_hh[k] : T(1);
        a[at] = gain_ih * u[at] + gain_hh * v[at] + weights.bias[k];  // (1)
      }
      for (int64_t k = 0; k < H; ++k) {  // (2) (3)
        CellUnit<T> unit = unit_of(a.data(), k, Hp, c_prev[k]);
        cell_forward(cell, peepholes_of(weights.peepholes, k, H), unit);
        for (int64_t gate = 0; gate < 4; ++gate) {
          if (keep && cache.sums != nullptr) cache.sums[(row * 4 + gate) * Hp + k] = unit.a[gate];
          a[gate * Hp + k] = unit.gate[gate];
        }
        c_now[k] = unit.c;
      }
      std::copy_n(c_now.data(), H, s.data());
      if (normalised) {  // (41)
        const T rstd_c = normalise(c_now.data(), 1, H, s.data());
        if (keep) std::copy_n(s.data(), H, cache.norm_c + row * Hp);
        if (keep) cache.rstd[row * 3 + 2] = rstd_c;
        for (int64_t k = 0; k < H; ++k) s[k] = weights.gain_c[k] * s[k] + weights.bias_c[k];
      }
      for (int64_t k = 0; k < H; ++k) m[k] = cell_output(cell, a[3 * Hp + k], s[k]);  // (4)
      if (projected) {                                                                // (33)
        multiply<Round>(weights.w_hr, m.data(), 1, R, H, h_now.data());
      } else {
        std::copy_n(m.data(), H, h_now.data());
      }
      const T* zone_h = masks.zone_h_row(row);
      const T* zone_c = masks.zone_c_row(row);
      T* h_next = h + next * Rp;
      for (int64_t j = 0; j < R; ++j) {  // (36)
        h_next[j] = zone_h != nullptr ? zone_h[j] * h_prev[j] + (T(1) - zone_h[j]) * h_now[j] : h_now[j];
      }
      for (int64_t k = 0; k < H; ++k) {  // (37)
        c_next[k] = zone_c != nullptr ? zone_c[k] * c_prev[k] + (T(1) - zone_c[k]) * c_now[k] : c_now[k];
      }
      if (!keep) continue;
      std::copy_n(a.data(), 4 * Hp, cache.gates + row * 4 * Hp);
      if (masks.recurrent != nullptr) std::copy_n(r.data(), R, cache.masked_h + row * Rp);
      if (projected) std::copy_n(m.data(), H, cache.m + row * Hp);
    }
    const int64_t last = shape.last_slot(b) * B + b;
    if (h_last != nullptr) std::copy_n(h + last * Rp, Rp, h_last + b * Rp);
    if (c_last != nullptr && keep) std::copy_n(c + last * Hp, Hp, c_last + b * Hp);
  }
}

/// Back-propagation through time.
template <class Round = NotRounded, class T>
void lstm_backward(const LstmBackward<T>& args) {
  const auto& [shape, cell, weights, input, masks, h, c, cache, dh, dh_last, dc_last, dx, dx_stride, add_to_dx,
               gradients, dh_first, dc_first] = args;
  const int64_t B = shape.batch, I = shape.inputs, H = shape.hidden, R = shape.outputs();
  const int64_t Hp = padded(H), Rp = padded(R);
  const bool normalised = weights.gain_ih != nullptr, projected = shape.projection > 0;
  const auto h_size = static_cast<size_t>(Rp), c_size = static_cast<size_t>(Hp);
  std::vector<T> dh_carry(h_size), dh_now(h_size), dr(h_size), dc_carry(c_size), dm(c_size), ds(c_size);
  std::vector<T> du(4 * c_size), dv(4 * c_size);
  for (int64_t row = 0; dx != nullptr && !add_to_dx && row < shape.steps * B; ++row) {
    std::fill_n(dx + row * dx_stride, I, T(0));
  }
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t j = 0; j < R; ++j) dh_carry[j] = dh_last != nullptr ? dh_last[b * Rp + j] : T(0);
    for (int64_t k = 0; k < H; ++k) dc_carry[k] = dc_last != nullptr ? dc_last[b * Hp + k] : T(0);
    for (int64_t step = shape.steps - 1; step >= 0; --step) {
      const int64_t t = shape.time(step), row = t * B + b, prev = shape.prev_slot(t, b) * B + b;
      if (t >= shape.length(b)) continue;
      T* gates = cache.gates + row * 4 * Hp;
      const T* c_prev = c + prev * Hp;
      const T* zone_h = masks.zone_h_row(row);
      const T* zone_c = masks.zone_c_row(row);
      for (int64_t j = 0; j < R; ++j) {
        const T z = zone_h != nullptr ? zone_h[j] : T(0);
        const T arriving = dh[row * Rp + j] + dh_carry[j];  // (20)
        dh_now[j] = (T(1) - z) * arriving;                  // (36)
        dh_carry[j] = z * arriving;                         // (36)
      }
      std::fill(dm.begin(), dm.end(), T(0));
      if (projected) {  // (33)
        multiply_backward<Round>(weights.w_hr, cache.m + row * Hp, dh_now.data(), 1, R, H, gradients.w_hr, dm.data());
      } else {
        std::copy_n(dh_now.data(), H, dm.data());
      }
      T* da = gates;
      std::vector<CellUnit<T>> units;
      for (int64_t k = 0; k < H; ++k) {
        CellUnit<T>& unit = units.emplace_back(gates_of_unit(gates, cache.sums, row * 4 * Hp, k, Hp));
        unit.c_prev = c_prev[k];
        unit.c = clip(cell.cell_clip, unit.gate[1] * c_prev[k] + unit.gate[0] * unit.gate[2]);
        const T s = normalised ? weights.gain_c[k] * cache.norm_c[row * Hp + k] + weights.bias_c[k] : unit.c;
        cell_output_backward(cell, unit, s, dm[k], da[3 * Hp + k], ds[k]);
        if (normalised) gradients.bias_c[k] += ds[k];  // (41)
      }
      if (normalised) {  // (41)
        normalise_backward(ds.data(), cache.norm_c + row * Hp, weights.gain_c, cache.rstd[row * 3 + 2], 1, H,
                           gradients.gain_c, ds.data());
      }
      for (int64_t k = 0; k < H; ++k) {
        const CellPeepholes<T> p = peepholes_of(weights.peepholes, k, H);
        const T z = zone_c != nullptr ? zone_c[k] : T(0);
        const T dc = ds[k] + (T(1) - z) * dc_carry[k];  // (21) (37)
        const CellGradient<T> d = cell_backward(cell, p, units[static_cast<size_t>(k)], da[3 * Hp + k], dc);
        da[k] = d.da_i;
        da[Hp + k] = d.da_f;
        da[2 * Hp + k] = d.da_g;
        dc_carry[k] = d.dc_prev + z * dc_carry[k];  // (21) (37)
        if (weights.peepholes == nullptr) continue;
        gradients.peepholes[k] += d.dp.i;
        gradients.peepholes[H + k] += d.dp.f;
        gradients.peepholes[2 * H + k] += d.dp.o;
      }
      for (int64_t k = 0; k < 4 * H; ++k) gradients.bias[k] += da[k / H * Hp + k % H];  // (29)
      std::copy_n(da, 4 * Hp, du.data());
      std::copy_n(da, 4 * Hp, dv.data());
      if (normalised) {  // (40)
        std::vector<T> norm_ih(du.size());
        T rstd_ih = cache.rstd[row * 3];
        if (cache.norm_ih != nullptr) {
          std::copy_n(cache.norm_ih + row * 4 * Hp, 4 * Hp, norm_ih.data());
        } else {
          for (int64_t k = 0; k < 4 * H; ++k) norm_ih[k / H * Hp + k % H] = weights.w_ih[k * I + input.symbols[row]];
          rstd_ih = normalise(norm_ih.data(), 4, H, norm_ih.data());
        }
        normalise_backward(da, norm_ih.data(), weights.gain_ih, rstd_ih, 4, H, gradients.gain_ih, du.data());
        normalise_backward(da, cache.norm_hh + row * 4 * Hp, weights.gain_hh, cache.rstd[row * 3 + 1], 4, H,
                           gradients.gain_hh, dv.data());
      }
      const T* r = masks.recurrent != nullptr ? cache.masked_h + row * Rp : h + prev * Rp;
      std::fill(dr.begin(), dr.end(), T(0));
      multiply_backward<Round>(weights.w_hh, r, dv.data(), 4, H, R, gradients.w_hh, dr.data());  // (20) (28)
      for (int64_t j = 0; j < R; ++j) {                                                          // (34)
        dh_carry[j] += masks.recurrent != nullptr ? masks.recurrent[b * Rp + j] * dr[j] : dr[j];
      }
      if (input.x != nullptr) {  // (26) (27)
        multiply_backward<Round>(weights.w_ih, input.x + row * input.x_stride, du.data(), 4, H, I, gradients.w_ih,
                                 dx != nullptr ? dx + row * dx_stride : nullptr);
      } else {
        for (int64_t k = 0; k < 4 * H; ++k) gradients.w_ih[k * I + input.symbols[row]] += du[k / H * Hp + k % H];
      }
    }
    if (dh_first != nullptr) std::copy_n(dh_carry.data(), Rp, dh_first + b * Rp);  // (30)
    if (dc_first != nullptr) std::copy_n(dc_carry.data(), Hp, dc_first + b * Hp);
  }
}

}  // namespace longhand::kernels::reference
