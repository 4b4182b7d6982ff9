#include "longhand/lab/equations.h"

#include <algorithm>
#include <cmath>

#include "longhand/autograd/operations.h"
#include "longhand/lab/recurrence.h"
#include "longhand/train/optimizer.h"

namespace longhand::lab {
namespace {

using autograd::Tape;
using autograd::Var;

// The parameters in one array, all of them drawn as the fused layers' are: U(-1/sqrt(H), 1/sqrt(H)), biases zero.
struct Layout {
  int64_t H, V, K;
  int64_t w_ih() const { return 0; }
  int64_t w_hh() const { return w_ih() + 4 * H * V; }
  int64_t bias() const { return w_hh() + 4 * H * H; }
  int64_t w_out() const { return bias() + 4 * H; }
  int64_t b_out() const { return w_out() + K * H; }
  int64_t size() const { return b_out() + K; }
};

std::vector<float> first_values(const Layout& at, uint64_t seed) {
  std::vector<float> out(static_cast<size_t>(at.size()));
  const CounterRng rng(seed, 0, RngPlace::kParameter);
  const auto bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(at.H)));
  for (int64_t k = 0; k < at.size(); ++k) {
    const bool is_bias = (k >= at.bias() && k < at.w_out()) || k >= at.b_out();
    if (!is_bias) out[static_cast<size_t>(k)] = bound * (2.0F * rng.uniform(static_cast<uint64_t>(k)) - 1.0F);
  }
  for (int64_t k = at.H; k < 2 * at.H; ++k) out[static_cast<size_t>(at.bias() + k)] = 1.0F;  // the forget gate's
  return out;
}

// The network on a tape.
template <class T>
struct Recorded {
  Var<T> w_ih, w_hh, bias, w_out, b_out, logits;
};

template <class T>
Recorded<T> record(Tape<T>& tape, const Layout& at, const std::vector<T>& values, const SequenceBatch& batch,
                   Equations equations) {
  const int64_t H = at.H, B = batch.rows;
  const auto leaf = [&](int64_t offset, int64_t rows, int64_t columns) {
    return tape.variable(rows, columns, values.data() + offset);
  };
  Recorded<T> net{leaf(at.w_ih(), 4 * H, at.V), leaf(at.w_hh(), 4 * H, H), leaf(at.bias(), 1, 4 * H),
                  leaf(at.w_out(), at.K, H),    leaf(at.b_out(), 1, at.K), {}};
  Var<T> h = tape.filled(B, H, T(0)), c = h;
  for (int64_t t = 0; t < batch.steps; ++t) {
    const Var<T> u = gather_columns(net.w_ih, batch.symbols.data() + t * B, B);
    const Var<T> a = add_row(add(u, matmul_transposed(h, net.w_hh)), net.bias);  // (1)
    const bool swapped = equations == Equations::kSigmoidCandidate;
    const Var<T> i = sigmoid(columns(a, 0, H)), a_g = columns(a, 2 * H, H), a_o = columns(a, 3 * H, H);
    Var<T> f = sigmoid(columns(a, H, H));
    if (equations == Equations::kNoForgetGradient) f = tape.constant(B, H, f.value().data());
    c = add(multiply(f, c), multiply(i, swapped ? sigmoid(a_g) : autograd::tanh(a_g)));  // (3)
    h = multiply(swapped ? autograd::tanh(a_o) : sigmoid(a_o), autograd::tanh(c));       // (4)
  }
  net.logits = add_row(matmul_transposed(h, net.w_out), net.b_out);
  return net;
}

// The mean loss; the answers are due at the last step, one for each row.
template <class T>
double loss_of(const Recorded<T>& net, const SequenceBatch& batch, bool seed_gradient) {
  Var<T> loss = sum(cross_entropy(net.logits, batch.targets.data()));
  const T share = T(1) / static_cast<T>(batch.rows);
  if (seed_gradient) loss.tape->seed(loss, &share);
  return static_cast<double>(loss.value()[0]) / static_cast<double>(batch.rows);
}

