// Dropout, initialisers and the stack of LSTM layers.
#include "longhand/kernels/context.h"
#include "longhand/nn/dropout.h"
#include "longhand/nn/initialisers.h"
#include "longhand/nn/lstm_stack.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

TEST(Dropout, KeepsTheMeanAndIsTheSameOnAnyNumberOfThreads) {
  constexpr int64_t kRows = 500, kWidth = 37, kStride = 48;
  std::vector<float> x(kRows * kStride, 1.0F);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 4}) {
    ThreadPool pool(threads);
    std::vector<float> y(x.size(), -1.0F);
    dropout({3, 5, 1}, 0.3, x.data(), y.data(), kRows, kWidth, kStride, pool);
    results.push_back(y);
  }
  EXPECT_EQ(results[0], results[1]);
  int zeros = 0;
  for (int64_t i = 0; i < kRows * kStride; ++i) {
    const float y = results[0][static_cast<size_t>(i)];
    if (i % kStride >= kWidth) {
      EXPECT_EQ(y, -1.0F);  // the padding is left alone
    } else {
      EXPECT_TRUE(y == 0.0F || std::abs(y - 1.0F / 0.7F) < 1e-6F);
      zeros += y == 0.0F ? 1 : 0;
    }
  }
  constexpr double kCount = kRows * kWidth;
  EXPECT_NEAR(zeros / kCount, 0.3, 5 * std::sqrt(0.21 / kCount));
}

TEST(Dropout, DrawsAnotherMaskForAnotherStepOrPlace) {
  ThreadPool pool(1);
  std::vector<float> x(64, 1.0F), a(64), b(64), c(64), again(64);
  dropout({3, 5, 1}, 0.5, x.data(), a.data(), 1, 64, 64, pool);
  dropout({3, 6, 1}, 0.5, x.data(), b.data(), 1, 64, 64, pool);
  dropout({3, 5, 2}, 0.5, x.data(), c.data(), 1, 64, 64, pool);
  dropout({3, 5, 1}, 0.5, x.data(), again.data(), 1, 64, 64, pool);
  EXPECT_NE(a, b);
  EXPECT_NE(a, c);
  EXPECT_EQ(a, again);
}

TEST(Initialisers, HaveTheirSpread) {
  const auto spread = [](const std::string& name, double& bound) {
    std::vector<float> values(40000);
    weights({.init = name, .scale = 0.2}, 100, 300, 64)(values, CounterRng(1, 0, RngPlace::kParameter));
    double square = 0.0;
    bound = 0.0;
    for (const float v : values) {
      square += static_cast<double>(v) * static_cast<double>(v);
      bound = std::max(bound, std::abs(static_cast<double>(v)));
    }
    return std::sqrt(square / 40000.0);
  };
  double bound = 0.0;
  EXPECT_NEAR(spread("standard-uniform", bound), 0.125 / std::sqrt(3.0), 0.001);
  EXPECT_LE(bound, 0.125);
  EXPECT_NEAR(spread("xavier-uniform", bound), std::sqrt(2.0 / 400), 0.001);
  EXPECT_NEAR(spread("xavier-normal", bound), std::sqrt(2.0 / 400), 0.001);
  EXPECT_NEAR(spread("normal", bound), 0.2, 0.003);
  EXPECT_NEAR(spread("uniform", bound), 0.2 / std::sqrt(3.0), 0.001);
  std::vector<float> bias(12, 0.0F);
  lstm_bias({.forget_bias = 1.5}, 3)(bias, CounterRng(1, 0, RngPlace::kParameter));
  EXPECT_EQ(bias, (std::vector<float>{0, 0, 0, 1.5F, 1.5F, 1.5F, 0, 0, 0, 0, 0, 0}));
}

struct Stack {
  explicit Stack(const LstmStackOptions& options) : stack(options, arena) {
    arena.allocate();
    arena.allocate_gradients();
    arena.initialise(3);
  }
  ParameterArena arena;
  LstmStack stack;
};

