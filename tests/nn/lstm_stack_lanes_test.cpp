// A stack whose work threads share out: layers in a wave, directions side by side, steps by their units.
#include "longhand/nn/lstm_stack.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

// A stack on some threads, with T steps of B rows of random input.
struct SharedStack {
  SharedStack(const LstmOptions& lstm, int64_t steps, int64_t batch, const Threads& threads)
      : T(steps),
        B(batch),
        context(threads),
        stack({.lstm = lstm, .inputs = I, .one_hot = false, .init = {}}, arena),
        width(padded(lstm.outputs())),
        x(testing::aligned(testing::random_rows<float>(T * B, I, padded(I), 1.0, 4))),
        dy(testing::aligned(testing::random_rows<float>(T * B, lstm.outputs(), width, 1.0, 5))),
        dx(T * B * padded(I)) {
    arena.allocate();
    arena.allocate_gradients();
    arena.initialise(1);
  }

  StackInput<float> input(const int32_t* lengths, uint64_t step) const {
    return {.steps = T,
            .batch = B,
            .lengths = lengths,
            .x = x.data(),
            .x_stride = padded(I),
            .symbols = nullptr,
            .masks = {1, step, 0}};
  }
  const float* forward(const StackInput<float>& in, Pass pass) {
    stack.state.reset(B);
    stack.weights.set_values(arena.values().data());
    return stack.forward(stack.state, in, pass, Engine::kFused, context);
  }
  void backward(const StackInput<float>& in) {
    stack.backward(in, {.d_output = dy.data(), .dx = dx.data(), .dx_stride = padded(I)}, Engine::kFused,
                   arena.gradients().data(), context);
  }

  static constexpr int64_t I = 11;
  int64_t T, B;
  kernels::Context context;
  ParameterArena arena;
  WholeStack<float> stack;
  int64_t width;
  Buffer<float> x, dy, dx;
};

// What an earlier batch left in rows that now are padding is gone, whoever shares their steps.
TEST(LstmStack, ClearsThePaddingHoweverItIsSharedOut) {
  const std::vector<int32_t> lengths = {16, 3, 9};
  for (const int threads : {1, 2, 5}) {
    SharedStack s({.hidden = 230, .layers = 3, .residual = true, .dropout = 0.3}, 16, 3, threads);
    for (int round = 0; round < 12; ++round) {
      const bool ragged = round % 2 == 1;
      const StackInput<float> input = s.input(ragged ? lengths.data() : nullptr, static_cast<uint64_t>(round));
      const float* y = s.forward(input, Pass::kTraining);
      const auto is_padding = [&](int64_t row) {
        return ragged && row / s.B >= lengths[static_cast<size_t>(row % s.B)];
      };
      for (int64_t row = 0; row < s.T * s.B; ++row) {
        for (int64_t j = 0; is_padding(row) && j < s.width; ++j) {
          ASSERT_EQ(y[row * s.width + j], 0.0F) << threads << " threads, row " << row << ", column " << j;
          s.dy[row * s.width + j] = 0.0F;
        }
      }
      s.backward(input);
      for (int64_t row = 0; row < s.T * s.B; ++row) {
        for (int64_t j = 0; is_padding(row) && j < s.I; ++j) {
          ASSERT_EQ(s.dx[row * padded(s.I) + j], 0.0F) << threads << " threads, row " << row;
        }
      }
    }
  }
}

// Layers in a wave, directions side by side, steps that threads share, a host's threads: always the same bits.
TEST(LstmStack, IsBitIdenticalHoweverItIsSharedOut) {
  const std::vector<std::pair<int64_t, LstmOptions>> stacks = {
      {1, {.hidden = 130}},
      {2, {.hidden = 150, .layers = 3}},
      {14, {.hidden = 230, .layers = 2, .dropout = 0.2}},
      {3, {.hidden = 130, .layers = 3, .residual = true, .dropout = 0.3}},
      {2, {.hidden = 130, .layers = 2, .bidirectional = true, .dropout = 0.3, .variational = true}},
      {33, {.hidden = 60, .layers = 4, .dropout = 0.2, .zoneout = 0.2}},
      {20, {.hidden = 64, .layers = 2, .proj = 20, .dropout = 0.2, .variational = true}},
      {20, {.hidden = 64, .layers = 3, .layer_norm = true, .residual = true, .train_initial_state = true}}};
  testing::OneByOne host;
  for (const auto& [batch, lstm] : stacks) {
    std::vector<int32_t> lengths;
    for (int64_t b = 0; b < batch; ++b) lengths.push_back(static_cast<int32_t>(24 - b % 5));
    std::vector<std::vector<float>> results;
    for (const Threads& threads : {Threads(1), Threads(2), Threads(3), Threads(5), Threads(host)}) {
      SharedStack s(lstm, 24, batch, threads);
      const StackInput<float> input = s.input(lengths.data(), 2);
      std::vector<float> all;
      for (const Pass pass : {Pass::kInference, Pass::kTraining}) {
        const float* y = s.forward(input, pass);
        all.insert(all.end(), y, y + s.T * s.B * s.width);
      }
      for (Buffer<float>* state : s.stack.state.arrays()) {
        all.insert(all.end(), state->span().begin(), state->span().end());
      }
      s.backward(input);
      all.insert(all.end(), s.dx.span().begin(), s.dx.span().end());
      all.insert(all.end(), s.arena.gradients().begin(), s.arena.gradients().end());
      results.push_back(std::move(all));
    }
    for (const std::vector<float>& result : results) EXPECT_EQ(result, results.front()) << lstm.hidden;
  }
}

}  // namespace
}  // namespace longhand::nn
