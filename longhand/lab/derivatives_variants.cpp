#include "longhand/lab/derivatives_check.h"
#include "longhand/nn/tape_cell.h"

namespace longhand::lab {
namespace {

using Kind = kernels::ActivationKind;
using kernels::Activation;

// A function and its derivative (78), written out once more.
double value_of(const Activation& f, double x) {
  const double A = f.alpha, B = f.beta;
  switch (f.kind) {
    case Kind::kSigmoid: return sigmoid(x);
    case Kind::kTanh: return std::tanh(x);
    case Kind::kRelu: return std::max(0.0, x);
    case Kind::kAffine: return A * x + B;
    case Kind::kLeakyRelu: return x >= 0.0 ? x : A * x;
    case Kind::kThresholdedRelu: return x >= A ? x : 0.0;
    case Kind::kScaledTanh: return A * std::tanh(B * x);
    case Kind::kHardSigmoid: return std::min(1.0, std::max(0.0, A * x + B));
    case Kind::kElu: return x >= 0.0 ? x : A * (std::exp(x) - 1.0);
    case Kind::kSoftsign: return x / (1.0 + std::abs(x));
    case Kind::kSoftplus: return std::log(1.0 + std::exp(x));
  }
  LONGHAND_CHECK(false);
}
double slope_of(const Activation& f, double x) {
  const double A = f.alpha, B = f.beta, y = value_of(f, x);
  switch (f.kind) {
    case Kind::kSigmoid: return y * (1.0 - y);
    case Kind::kTanh: return 1.0 - y * y;
    case Kind::kRelu: return x > 0.0 ? 1.0 : 0.0;
    case Kind::kAffine: return A;
    case Kind::kLeakyRelu: return x > 0.0 ? 1.0 : A;
    case Kind::kThresholdedRelu: return x >= A ? 1.0 : 0.0;
    case Kind::kScaledTanh: return A * B * (1.0 - std::tanh(B * x) * std::tanh(B * x));
    case Kind::kHardSigmoid: return y > 0.0 && y < 1.0 ? A : 0.0;
    case Kind::kElu: return x > 0.0 ? 1.0 : y + A;
    case Kind::kSoftsign: return 1.0 / ((1.0 + std::abs(x)) * (1.0 + std::abs(x)));
    case Kind::kSoftplus: return sigmoid(x);
  }
  LONGHAND_CHECK(false);
}

void check_activations(Checker& checker) {
  const struct {
    const char* what;
    Activation f;
  } functions[] = {{"sigmoid", {Kind::kSigmoid}},
                   {"tanh", {Kind::kTanh}},
                   {"relu", {Kind::kRelu}},
                   {"affine", {Kind::kAffine, 0.6, 0.3}},
                   {"leaky-relu", {Kind::kLeakyRelu, 0.2}},
                   {"thresholded-relu", {Kind::kThresholdedRelu, 0.15}},
                   {"scaled-tanh", {Kind::kScaledTanh, 1.2, 0.7}},
                   {"hard-sigmoid", {Kind::kHardSigmoid, 0.8, 0.5}},
                   {"elu", {Kind::kElu, 0.7}},
                   {"softsign", {Kind::kSoftsign}},
                   {"softplus", {Kind::kSoftplus}}};
  for (const auto& each : functions) {
    Vector x = random(4 * kH, 160);
    const Vector v = random(4 * kH, 161);
    const auto loss = [&] {
      double sum = 0.0;
      for (size_t u = 0; u < x.size(); ++u) sum += v[u] * value_of(each.f, x[u]);
      return sum;
    };
    Vector slope = v;
    for (size_t u = 0; u < x.size(); ++u) slope[u] *= slope_of(each.f, x[u]);
    Tape<double> tape;
    const Var<double> leaf_x = leaf(tape, x);
    tape.seed(nn::tape_activation(each.f, leaf_x), v.data());
    tape.backward();
    checker.check(78, std::string("y by x, ") + each.what, x, loss, slope, gradient(leaf_x));
  }
}

// One step from its pre-activations, with some variant; L = v . h_t + w . c_t.
struct VariantStep {
  Activation gate{Kind::kSigmoid}, candidate{Kind::kTanh}, output{Kind::kTanh};
  bool coupled = false;
  double gate_clip = 0.0, cell_clip = 0.0, peepholes = 0.0;  // the last is what p is multiplied by
  Vector a{}, c_prev{}, p{}, v{}, w{};
  Vector da{}, dc_prev{}, dp{};

  void draw() {
    a = random(4 * kH, 162), c_prev = random(kH, 163), p = random(3 * kH, 164), v = random(kH, 165),
    w = random(kH, 166);
    for (double& each : p) each *= peepholes;
  }
  static double held(double bound, double x) { return bound > 0.0 ? std::max(-bound, std::min(bound, x)) : x; }
  static double within(double bound, double x) { return bound > 0.0 && std::abs(x) > bound ? 0.0 : 1.0; }

