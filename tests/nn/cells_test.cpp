// Stacks of GRU and plain recurrent layers, which only the tape runs. Their cells on their own are tests/autograd's
// business, and what PyTorch makes of them fixtures_test.cpp's.
#include "longhand/base/error.h"
#include "tests/nn/tested_stack.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

constexpr int64_t kSteps = 5, kBatch = 3, kInputs = 4;
constexpr int32_t kLengths[] = {5, 0, 3};
constexpr int32_t kSymbols[] = {0, -1, 3, 1, -1, 2, 3, -1, 0, 2, -1, -1, 1, -1, -1};

// A stack of doubles, its input and its upstream gradients. The loss is the sum of outputs and final states against
// fixed random weights.
struct Subject {
  explicit Subject(const LstmOptions& lstm, bool one_hot = false)
      : stack({.lstm = lstm, .inputs = kInputs, .one_hot = one_hot, .init = {}}, arena) {
    arena.allocate();
    values = testing::aligned(testing::random_vector<double>(static_cast<int64_t>(arena.values().size()), 0.5, 1));
    stack.reset_state(kBatch);
    for (Buffer<double>* state : stack.state.arrays()) {
      initial.push_back(testing::random_rows<double>(kBatch, lstm.hidden, padded(lstm.hidden), 0.5, place++));
      d_final.push_back(testing::random_rows<double>(kBatch, lstm.hidden, padded(lstm.hidden), 1.0, place++));
      EXPECT_EQ(state->size(), kBatch * padded(lstm.hidden));
    }
  }

  StackInput<double> input() const {
    return {.steps = kSteps,
            .batch = kBatch,
            .lengths = kLengths,
            .x = x.data(),
            .x_stride = padded(kInputs),
            .symbols = kSymbols,
            .masks = {1, 2, 0}};
  }
  const double* forward(Pass pass = Pass::kTraining) {
    stack.reset_state(kBatch);
    for (size_t s = 0; s < initial.size(); ++s) {
      std::copy_n(initial[s].data(), stack.state.arrays()[s]->size(), stack.state.arrays()[s]->data());
    }
    return stack.forward(input(), pass, Engine::kAutograd, values.data(), context);
  }
  double loss() {
    const double* y = forward();
    double sum = 0.0;
    for (int64_t i = 0; i < kSteps * kBatch * padded(width); ++i) sum += y[i] * dy[i];
    for (size_t s = 0; s < d_final.size(); ++s) {
      for (int64_t i = 0; i < stack.state.arrays()[s]->size(); ++i) {
        sum += (*stack.state.arrays()[s])[i] * d_final[s][static_cast<size_t>(i)];
      }
    }
    return sum;
  }
  void backward() {
    forward();
    for (size_t s = 0; s < d_final.size(); ++s) {
      Buffer<double>& gradient = *stack.state_gradients()[s];
      std::copy_n(d_final[s].data(), gradient.size(), gradient.data());
    }
    gradients.resize(values.size());
    gradients.fill(0.0);
    dx.resize(x.size());
    stack.backward(input(),
                   {.d_output = dy.data(),
                    .dx = stack.options().one_hot ? nullptr : dx.data(),
                    .dx_stride = padded(kInputs),
                    .states = true},
                   Engine::kAutograd, gradients.data(), context);
  }
  // Of the loss by one number, with the third derivative cancelled.
  double difference(double& value) {
    constexpr double kStep = 1e-4;
    const double saved = value;
    const auto at = [&](double offset) {
      value = saved + offset;
      const double result = loss();
      value = saved;
      return result;
    };
    return (8.0 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12.0 * kStep);
  }

