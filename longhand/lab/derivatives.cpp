#include "longhand/lab/derivatives.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "longhand/autograd/cells.h"
#include "longhand/base/rng.h"

namespace longhand::lab {
namespace {

using Vector = std::vector<double>;
using autograd::Tape;
using autograd::Var;

constexpr int64_t kH = 5, kI = 3, kP = 4, kT = 4;  // sizes of the points at which the equations are checked

Vector random(int64_t n, uint32_t place) {
  const CounterRng rng(13, 0, RngPlace::kSample, place);
  Vector out;
  for (int64_t i = 0; i < n; ++i) out.push_back(2.0 * rng.uniform_double(static_cast<uint64_t>(i)) - 1.0);
  return out;
}

double sigmoid(double a) { return 1.0 / (1.0 + std::exp(-a)); }

double dot(const Vector& a, const Vector& b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// W x, and W' y, for W with as many columns as x has, or rows as y has.
Vector times(const Vector& w, const Vector& x) {
  Vector y(w.size() / x.size());
  for (size_t k = 0; k < w.size(); ++k) y[k / x.size()] += w[k] * x[k % x.size()];
  return y;
}
Vector transposed_times(const Vector& w, const Vector& y) {
  const size_t columns = w.size() / y.size();
  Vector x(columns);
  for (size_t k = 0; k < w.size(); ++k) x[k % columns] += w[k] * y[k / columns];
  return x;
}
Vector outer(const Vector& y, const Vector& x) {
  Vector w;
  for (const double row : y) {
    for (const double column : x) w.push_back(row * column);
  }
  return w;
}
Vector plus(Vector a, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}
Vector times_each(Vector a, const Vector& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] *= b[i];
  return a;
}
Vector part(const Vector& v, int64_t begin, int64_t count) { return {v.begin() + begin, v.begin() + begin + count}; }
Vector one_minus(Vector v) {
  for (double& e : v) e = 1.0 - e;
  return v;
}

class Checker {
 public:
  // Compares dL/d(variable) by the formula, by the tape and by differences of `loss`, elements begin .. of the
  // variable.
  void check(int number, const std::string& what, Vector& variable, const std::function<double()>& loss,
             const Vector& formula, const Vector& tape, int64_t begin = 0) {
    EquationResult result{.number = number, .what = what, .tolerance_tape = 1e-14, .tolerance_differences = 1e-10};
    for (size_t i = 0; i < formula.size(); ++i) {
      double& element = variable[static_cast<size_t>(begin) + i];
      const double saved = element;
      constexpr double kStep = 1e-4;
      const auto at = [&](double by) {
        element = saved + by;
        return loss();
      };
      const double numeric = (8.0 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12.0 * kStep);
      element = saved;
      result.tape = std::max(result.tape, std::abs(formula[i] - tape[i]));
      result.differences = std::max(result.differences, std::abs(formula[i] - numeric));
    }
    loss();
    results.push_back(result);
  }

  std::vector<EquationResult> results;
};

Vector gradient(const Var<double>& v) { return {v.gradient().begin(), v.gradient().end()}; }

Var<double> leaf(Tape<double>& tape, const Vector& values, int64_t rows = 1) {
  return tape.variable(rows, static_cast<int64_t>(values.size()) / rows, values.data());
}

// One step of one row, (1) to (4), which can begin at any of its intermediate results.
struct Step {
  Vector x = random(kI, 1), h_prev = random(kH, 2), c_prev = random(kH, 3);
  Vector w_ih = random(4 * kH * kI, 4), w_hh = random(4 * kH * kH, 5), b = random(4 * kH, 6);
  Vector a, i, f, g, o, c, h;
  Vector v = random(kH, 7);  // L = v . h_t