  // Everything of unit u.
  struct Unit {
    double a_i, a_f, a_g, a_o, i, f, g, o, c, c_bound;
  };
  Unit unit(size_t u) const {
    Unit n{};
    n.a_i = a[u] + p[u] * c_prev[u];            // (79)
    n.a_f = a[kH + u] + p[kH + u] * c_prev[u];  // (79)
    n.a_g = a[2 * kH + u];
    n.i = value_of(gate, held(gate_clip, n.a_i));                        // (77) (82)
    n.f = coupled ? 1.0 - n.i : value_of(gate, held(gate_clip, n.a_f));  // (81)
    n.g = value_of(candidate, held(gate_clip, n.a_g));
    n.c = n.f * c_prev[u] + n.i * n.g;
    n.c_bound = held(cell_clip, n.c);                   // (83)
    n.a_o = a[3 * kH + u] + p[2 * kH + u] * n.c_bound;  // (79)
    n.o = value_of(gate, held(gate_clip, n.a_o));
    return n;
  }
  double loss() const {
    double sum = 0.0;
    for (size_t u = 0; u < kH; ++u) {
      const Unit n = unit(u);
      sum += v[u] * n.o * value_of(output, n.c_bound) + w[u] * n.c_bound;
    }
    return sum;
  }
  void backward() {
    da = Vector(4 * kH), dc_prev = Vector(kH), dp = Vector(3 * kH);
    const auto slope = [this](const Activation& f, double x) {
      return within(gate_clip, x) * slope_of(f, held(gate_clip, x));  // (82)
    };
    for (size_t u = 0; u < kH; ++u) {
      const Unit n = unit(u);
      const double da_o = v[u] * value_of(output, n.c_bound) * slope(gate, n.a_o);                     // (77)
      const double dc_bound = v[u] * n.o * slope_of(output, n.c_bound) + w[u] + p[2 * kH + u] * da_o;  // (77) (80)
      const double dc = dc_bound * within(cell_clip, n.c);                                             // (83)
      const double da_i = dc * (coupled ? n.g - c_prev[u] : n.g) * slope(gate, n.a_i);                 // (77) (81)
      const double da_f = coupled ? 0.0 : dc * c_prev[u] * slope(gate, n.a_f);                         // (77) (81)
      da[u] = da_i;
      da[kH + u] = da_f;
      da[2 * kH + u] = dc * n.i * slope(candidate, n.a_g);  // (77)
      da[3 * kH + u] = da_o;
      dc_prev[u] = dc * n.f + p[u] * da_i + p[kH + u] * da_f;                                      // (80)
      dp[u] = da_i * c_prev[u], dp[kH + u] = da_f * c_prev[u], dp[2 * kH + u] = da_o * n.c_bound;  // (80)
    }
  }
};

// The same on the tape: a product with one sequence's identity makes the pre-activations a variable.
void check_variant(Checker& checker, int number, const std::string& what, VariantStep s) {
  s.draw();
  s.backward();
  Tape<double> tape;
  const Vector zeros(4 * kH * kH);
  autograd::LstmVars<double> vars{tape.constant(4 * kH, kI, zeros.data()), tape.constant(4 * kH, kH, zeros.data()),
                                  leaf(tape, s.a)};
  if (s.peepholes != 0.0) vars.peepholes = leaf(tape, s.p);
  const autograd::LstmVariant<double> variant = nn::tape_variant<double>({.gate = s.gate,
                                                                          .candidate = s.candidate,
                                                                          .output = s.output,
                                                                          .coupled = s.coupled,
                                                                          .gate_clip = s.gate_clip,
                                                                          .cell_clip = s.cell_clip});
  vars.variant = &variant;
  const Var<double> c_prev = leaf(tape, s.c_prev);
  const autograd::LstmState<double> next =
      autograd::lstm_step(vars, tape.constant(1, 4 * kH, zeros.data()), {tape.constant(1, kH, zeros.data()), c_prev});
  tape.seed(next.h, s.v.data());
  tape.seed(next.c, s.w.data());
  tape.backward();
  const auto loss = [&s] { return s.loss(); };
  checker.check(number, "L by a_t, " + what, s.a, loss, s.da, gradient(vars.bias));
  checker.check(number, "L by c_{t-1}, " + what, s.c_prev, loss, s.dc_prev, gradient(c_prev));
  if (s.peepholes != 0.0) checker.check(number, "L by p, " + what, s.p, loss, s.dp, gradient(*vars.peepholes));
}

}  // namespace

void check_cell_variants(Checker& checker) {
  const Activation hard{Kind::kHardSigmoid, 0.8, 0.5}, soft{Kind::kSoftsign}, elu{Kind::kElu, 0.7};
  check_variant(checker, 77, "activations", {.gate = hard, .candidate = soft, .output = elu});
  check_activations(checker);
  check_variant(checker, 80, "peepholes", {.peepholes = 1.0});
  check_variant(checker, 81, "coupled gates", {.coupled = true});
  check_variant(checker, 81, "coupled, peepholes", {.coupled = true, .peepholes = 1.0});
  check_variant(checker, 82, "bounded gates", {.gate_clip = 0.4, .peepholes = 0.5});
  check_variant(checker, 83, "bounded cell", {.cell_clip = 0.5, .peepholes = 0.5});
}

}  // namespace longhand::lab
