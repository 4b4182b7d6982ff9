#include "longhand/lab/selftest.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>

#include "longhand/kernels/target.h"
#include "longhand/lab/lattice_cell.h"
#include "longhand/nn/activation_text.h"
#include "longhand/nn/lstm_stack.h"

namespace longhand::lab {
namespace {

nn::LstmStackOptions stack_options(const LatticePoint& p) {
  const auto rate = [&p](Toggle toggle, double value) { return p.on(toggle) ? value : 0.0; };
  const kernels::LstmCell cell = lattice_cell(p);
  return {.lstm = {.cell = p.cell,
                   .hidden = p.hidden,
                   .layers = p.on(Toggle::kLayers) ? 3 : 1,
                   .bidirectional = p.on(Toggle::kBidirectional),
                   .proj = p.on(Toggle::kProj) ? p.proj : 0,
                   .layer_norm = p.on(Toggle::kLayerNorm),
                   .residual = p.on(Toggle::kResidual),
                   .train_initial_state = p.on(Toggle::kTrainInitialState),
                   .peepholes = p.on(Toggle::kPeepholes),
                   .coupled_gates = cell.coupled,
                   .gate_clip = cell.gate_clip,
                   .cell_clip = cell.cell_clip,
                   .gate_activation = nn::activation_text(cell.gate),
                   .candidate_activation = nn::activation_text(cell.candidate),
                   .output_activation = nn::activation_text(cell.output),
                   .dropout = rate(Toggle::kDropout, 0.3),
                   .dropout_input = rate(Toggle::kDropoutInput, 0.3),
                   .dropout_output = rate(Toggle::kDropoutOutput, 0.3),
                   .variational = p.on(Toggle::kVariational),
                   .dropout_recurrent = rate(Toggle::kDropoutRecurrent, 0.3),
                   .weight_drop = rate(Toggle::kWeightDrop, 0.3),
                   .zoneout = rate(Toggle::kZoneout, 0.4),
                   .zoneout_cell = rate(Toggle::kZoneoutCell, 0.4),
                   .activation_reg = rate(Toggle::kActivationReg, 2.0),
                   .temporal_reg = rate(Toggle::kActivationReg, 3.0)},
          .inputs = p.inputs,
          .one_hot = p.on(Toggle::kOneHot),
          .init = {}};
}

// Uniform on [-1, 1), exact in float. Draws with different numbers are independent.
float number(uint32_t place, int64_t index, uint64_t draw = 0) {
  return 2.0F * CounterRng(11, draw << 8U, RngPlace::kSample, place).uniform(static_cast<uint64_t>(index)) - 1.0F;
}

// Values for stacks of ReLU layers with which no pre-activation is near zero, where the derivative jumps: rounding, or
// a step of the differences, could put it on the other side. Every bias is 0.4 to 0.6 away from zero. In the first
// layer one number of the input, or its symbol, adds at least 1.05 more in the one direction or the other, unless
// dropout takes it away. All other weights of a unit are so small that together they add less than 0.35.
float far_from_zero(const Parameter& p, int64_t k, const LatticePoint& point, float u) {
  const float sign = u < 0.0F ? -1.0F : 1.0F;
  if (p.name.find("bias") != std::string::npos) return sign * 0.4F + 0.2F * u;
  if (p.name.find("weight") == std::string::npos) return u;  // an initial state
  const int64_t width = p.shape[1];
  if (p.name.find("weight_ih_l0") != std::string::npos) {
    if (point.on(Toggle::kOneHot)) return sign * 1.05F + 0.4F * u;
    if (k % width == 0) return sign * 1.5F;
  }
  return 0.05F * u / static_cast<float>(width);
}
float away_from_zero(float u) { return (u < 0.0F ? -0.7F : 0.7F) + 0.3F * u; }

// One array of results, with the stride that its padding makes.
struct Array {
  std::string name;
  std::vector<double> values;
};
using Results = std::vector<Array>;

// A stack with its input, states and upstream gradients, all made from the point and the number of a draw: the same for
// float and double.
template <class T>
class Subject {
 public:
  explicit Subject(const LatticePoint& point, uint64_t draw = 0)
      : point_(point), draw_(draw), stack_(stack_options(point), arena_) {
    arena_.allocate();
    // Cells without a cell state magnify from step to step whatever is rounded if their weights are larger, and so do
    // functions without bounds.
    const bool bounded = point.cell == "lstm" && !grows(cell());
    const double scale = 1.0 / std::sqrt(static_cast<double>(point.hidden)) + (bounded ? 0.3 : 0.0);
    values_.resize(arena_.values().empty() ? 0 : static_cast<int64_t>(arena_.values().size()));
    gradients_.resize(values_.size());
    for (size_t i = 0; i < arena_.parameters().size(); ++i) {
      const Parameter& p = arena_.parameters()[i];
      const bool gain = p.name.find("gain") != std::string::npos;
      for (int64_t k = 0; k < p.size; ++k) {
        const float u = number(static_cast<uint32_t>(100 + i), k, draw_);
        const bool peephole = p.name.find("peephole") != std::string::npos;
        const float value = gain ? 1.0F + 0.5F * u : static_cast<float>(peephole ? 0.2 : scale) * u;
        values_[p.offset + k] = static_cast<T>(is_relu() ? far_from_zero(p, k, point, u) : value);
      }
    }
    const int64_t T_B = point.steps * point.batch, I = point.inputs, width = stack_.stack.options().lstm.outputs();
    fill(x_, T_B, I, 1);
    for (int64_t row = 0; is_relu() && row < T_B; ++row) {  // the number that decides where the first layer's sums are
      x_[row * padded(I)] = static_cast<T>(away_from_zero(static_cast<float>(x_[row * padded(I)])));
    }
    fill(dy_, T_B, width, 2);
    dx_.resize(T_B * padded(I));
    const CounterRng rng(11, 1, RngPlace::kSample);
    for (int64_t i = 0; i < T_B; ++i) {
      symbols_.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(i), static_cast<uint64_t>(I))));
    }
    for (int64_t b = 0; b < point.batch; ++b) {
      const int64_t lengths[] = {point.steps, 0, 1, point.steps - 1};
      lengths_.push_back(static_cast<int32_t>(lengths[point.batch == 1 ? 2 : b % 4]));
    }
    stack_.state.reset(point.batch);
    for (size_t i = 0; i < stack_.state.arrays().size(); ++i) {
      const nn::LstmOptions& lstm = stack_.stack.options().lstm;
      const int64_t width_i = lstm.is_lstm() && i % 2 == 1 ? point.hidden : lstm.state();
      fill(initial_.emplace_back(), point.batch, width_i, static_cast<uint32_t>(10 + i));
      fill(d_final_.emplace_back(), point.batch, width_i, static_cast<uint32_t>(50 + i));
      if (!given_state()) initial_.back().fill(T(0));
    }
  }

  /// Whether the loss has no derivative where a pre-activation is zero.
  bool is_relu() const { return point_.cell == "rnn-relu"; }
  const kernels::LstmCell& cell() const { return stack_.stack.cell(); }
  /// A state that is trained is not given. A cell that is zero would be where many functions bend.
  bool given_state() const {
    return (point_.on(Toggle::kGivenState) || bends(cell())) && !point_.on(Toggle::kTrainInitialState);
  }
  /// How near the forward pass comes to a place where the loss has no derivative.
  double distance_to_bend(kernels::Context& context) {
    forward(nn::Engine::kReference, context);
    return lab::distance_to_bend(stack_.stack, stack_.workspace, input(), values_.data());
  }

  nn::StackInput<T> input() const {
    return {.steps = point_.steps,
            .batch = point_.batch,
            .lengths = point_.on(Toggle::kRagged) ? lengths_.data() : nullptr,
            .x = x_.data(),
            .x_stride = padded(point_.inputs),
            .symbols = symbols_.data(),
            .masks = {5, 7, 0}};
  }

  /// The scalar whose gradients are checked: outputs and final states against fixed random weights, and the penalties.
  double loss(nn::Engine engine, kernels::Context& context) {
    const T* y = forward(engine, context);
    double sum = static_cast<double>(kPenaltyScale) * stack_.workspace.penalty(input());
    for (int64_t i = 0; i < dy_.size(); ++i) sum += static_cast<double>(y[i] * dy_[i]);
    const std::vector<Buffer<T>*> states = stack_.state.arrays();
    for (size_t s = 0; s < states.size(); ++s) {
      for (int64_t i = 0; i < d_final_[s].size(); ++i) sum += static_cast<double>((*states[s])[i] * d_final_[s][i]);
    }
    return sum;
  }

  /// Outputs, final states, the penalties and all gradients.
  Results run(nn::Engine engine, kernels::Context& context) {
    const T* y = forward(engine, context);
    Results out;
    add(out, "outputs", y, dy_.size());
    // A new h is a mean of the old one and something else, which may cancel: then it is small beside what it is made
    // of.
    for (const Buffer<T>& state : initial_) {
      if (!stack_.stack.options().lstm.is_lstm()) add(out, "initial state", state.data(), state.size());
    }
    const std::vector<Buffer<T>*> states = stack_.state.arrays();
    for (const Buffer<T>* state : states) add(out, "final state", state->data(), state->size());
    // As a mean, so that it is not what all outputs are measured by.
    const T penalty =
        static_cast<T>(stack_.workspace.penalty(input()) / static_cast<double>(point_.steps * point_.batch));
    add(out, "penalty", &penalty, 1);
    gradients_.fill(kBefore);  // to be added to
    dx_.fill(T(9));            // to be overwritten
    const std::vector<Buffer<T>*> d_states = stack_.workspace.state_gradients(point_.batch);
    for (size_t s = 0; s < d_states.size(); ++s)
      std::copy_n(d_final_[s].data(), d_final_[s].size(), d_states[s]->data());
    const bool dense = !point_.on(Toggle::kOneHot);
    stack_.backward(input(),
                    {.d_output = dy_.data(),
                     .dx = dense ? dx_.data() : nullptr,
                     .dx_stride = padded(point_.inputs),
                     .states = true,
                     .penalty_scale = kPenaltyScale},
                    engine, gradients_.data(), context);
    for (size_t i = 0; i < arena_.parameters().size(); ++i) {
      const Parameter& p = arena_.parameters()[i];
      for (int64_t k = 0; k < p.size; ++k) gradients_[p.offset + k] -= kBefore;
      add(out, "d " + p.name, gradients_.data() + p.offset, p.size);
    }
    for (const Buffer<T>* state : d_states) add(out, "d initial state", state->data(), state->size());
    if (dense) {
      std::vector<double>& dx = out.emplace_back(Array{"d input", {}}).values;
      for (int64_t i = 0; i < point_.steps * point_.batch * point_.inputs; ++i) {
        dx.push_back(static_cast<double>(dx_[i / point_.inputs * padded(point_.inputs) + i % point_.inputs]));
      }
    }
    return out;
  }

  /// Where the gradients' variables are, in the order in which `run` puts the gradients after outputs and states.
  std::vector<std::vector<T*>> variables() {
    std::vector<std::vector<T*>> out;
    for (const Parameter& p : arena_.parameters()) {
      for (out.emplace_back(); static_cast<int64_t>(out.back().size()) < p.size;) {
        out.back().push_back(&values_[p.offset + static_cast<int64_t>(out.back().size())]);
      }
    }
    for (Buffer<T>& state : initial_) {
      out.emplace_back();
      for (int64_t i = 0; !point_.on(Toggle::kTrainInitialState) && i < state.size(); ++i) {
        out.back().push_back(&state[i]);
      }
    }
    out.emplace_back();
    for (int64_t i = 0; !point_.on(Toggle::kOneHot) && i < point_.steps * point_.batch * point_.inputs; ++i) {
      out.back().push_back(&x_[i / point_.inputs * padded(point_.inputs) + i % point_.inputs]);
    }
    return out;
  }

 private:
  static constexpr T kBefore = T(0x1p-10);
  static constexpr T kPenaltyScale = T(1.5);

  void fill(Buffer<T>& buffer, int64_t rows, int64_t width, uint32_t place) const {
    buffer.resize(rows * padded(width));
    for (int64_t i = 0; i < rows * width; ++i) {
      buffer[i / width * padded(width) + i % width] = static_cast<T>(number(place, i, draw_));
    }
  }
  static void add(Results& results, const std::string& name, const T* values, int64_t n) {
    results.push_back({name, std::vector<double>(values, values + n)});
  }
  const T* forward(nn::Engine engine, kernels::Context& context) {
    stack_.state.reset(point_.batch);
    const std::vector<Buffer<T>*> states = stack_.state.arrays();
    for (size_t s = 0; s < states.size(); ++s) std::copy_n(initial_[s].data(), initial_[s].size(), states[s]->data());
    const nn::Pass pass = point_.on(Toggle::kEvaluation) ? nn::Pass::kGradients : nn::Pass::kTraining;
    stack_.weights.set_values(values_.data());
    return stack_.forward(stack_.state, input(), pass, engine, context);
  }

  LatticePoint point_;
  uint64_t draw_;
  ParameterArena arena_;
  nn::WholeStack<T> stack_;
  Buffer<T> values_, gradients_, x_, dx_, dy_;
  std::vector<Buffer<T>> initial_, d_final_;
  std::vector<int32_t> symbols_, lengths_;
};

