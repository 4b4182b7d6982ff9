#include "longhand/lab/derivatives_check.h"

namespace longhand::lab {
namespace {

// One step with one of the options, L = v . h_t + w . c_t, and the equations (33) to (41).
struct OptionStep {
  bool projected = false, masked = false, weight_dropped = false, zoned_h = false, zoned_c = false, normalised = false;
  int64_t R = kH;
  Vector x, h_prev, c_prev, w_ih, w_hh, b, w_hr, mask, weight_mask, zone_h, zone_c, gain_ih, gain_hh, gain_c, bias_c, v,
      w;
  // Results.
  Vector r, dropped, n_ih, n_hh, i, f, g, o, c_now, n_c, s, m, h_now;
  double deviation_ih = 0.0, deviation_hh = 0.0, deviation_c = 0.0;
  // Gradients.
  Vector dm, d_ih, dw_hr, dh_prev, dc_prev, dw_hh, dw_ih, dgain_ih, dgain_hh, dgain_c, dbias_c;

  void draw() {
    R = projected ? kP : kH;
    x = random(kI, 70), h_prev = random(R, 71), c_prev = random(kH, 72);
    w_ih = random(4 * kH * kI, 73), w_hh = random(4 * kH * R, 74), b = random(4 * kH, 75), w_hr = random(R * kH, 76);
    mask = random(R, 77), weight_mask = random(4 * kH * R, 78), zone_h = random(R, 79), zone_c = random(kH, 80);
    gain_ih = random(4 * kH, 81), gain_hh = random(4 * kH, 82), gain_c = random(kH, 83), bias_c = random(kH, 84);
    v = random(R, 85), w = random(kH, 86);
  }

  // (38)
  static Vector normalise(const Vector& u, double& deviation) {
    const auto n = static_cast<double>(u.size());
    double mean = 0.0, variance = 0.0;
    for (const double e : u) mean += e / n;
    for (const double e : u) variance += (e - mean) * (e - mean) / n;
    deviation = 1.0 / std::sqrt(variance + 1e-5);
    Vector out;
    for (const double e : u) out.push_back((e - mean) * deviation);
    return out;
  }
  // (39)
  static Vector normalise_backward(const Vector& dn, const Vector& n, double deviation) {
    const auto size = static_cast<double>(n.size());
    double mean = 0.0, mean_n = 0.0;
    for (size_t k = 0; k < n.size(); ++k) mean += dn[k] / size, mean_n += dn[k] * n[k] / size;
    Vector out;
    for (size_t k = 0; k < n.size(); ++k) out.push_back(deviation * (dn[k] - mean - n[k] * mean_n));
    return out;
  }

  double loss() {
    r = masked ? times_each(mask, h_prev) : h_prev;                   // (34)
    dropped = weight_dropped ? times_each(weight_mask, w_hh) : w_hh;  // (35)
    Vector a;
    if (normalised) {  // (40)
      n_ih = normalise(times(w_ih, x), deviation_ih);
      n_hh = normalise(times(dropped, r), deviation_hh);
      a = plus(plus(times_each(gain_ih, n_ih), times_each(gain_hh, n_hh)), b);
    } else {
      a = plus(plus(times(w_ih, x), times(dropped, r)), b);
    }
    i = part(a, 0, kH), f = part(a, kH, kH), g = part(a, 2 * kH, kH), o = part(a, 3 * kH, kH);
    for (size_t u = 0; u < kH; ++u)
      i[u] = sigmoid(i[u]), f[u] = sigmoid(f[u]), g[u] = std::tanh(g[u]), o[u] = sigmoid(o[u]);
    c_now = plus(times_each(f, c_prev), times_each(i, g));
    s = c_now;
    if (normalised) {  // (41)
      n_c = normalise(c_now, deviation_c);
      s = plus(times_each(gain_c, n_c), bias_c);
    }
    m = o;
    for (size_t u = 0; u < kH; ++u) m[u] *= std::tanh(s[u]);
    h_now = projected ? times(w_hr, m) : m;                                                                     // (33)
    const Vector h = zoned_h ? plus(times_each(zone_h, h_prev), times_each(one_minus(zone_h), h_now)) : h_now;  // (36)
    const Vector c = zoned_c ? plus(times_each(zone_c, c_prev), times_each(one_minus(zone_c), c_now)) : c_now;  // (37)
    return dot(v, h) + dot(w, c);
  }

