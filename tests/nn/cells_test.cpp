// Stacks of GRU and plain recurrent layers. Their kernels on their own are tests/kernels' business, their cells on the
// tape that of tests/autograd, and what PyTorch makes of them fixtures_test.cpp's.
#include "longhand/base/error.h"
#include "tests/nn/tested_stack.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

constexpr int64_t kSteps = 5, kBatch = 3, kInputs = 4;
constexpr int32_t kLengths[] = {5, 0, 3};
constexpr int32_t kSymbols[] = {0, -1, 3, 1, -1, 2, 3, -1, 0, 2, -1, -1, 1, -1, -1};

// A stack on one engine, its input and its upstream gradients. The loss is the sum of outputs and final states against
// fixed random weights.
template <class T>
struct Subject {
  Subject(const LstmOptions& lstm, bool one_hot, Engine with, int threads = 1)
      : stack({.lstm = lstm, .inputs = kInputs, .one_hot = one_hot, .init = {}}, arena),
        engine(with),
        context(threads) {
    arena.allocate();
    values = testing::aligned(testing::random_vector<T>(static_cast<int64_t>(arena.values().size()), 0.5, 1));
    stack.reset_state(kBatch);
    for (Buffer<T>* state : stack.state.arrays()) {
      initial.push_back(testing::random_rows<T>(kBatch, lstm.hidden, padded(lstm.hidden), 0.5, place++));
      d_final.push_back(testing::random_rows<T>(kBatch, lstm.hidden, padded(lstm.hidden), 1.0, place++));
      EXPECT_EQ(state->size(), kBatch * padded(lstm.hidden));
    }
  }

  StackInput<T> input() const {
    return {.steps = kSteps,
            .batch = kBatch,
            .lengths = kLengths,
            .x = x.data(),
            .x_stride = padded(kInputs),
            .symbols = kSymbols,
            .masks = {1, 2, 0}};
  }
  const T* forward(Pass pass = Pass::kTraining) {
    stack.reset_state(kBatch);
    for (size_t s = 0; s < initial.size(); ++s) {
      std::copy_n(initial[s].data(), stack.state.arrays()[s]->size(), stack.state.arrays()[s]->data());
    }
    return stack.forward(input(), pass, engine, values.data(), context);
  }
  double loss() {
    const T* y = forward();
    double sum = 0.0;
    for (int64_t i = 0; i < kSteps * kBatch * padded(width); ++i) sum += static_cast<double>(y[i] * dy[i]);
    for (size_t s = 0; s < d_final.size(); ++s) {
      for (int64_t i = 0; i < stack.state.arrays()[s]->size(); ++i) {
        sum += static_cast<double>((*stack.state.arrays()[s])[i] * d_final[s][static_cast<size_t>(i)]);
      }
    }
    return sum;
  }
  void backward() {
    forward();
    for (size_t s = 0; s < d_final.size(); ++s) {
      Buffer<T>& gradient = *stack.state_gradients()[s];
      std::copy_n(d_final[s].data(), gradient.size(), gradient.data());
    }
    gradients.resize(values.size());
    gradients.fill(T(0));
    dx.resize(x.size());
    stack.backward(input(),
                   {.d_output = dy.data(),
                    .dx = stack.options().one_hot ? nullptr : dx.data(),
                    .dx_stride = padded(kInputs),
                    .states = true},
                   engine, gradients.data(), context);
  }
  // Of the loss by one number, with the third derivative cancelled.
  double difference(T& value, double step) {
    const T saved = value;
    const auto at = [&](double offset) {
      value = saved + static_cast<T>(offset);
      const double result = loss();
      value = saved;
      return result;
    };
    return (8.0 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12.0 * step);
  }

  ParameterArena arena;
  TestedStack<T> stack;
  Engine engine;
  int64_t width = stack.options().lstm.outputs();
  uint32_t place = 10;
  Buffer<T> values, gradients, dx;
  Buffer<T> x = testing::aligned(testing::random_rows<T>(kSteps * kBatch, kInputs, padded(kInputs), 1.0, 2));
  Buffer<T> dy = testing::aligned(testing::random_rows<T>(kSteps * kBatch, width, padded(width), 1.0, 3));
  std::vector<std::vector<T>> initial, d_final;
  kernels::Context context;
};