class StackEngines : public ::testing::TestWithParam<std::tuple<int, double, bool>> {};

TEST_P(StackEngines, AgreeOnOutputsStatesAndGradients) {
  const auto [layers, p, ragged] = GetParam();
  const int64_t T = 6, B = 5, I = 7, H = 19, Hp = padded(H);
  const auto x = testing::aligned(testing::random_rows<float>(T * B, I, padded(I), 1.0, 1));
  const auto d_output = testing::aligned(testing::random_rows<float>(T * B, H, Hp, 1.0, 2));
  const std::vector<int32_t> lengths = {6, 0, 3, 6, 1};
  const StackInput input{.steps = T,
                         .batch = B,
                         .lengths = ragged ? lengths.data() : nullptr,
                         .x = x.data(),
                         .x_stride = padded(I),
                         .symbols = nullptr,
                         .dropout = {1, 2, 0}};
  std::vector<std::vector<float>> gradients, outputs, states, inputs;
  for (const Engine engine : {Engine::kFused, Engine::kReference}) {
    kernels::Context context(2);
    Stack s({.layers = layers, .inputs = I, .hidden = H, .dropout = p});
    s.stack.reset_state(B);
    Buffer<float> dx(T * B * padded(I)), dy(T * B * Hp);
    const float* h = nullptr;
    for (int window = 0; window < 2; ++window) {  // the second begins where the first ended
      h = s.stack.forward(input, true, engine, s.arena, context);
      std::copy_n(d_output.data(), T * B * Hp, dy.data());
      s.stack.backward(input, dy.data(), dx.data(), padded(I), engine, s.arena, context);
    }
    outputs.emplace_back(h, h + T * B * Hp);
    gradients.emplace_back(s.arena.gradients().begin(), s.arena.gradients().end());
    inputs.emplace_back(dx.span().begin(), dx.span().end());
    states.emplace_back();
    for (Buffer<float>* state : s.stack.state()) {
      states.back().insert(states.back().end(), state->span().begin(), state->span().end());
    }
  }
  const auto size = [](const auto& v) { return static_cast<int64_t>(v.size()); };
  testing::expect_close(outputs[0], outputs[1], size(outputs[0]), 3e-6, "outputs");
  testing::expect_close(gradients[0], gradients[1], size(gradients[0]), 3e-6, "gradients");
  testing::expect_close(states[0], states[1], size(states[0]), 3e-6, "states");
  testing::expect_close(inputs[0], inputs[1], size(inputs[0]), 3e-6, "dx");
}

INSTANTIATE_TEST_SUITE_P(Shapes, StackEngines,
                         ::testing::Combine(::testing::Values(1, 2, 3), ::testing::Values(0.0, 0.4),
                                            ::testing::Bool()));

// A sequence read in two windows gives what it gives in one: the state carries over.
TEST(LstmStack, CarriesItsState) {
  const int64_t B = 3, I = 4, H = 9, Hp = padded(H);
  const auto x = testing::aligned(testing::random_rows<float>(8 * B, I, padded(I), 1.0, 1));
  for (const bool training : {false, true}) {
    kernels::Context context(1);
    Stack s({.layers = 2, .inputs = I, .hidden = H});
    const auto run = [&](int64_t begin, int64_t steps) {
      const StackInput input{.steps = steps,
                             .batch = B,
                             .lengths = nullptr,
                             .x = x.data() + begin * B * padded(I),
                             .x_stride = padded(I),
                             .symbols = nullptr,
                             .dropout = {}};
      const float* h = s.stack.forward(input, training, Engine::kFused, s.arena, context);
      return std::vector<float>(h, h + steps * B * Hp);
    };
    s.stack.reset_state(B);
    const std::vector<float> whole = run(0, 8);
    s.stack.reset_state(B);
    std::vector<float> parts = run(0, 3);
    const std::vector<float> rest = run(3, 5);
    parts.insert(parts.end(), rest.begin(), rest.end());
    EXPECT_EQ(whole, parts);
  }
}

}  // namespace
}  // namespace longhand::nn