  ParameterArena arena;
  TestedStack<double> stack;
  int64_t width = stack.options().lstm.outputs();
  uint32_t place = 10;
  Buffer<double> values, gradients, dx;
  Buffer<double> x = testing::aligned(testing::random_rows<double>(kSteps * kBatch, kInputs, padded(kInputs), 1.0, 2));
  Buffer<double> dy = testing::aligned(testing::random_rows<double>(kSteps * kBatch, width, padded(width), 1.0, 3));
  std::vector<std::vector<double>> initial, d_final;
  kernels::Context context{1};
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

TEST_P(OtherCells, GradientsAgreeWithCentralDifferences) {
  for (const bool one_hot : {false, true}) {
    for (const LstmOptions& lstm : option_sets(GetParam())) {
      Subject s(lstm, one_hot);
      s.backward();
      double largest = 0.0;
      const auto check = [&](double& value, double gradient, const char* what, int64_t i) {
        // 1e-16 / kStep of rounding times a loss of order 10, and kStep^4 times a fifth derivative.
        EXPECT_NEAR(gradient, s.difference(value), 5e-10) << what << " " << i;
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

// Each regulariser does something in training, and nothing otherwise.
TEST_P(OtherCells, AreRegularisedInTrainingAlone) {
  const LstmOptions plain{.cell = GetParam(), .hidden = 5, .layers = 2};
  const auto outputs = [](const LstmOptions& lstm, Pass pass) {
    Subject s(lstm);
    const double* y = s.forward(pass);
    return std::vector<double>(y, y + kSteps * kBatch * padded(s.width));
  };
  for (double LstmOptions::*rate :
       {&LstmOptions::dropout, &LstmOptions::dropout_input, &LstmOptions::dropout_output, &LstmOptions::weight_drop}) {
    LstmOptions lstm = plain;
    lstm.dropout_input = lstm.dropout_output = 0.0;
    lstm.*rate = 0.5;
    EXPECT_EQ(outputs(lstm, Pass::kGradients), outputs(plain, Pass::kGradients));
    EXPECT_EQ(outputs(lstm, Pass::kInference), outputs(plain, Pass::kInference));
    EXPECT_NE(outputs(lstm, Pass::kTraining), outputs(plain, Pass::kTraining));
  }
}

// Of two directions, only the reverse one has read the last step at the first.
TEST_P(OtherCells, ReadInBothDirections) {
  Subject s({.cell = GetParam(), .hidden = 5, .bidirectional = true});
  const auto first_step = [&s](int64_t begin) {
    const double* y = s.forward(Pass::kInference);
    return std::vector<double>(y + begin, y + begin + 5);  // of row 0, which is as long as can be
  };
  const std::vector<double> forward = first_step(0), reverse = first_step(5);
  s.x[(kSteps - 1) * kBatch * padded(kInputs)] += 1.0;
  EXPECT_EQ(first_step(0), forward);
  EXPECT_NE(first_step(5), reverse);
}

// A row is what it is alone: its padding changes nothing, and where it has ended its outputs are zeros.
TEST_P(OtherCells, PaddingChangesNothing) {
  Subject s({.cell = GetParam(), .hidden = 5, .layers = 2, .bidirectional = true});
  const double* out = s.forward(Pass::kGradients);
  const int64_t stride = padded(s.width);
  const std::vector<double> whole(out, out + kSteps * kBatch * stride);
  const int64_t row = 2, length = kLengths[row];
  Buffer<double> x(length * padded(kInputs));
  for (int64_t t = 0; t < length; ++t) {
    std::copy_n(s.x.data() + (t * kBatch + row) * padded(kInputs), padded(kInputs), x.data() + t * padded(kInputs));
  }
  s.stack.reset_state(1);
  for (size_t k = 0; k < s.initial.size(); ++k) {
    std::copy_n(s.initial[k].data() + row * padded(5), padded(5), s.stack.state.arrays()[k]->data());
  }
  const double* alone = s.stack.forward({.steps = length, .batch = 1, .x = x.data(), .x_stride = padded(kInputs)},
                                        Pass::kGradients, Engine::kAutograd, s.values.data(), s.context);
  for (int64_t t = 0; t < kSteps; ++t) {
    const auto at = whole.begin() + (t * kBatch + row) * stride;
    const std::vector<double> expected =
        t < length ? std::vector<double>(alone + t * stride, alone + (t + 1) * stride) : std::vector<double>(stride);
    EXPECT_EQ(std::vector<double>(at, at + stride), expected) << t;
  }
}

// A sequence read in two windows gives what it gives in one.
TEST_P(OtherCells, CarryTheirState) {
  Subject s({.cell = GetParam(), .hidden = 5, .layers = 2, .train_initial_state = true});
  const auto run = [&](int64_t begin, int64_t steps) {
    const double* y = s.stack.forward({.steps = steps,
                                       .batch = kBatch,
                                       .x = s.x.data() + begin * kBatch * padded(kInputs),
                                       .x_stride = padded(kInputs)},
                                      Pass::kInference, Engine::kAutograd, s.values.data(), s.context);
    return std::vector<double>(y, y + steps * kBatch * padded(s.width));
  };
  s.stack.reset_state(kBatch);
  const std::vector<double> whole = run(0, kSteps);
  s.stack.reset_state(kBatch);
  std::vector<double> parts = run(0, 2);
  StackState<double> saved = std::move(s.stack.state);  // something else in between
  s.stack.state = StackState<double>(s.stack.stack);
  s.stack.reset_state(kBatch);
  run(1, 3);
  s.stack.state = std::move(saved);
  const std::vector<double> rest = run(2, kSteps - 2);
  parts.insert(parts.end(), rest.begin(), rest.end());
  EXPECT_EQ(whole, parts);
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
  std::vector<std::string> expected = {GetParam() + ".weight_ih_l0", GetParam() + ".weight_hh_l0",
                                       GetParam() + ".bias_ih_l0"};
  if (GetParam() == "gru") expected.push_back("gru.bias_hh_l0");
  EXPECT_EQ(names, expected);
}

TEST_P(OtherCells, RunOnTheTapeAlone) {
  Subject s({.cell = GetParam(), .hidden = 3});
  for (const Engine engine : {Engine::kFused, Engine::kReference}) {
    s.stack.reset_state(kBatch);
    EXPECT_THROW(s.stack.forward(s.input(), Pass::kInference, engine, s.values.data(), s.context), std::logic_error);
  }
  const LstmOptions lstm{.cell = GetParam()};
  EXPECT_EQ(lstm.engine("autograd"), Engine::kAutograd);
  EXPECT_EQ(lstm.fastest_engine(), Engine::kAutograd);
  EXPECT_EQ(LstmOptions{}.engine("fused"), Engine::kFused);
  EXPECT_EQ(LstmOptions{}.fastest_engine(), Engine::kFused);
  try {
    lstm.engine("fused");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kUsage);
    EXPECT_EQ(std::string(e.what()), "`cell` " + GetParam() + ": expected `engine` autograd, found fused");
  }
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
  for (const LstmOptions& lstm : option_sets(cell)) EXPECT_NO_THROW(lstm.check());
}

INSTANTIATE_TEST_SUITE_P(Cells, OtherCells, ::testing::Values("gru", "rnn"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace longhand::nn