  double from_weights() {
    a = plus(plus(times(w_ih, x), times(w_hh, h_prev)), b);  // (1)
    return from_activations();
  }
  double from_activations() {  // (2)
    i = f = g = o = Vector(kH);
    for (size_t u = 0; u < kH; ++u) {
      i[u] = sigmoid(a[u]);
      f[u] = sigmoid(a[kH + u]);
      g[u] = std::tanh(a[2 * kH + u]);
      o[u] = sigmoid(a[3 * kH + u]);
    }
    return from_gates();
  }
  double from_gates() {
    c = plus(times_each(f, c_prev), times_each(i, g));  // (3)
    return from_cell();
  }
  double from_cell() {  // (4)
    h = o;
    for (size_t u = 0; u < kH; ++u) h[u] *= std::tanh(c[u]);
    return dot(v, h);
  }
};

void check_one_step(Checker& checker) {
  Step s;
  s.from_weights();
  const auto pointwise = [&s](const auto& element) {
    Vector out(kH);
    for (size_t u = 0; u < kH; ++u) out[u] = s.v[u] * element(u);
    return out;
  };
  const auto by_c = [&s](size_t u) { return s.o[u] * (1.0 - std::tanh(s.c[u]) * std::tanh(s.c[u])); };

  Tape<double> tape;
  {  // from the cell on
    const Var<double> o = leaf(tape, s.o), c = leaf(tape, s.c);
    tape.seed(multiply(o, autograd::tanh(c)), s.v.data());
    tape.backward();
    const auto loss = [&s] { return s.from_cell(); };
    checker.check(5, "h_t by o_t", s.o, loss, pointwise([&](size_t u) { return std::tanh(s.c[u]); }), gradient(o));
    checker.check(6, "h_t by c_t", s.c, loss, pointwise(by_c), gradient(c));
  }
  tape.clear();
  {  // from the gates on
    const Var<double> i = leaf(tape, s.i), f = leaf(tape, s.f), g = leaf(tape, s.g), o = leaf(tape, s.o),
                      c_prev = leaf(tape, s.c_prev);
    tape.seed(multiply(o, autograd::tanh(add(multiply(f, c_prev), multiply(i, g)))), s.v.data());
    tape.backward();
    const auto loss = [&s] { return s.from_gates(); };
    checker.check(7, "h_t by f_t", s.f, loss, pointwise([&](size_t u) { return by_c(u) * s.c_prev[u]; }), gradient(f));
    checker.check(8, "h_t by i_t", s.i, loss, pointwise([&](size_t u) { return by_c(u) * s.g[u]; }), gradient(i));
    checker.check(9, "h_t by g_t", s.g, loss, pointwise([&](size_t u) { return by_c(u) * s.i[u]; }), gradient(g));
    checker.check(10, "h_t by c_{t-1}", s.c_prev, loss, pointwise([&](size_t u) { return by_c(u) * s.f[u]; }),
                  gradient(c_prev));
  }
  tape.clear();
  // From the weights on. (11) (12) (13) (14): v' dh/da for the four gates.
  Vector by_a;
  for (size_t k = 0; k < 4 * kH; ++k) {
    const size_t u = k % kH;
    const double i = s.i[u], f = s.f[u], g = s.g[u], o = s.o[u];
    const double element[] = {by_c(u) * g * i * (1.0 - i), by_c(u) * s.c_prev[u] * f * (1.0 - f),
                              by_c(u) * i * (1.0 - g * g), std::tanh(s.c[u]) * o * (1.0 - o)};
    by_a.push_back(s.v[u] * element[k / kH]);
  }
  const Var<double> x = leaf(tape, s.x), h_prev = leaf(tape, s.h_prev), w_ih = leaf(tape, s.w_ih, 4 * kH),
                    w_hh = leaf(tape, s.w_hh, 4 * kH), b = leaf(tape, s.b),
                    c_prev = tape.constant(1, kH, s.c_prev.data());
  const Var<double> a = add(add(matmul_transposed(x, w_ih), matmul_transposed(h_prev, w_hh)), b);
  const Var<double> c = add(multiply(autograd::sigmoid(columns(a, kH, kH)), c_prev),
                            multiply(autograd::sigmoid(columns(a, 0, kH)), autograd::tanh(columns(a, 2 * kH, kH))));
  tape.seed(multiply(autograd::sigmoid(columns(a, 3 * kH, kH)), autograd::tanh(c)), s.v.data());
  tape.backward();
  const char* gates[] = {"i", "f", "g", "o"};
  for (int gate = 0; gate < 4; ++gate) {
    checker.check(
        11 + gate, std::string("h_t by a_") + gates[gate], s.a, [&s] { return s.from_activations(); },
        part(by_a, gate * kH, kH), part(gradient(a), gate * kH, kH), gate * kH);
  }
  const auto loss = [&s] { return s.from_weights(); };
  checker.check(15, "h_t by h_{t-1}", s.h_prev, loss, transposed_times(s.w_hh, by_a), gradient(h_prev));
  checker.check(16, "h_t by x_t", s.x, loss, transposed_times(s.w_ih, by_a), gradient(x));
  const struct {
    int number;
    const char* name;
    Vector* values;
    const Var<double>& node;
    Vector formula;
  } weights[] = {{17, "W_i", &s.w_ih, w_ih, outer(by_a, s.x)},
                 {18, "W_h", &s.w_hh, w_hh, outer(by_a, s.h_prev)},
                 {19, "b_", &s.b, b, by_a}};
  for (const auto& weight : weights) {
    const auto size = static_cast<int64_t>(weight.formula.size()) / 4;
    for (int gate = 0; gate < 4; ++gate) {
      checker.check(weight.number, std::string("h_t by ") + weight.name + gates[gate], *weight.values, loss,
                    part(weight.formula, gate * size, size), part(gradient(weight.node), gate * size, size),
                    gate * size);
    }
  }
}

// T steps of one row; L = sum over t of dy_t . h_t. Disturbances added to h_t, c_t and a_t make these variables.
struct Sequence {
  Vector w_ih = random(4 * kH * kI, 14), w_hh = random(4 * kH * kH, 15), b = random(4 * kH, 16);
  Vector h_0 = random(kH, 12), c_0 = random(kH, 13);
  std::vector<Vector> x, dy, a, h, c;  // h, c: T+1, from slot 0
  std::vector<Vector> add_h, add_c, add_a;