// Arrays are compared by kind: outputs with states, and gradients with gradients.
bool is_gradient(const Array& array) { return array.name.starts_with("d "); }

double magnitude(const Results& results, bool gradients) {
  double largest = 1e-3;
  for (const Array& array : results) {
    for (const double v : array.values) {
      if (is_gradient(array) == gradients) largest = std::max(largest, std::abs(v));
    }
  }
  return largest;
}

void note(Comparison& comparison, double difference, const std::string& where) {
  if (difference <= comparison.difference) return;  // a difference that is no number is not
  comparison.difference = std::isnan(difference) ? INFINITY : difference;
  comparison.where = where;
}

Comparison compare(const Results& actual, const Results& expected, double tolerance) {
  Comparison out{.tolerance = tolerance};
  for (const bool gradients : {false, true}) {
    const double scale = magnitude(expected, gradients);
    for (size_t a = 0; a < expected.size(); ++a) {
      for (size_t i = 0; is_gradient(expected[a]) == gradients && i < expected[a].values.size(); ++i) {
        note(out, std::abs(actual[a].values[i] - expected[a].values[i]) / scale, expected[a].name);
      }
    }
  }
  return out;
}

// The derivative of the loss along a direction, to fourth order in the step.
template <class Move>
double difference(Subject<double>& subject, double step, kernels::Context& context, const Move& move) {
  const auto loss = [&](double by) {
    move(by);
    const double value = subject.loss(nn::Engine::kReference, context);
    move(-by);
    return value;
  };
  return (8.0 * (loss(step) - loss(-step)) - (loss(2 * step) - loss(-2 * step))) / (12.0 * step);
}

