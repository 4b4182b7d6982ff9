// The recurrent cells' forward equations against plain loops, and their gradients against central differences in
// double.
#include "longhand/autograd/cells.h"
#include "tests/autograd/differences.h"

namespace longhand::autograd {
namespace {

double logistic(double x) { return 1.0 / (1.0 + std::exp(-x)); }

constexpr int64_t kSteps = 4, kBatch = 4, kInputs = 3, kHidden = 5, kProjected = 2;
constexpr int32_t kLengths[] = {4, 0, 1, 3};
// One-hot inputs. What stands beyond a row's end is ignored.
constexpr int32_t kSymbols[] = {2, -1, 1, 0, 1, -1, -1, 2, 0, -1, -1, 2, 0, -1, -1, -1};

struct LstmCase {
  const char* name;
  bool projected, layer_norm, masked, zoneout, one_hot, ragged, reverse;
  int64_t width() const { return projected ? kProjected : kHidden; }
};

void PrintTo(const LstmCase& c, std::ostream* out) { *out << c.name; }

// Which input of the problem is which. Those that a case does not use are there all the same; nothing depends on them.
enum LstmInput { kWih, kWhh, kBias, kH0, kC0, kX, kWhr = kX + kSteps, kGainIh, kGainHh, kGainC, kBiasC };

std::vector<Input> lstm_inputs(const LstmCase& c) {
  const int64_t R = c.width(), H = kHidden, I = kInputs, B = kBatch;
  std::vector<Input> inputs = {{4 * H, I}, {4 * H, R}, {1, 4 * H}, {B, R}, {B, H}};
  inputs.insert(inputs.end(), kSteps, Input{B, I});
  inputs.insert(inputs.end(), {{kProjected, H}, {1, 4 * H, 0.5, 1.5}, {1, 4 * H, 0.5, 1.5}, {1, H, 0.5, 1.5}, {1, H}});
  return inputs;
}

// Constants of [B,R] or [B,H], `steps` of them one after the other, between 0 and 1.
std::vector<double> mask_values(int64_t columns, int64_t steps, uint32_t place) {
  std::vector<double> values = testing::random_vector<double>(steps * kBatch * columns, 0.5, place);
  for (double& value : values) value += 0.5;
  return values;
}

LstmSequence<double> lstm_sequence_of(const LstmCase& c, Tape<double>& tape, const Vars& v) {
  LstmSequence<double> s{.vars = {v[kWih], v[kWhh], v[kBias]}, .input = {.steps = kSteps}, .initial = {v[kH0], v[kC0]}};
  if (c.projected) s.vars.w_hr = v[kWhr];
  if (c.layer_norm) {
    s.vars.gain_ih = v[kGainIh];
    s.vars.gain_hh = v[kGainHh];
    s.vars.gain_c = v[kGainC];
    s.vars.bias_c = v[kBiasC];
  }
  if (c.masked) s.recurrent_mask = tape.constant(kBatch, c.width(), mask_values(c.width(), 1, 50).data());
  if (c.zoneout) {
    const std::vector<double> zone_h = mask_values(c.width(), kSteps, 51);
    for (int64_t t = 0; t < kSteps; ++t) {
      s.zone_h.push_back(tape.constant(kBatch, c.width(), zone_h.data() + t * kBatch * c.width()));
    }
    s.zone_c = {tape.constant(kBatch, kHidden, mask_values(kHidden, 1, 52).data())};
  }
  if (c.one_hot) s.input.symbols = kSymbols;
  if (!c.one_hot) s.input.x.assign(v.begin() + kX, v.begin() + kX + kSteps);
  if (c.ragged) s.input.lengths = kLengths;
  s.input.reverse = c.reverse;
  return s;
}

// The outputs are h_0 .. h_{T-1}, the last h and the last c.
Problem lstm_problem(const LstmCase& c) {
  return Problem(lstm_inputs(c), [c](Tape<double>& tape, const Vars& v) {
    LstmOutputs<double> out = lstm_sequence(lstm_sequence_of(c, tape, v));
    out.h.insert(out.h.end(), {out.last.h, out.last.c});
    return out.h;
  });
}

// The same equations on one row, number by number.
struct PlainLstm {
  const LstmCase& c;
  const Problem& p;
  std::vector<double> h, cell;