// How far the gradient by W_hh is from central differences, in double.
double gradient_error(const Layout& at, const std::vector<float>& values, const SequenceBatch& batch,
                      Equations equations) {
  std::vector<double> exact(values.begin(), values.end());
  Tape<double> tape;
  const Recorded<double> net = record(tape, at, exact, batch, equations);
  loss_of(net, batch, true);
  tape.backward();
  const Vector gradient(net.w_hh.gradient().begin(), net.w_hh.gradient().end());
  Vector numeric(gradient.size());
  constexpr double kStep = 1e-5;
  for (size_t k = 0; k < numeric.size(); ++k) {
    double& element = exact[static_cast<size_t>(at.w_hh()) + k];
    const double saved = element;
    const auto loss_at = [&](double value) {
      element = value;
      tape.clear();
      return loss_of(record(tape, at, exact, batch, equations), batch, false);
    };
    numeric[k] = (loss_at(saved + kStep) - loss_at(saved - kStep)) / (2.0 * kStep);
    element = saved;
  }
  Vector difference = gradient;
  for (size_t k = 0; k < difference.size(); ++k) difference[k] -= numeric[k];
  return norm(difference) / norm(numeric);
}

}  // namespace

std::vector<EquationsResult> all_equations(const EquationsOptions& options) {
  const std::vector<EquationsRun> runs(static_cast<size_t>(options.seeds));
  return {{Equations::kRight, "as in (1) to (4)", runs},
          {Equations::kSigmoidCandidate, "candidate by sigmoid, output gate by tanh", runs},
          {Equations::kNoForgetGradient, "gradient without the forget gate's (23)", runs}};
}

EquationsRun train_equations(Equations equations, uint64_t seed, const EquationsOptions& options,
                             const Advance& advance) {
  const std::unique_ptr<SequenceTask> task = memory_task("recall", options.gap);
  const Layout at{options.hidden, task->symbols(), task->outputs()};
  std::vector<float> values = first_values(at, seed);
  std::vector<float> gradients(values.size());
  train::OptimizerOptions rule;
  rule.learning_rate = options.learning_rate;
  train::Optimizer optimizer(rule, at.size());
  kernels::Context context(1);
  Tape<float> tape;
  EquationsRun run;
  const auto draw = [&](int64_t rows, int64_t number, RngPlace place) {
    return task->draw(rows, CounterRng(seed, static_cast<uint64_t>(number), place), false);
  };
  run.error_before = gradient_error(at, values, draw(4, 0, RngPlace::kBatches), equations);
  for (int64_t update = 0; update < options.updates; ++update) {
    const SequenceBatch batch = draw(options.rows, update, RngPlace::kBatches);
    tape.clear();
    const Recorded<float> net = record(tape, at, values, batch, equations);
    loss_of(net, batch, true);
    tape.backward();
    std::fill(gradients.begin(), gradients.end(), 0.0F);
    net.w_ih.add_gradient_to(gradients.data() + at.w_ih());
    net.w_hh.add_gradient_to(gradients.data() + at.w_hh());
    net.bias.add_gradient_to(gradients.data() + at.bias());
    net.w_out.add_gradient_to(gradients.data() + at.w_out());
    net.b_out.add_gradient_to(gradients.data() + at.b_out());
    const double length = std::sqrt(kernels::squared_norm(gradients.data(), at.size(), context));
    optimizer.update(values, gradients, length, rule.learning_rate, update, context);
    if (!advance(1.0)) return run;
  }
  run.error_after = gradient_error(at, values, draw(4, 0, RngPlace::kBatches), equations);
  const SequenceBatch test = draw(512, 0, RngPlace::kHeldOut);
  tape.clear();
  const Recorded<float> net = record(tape, at, values, test, equations);
  run.loss = loss_of(net, test, false);
  for (int64_t b = 0; b < test.rows; ++b) {
    const float* y = net.logits.value().data() + b * at.K;
    if (std::max_element(y, y + at.K) - y == test.targets[static_cast<size_t>(b)]) run.accuracy += 100.0 / 512.0;
  }
  return run;
}

}  // namespace longhand::lab