// Central differences of some elements of every array, and of all of them together in random directions.
Comparison compare_with_differences(Subject<double>& subject, const Results& expected, bool small, double step,
                                    double tolerance, kernels::Context& context) {
  Comparison out{.tolerance = tolerance};
  const double scale = magnitude(expected, true);
  const std::vector<std::vector<double*>> variables = subject.variables();
  const size_t first =
      static_cast<size_t>(std::find_if(expected.begin(), expected.end(), is_gradient) - expected.begin());
  const size_t samples = small ? 12 : 2;
  for (size_t a = 0; a < variables.size(); ++a) {
    const size_t stride = std::max<size_t>(1, variables[a].size() / samples);
    for (size_t i = stride / 2; i < variables[a].size(); i += stride) {
      double* v = variables[a][i];
      const double numeric = difference(subject, step, context, [v](double by) { *v += by; });
      // States are padded in both; everything else is dense in both.
      note(out, std::abs(expected[first + a].values[i] - numeric) / scale, expected[first + a].name);
    }
  }
  for (uint32_t direction = 0; direction < 2; ++direction) {
    double analytic = 0.0;
    double squares = 0.0;
    for (size_t a = 0; a < variables.size(); ++a) {
      for (size_t i = 0; i < variables[a].size(); ++i) {
        const auto u =
            static_cast<double>(number(200 + direction * 64 + static_cast<uint32_t>(a), static_cast<int64_t>(i)));
        analytic += u * expected[first + a].values[i];
        squares += u * u;
      }
    }
    const double length = std::sqrt(squares);
    const double numeric = difference(subject, step, context, [&](double by) {
      for (size_t a = 0; a < variables.size(); ++a) {
        for (size_t i = 0; i < variables[a].size(); ++i) {
          const auto u =
              static_cast<double>(number(200 + direction * 64 + static_cast<uint32_t>(a), static_cast<int64_t>(i)));
          *variables[a][i] += by * u / length;
        }
      }
    });
    note(out, std::abs(analytic / length - numeric) / scale, "all together");
  }
  return out;
}