  void backward() {
    const Vector dh_now = zoned_h ? times_each(one_minus(zone_h), v) : v;  // (36)
    const Vector dh_kept = zoned_h ? times_each(zone_h, v) : Vector(v.size());
    dw_hr = outer(dh_now, m);  // (33)
    dm = projected ? transposed_times(w_hr, dh_now) : dh_now;
    Vector da(4 * kH), ds(kH), dc = zoned_c ? times_each(one_minus(zone_c), w) : w;                    // (37)
    for (size_t u = 0; u < kH; ++u) ds[u] = dm[u] * o[u] * (1.0 - std::tanh(s[u]) * std::tanh(s[u]));  // (21)
    dbias_c = ds;                                                                                      // (41)
    if (normalised) {
      dgain_c = times_each(ds, n_c);
      ds = normalise_backward(times_each(gain_c, ds), n_c, deviation_c);
    }
    dc = plus(dc, ds);
    for (size_t u = 0; u < kH; ++u) {
      da[u] = dc[u] * g[u] * i[u] * (1.0 - i[u]);                      // (22)
      da[kH + u] = dc[u] * c_prev[u] * f[u] * (1.0 - f[u]);            // (23)
      da[2 * kH + u] = dc[u] * i[u] * (1.0 - g[u] * g[u]);             // (24)
      da[3 * kH + u] = dm[u] * std::tanh(s[u]) * o[u] * (1.0 - o[u]);  // (25)
    }
    dc_prev = times_each(f, dc);
    if (zoned_c) dc_prev = plus(dc_prev, times_each(zone_c, w));  // (37)
    d_ih = da;
    Vector d_hh = da;
    if (normalised) {  // (40)
      dgain_ih = times_each(da, n_ih);
      dgain_hh = times_each(da, n_hh);
      d_ih = normalise_backward(times_each(gain_ih, da), n_ih, deviation_ih);
      d_hh = normalise_backward(times_each(gain_hh, da), n_hh, deviation_hh);
    }
    dw_ih = outer(d_ih, x);
    dw_hh = outer(d_hh, r);
    if (weight_dropped) dw_hh = times_each(weight_mask, dw_hh);  // (35)
    const Vector dr = transposed_times(dropped, d_hh);
    dh_prev = plus(masked ? times_each(mask, dr) : dr, dh_kept);  // (34) (36)
  }
};

// The same step on the tape.
struct OptionTape {
  Tape<double> tape;
  Var<double> h_prev, c_prev, w_hh;
  autograd::LstmVars<double> vars;