  Sequence() {
    for (uint32_t t = 0; t < kT; ++t) {
      x.push_back(random(kI, 20 + t));
      dy.push_back(random(kH, 30 + t));
      add_h.emplace_back(kH);
      add_c.emplace_back(kH);
      add_a.emplace_back(4 * kH);
    }
  }
  double loss() {
    h = {h_0};
    c = {c_0};
    a.clear();
    double sum = 0.0;
    for (size_t t = 0; t < kT; ++t) {
      a.push_back(plus(plus(plus(times(w_ih, x[t]), times(w_hh, h[t])), b), add_a[t]));
      Vector c_now(kH), h_now(kH);
      for (size_t u = 0; u < kH; ++u) {
        c_now[u] = sigmoid(a[t][kH + u]) * c[t][u] + sigmoid(a[t][u]) * std::tanh(a[t][2 * kH + u]) + add_c[t][u];
        h_now[u] = sigmoid(a[t][3 * kH + u]) * std::tanh(c_now[u]) + add_h[t][u];
      }
      c.push_back(c_now);
      h.push_back(h_now);
      sum += dot(dy[t], h_now);
    }
    return sum;
  }
};

void check_through_time(Checker& checker) {
  Sequence s;
  s.loss();
  // (20) to (30), from the last step to the first.
  std::vector<Vector> dh(kT), dc(kT), da(kT), dx(kT);
  Vector dw_ih(s.w_ih.size()), dw_hh(s.w_hh.size()), db(s.b.size()), dh_later(kH), dc_later(kH);
  for (size_t t = kT; t-- > 0;) {
    dh[t] = plus(s.dy[t], dh_later);  // (20)
    dc[t] = dc_later;
    da[t] = Vector(4 * kH);
    for (size_t u = 0; u < kH; ++u) {
      const double i = sigmoid(s.a[t][u]), f = sigmoid(s.a[t][kH + u]), g = std::tanh(s.a[t][2 * kH + u]),
                   o = sigmoid(s.a[t][3 * kH + u]), tanh_c = std::tanh(s.c[t + 1][u]);
      dc[t][u] += dh[t][u] * o * (1.0 - tanh_c * tanh_c);     // (21)
      da[t][u] = dc[t][u] * g * i * (1.0 - i);                // (22)
      da[t][kH + u] = dc[t][u] * s.c[t][u] * f * (1.0 - f);   // (23)
      da[t][2 * kH + u] = dc[t][u] * i * (1.0 - g * g);       // (24)
      da[t][3 * kH + u] = dh[t][u] * tanh_c * o * (1.0 - o);  // (25)
      dc_later[u] = f * dc[t][u];                             // (21), (30)
    }
    dx[t] = transposed_times(s.w_ih, da[t]);     // (26)
    dw_ih = plus(dw_ih, outer(da[t], s.x[t]));   // (27)
    dw_hh = plus(dw_hh, outer(da[t], s.h[t]));   // (28)
    db = plus(db, da[t]);                        // (29)
    dh_later = transposed_times(s.w_hh, da[t]);  // (20), (30)
  }

  Tape<double> tape;
  const Var<double> w_ih = leaf(tape, s.w_ih, 4 * kH), w_hh = leaf(tape, s.w_hh, 4 * kH), b = leaf(tape, s.b),
                    h_0 = leaf(tape, s.h_0), c_0 = leaf(tape, s.c_0);
  std::vector<Var<double>> x, a, h = {h_0}, c = {c_0};
  for (size_t t = 0; t < kT; ++t) {
    x.push_back(leaf(tape, s.x[t]));
    a.push_back(add(add(matmul_transposed(x[t], w_ih), matmul_transposed(h[t], w_hh)), b));
    c.push_back(add(multiply(autograd::sigmoid(columns(a[t], kH, kH)), c[t]),
                    multiply(autograd::sigmoid(columns(a[t], 0, kH)), autograd::tanh(columns(a[t], 2 * kH, kH)))));
    h.push_back(multiply(autograd::sigmoid(columns(a[t], 3 * kH, kH)), autograd::tanh(c.back())));
    tape.seed(h.back(), s.dy[t].data());
  }
  tape.backward();

  const auto loss = [&s] { return s.loss(); };
  // The worst of all steps stands for an equation.
  const auto all_steps = [&](int number, const char* what, std::vector<Vector>& variables,
                             const std::vector<Vector>& formula, const std::vector<Vector>& by_tape, int64_t begin) {
    EquationResult worst;
    for (size_t t = 0; t < kT; ++t) {
      checker.check(number, what, variables[t], loss, formula[t], by_tape[t], begin);
      EquationResult now = checker.results.back();
      checker.results.pop_back();
      now.tape = std::max(now.tape, worst.tape);
      now.differences = std::max(now.differences, worst.differences);
      worst = now;
    }
    checker.results.push_back(worst);
  };
  const auto gradients = [](const std::vector<Var<double>>& nodes, size_t skip) {
    std::vector<Vector> out;
    for (size_t t = skip; t < nodes.size(); ++t) out.push_back(gradient(nodes[t]));
    return out;
  };
  const auto parts = [](const std::vector<Vector>& all, int64_t begin) {
    std::vector<Vector> out;
    for (const Vector& v : all) out.push_back(part(v, begin, kH));
    return out;
  };
  all_steps(20, "L by h_t", s.add_h, dh, gradients(h, 1), 0);
  all_steps(21, "L by c_t", s.add_c, dc, gradients(c, 1), 0);
  const char* names[] = {"L by a_i", "L by a_f", "L by a_g", "L by a_o"};
  for (int gate = 0; gate < 4; ++gate) {
    all_steps(22 + gate, names[gate], s.add_a, parts(da, gate * kH), parts(gradients(a, 0), gate * kH), gate * kH);
  }
  all_steps(26, "L by x_t", s.x, dx, gradients(x, 0), 0);
  checker.check(27, "L by W_ih", s.w_ih, loss, dw_ih, gradient(w_ih));
  checker.check(28, "L by W_hh", s.w_hh, loss, dw_hh, gradient(w_hh));
  checker.check(29, "L by b", s.b, loss, db, gradient(b));
  checker.check(30, "L by h_0", s.h_0, loss, dh_later, gradient(h_0));
  checker.check(30, "L by c_0", s.c_0, loss, dc_later, gradient(c_0));
}

// (31) and (32): how a state depends on one T steps before, along the cell alone and in a plain network.
void check_reach(Checker& checker) {
  std::vector<Vector> f, ig;
  Vector c_0 = random(kH, 40), v = random(kH, 41);
  for (uint32_t t = 0; t < kT; ++t) {
    f.push_back(random(kH, 42 + t));
    ig.push_back(random(kH, 52 + t));
    for (double& gate : f.back()) gate = sigmoid(gate);
  }
  Tape<double> tape;
  const Var<double> cell = leaf(tape, c_0);
  Var<double> c = cell;
  Vector product = v;
  for (size_t t = 0; t < kT; ++t) {
    product = times_each(product, f[t]);  // (31)
    c = add(multiply(tape.constant(1, kH, f[t].data()), c), tape.constant(1, kH, ig[t].data()));
  }
  tape.seed(c, v.data());
  tape.backward();
  const auto loss = [&] {
    Vector now = c_0;
    for (size_t t = 0; t < kT; ++t) now = plus(times_each(now, f[t]), ig[t]);
    return dot(v, now);
  };
  checker.check(31, "c_T by c_0, gates held", c_0, loss, product, gradient(cell));

  Vector h_0 = random(kH, 60), w = random(kH * kH, 61);
  std::vector<Vector> u;
  for (uint32_t t = 0; t < kT; ++t) u.push_back(random(kH, 62 + t));
  std::vector<Vector> h;
  const auto rnn_loss = [&] {
    h = {h_0};
    for (size_t t = 0; t < kT; ++t) {
      h.push_back(plus(times(w, h[t]), u[t]));
      for (double& e : h.back()) e = std::tanh(e);
    }
    return dot(v, h.back());
  };
  rnn_loss();
  Vector row = v;  // v' times the Jacobians, from the last to the first
  for (size_t t = kT; t-- > 0;) row = transposed_times(w, times_each(row, one_minus(times_each(h[t + 1], h[t + 1]))));
  tape.clear();
  const Var<double> start = leaf(tape, h_0), weights = tape.constant(kH, kH, w.data());
  const Vector zeros(kH);
  Var<double> state = start;
  for (size_t t = 0; t < kT; ++t) {
    state = autograd::rnn_step(weights, tape.constant(1, kH, zeros.data()), tape.constant(1, kH, u[t].data()), state,
                               autograd::Activation::kTanh);
  }
  tape.seed(state, v.data());
  tape.backward();
  checker.check(32, "h_T by h_0, plain network", h_0, rnn_loss, row, gradient(start));
}

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
  Vector dm, dw_hr, dh_prev, dc_prev, dw_hh, dw_ih, dgain_ih, dgain_hh, dgain_c, dbias_c;

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
    Vector d_ih = da, d_hh = da;
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
}

}  // namespace

std::vector<EquationResult> check_derivatives() {
  Checker checker;
  check_one_step(checker);
  check_through_time(checker);
  check_reach(checker);
  check_options(checker);
  return checker.results;
}

}  // namespace longhand::lab