constexpr double kFloat = 6e-8;  // what rounding to float changes, at most, of one
constexpr double kBf16 = 2e-3;   // to bf16

double fused_tolerance(const LatticePoint& p) {
  const auto terms = static_cast<double>(p.hidden + p.inputs + p.steps * p.batch);
  const double layers = p.on(Toggle::kLayers) ? 3.0 : 1.0;
  return kFloat * (8.0 + 4.0 * std::sqrt(terms)) * layers * (p.on(Toggle::kLayerNorm) ? 15.0 : 1.0);
}

double bf16_tolerance(const LatticePoint& p) {
  const double layers = p.on(Toggle::kLayers) ? 3.0 : 1.0;
  return kBf16 * 8.0 * layers * (p.on(Toggle::kLayerNorm) ? 15.0 : 1.0);
}

// Masks can leave a normalised vector with nearly no deviation, by which rounding is then magnified, layer after layer.
// How much, the textbook equations and the tape show in float: as a factor by which tolerances grow.
double magnified(const LatticePoint& point, uint64_t draw, const Results& expected, kernels::Context& context) {
  if (!point.on(Toggle::kLayerNorm)) return 1.0;
  double worst = 0.0;
  for (const nn::Engine engine : {nn::Engine::kReference, nn::Engine::kAutograd}) {
    const Comparison off = compare(Subject<float>(point, draw).run(engine, context), expected, fused_tolerance(point));
    worst = std::max(worst, off.share());
  }
  return 1.0 + 32.0 * worst;
}