// Everything that a stack of these cells can be, over ragged rows, in training.
std::vector<LstmOptions> option_sets(const std::string& cell) {
  return {{.cell = cell, .hidden = 5, .layers = 2, .bidirectional = true, .dropout = 0.3},
          {.cell = cell,
           .hidden = 5,
           .layers = 2,
           .bidirectional = true,
           .residual = true,
           .dropout = 0.3,
           .dropout_input = 0.2,
           .dropout_output = 0.4,
           .variational = true,
           .weight_drop = 0.3},
          {.cell = cell, .hidden = 5, .layers = 2, .train_initial_state = true, .weight_drop = 0.3}};
}

class OtherCells : public ::testing::TestWithParam<std::string> {};

// Calls test(T(), engine) for every engine, with the scalar type that its most exact results have.
template <class Test>
void on_every_engine(const Test& test) {
  test(0.0, Engine::kAutograd);
  test(0.0, Engine::kReference);
  test(0.0F, Engine::kFused);
}

// 1e-16 / step of rounding times a loss of order 10, and step^4 times a fifth derivative. A ReLU has no derivative
// where it bends: there a step is small, so that none crosses such a place.
TEST_P(OtherCells, GradientsAgreeWithCentralDifferences) {
  const bool bends = GetParam() == "rnn-relu";
  const double step = bends ? 1e-6 : 1e-4, tolerance = bends ? 3e-8 : 5e-10;
  for (const bool one_hot : {false, true}) {
    for (const LstmOptions& lstm : option_sets(GetParam())) {
      for (const Engine engine : {Engine::kAutograd, Engine::kReference}) {
        Subject<double> s(lstm, one_hot, engine);
        s.backward();
        double largest = 0.0;
        const auto check = [&](double& value, double gradient, const char* what, int64_t i) {
          EXPECT_NEAR(gradient, s.difference(value, step), tolerance) << what << " " << i;
          largest = std::max(largest, std::abs(gradient));
        };
        const std::vector<double> gradients(s.gradients.span().begin(), s.gradients.span().end());
        const std::vector<double> dx(s.dx.span().begin(), s.dx.span().end());
        std::vector<std::vector<double>> d_initial;
        for (const Buffer<double>* d : s.stack.state_gradients())
          d_initial.emplace_back(d->span().begin(), d->span().end());
        for (const Parameter& p : s.arena.parameters()) {
          double max = 0.0;
          for (int64_t i = p.offset; i < p.offset + p.size; ++i) {
            check(s.values[i], gradients[static_cast<size_t>(i)], p.name.c_str(), i - p.offset);
            max = std::max(max, std::abs(gradients[static_cast<size_t>(i)]));
          }
          EXPECT_GT(max, 1e-3) << p.name;
        }
        for (int64_t i = 0; !one_hot && i < kSteps * kBatch * padded(kInputs); ++i) {
          if (i % padded(kInputs) < kInputs) check(s.x[i], dx[static_cast<size_t>(i)], "x", i);
        }
        for (size_t k = 0; !lstm.train_initial_state && k < d_initial.size(); ++k) {
          for (int64_t i = 0; i < kBatch * padded(lstm.hidden); ++i) {
            if (i % padded(lstm.hidden) >= lstm.hidden) continue;
            check(s.initial[k][static_cast<size_t>(i)], d_initial[k][static_cast<size_t>(i)], "state", i);
          }
        }
        EXPECT_GT(largest, 0.1);
      }
    }
  }
}

// Each regulariser does something in training, and nothing otherwise.
TEST_P(OtherCells, AreRegularisedInTrainingAlone) {
  const LstmOptions plain{.cell = GetParam(), .hidden = 5, .layers = 2};
  on_every_engine([&](auto zero, Engine engine) {
    using T = decltype(zero);
    const auto outputs = [engine](const LstmOptions& lstm, Pass pass) {
      Subject<T> s(lstm, false, engine);
      const T* y = s.forward(pass);
      return std::vector<T>(y, y + kSteps * kBatch * padded(s.width));
    };
    for (double LstmOptions::*rate : {&LstmOptions::dropout, &LstmOptions::dropout_input, &LstmOptions::dropout_output,
                                      &LstmOptions::weight_drop}) {
      LstmOptions lstm = plain;
      lstm.dropout_input = lstm.dropout_output = 0.0;
      lstm.*rate = 0.5;
      EXPECT_EQ(outputs(lstm, Pass::kGradients), outputs(plain, Pass::kGradients));
      EXPECT_EQ(outputs(lstm, Pass::kInference), outputs(plain, Pass::kInference));
      EXPECT_NE(outputs(lstm, Pass::kTraining), outputs(plain, Pass::kTraining));
    }
    EXPECT_EQ(outputs(plain, Pass::kInference), outputs(plain, Pass::kTraining));  // keeping changes nothing
  });
}

