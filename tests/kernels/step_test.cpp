// Single steps have the bits of the kernels for whole sequences.
#include "longhand/kernels/lstm_step.h"

#include <tuple>

#include "longhand/kernels/linear.h"
#include "longhand/kernels/target.h"
#include "tests/testing.h"

namespace longhand::kernels {
namespace {

using testing::aligned;
using testing::random_rows;
using testing::random_symbols;
using testing::random_vector;

struct StepCase {
  int64_t inputs, hidden, projection;
  bool dense, normalised, zoned;
};

void expect_same_bits(std::span<const float> a, std::span<const float> b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_EQ(a[i], b[i]) << what << " at " << i;
}

void compare(const StepCase& c, const std::string& target) {
  const std::string what = target + " I" + std::to_string(c.inputs) + " H" + std::to_string(c.hidden) + " P" +
                           std::to_string(c.projection) + (c.dense ? "" : " symbols") +
                           (c.normalised ? " normalised" : "") + (c.zoned ? " zoned" : "");
  constexpr int64_t T = 4;
  const int64_t I = c.inputs, H = c.hidden, R = c.projection > 0 ? c.projection : H, Hp = padded(H), Rp = padded(R);
  std::vector<std::vector<float>> w;
  uint32_t place = 1;
  for (const int64_t size : {4 * H * I, 4 * H * R, 4 * H, R * H, 4 * H, 4 * H, H, H}) {
    w.push_back(random_vector<float>(size, 0.4, place++));
  }
  LstmWeights<float> weights{w[0].data(), w[1].data(), w[2].data()};
  if (c.projection > 0) weights.w_hr = w[3].data();
  if (c.normalised) {
    weights.gain_ih = w[4].data();
    weights.gain_hh = w[5].data();
    weights.gain_c = w[6].data();
    weights.bias_c = w[7].data();
  }
  const Buffer<float> x = aligned(random_rows<float>(T, I, padded(I), 1.0, 20));
  const std::vector<int32_t> symbols = random_symbols(T, static_cast<int32_t>(I), 21);
  const Buffer<float> h0 = aligned(random_rows<float>(1, R, Rp, 1.0, 22));
  const Buffer<float> c0 = aligned(random_rows<float>(1, H, Hp, 1.0, 23));
  Buffer<float> zone_h(Rp), zone_c(Hp);
  std::fill_n(zone_h.data(), R, 0.1F);
  std::fill_n(zone_c.data(), H, 0.3F);

  const LstmShape shape{.steps = T, .batch = 1, .inputs = I, .hidden = H, .projection = c.projection};
  Context context(1);
  PackedLstm packed;
  pack_lstm(shape, weights, c.dense, PackFor::kInference, packed, context);
  Buffer<float> h((T + 1) * Rp), cells(Hp);
  std::copy_n(h0.data(), Rp, h.data());
  std::copy_n(c0.data(), Hp, cells.data());
  LstmForward<float> args{.shape = shape, .weights = weights, .h = h.data(), .c = cells.data()};
  args.input = c.dense ? LstmInput<float>{x.data(), padded(I), nullptr} : LstmInput<float>{nullptr, 0, symbols.data()};
  if (c.zoned) args.masks = {.zone_h = zone_h.data(), .zone_c = zone_c.data()};
  lstm_forward(args, packed, context);

  PackedLstmStep step_packed;
  pack_lstm_step(shape, weights, c.dense, step_packed, context);
  Buffer<float> state(2 * Rp), step_c(Hp), scratch(step_scratch(step_packed));
  std::copy_n(h0.data(), Rp, state.data());
  std::copy_n(c0.data(), Hp, step_c.data());
  for (int64_t t = 0; t < T; ++t) {
    float* prev = state.data() + t % 2 * Rp;
    float* next = state.data() + (t + 1) % 2 * Rp;
    lstm_step(step_packed, {.x = x.data() + t * padded(I),
                            .symbol = symbols[static_cast<size_t>(t)],
                            .h_prev = prev,
                            .h = next,
                            .c = step_c.data(),
                            .zone_h = c.zoned ? zone_h.data() : nullptr,
                            .zone_c = c.zoned ? zone_c.data() : nullptr,
                            .scratch = scratch.data()});
    expect_same_bits({next, static_cast<size_t>(Rp)}, {h.data() + (t + 1) * Rp, static_cast<size_t>(Rp)}, what);
  }
  expect_same_bits(step_c.span(), cells.span(), what + " c");
}

TEST(LstmStep, HasTheBitsOfTheSequenceKernel) {
  for (const std::string& target : simd_targets()) {
    use_simd_target(target);
    for (const int64_t hidden : {1, 3, 8, 13, 16, 20, 31, 33, 64, 100}) {
      for (const int64_t inputs : {1, 2, 5, 17}) {
        for (const int64_t projection : {int64_t{0}, (hidden + 1) / 2}) {
          for (int flags = 0; flags < 8; ++flags) {
            compare({inputs, hidden, projection, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0}, target);
            if (::testing::Test::HasFatalFailure()) return use_simd_target("");
          }
        }
      }
    }
  }
  use_simd_target("");
}

TEST(LinearStep, HasTheBitsOfTheProduct) {
  Context context(1);
  for (const std::string& target : simd_targets()) {
    use_simd_target(target);
    for (const int64_t outputs : {1, 2, 7, 16, 33, 64, 100, 257}) {
      for (const int64_t inputs : {1, 5, 64, 300}) {
        const std::vector<float> w = random_vector<float>(outputs * inputs, 0.3, 1);
        const std::vector<float> bias = random_vector<float>(outputs, 0.3, 2);
        const Buffer<float> x = aligned(random_rows<float>(1, inputs, padded(inputs), 1.0, 3));
        for (const bool with_bias : {false, true}) {
          PackedLinear packed;
          pack_linear(w.data(), outputs, inputs, false, packed, context);
          std::vector<float> expected(static_cast<size_t>(padded(outputs))), y(static_cast<size_t>(outputs) + 1, 7.0F);
          linear_forward({.inputs = inputs,
                          .outputs = outputs,
                          .n = 1,
                          .x = x.data(),
                          .x_stride = padded(inputs),
                          .w = w.data(),
                          .bias = with_bias ? bias.data() : nullptr,
                          .y = expected.data(),
                          .y_stride = padded(outputs)},
                         packed, context);
          PackedLinearStep step;
          pack_linear_step(w.data(), with_bias ? bias.data() : nullptr, outputs, inputs, step);
          linear_step(step, x.data(), y.data());
          expect_same_bits(std::span(y).first(static_cast<size_t>(outputs)),
                           std::span(expected).first(static_cast<size_t>(outputs)), target);
          EXPECT_EQ(y.back(), 7.0F);
        }
      }
    }
  }
  use_simd_target("");
}

}  // namespace
}  // namespace longhand::kernels