// Rounding, or the steps of differences, must not carry a value over a place where a derivative jumps: the draw of a
// point's numbers that keeps away from there, or the one that does so best.
constexpr double kAway = 2e-5;
uint64_t draw_of(const LatticePoint& point, kernels::Context& context) {
  if (point.cell != "lstm" || !bends(lattice_cell(point))) return 0;
  uint64_t best = 0;
  double farthest = -1.0;
  for (uint64_t draw = 0; draw < 300 && farthest < kAway; ++draw) {
    const double distance = Subject<double>(point, draw).distance_to_bend(context);
    if (distance <= farthest) continue;
    farthest = distance;
    best = draw;
  }
  return best;
}

// With normalisation the loss bends more, too, and a smaller step is needed; and where functions themselves bend.
Comparison compare_with_differences(Subject<double>& subject, const Results& expected, const LatticePoint& point,
                                    kernels::Context& context) {
  const bool small = point.hidden < 6;
  if (bends(subject.cell())) {
    const Comparison out = compare_with_differences(subject, expected, small, 1e-6, 1e-5, context);
    return out.passed() ? out : compare_with_differences(subject, expected, small, 1e-7, 1e-5, context);
  }
  if (!point.on(Toggle::kLayerNorm)) return compare_with_differences(subject, expected, small, 2e-4, 1e-9, context);
  const Comparison out = compare_with_differences(subject, expected, small, 1e-5, 1e-5, context);
  return out.passed() ? out : compare_with_differences(subject, expected, small, 1e-7, 1e-5, context);
}

template <class Work>
void in_parallel(size_t n, int threads, const Work& work) {
  ThreadPool pool(threads);
  std::atomic<size_t> next = 0;
  pool.run([&](int, int) {
    kernels::Context context(1);
    for (size_t i = next++; i < n; i = next++) work(i, context);
  });
}

}  // namespace

