#include "longhand/lab/derivatives_check.h"

namespace longhand::lab {
namespace {

// T steps of one row of a gated recurrent unit; L = sum over t of dy_t . h_t. Disturbances added to h_t, u_t and v_t
// make these variables.
struct GruSequence {
  Vector w_ih = random(3 * kH * kI, 114), w_hh = random(3 * kH * kH, 115), b_ih = random(3 * kH, 116),
         b_hh = random(3 * kH, 117), h_0 = random(kH, 118);
  std::vector<Vector> x, dy, add_h, add_u, add_v;
  std::vector<Vector> r, z, n, v, h;  // h: T+1, from slot 0

  GruSequence() {
    for (uint32_t t = 0; t < kT; ++t) {
      x.push_back(random(kI, 120 + t));
      dy.push_back(random(kH, 130 + t));
      add_h.emplace_back(kH);
      add_u.emplace_back(3 * kH);
      add_v.emplace_back(3 * kH);
    }
  }
  double loss() {
    h = {h_0};
    r.clear(), z.clear(), n.clear(), v.clear();
    double sum = 0.0;
    for (size_t t = 0; t < kT; ++t) {
      const Vector u = plus(plus(times(w_ih, x[t]), b_ih), add_u[t]);  // (60)
      v.push_back(plus(plus(times(w_hh, h[t]), b_hh), add_v[t]));      // (60)
      for (std::vector<Vector>* gate : {&r, &z, &n, &h}) gate->emplace_back(kH);
      for (size_t k = 0; k < kH; ++k) {
        r[t][k] = sigmoid(u[k] + v[t][k]);                                          // (61)
        z[t][k] = sigmoid(u[kH + k] + v[t][kH + k]);                                // (61)
        n[t][k] = std::tanh(u[2 * kH + k] + r[t][k] * v[t][2 * kH + k]);            // (61)
        h[t + 1][k] = (1.0 - z[t][k]) * n[t][k] + z[t][k] * h[t][k] + add_h[t][k];  // (62)
      }
      sum += dot(dy[t], h[t + 1]);
    }
    return sum;
  }
};

void check_gru(Checker& checker) {
  GruSequence s;
  s.loss();
  std::vector<Vector> dh(kT), du(kT), dv(kT), dx(kT);
  Vector dw_ih(s.w_ih.size()), dw_hh(s.w_hh.size()), db_ih(3 * kH), db_hh(3 * kH), dh_later(kH);
  for (size_t t = kT; t-- > 0;) {
    dh[t] = plus(s.dy[t], dh_later);  // (63)
    du[t] = dv[t] = Vector(3 * kH);
    for (size_t k = 0; k < kH; ++k) {
      const double r = s.r[t][k], z = s.z[t][k], n = s.n[t][k];
      const double du_n = dh[t][k] * (1.0 - z) * (1.0 - n * n);  // (64)
      du[t][2 * kH + k] = du_n;
      du[t][kH + k] = dh[t][k] * (s.h[t][k] - n) * z * (1.0 - z);  // (65)
      du[t][k] = du_n * s.v[t][2 * kH + k] * r * (1.0 - r);        // (66)
      dv[t][k] = du[t][k], dv[t][kH + k] = du[t][kH + k];          // (67)
      dv[t][2 * kH + k] = r * du_n;                                // (67)
    }
    dx[t] = transposed_times(s.w_ih, du[t]);                                      // (68)
    dw_ih = plus(dw_ih, outer(du[t], s.x[t]));                                    // (69)
    dw_hh = plus(dw_hh, outer(dv[t], s.h[t]));                                    // (69)
    db_ih = plus(db_ih, du[t]);                                                   // (70)
    db_hh = plus(db_hh, dv[t]);                                                   // (70)
    dh_later = plus(times_each(s.z[t], dh[t]), transposed_times(s.w_hh, dv[t]));  // (63), (71)
  }

  Tape<double> tape;
  const Var<double> w_ih = leaf(tape, s.w_ih, 3 * kH), w_hh = leaf(tape, s.w_hh, 3 * kH), b_ih = leaf(tape, s.b_ih),
                    b_hh = leaf(tape, s.b_hh), h_0 = leaf(tape, s.h_0);
  std::vector<Var<double>> x, u, v, h = {h_0};
  for (size_t t = 0; t < kT; ++t) {
    x.push_back(leaf(tape, s.x[t]));
    u.push_back(add(matmul_transposed(x[t], w_ih), b_ih));
    v.push_back(add(matmul_transposed(h[t], w_hh), b_hh));
    const Var<double> r = autograd::sigmoid(add(columns(u[t], 0, kH), columns(v[t], 0, kH)));
    const Var<double> z = autograd::sigmoid(add(columns(u[t], kH, kH), columns(v[t], kH, kH)));
    const Var<double> n = autograd::tanh(add(columns(u[t], 2 * kH, kH), multiply(r, columns(v[t], 2 * kH, kH))));
    h.push_back(add(n, multiply(z, subtract(h[t], n))));
    tape.seed(h.back(), s.dy[t].data());
  }
  tape.backward();

  const auto loss = [&s] { return s.loss(); };
  checker.check_steps(63, "L by h_t, GRU", s.add_h, loss, dh, gradients(h, 1));
  const struct {
    int number;
    const char* what;
    int64_t begin;
  } gates[] = {{64, "L by u_n", 2 * kH}, {65, "L by u_z", kH}, {66, "L by u_r", 0}};
  for (const auto& gate : gates) {
    checker.check_steps(gate.number, gate.what, s.add_u, loss, parts(du, gate.begin), parts(gradients(u), gate.begin),
                        gate.begin);
  }
  checker.check_steps(67, "L by v_t", s.add_v, loss, dv, gradients(v));
  checker.check_steps(68, "L by x_t, GRU", s.x, loss, dx, gradients(x));
  checker.check(69, "L by W_ih, GRU", s.w_ih, loss, dw_ih, gradient(w_ih));
  checker.check(69, "L by W_hh, GRU", s.w_hh, loss, dw_hh, gradient(w_hh));
  checker.check(70, "L by b_ih, GRU", s.b_ih, loss, db_ih, gradient(b_ih));
  checker.check(70, "L by b_hh, GRU", s.b_hh, loss, db_hh, gradient(b_hh));
  checker.check(71, "L by h_0, GRU", s.h_0, loss, dh_later, gradient(h_0));
}

// How h_T depends on h_0 by (62) alone.
void check_gru_reach(Checker& checker) {
  std::vector<Vector> z, n;
  Vector h_0 = random(kH, 140);
  const Vector v = random(kH, 141);
  for (uint32_t t = 0; t < kT; ++t) {
    z.push_back(random(kH, 142 + t));
    n.push_back(random(kH, 152 + t));
    for (double& gate : z.back()) gate = sigmoid(gate);
  }
  Tape<double> tape;
  const Var<double> start = leaf(tape, h_0);
  Var<double> h = start;
  Vector product = v;
  for (size_t t = 0; t < kT; ++t) {
    product = times_each(product, z[t]);  // (72)
    h = add(multiply(tape.constant(1, kH, z[t].data()), h),
            tape.constant(1, kH, times_each(one_minus(z[t]), n[t]).data()));
  }
  tape.seed(h, v.data());
  tape.backward();
  const auto loss = [&] {
    Vector now = h_0;
    for (size_t t = 0; t < kT; ++t) now = plus(times_each(z[t], now), times_each(one_minus(z[t]), n[t]));
    return dot(v, now);
  };
  checker.check(72, "h_T by h_0, GRU, gates held", h_0, loss, product, gradient(start));
}

// A plain layer: tanh, or ReLU, whose random numbers keep every a_t further from zero than a step.
void check_plain(Checker& checker, bool relu) {
  const std::string suffix = relu ? ", ReLU" : ", plain";
  const Vector w_hh = random(kH * kH, 161);
  std::vector<Vector> from_input, dy, add_a, add_h, a, h;  // W_ih x_t + b
  Vector h_0 = random(kH, 160);
  for (uint32_t t = 0; t < kT; ++t) {
    from_input.push_back(random(kH, 162 + t));
    dy.push_back(random(kH, 172 + t));
    add_a.emplace_back(kH);
    add_h.emplace_back(kH);
  }
  const auto loss = [&] {
    h = {h_0};
    a.clear();
    double sum = 0.0;
    for (size_t t = 0; t < kT; ++t) {
      a.push_back(plus(plus(times(w_hh, h[t]), from_input[t]), add_a[t]));  // (73)
      h.push_back(add_h[t]);
      for (size_t k = 0; k < kH; ++k) {
        LONGHAND_CHECK(!relu || std::abs(a[t][k]) > 1e-3);
        h[t + 1][k] += relu ? std::max(0.0, a[t][k]) : std::tanh(a[t][k]);  // (73)
      }
      sum += dot(dy[t], h[t + 1]);
    }
    return sum;
  };
  loss();
  std::vector<Vector> dh(kT), da(kT);
  Vector dh_later(kH);
  for (size_t t = kT; t-- > 0;) {
    dh[t] = da[t] = plus(dy[t], dh_later);  // (74)
    for (size_t k = 0; k < kH; ++k) {
      const double now = h[t + 1][k];
      da[t][k] *= relu ? (now > 0.0 ? 1.0 : 0.0) : 1.0 - now * now;  // (75)
    }
    dh_later = transposed_times(w_hh, da[t]);  // (74), (76)
  }
  Tape<double> tape;
  const Var<double> start = leaf(tape, h_0), weights = tape.constant(kH, kH, w_hh.data());
  std::vector<Var<double>> a_nodes, h_nodes = {start};
  for (size_t t = 0; t < kT; ++t) {
    a_nodes.push_back(add(matmul_transposed(h_nodes[t], weights), tape.constant(1, kH, from_input[t].data())));
    h_nodes.push_back(relu ? autograd::relu(a_nodes[t]) : autograd::tanh(a_nodes[t]));
    tape.seed(h_nodes.back(), dy[t].data());
  }
  tape.backward();
  checker.check_steps(74, "L by h_t" + suffix, add_h, loss, dh, gradients(h_nodes, 1));
  checker.check_steps(75, "L by a_t" + suffix, add_a, loss, da, gradients(a_nodes));
  checker.check(76, "L by h_0" + suffix, h_0, loss, dh_later, gradient(start));
}

}  // namespace

void check_other_cells(Checker& checker) {
  check_gru(checker);
  check_gru_reach(checker);
  check_plain(checker, false);
  check_plain(checker, true);
}

}  // namespace longhand::lab
