#include "longhand/lab/derivatives.h"

#include "longhand/lab/derivatives_check.h"

namespace longhand::lab {
namespace {

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
  checker.check_steps(20, "L by h_t", s.add_h, loss, dh, gradients(h, 1));
  checker.check_steps(21, "L by c_t", s.add_c, loss, dc, gradients(c, 1));
  const char* names[] = {"L by a_i", "L by a_f", "L by a_g", "L by a_o"};
  for (int gate = 0; gate < 4; ++gate) {
    checker.check_steps(22 + gate, names[gate], s.add_a, loss, parts(da, gate * kH), parts(gradients(a), gate * kH),
                        gate * kH);
  }
  checker.check_steps(26, "L by x_t", s.x, loss, dx, gradients(x));
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

  Vector h_0 = random(kH, 60), U = random(kH * kH, 61);
  std::vector<Vector> from_input;  // W x_t + b
  for (uint32_t t = 0; t < kT; ++t) from_input.push_back(random(kH, 62 + t));
  std::vector<Vector> h;
  const auto rnn_loss = [&] {
    h = {h_0};
    for (size_t t = 0; t < kT; ++t) {
      h.push_back(plus(times(U, h[t]), from_input[t]));
      for (double& e : h.back()) e = std::tanh(e);
    }
    return dot(v, h.back());
  };
  rnn_loss();
  Vector row = v;  // v' times the Jacobians, from the last to the first
  for (size_t t = kT; t-- > 0;) row = transposed_times(U, times_each(row, one_minus(times_each(h[t + 1], h[t + 1]))));
  tape.clear();
  const Var<double> start = leaf(tape, h_0), weights = tape.constant(kH, kH, U.data());
  const Vector zeros(kH);
  Var<double> state = start;
  for (size_t t = 0; t < kT; ++t) {
    state = autograd::rnn_step(weights, tape.constant(1, kH, zeros.data()), tape.constant(1, kH, from_input[t].data()),
                               state, autograd::Activation::kTanh);
  }
  tape.seed(state, v.data());
  tape.backward();
  checker.check(32, "h_T by h_0, plain network", h_0, rnn_loss, row, gradient(start));
}

}  // namespace

std::vector<EquationResult> check_derivatives() {
  Checker checker;
  check_one_step(checker);
  check_through_time(checker);
  check_reach(checker);
  check_options(checker);
  check_around_layers(checker);
  check_other_cells(checker);
  check_cell_variants(checker);
  return checker.results;
}

}  // namespace longhand::lab