std::vector<PointResult> run_lattice(const std::vector<LatticePoint>& points, int threads,
                                     const std::function<void(size_t)>& progress) {
  std::vector<PointResult> results(points.size());
  constexpr size_t kChunk = 200;  // points whose expected values are held at a time
  for (size_t begin = 0; begin < points.size(); begin += kChunk) {
    const size_t n = std::min(kChunk, points.size() - begin);
    std::vector<Results> expected(n);
    std::vector<double> factors(n);
    std::vector<uint64_t> draws(n);
    in_parallel(n, threads, [&](size_t i, kernels::Context& context) {
      PointResult& result = results[begin + i];
      result.point = points[begin + i];
      const LatticePoint& point = result.point;
      draws[i] = draw_of(point, context);
      Subject<double> subject(point, draws[i]);
      expected[i] = subject.run(nn::Engine::kReference, context);
      factors[i] = magnified(point, draws[i], expected[i], context);
      const double tape_tolerance = factors[i] * (point.on(Toggle::kLayerNorm) ? 1e-12 : 1e-13);
      result.checks[static_cast<int>(Check::kTape)] =
          compare(subject.run(nn::Engine::kAutograd, context), expected[i], tape_tolerance);
      result.checks[static_cast<int>(Check::kDifferences)] =
          compare_with_differences(subject, expected[i], point, context);
    });
    const auto check_fused = [&](Check check, const std::string& where) {
      in_parallel(n, threads, [&](size_t i, kernels::Context& context) {
        const bool rounds = check == Check::kBf16;
        context.precision = rounds ? kernels::Precision::kBf16 : kernels::Precision::kFloat;
        PointResult& result = results[begin + i];
        // bf16 is too coarse to stay away from bends.
        const bool skipped = rounds && result.point.cell == "lstm" && bends(lattice_cell(result.point));
        const double tolerance = rounds ? bf16_tolerance(result.point) : fused_tolerance(result.point);
        Comparison now{.tolerance = factors[i] * tolerance};
        if (!skipped) {
          now = compare(Subject<float>(result.point, draws[i]).run(nn::Engine::kFused, context), expected[i],
                        factors[i] * tolerance);
        }
        now.where += where;
        Comparison& worst = result.checks[static_cast<int>(check)];
        if (worst.tolerance == 0.0 || now.difference > worst.difference) worst = now;
      });
    };
    for (const std::string& target : kernels::simd_targets()) {
      kernels::use_simd_target(target);
      check_fused(Check::kFused, " on " + target);
      if (kernels::bf16_is_native()) check_fused(Check::kBf16, " in native bf16 on " + target);
      kernels::emulate_bf16(true);
      check_fused(Check::kBf16, " in emulated bf16 on " + target);
      kernels::emulate_bf16(false);
    }
    kernels::use_simd_target("");
    progress(begin + n);
  }
  return results;
}

std::vector<std::string> tolerance_notes() {
  return {
      "fused        6e-8 (8 + 4 sqrt(H + I + T B)) per layer: rounding error of sums of that many",
      "             floats; with layer-norm 15 times that (it divides by small deviations), plus",
      "             32 times the error of the reference or of the tape in float",
      "bf16         2e-3 times 8 per layer: rounding error of operands to 8 bits; with layer-norm",
      "             15 times that, increased by the same factor as the fused tolerance",
      "tape         1e-13: rounding of doubles summed in another order; 1e-12 with layer-norm,",
      "             increased by the same factor as the fused tolerance",
      "differences  1e-9: fourth-order central differences with step 2e-4; 1e-5 with layer-norm,",
      "             whose curvature near a zero state requires a step of 1e-5 or 1e-7; rnn-relu has",
      "             weights with which no unit is nearer to zero, where ReLU bends, than a step;",
      "             1e-5 with steps of 1e-6 or 1e-7 for cells with bounds, or functions that bend:",
      "             their numbers are drawn until none is nearer than 2e-5 to such a place, and",
      "             they are not compared in bf16",
  };
}

}  // namespace longhand::lab
