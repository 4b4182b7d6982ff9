#include "longhand/lab/recurrence.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/kernels/reference_lstm.h"

namespace longhand::lab {
namespace {

double logistic(double a) { return kernels::reference::sigmoid(a); }

// y = W x (+ y) for W [rows, n].
void multiply_add(const double* w, const double* x, int64_t rows, int64_t n, double* y) {
  for (int64_t k = 0; k < rows; ++k) {
    double sum = 0.0;
    for (int64_t j = 0; j < n; ++j) sum += w[k * n + j] * x[j];
    y[k] += sum;
  }
}

// x += W' y
void multiply_add_transposed(const double* w, const double* y, int64_t rows, int64_t n, double* x) {
  for (int64_t k = 0; k < rows; ++k) {
    if (y[k] == 0.0) continue;
    for (int64_t j = 0; j < n; ++j) x[j] += w[k * n + j] * y[k];
  }
}

// (38)
double normalise_all(Vector& v) {
  double mean = 0.0, variance = 0.0;
  const auto n = static_cast<double>(v.size());
  for (const double e : v) mean += e / n;
  for (const double e : v) variance += (e - mean) * (e - mean) / n;
  const double rstd = 1.0 / std::sqrt(variance + kernels::kNormEpsilon);
  for (double& e : v) e = (e - mean) * rstd;
  return rstd;
}

// (39), of dq = gain * dy.
Vector normalise_back(const Vector& dy, const Vector& q, const Vector& gain, double rstd) {
  const size_t n = q.size();
  double mean = 0.0, mean_q = 0.0;
  for (size_t k = 0; k < n; ++k) {
    mean += gain[k] * dy[k] / static_cast<double>(n);
    mean_q += gain[k] * dy[k] * q[k] / static_cast<double>(n);
  }
  Vector dv(n);
  for (size_t k = 0; k < n; ++k) dv[k] = rstd * (gain[k] * dy[k] - mean - q[k] * mean_q);
  return dv;
}

void keep_gates(Vector& da, int64_t H, unsigned gates) {
  for (size_t k = 0; k < da.size(); ++k) {
    if ((gates >> (k / static_cast<size_t>(H)) & 1U) == 0) da[k] = 0.0;
  }
}

}  // namespace

LayerWeights first_layer(const nn::LstmOptions& options, int64_t inputs, const ParameterArena& arena) {
  LayerWeights out{.cell = options.kind(), .inputs = inputs, .hidden = options.hidden};
  const auto read = [&arena](const std::string& name) {
    for (const Parameter& p : arena.parameters()) {
      if (!p.name.ends_with("." + name + "_l0")) continue;
      const auto values = arena.values().subspan(static_cast<size_t>(p.offset), static_cast<size_t>(p.size));
      return Vector(values.begin(), values.end());
    }
    return Vector();
  };
  out.w_ih = read("weight_ih");
  out.w_hh = read("weight_hh");
  out.bias = read("bias_ih");
  out.bias_hh = read("bias_hh");
  out.gain_ih = read("gain_ih");
  out.gain_hh = read("gain_hh");
  out.gain_c = read("gain_c");
  out.bias_c = read("bias_c");
  LONGHAND_CHECK(out.w_hh.size() == static_cast<size_t>(options.gates() * options.hidden * options.hidden));
  return out;
}

std::vector<std::string> gate_names(nn::Cell cell) {
  switch (cell) {
    case nn::Cell::kLstm: return {"input gate", "forget gate", "candidate", "output gate"};
    case nn::Cell::kGru: return {"reset gate", "update gate", "candidate"};
    default: return {"recurrent weights"};
  }
}

LayerState Recurrence::zero_state() const {
  const auto H = static_cast<size_t>(w_.hidden);
  return {Vector(H), Vector(w_.has_cell() ? H : 0)};
}

Vector Recurrence::input_part(const Vector& x) const {
  Vector u(w_.bias.size());
  multiply_add(w_.w_ih.data(), x.data(), static_cast<int64_t>(u.size()), w_.inputs, u.data());
  return u;
}

Vector Recurrence::input_part(int32_t symbol) const {
  Vector u(w_.bias.size());
  for (size_t k = 0; k < u.size(); ++k)
    u[k] = w_.w_ih[k * static_cast<size_t>(w_.inputs) + static_cast<size_t>(symbol)];
  return u;
}

LayerStep Recurrence::forward(const LayerState& before, const Vector& u) const {
  if (w_.cell == nn::Cell::kLstm) return forward_lstm(before, u);
  if (w_.cell == nn::Cell::kGru) return forward_gru(before, u);
  LayerStep step{.before = before, .after = zero_state(), .gates = u};
  multiply_add(w_.w_hh.data(), before.h.data(), w_.hidden, w_.hidden, step.gates.data());
  for (size_t k = 0; k < step.gates.size(); ++k) {
    const double a = step.gates[k] + w_.bias[k];
    step.gates[k] = w_.cell == nn::Cell::kRnn ? std::tanh(a) : std::max(a, 0.0);
  }
  step.after.h = step.gates;
  return step;
}

LayerStep Recurrence::forward_lstm(const LayerState& before, const Vector& u) const {
  const auto H = static_cast<size_t>(w_.hidden);
  LayerStep step{.before = before, .after = zero_state()};
  Vector v(4 * H);
  multiply_add(w_.w_hh.data(), before.h.data(), static_cast<int64_t>(4 * H), w_.hidden, v.data());
  Vector from_below = u;
  if (w_.normalised()) {  // (40)
    normalise_all(from_below);
    step.rstd_hh = normalise_all(v);
    step.norm_hh = v;
    for (size_t k = 0; k < 4 * H; ++k) {
      from_below[k] *= w_.gain_ih[k];
      v[k] *= w_.gain_hh[k];
    }
  }
  step.gates.resize(4 * H);
  for (size_t k = 0; k < 4 * H; ++k) {
    const double a = from_below[k] + v[k] + w_.bias[k];       // (1)
    step.gates[k] = k / H == 2 ? std::tanh(a) : logistic(a);  // (2)
  }
  for (size_t k = 0; k < H; ++k) {
    step.after.c[k] = step.gates[H + k] * before.c[k] + step.gates[k] * step.gates[2 * H + k];  // (3)
  }
  step.seen = step.after.c;
  if (w_.normalised()) {  // (41)
    step.rstd_c = normalise_all(step.seen);
    step.norm_c = step.seen;
    for (size_t k = 0; k < H; ++k) step.seen[k] = w_.gain_c[k] * step.seen[k] + w_.bias_c[k];
  }
  for (size_t k = 0; k < H; ++k) {
    step.seen[k] = std::tanh(step.seen[k]);
    step.after.h[k] = step.gates[3 * H + k] * step.seen[k];  // (4)
  }
  return step;
}

LayerStep Recurrence::forward_gru(const LayerState& before, const Vector& u) const {
  const auto H = static_cast<size_t>(w_.hidden);
  LayerStep step{.before = before, .after = zero_state()};
  Vector v = w_.bias_hh;
  multiply_add(w_.w_hh.data(), before.h.data(), static_cast<int64_t>(3 * H), w_.hidden, v.data());
  step.gates.resize(3 * H);
  for (size_t k = 0; k < 2 * H; ++k) step.gates[k] = logistic(u[k] + w_.bias[k] + v[k]);
  step.reset.assign(v.begin() + static_cast<std::ptrdiff_t>(2 * H), v.end());
  for (size_t k = 0; k < H; ++k) {
    const double r = step.gates[k], z = step.gates[H + k];
    const double n = std::tanh(u[2 * H + k] + w_.bias[2 * H + k] + r * step.reset[k]);
    step.gates[2 * H + k] = n;
    step.after.h[k] = (1.0 - z) * n + z * before.h[k];
  }
  return step;
}

LayerState Recurrence::back(const LayerStep& step, const LayerState& after, Roads roads) const {
  if (w_.cell == nn::Cell::kLstm) return back_lstm(step, after, roads);
  return w_.cell == nn::Cell::kGru ? back_gru(step, after, roads) : back_plain(step, after, roads);
}

LayerState Recurrence::back_lstm(const LayerStep& step, const LayerState& after, Roads roads) const {
  const auto H = static_cast<size_t>(w_.hidden);
  const double* i = step.gates.data();
  const double *f = i + H, *g = f + H, *o = g + H;
  LayerState before = zero_state();
  Vector da(4 * H), ds(H);
  for (size_t k = 0; k < H; ++k) {
    da[3 * H + k] = after.h[k] * step.seen[k] * o[k] * (1.0 - o[k]);  // (25)
    ds[k] = after.h[k] * o[k] * (1.0 - step.seen[k] * step.seen[k]);  // (21), (41)
  }
  if (w_.normalised()) ds = normalise_back(ds, step.norm_c, w_.gain_c, step.rstd_c);
  for (size_t k = 0; k < H; ++k) {
    const double dc = ds[k] + after.c[k];                     // (21)
    da[k] = dc * g[k] * i[k] * (1.0 - i[k]);                  // (22)
    da[H + k] = dc * step.before.c[k] * f[k] * (1.0 - f[k]);  // (23)
    da[2 * H + k] = dc * i[k] * (1.0 - g[k] * g[k]);          // (24)
    if (roads.state) before.c[k] = f[k] * dc;                 // (30)
  }
  if (roads.gates == 0) return before;
  keep_gates(da, w_.hidden, roads.gates);
  if (w_.normalised()) da = normalise_back(da, step.norm_hh, w_.gain_hh, step.rstd_hh);                         // (40)
  multiply_add_transposed(w_.w_hh.data(), da.data(), static_cast<int64_t>(4 * H), w_.hidden, before.h.data());  // (20)
  return before;
}

LayerState Recurrence::back_gru(const LayerStep& step, const LayerState& after, Roads roads) const {
  const auto H = static_cast<size_t>(w_.hidden);
  const double* r = step.gates.data();
  const double *z = r + H, *n = z + H;
  LayerState before = zero_state();
  Vector da(3 * H);
  for (size_t k = 0; k < H; ++k) {
    const double dh = after.h[k], da_n = dh * (1.0 - z[k]) * (1.0 - n[k] * n[k]);  // (64)
    da[k] = da_n * step.reset[k] * r[k] * (1.0 - r[k]);                            // (66)
    da[H + k] = dh * (step.before.h[k] - n[k]) * z[k] * (1.0 - z[k]);              // (65)
    da[2 * H + k] = da_n * r[k];                                                   // (67)
    if (roads.state) before.h[k] = z[k] * dh;                                      // (63)
  }
  keep_gates(da, w_.hidden, roads.gates);
  multiply_add_transposed(w_.w_hh.data(), da.data(), static_cast<int64_t>(3 * H), w_.hidden, before.h.data());  // (63)
  return before;
}

LayerState Recurrence::back_plain(const LayerStep& step, const LayerState& after, Roads roads) const {
  LayerState before = zero_state();
  if ((roads.gates & 1U) == 0) return before;
  Vector da = after.h;  // (75)
  for (size_t k = 0; k < da.size(); ++k) {
    const double h = step.gates[k];
    da[k] *= w_.cell == nn::Cell::kRnn ? 1.0 - h * h : h > 0.0 ? 1.0 : 0.0;
  }
  multiply_add_transposed(w_.w_hh.data(), da.data(), w_.hidden, w_.hidden, before.h.data());  // (74)
  return before;
}

Vector Recurrence::jacobian(const LayerStep& step) const {
  const auto n = static_cast<size_t>(state_size()), H = static_cast<size_t>(w_.hidden);
  Vector out(n * n);
  LayerState unit = zero_state();
  for (size_t row = 0; row < n; ++row) {
    double& element = row < H ? unit.h[row] : unit.c[row - H];
    element = 1.0;
    const LayerState d = back(step, unit);
    element = 0.0;
    std::copy(d.h.begin(), d.h.end(), out.begin() + static_cast<std::ptrdiff_t>(row * n));
    std::copy(d.c.begin(), d.c.end(), out.begin() + static_cast<std::ptrdiff_t>(row * n + H));
  }
  return out;
}

double largest_singular_value(const Vector& matrix, int64_t n) {
  const auto size = static_cast<size_t>(n);
  // Not orthogonal to any direction that symmetry would suggest.
  Vector v(size);
  for (size_t k = 0; k < size; ++k) v[k] = 1.0 + 0.37 * std::sin(static_cast<double>(3 * k + 1));
  double value = 0.0;
  for (int round = 0; round < 300; ++round) {
    const double length = norm(v);
    if (length == 0.0) return 0.0;
    for (double& e : v) e /= length;
    Vector y(size), next(size);
    multiply_add(matrix.data(), v.data(), n, n, y.data());
    multiply_add_transposed(matrix.data(), y.data(), n, n, next.data());
    const double now = norm(y);
    v = std::move(next);
    const bool settled = std::abs(now - value) <= 1e-10 * now;
    value = now;
    if (settled) break;
  }
  return value;
}

double spectral_radius(Vector a, int64_t n) {
  constexpr int kSquarings = 12;
  const auto size = static_cast<size_t>(n);
  double log_norm = 0.0;  // of the power, whose elements are scaled to a norm of 1
  for (int squaring = 0;; ++squaring) {
    const double length = norm(a);
    if (length == 0.0) return 0.0;
    for (double& e : a) e /= length;
    log_norm += std::log(length);
    if (squaring == kSquarings) return std::exp(log_norm / (1 << kSquarings));
    Vector square(a.size());
    for (size_t i = 0; i < size; ++i) {
      for (size_t k = 0; k < size; ++k) {
        const double factor = a[i * size + k];
        for (size_t j = 0; j < size; ++j) square[i * size + j] += factor * a[k * size + j];
      }
    }
    a = std::move(square);
    log_norm *= 2.0;
  }
}

double norm(const Vector& v) {
  double sum = 0.0;
  for (const double e : v) sum += e * e;
  return std::sqrt(sum);
}

double norm(const LayerState& s) { return std::hypot(norm(s.h), norm(s.c)); }

double dot(const LayerState& a, const LayerState& b) {
  double sum = 0.0;
  for (size_t k = 0; k < a.h.size(); ++k) sum += a.h[k] * b.h[k];
  for (size_t k = 0; k < a.c.size(); ++k) sum += a.c[k] * b.c[k];
  return sum;
}

void add_to(LayerState& sum, const LayerState& more) {
  for (size_t k = 0; k < sum.h.size(); ++k) sum.h[k] += more.h[k];
  for (size_t k = 0; k < sum.c.size(); ++k) sum.c[k] += more.c[k];
}

}  // namespace longhand::lab