  static std::vector<double> normalised(std::vector<double> v) {
    double mean = 0.0, variance = 0.0;
    for (const double x : v) mean += x / static_cast<double>(v.size());
    for (const double x : v) variance += (x - mean) * (x - mean) / static_cast<double>(v.size());
    for (double& x : v) x = (x - mean) / std::sqrt(variance + 1e-5);
    return v;
  }

  void step(int64_t t, int64_t b) {
    const int64_t R = c.width(), H = kHidden, I = kInputs;
    std::vector<double> u(4 * H), w(4 * H), a(4 * H), m(H), next_cell(H);
    for (int64_t k = 0; k < 4 * H; ++k) {
      for (int64_t j = 0; j < I; ++j) {
        const double x = c.one_hot ? kSymbols[t * kBatch + b] == j : p.input(kX + t)[b * I + j];
        u[k] += p.input(kWih)[k * I + j] * x;
      }
      for (int64_t j = 0; j < R; ++j) {
        w[k] += p.input(kWhh)[k * R + j] * h[j] * (c.masked ? mask_values(R, 1, 50)[b * R + j] : 1.0);
      }
    }
    if (c.layer_norm) {
      u = normalised(u);
      w = normalised(w);
    }
    for (int64_t k = 0; k < 4 * H; ++k) {
      const double gain_u = c.layer_norm ? p.input(kGainIh)[k] : 1.0, gain_w = c.layer_norm ? p.input(kGainHh)[k] : 1.0;
      a[k] = gain_u * u[k] + gain_w * w[k] + p.input(kBias)[k];
    }
    for (int64_t j = 0; j < H; ++j) {
      next_cell[j] = logistic(a[H + j]) * cell[j] + logistic(a[j]) * std::tanh(a[2 * H + j]);
    }
    const std::vector<double> seen = c.layer_norm ? normalised(next_cell) : next_cell;
    for (int64_t j = 0; j < H; ++j) {
      const double gain = c.layer_norm ? p.input(kGainC)[j] : 1.0, bias = c.layer_norm ? p.input(kBiasC)[j] : 0.0;
      m[j] = logistic(a[3 * H + j]) * std::tanh(gain * seen[j] + bias);
    }
    for (int64_t r = 0; r < R; ++r) {
      double next = c.projected ? 0.0 : m[r];
      for (int64_t j = 0; c.projected && j < H; ++j) next += p.input(kWhr)[r * H + j] * m[j];
      const double kept = c.zoneout ? mask_values(R, kSteps, 51)[(t * kBatch + b) * R + r] : 0.0;
      h[r] = kept * h[r] + (1.0 - kept) * next;
    }
    for (int64_t j = 0; j < H; ++j) {
      const double kept = c.zoneout ? mask_values(H, 1, 52)[b * H + j] : 0.0;
      cell[j] = kept * cell[j] + (1.0 - kept) * next_cell[j];
    }
  }
};

class AutogradLstm : public ::testing::TestWithParam<LstmCase> {};

TEST_P(AutogradLstm, FollowsItsEquations) {
  const LstmCase c = GetParam();
  const int64_t R = c.width(), H = kHidden;
  Problem problem = lstm_problem(c);
  problem.loss();
  for (int64_t b = 0; b < kBatch; ++b) {
    const auto row = [b](const std::vector<double>& of, int64_t n) {
      return std::vector<double>(of.begin() + b * n, of.begin() + (b + 1) * n);
    };
    PlainLstm plain{c, problem, row(problem.input(kH0), R), row(problem.input(kC0), H)};
    const int64_t length = c.ragged ? kLengths[b] : kSteps;
    for (int64_t k = 0; k < length; ++k) {
      const int64_t t = c.reverse ? length - 1 - k : k;
      plain.step(t, b);
      testing::expect_close(row(problem.output(t), R), plain.h, R, 1e-13, "h");
    }
    for (int64_t t = length; t < kSteps; ++t) EXPECT_EQ(row(problem.output(t), R), std::vector<double>(R, 0.0));
    testing::expect_close(row(problem.output(kSteps), R), plain.h, R, 1e-13, "last h");
    testing::expect_close(row(problem.output(kSteps + 1), H), plain.cell, H, 1e-13, "last c");
  }
}

TEST_P(AutogradLstm, GradientAgreesWithCentralDifferences) {
  lstm_problem(GetParam()).expect_gradients_are_central_differences();
}

INSTANTIATE_TEST_SUITE_P(
    Options, AutogradLstm,
    ::testing::Values(LstmCase{.name = "plain"}, LstmCase{.name = "projected", .projected = true},
                      LstmCase{.name = "layer_norm", .layer_norm = true}, LstmCase{.name = "masked", .masked = true},
                      LstmCase{.name = "zoneout", .zoneout = true},
                      LstmCase{.name = "one_hot", .one_hot = true, .ragged = true},
                      LstmCase{.name = "ragged", .ragged = true}, LstmCase{.name = "reverse", .reverse = true},
                      LstmCase{.name = "ragged_reverse", .ragged = true, .reverse = true},
                      LstmCase{"everything", true, true, true, true, false, true, false},
                      LstmCase{"everything_one_hot_reverse", true, true, true, true, true, true, true}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(AutogradLstm, InReverseEqualsForwardOnTheFlippedInput) {
  Problem reverse = lstm_problem({.name = "reverse", .reverse = true});
  Problem flipped(lstm_inputs({}), [](Tape<double>& tape, const Vars& v) {
    LstmSequence<double> s = lstm_sequence_of({}, tape, v);
    std::reverse(s.input.x.begin(), s.input.x.end());
    LstmOutputs<double> out = lstm_sequence(s);
    std::reverse(out.h.begin(), out.h.end());
    out.h.insert(out.h.end(), {out.last.h, out.last.c});
    return out.h;
  });
  EXPECT_EQ(reverse.loss(), flipped.loss());
  for (size_t k = 0; k < kSteps + 2; ++k) EXPECT_EQ(reverse.output(k), flipped.output(k));
  EXPECT_EQ(reverse.gradients(), flipped.gradients());
}

TEST(Autograd, AClearedTapeReusesItsMemory) {
  Problem problem = lstm_problem({"everything", true, true, true, true, false, true, false});
  const std::vector<std::vector<double>> first = problem.gradients();
  const int64_t bytes = problem.bytes_held();
  for (int repeat = 0; repeat < 3; ++repeat) EXPECT_EQ(problem.gradients(), first);
  EXPECT_EQ(problem.bytes_held(), bytes);
  EXPECT_GT(bytes, 0);
}

// Two steps of a cell from inputs w_ih, w_hh, b_ih, b_hh, h_0, x_1, x_2; the outputs are h_1 and h_2.
Problem two_steps(int64_t gates, const std::function<Var<double>(const Vars& v, Var<double> u, Var<double> h)>& step) {
  const int64_t H = kHidden, I = kInputs, B = kBatch;
  return Problem({{gates * H, I}, {gates * H, H}, {1, gates * H}, {1, gates * H}, {B, H}, {B, I}, {B, I}},
                 [step](Tape<double>&, const Vars& v) {
                   const Var<double> h = step(v, matmul_transposed(v[5], v[0]), v[4]);
                   return Vars{h, step(v, matmul_transposed(v[6], v[0]), h)};
                 });
}

// Row k of W [.,n] times row b of x [B,n].
double dot(const std::vector<double>& w, int64_t k, const std::vector<double>& x, int64_t b, int64_t n) {
  double sum = 0.0;
  for (int64_t j = 0; j < n; ++j) sum += w[k * n + j] * x[b * n + j];
  return sum;
}

TEST(AutogradRnn, AgreesWithItsEquationAndCentralDifferences) {
  const std::vector<std::pair<Activation, double (*)(double)>> activations = {
      {Activation::kTanh, [](double x) { return std::tanh(x); }},
      {Activation::kRelu, [](double x) { return std::max(x, 0.0); }},
      {Activation::kSigmoid, logistic}};
  for (const auto& [activation, f] : activations) {
    SCOPED_TRACE(static_cast<int>(activation));
    Problem p = two_steps(1, [a = activation](const Vars& v, Var<double> u, Var<double> h) {
      return rnn_step(v[1], add(v[2], v[3]), u, h, a);
    });
    p.loss();
    for (int64_t i = 0; i < kBatch * kHidden; ++i) {
      const int64_t b = i / kHidden, k = i % kHidden;
      const double a = dot(p.input(0), k, p.input(5), b, kInputs) + dot(p.input(1), k, p.input(4), b, kHidden);
      EXPECT_NEAR(p.output(0)[i], f(a + p.input(2)[k] + p.input(3)[k]), 1e-14);
    }
    p.expect_gradients_are_central_differences();
  }
}

TEST(AutogradGru, AgreesWithItsEquationsAndCentralDifferences) {
  Problem p = two_steps(3, [](const Vars& v, Var<double> u, Var<double> h) {
    return gru_step<double>({v[0], v[1], v[2], v[3]}, u, h);
  });
  p.loss();
  for (int64_t i = 0; i < kBatch * kHidden; ++i) {
    const int64_t b = i / kHidden, k = i % kHidden;
    const auto from_x = [&](int64_t row) { return dot(p.input(0), row, p.input(5), b, kInputs) + p.input(2)[row]; };
    const auto from_h = [&](int64_t row) { return dot(p.input(1), row, p.input(4), b, kHidden) + p.input(3)[row]; };
    const double r = logistic(from_x(k) + from_h(k));
    const double z = logistic(from_x(kHidden + k) + from_h(kHidden + k));
    const double n = std::tanh(from_x(2 * kHidden + k) + r * from_h(2 * kHidden + k));
    EXPECT_NEAR(p.output(0)[i], (1.0 - z) * n + z * p.input(4)[i], 1e-14);
  }
  p.expect_gradients_are_central_differences();
}

// The layers of these two cells: every row, over its own steps, is that row alone, a step at a time.
struct CellCase {
  bool gru, one_hot, reverse;
};

class AutogradCellLayer : public ::testing::TestWithParam<CellCase> {};

TEST_P(AutogradCellLayer, HandlesRaggedRowsAndAgreesWithCentralDifferences) {
  const CellCase c = GetParam();
  const int64_t H = kHidden, I = kInputs, B = kBatch, gates = c.gru ? 3 : 1;
  const auto step = [c](const Vars& v, Var<double> u, Var<double> h) {
    if (c.gru) return gru_step<double>({v[0], v[1], v[2], v[3]}, u, h);
    return rnn_step(v[1], v[2], u, h, Activation::kTanh);
  };
  std::vector<Input> inputs = {{gates * H, I}, {gates * H, H}, {1, gates * H}, {1, gates * H}, {B, H}};
  inputs.insert(inputs.end(), kSteps, Input{B, I});
  Problem layer(inputs, [c](Tape<double>&, const Vars& v) {
    const SequenceInput<double> in{.steps = kSteps,
                                   .x = c.one_hot ? Vars{} : Vars(v.begin() + 5, v.end()),
                                   .symbols = c.one_hot ? kSymbols : nullptr,
                                   .lengths = kLengths,
                                   .reverse = c.reverse};
    SequenceOutputs<double, Var<double>> out =
        c.gru ? gru_sequence<double>({v[0], v[1], v[2], v[3]}, in, v[4])
              : rnn_sequence<double>({v[0], v[1], v[2]}, in, v[4], Activation::kTanh);
    out.h.push_back(out.last);
    return out.h;
  });
  layer.loss();
  for (int64_t b = 0; b < B; ++b) {
    Tape<double> tape;
    Vars v;
    for (size_t i = 0; i < 4; ++i) v.push_back(tape.constant(inputs[i].rows, inputs[i].columns, layer.input(i).data()));
    Var<double> h = tape.constant(1, H, layer.input(4).data() + b * H);
    const auto same = [&](int64_t output, const Var<double>& expected) {
      const std::vector<double> actual = layer.output(output);
      testing::expect_close(actual.data() + b * H, expected.value(), H, 1e-14, "h");
    };
    for (int64_t k = 0; k < kLengths[b]; ++k) {
      const int64_t t = c.reverse ? kLengths[b] - 1 - k : k;
      std::vector<double> x(layer.input(5 + t).begin() + b * I, layer.input(5 + t).begin() + (b + 1) * I);
      for (int64_t j = 0; c.one_hot && j < I; ++j) x[j] = kSymbols[t * B + b] == j ? 1.0 : 0.0;
      h = step(v, matmul_transposed(tape.constant(1, I, x.data()), v[0]), h);
      same(t, h);
    }
    for (int64_t t = kLengths[b]; t < kSteps; ++t) same(t, tape.filled(1, H, 0.0));
    same(kSteps, h);
  }
  layer.expect_gradients_are_central_differences();
}

INSTANTIATE_TEST_SUITE_P(Cells, AutogradCellLayer,
                         ::testing::Values(CellCase{false, false, false}, CellCase{false, true, true},
                                           CellCase{true, false, true}, CellCase{true, true, false}),
                         [](const auto& test) {
                           return std::string(test.param.gru ? "gru" : "rnn") + (test.param.one_hot ? "_one_hot" : "") +
                                  (test.param.reverse ? "_reverse" : "");
                         });

}  // namespace
}  // namespace longhand::autograd