// Of two directions, only the reverse one has read the last step at the first.
TEST_P(OtherCells, ReadInBothDirections) {
  on_every_engine([&](auto zero, Engine engine) {
    using T = decltype(zero);
    Subject<T> s({.cell = GetParam(), .hidden = 5, .bidirectional = true}, false, engine);
    const auto first_step = [&s](int64_t begin) {
      const T* y = s.forward(Pass::kInference);
      return std::vector<T>(y + begin, y + begin + 5);  // of row 0, which is as long as can be
    };
    const std::vector<T> forward = first_step(0), reverse = first_step(5);
    for (int64_t j = 0; j < kInputs; ++j) s.x[(kSteps - 1) * kBatch * padded(kInputs) + j] += T(1);
    EXPECT_EQ(first_step(0), forward);
    EXPECT_NE(first_step(5), reverse);
  });
}

// A row is what it is alone: its padding changes nothing, and where it has ended its outputs are zeros.
TEST_P(OtherCells, PaddingChangesNothing) {
  on_every_engine([&](auto zero, Engine engine) {
    using T = decltype(zero);
    Subject<T> s({.cell = GetParam(), .hidden = 5, .layers = 2, .bidirectional = true}, false, engine);
    const T* out = s.forward(Pass::kGradients);
    const int64_t stride = padded(s.width);
    const std::vector<T> whole(out, out + kSteps * kBatch * stride);
    const int64_t row = 2, length = kLengths[row];
    Buffer<T> x(length * padded(kInputs));
    for (int64_t t = 0; t < length; ++t) {
      std::copy_n(s.x.data() + (t * kBatch + row) * padded(kInputs), padded(kInputs), x.data() + t * padded(kInputs));
    }
    s.stack.reset_state(1);
    for (size_t k = 0; k < s.initial.size(); ++k) {
      std::copy_n(s.initial[k].data() + row * padded(5), padded(5), s.stack.state.arrays()[k]->data());
    }
    const T* alone = s.stack.forward({.steps = length, .batch = 1, .x = x.data(), .x_stride = padded(kInputs)},
                                     Pass::kGradients, engine, s.values.data(), s.context);
    for (int64_t t = 0; t < kSteps; ++t) {
      const auto at = whole.begin() + (t * kBatch + row) * stride;
      const std::vector<T> expected =
          t < length ? std::vector<T>(alone + t * stride, alone + (t + 1) * stride) : std::vector<T>(stride);
      EXPECT_EQ(std::vector<T>(at, at + stride), expected) << t;
    }
  });
}

// A sequence read in two windows gives what it gives in one.
TEST_P(OtherCells, CarryTheirState) {
  on_every_engine([&](auto zero, Engine engine) {
    using T = decltype(zero);
    Subject<T> s({.cell = GetParam(), .hidden = 5, .layers = 2, .train_initial_state = true}, false, engine);
    const auto run = [&](int64_t begin, int64_t steps) {
      const T* y = s.stack.forward({.steps = steps,
                                    .batch = kBatch,
                                    .x = s.x.data() + begin * kBatch * padded(kInputs),
                                    .x_stride = padded(kInputs)},
                                   Pass::kInference, engine, s.values.data(), s.context);
      return std::vector<T>(y, y + steps * kBatch * padded(s.width));
    };
    s.stack.reset_state(kBatch);
    const std::vector<T> whole = run(0, kSteps);
    s.stack.reset_state(kBatch);
    std::vector<T> parts = run(0, 2);
    StackState<T> saved = std::move(s.stack.state);  // something else in between
    s.stack.state = StackState<T>(s.stack.stack);
    s.stack.reset_state(kBatch);
    run(1, 3);
    s.stack.state = std::move(saved);
    const std::vector<T> rest = run(2, kSteps - 2);
    parts.insert(parts.end(), rest.begin(), rest.end());
    EXPECT_EQ(whole, parts);
  });
}