  explicit OptionTape(const OptionStep& s) {
    h_prev = leaf(tape, s.h_prev), c_prev = leaf(tape, s.c_prev), w_hh = leaf(tape, s.w_hh, 4 * kH);
    const auto constant = [this](const Vector& values, int64_t rows = 1) {
      return tape.constant(rows, static_cast<int64_t>(values.size()) / rows, values.data());
    };
    vars.w_ih = leaf(tape, s.w_ih, 4 * kH);
    vars.w_hh = s.weight_dropped ? multiply(w_hh, constant(s.weight_mask, 4 * kH)) : w_hh;
    vars.bias = leaf(tape, s.b);
    if (s.projected) vars.w_hr = leaf(tape, s.w_hr, s.R);
    if (s.normalised) {
      vars.gain_ih = leaf(tape, s.gain_ih);
      vars.gain_hh = leaf(tape, s.gain_hh);
      vars.gain_c = leaf(tape, s.gain_c);
      vars.bias_c = leaf(tape, s.bias_c);
    }
    autograd::LstmMasks<double> masks;
    if (s.masked) masks.recurrent = constant(s.mask);
    if (s.zoned_h) masks.zone_h = constant(s.zone_h);
    if (s.zoned_c) masks.zone_c = constant(s.zone_c);
    const Var<double> u = matmul_transposed(constant(s.x), vars.w_ih);
    const autograd::LstmState<double> next = autograd::lstm_step(vars, u, {h_prev, c_prev}, masks);
    tape.seed(next.h, s.v.data());
    tape.seed(next.c, s.w.data());
    tape.backward();
  }
};

// (42) to (44): what is around one layer.
void check_around(Checker& checker) {
  OptionStep s;
  s.draw();
  const Vector dy = random(kI, 90), r = random(kI, 91);
  const auto on_tape = [](const OptionStep& step, Tape<double>& tape, Var<double> x, Var<double> h_0, Var<double> c_0) {
    const autograd::LstmVars<double> vars{leaf(tape, step.w_ih, 4 * kH), leaf(tape, step.w_hh, 4 * kH),
                                          leaf(tape, step.b)};
    const auto next = autograd::lstm_step<double>(vars, matmul_transposed(x, vars.w_ih), {h_0, c_0});
    tape.seed(next.h, step.v.data());
    tape.seed(next.c, step.w.data());
  };
  Tape<double> tape;
  {  // y = h + x, in as many units as x has; the others do not count
    s.v = dy;
    s.v.resize(kH);
    const auto loss = [&] { return s.loss() + dot(dy, s.x); };
    loss();
    s.backward();
    const Var<double> x = leaf(tape, s.x);
    on_tape(s, tape, x, leaf(tape, s.h_prev), leaf(tape, s.c_prev));
    tape.seed(x, dy.data());
    tape.backward();
    checker.check(42, "L by x_t, residual", s.x, loss, plus(transposed_times(s.w_ih, s.d_ih), dy), gradient(x));
  }
  tape.clear();
  {  // two rows that begin alike
    OptionStep other = s;
    other.x = random(kI, 92);
    const auto loss = [&] {
      other.h_prev = s.h_prev;
      other.c_prev = s.c_prev;
      return s.loss() + other.loss();
    };
    loss();
    s.backward();
    other.backward();
    const Var<double> h_0 = leaf(tape, s.h_prev), c_0 = leaf(tape, s.c_prev);
    on_tape(s, tape, leaf(tape, s.x), h_0, c_0);
    on_tape(other, tape, leaf(tape, other.x), h_0, c_0);
    tape.backward();
    checker.check(43, "L by a trained h_0", s.h_prev, loss, plus(s.dh_prev, other.dh_prev), gradient(h_0));
    checker.check(43, "L by a trained c_0", s.c_prev, loss, plus(s.dc_prev, other.dc_prev), gradient(c_0));
  }
  tape.clear();
  const Var<double> x = leaf(tape, s.x);
  tape.seed(multiply(x, tape.constant(1, kI, r.data())), dy.data());
  tape.backward();
  checker.check(
      44, "L by x, dropped out", s.x, [&] { return dot(dy, times_each(r, s.x)); }, times_each(r, dy), gradient(x));
}

}  // namespace

void check_options(Checker& checker) {
  const auto with = [&checker](OptionStep s, const auto& body) {
    s.draw();
    s.loss();
    s.backward();
    const OptionTape tape(s);
    body(
        [&](int number, const char* what, Vector OptionStep::*variable, const Vector& formula,
            const Var<double>& node) {
          checker.check(
              number, what, s.*variable, [&s] { return s.loss(); }, formula, gradient(node));
        },
        s, tape);
  };
  using S = OptionStep;
  with({.projected = true}, [](const auto& check, S& s, const OptionTape& t) {
    check(33, "L by W_hr, projected", &S::w_hr, s.dw_hr, *t.vars.w_hr);
    check(33, "L by h_{t-1}, projected", &S::h_prev, s.dh_prev, t.h_prev);
  });
  with({.masked = true}, [](const auto& check, S& s, const OptionTape& t) {
    check(34, "L by h_{t-1}, recurrent mask", &S::h_prev, s.dh_prev, t.h_prev);
    check(34, "L by W_hh, recurrent mask", &S::w_hh, s.dw_hh, t.w_hh);
  });
  with({.weight_dropped = true}, [](const auto& check, S& s, const OptionTape& t) {
    check(35, "L by W_hh, weight drop", &S::w_hh, s.dw_hh, t.w_hh);
  });
  with({.zoned_h = true}, [](const auto& check, S& s, const OptionTape& t) {
    check(36, "L by h_{t-1}, zoneout", &S::h_prev, s.dh_prev, t.h_prev);
  });
  with({.zoned_c = true}, [](const auto& check, S& s, const OptionTape& t) {
    check(37, "L by c_{t-1}, zoneout", &S::c_prev, s.dc_prev, t.c_prev);
  });
  with({.normalised = true}, [](const auto& check, S& s, const OptionTape& t) {
    check(39, "L by W_ih, normalised", &S::w_ih, s.dw_ih, t.vars.w_ih);
    check(40, "L by gain_ih", &S::gain_ih, s.dgain_ih, *t.vars.gain_ih);
    check(40, "L by gain_hh", &S::gain_hh, s.dgain_hh, *t.vars.gain_hh);
    check(40, "L by h_{t-1}, normalised", &S::h_prev, s.dh_prev, t.h_prev);
    check(41, "L by gain_c", &S::gain_c, s.dgain_c, *t.vars.gain_c);
    check(41, "L by bias_c", &S::bias_c, s.dbias_c, *t.vars.bias_c);
    check(41, "L by c_{t-1}, normalised", &S::c_prev, s.dc_prev, t.c_prev);
  });
  check_around(checker);
}

}  // namespace longhand::lab