// Outputs, final states and all gradients of a large stack, on 1, 2, 3 and 5 threads.
TEST_P(OtherCells, AreBitIdenticalOnAnyNumberOfThreads) {
  for (const bool bidirectional : {false, true}) {
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 3, 5}) {
      Subject<float> s({.cell = GetParam(),
                        .hidden = 70,
                        .layers = 3,
                        .bidirectional = bidirectional,
                        .residual = true,
                        .dropout = 0.2,
                        .weight_drop = 0.2},
                       false, Engine::kFused, threads);
      s.backward();
      std::vector<float> all(s.gradients.span().begin(), s.gradients.span().end());
      all.insert(all.end(), s.dx.span().begin(), s.dx.span().end());
      for (const Buffer<float>* d : s.stack.state_gradients())
        all.insert(all.end(), d->span().begin(), d->span().end());
      results.push_back(std::move(all));
    }
    for (const std::vector<float>& result : results) EXPECT_EQ(result, results.front());
  }
}

// One gate's inputs and outputs bound the weights of all; every bias begins at zero.
TEST_P(OtherCells, BeginWithOneGatesFans) {
  ParameterArena arena;
  const int64_t H = 30;
  TestedStack<float> stack({.lstm = {.cell = GetParam(), .hidden = H},
                            .inputs = 20,
                            .one_hot = false,
                            .init = {.init = "xavier-uniform", .forget_bias = 3.0}},
                           arena);
  arena.allocate();
  arena.initialise(1);
  const int64_t gates = GetParam() == "gru" ? 3 : 1;
  std::vector<std::string> names;
  for (size_t i = 0; i < arena.parameters().size(); ++i) {
    const Parameter& p = arena.parameters()[i];
    names.push_back(p.name);
    EXPECT_EQ(p.shape[0], gates * H) << p.name;
    float max = 0.0F;
    for (int64_t k = 0; k < p.size; ++k) max = std::max(max, std::abs(arena.value(i)[k]));
    const auto bound =
        static_cast<float>(p.shape.size() == 1 ? 0.0 : std::sqrt(6.0 / static_cast<double>(p.shape[1] + H)));
    EXPECT_LE(max, bound) << p.name;
    EXPECT_GE(max, 0.97F * bound) << p.name;
  }
  const std::string layer = GetParam() == "gru" ? "gru" : "rnn";
  std::vector<std::string> expected = {layer + ".weight_ih_l0", layer + ".weight_hh_l0", layer + ".bias_ih_l0"};
  if (GetParam() == "gru") expected.push_back("gru.bias_hh_l0");
  EXPECT_EQ(names, expected);
}

TEST_P(OtherCells, RefuseWhatBelongsToTheLstm) {
  const std::string cell = GetParam();
  const auto refused = [&](const LstmOptions& lstm, const std::string& name) {
    try {
      lstm.check();
      ADD_FAILURE() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kUsage);
      EXPECT_EQ(std::string(e.what()), "`" + name + "`: expected `cell` lstm, found `cell` " + cell);
    }
    ParameterArena arena;
    EXPECT_THROW(LstmStack({.lstm = lstm, .inputs = 2}, arena), std::logic_error) << name;
  };
  refused({.cell = cell, .hidden = 5, .proj = 2}, "proj");
  refused({.cell = cell, .layer_norm = true}, "layer-norm");
  refused({.cell = cell, .dropout_recurrent = 0.1}, "dropout-recurrent");
  refused({.cell = cell, .zoneout = 0.1}, "zoneout");
  refused({.cell = cell, .zoneout_cell = 0.1}, "zoneout-cell");
  refused({.cell = cell, .peepholes = true}, "peepholes");
  refused({.cell = cell, .coupled_gates = true}, "coupled-gates");
  refused({.cell = cell, .gate_clip = 1.0}, "gate-clip");
  refused({.cell = cell, .cell_clip = 1.0}, "cell-clip");
  refused({.cell = cell, .gate_activation = "tanh"}, "gate-activation");
  refused({.cell = cell, .candidate_activation = "relu"}, "candidate-activation");
  refused({.cell = cell, .output_activation = "relu"}, "output-activation");
  for (const LstmOptions& lstm : option_sets(cell)) EXPECT_NO_THROW(lstm.check());
}

INSTANTIATE_TEST_SUITE_P(Cells, OtherCells, ::testing::Values("gru", "rnn", "rnn-relu"),
                         [](const auto& test) { return test.param == "rnn-relu" ? "rnn_relu" : test.param; });

}  // namespace
}  // namespace longhand::nn
