// Single steps have the bits of the kernels for whole sequences, of floats and of bf16; of int8 nearly.
#include "longhand/kernels/lstm_step.h"

#include <cmath>
#include <limits>

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
  WeightType type = WeightType::kFloat;
};

// Values that the type can hold: those of rows of `n`.
void round_to(WeightType type, int64_t n, std::vector<float>& w) {
  for (size_t row = 0; row + static_cast<size_t>(n) <= w.size(); row += static_cast<size_t>(n)) {
    const float scale = int8_scale(w.data() + row, n);
    for (size_t k = row; k < row + static_cast<size_t>(n); ++k) {
      if (type == WeightType::kBf16) w[k] = from_bf16(to_bf16(w[k]));
      if (type == WeightType::kInt8) w[k] = static_cast<float>(to_int8(w[k], scale)) * scale;
    }
  }
}

void expect_near(std::span<const float> a, std::span<const float> b, double tolerance, const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance) << what << " at " << i;
}

void compare(const StepCase& c, const std::string& target) {
  const std::string what = target + " I" + std::to_string(c.inputs) + " H" + std::to_string(c.hidden) + " P" +
                           std::to_string(c.projection) + (c.dense ? "" : " symbols") +
                           (c.normalised ? " normalised" : "") + (c.zoned ? " zoned" : "") + " " + name_of(c.type);
  constexpr int64_t T = 4;
  const int64_t I = c.inputs, H = c.hidden, R = c.projection > 0 ? c.projection : H, Hp = padded(H), Rp = padded(R);
  std::vector<std::vector<float>> w;
  uint32_t place = 1;
  for (const int64_t size : {4 * H * I, 4 * H * R, 4 * H, R * H, 4 * H, 4 * H, H, H}) {
    w.push_back(random_vector<float>(size, 0.4, place++));
  }
  round_to(c.type, I, w[0]);
  round_to(c.type, R, w[1]);
  round_to(c.type, H, w[3]);
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
  pack_lstm_step(shape, {}, weights, c.dense, c.type, step_packed, context);
  const double tolerance = c.type == WeightType::kInt8 ? (c.normalised ? 1e-3 : 2e-6) : 0.0;
  // As single steps, and all at once.
  for (const int64_t together : {int64_t{1}, T}) {
    Buffer<float> state((T + 1) * Rp), step_c(Hp), scratch(step_scratch(step_packed, together));
    std::copy_n(h0.data(), Rp, state.data());
    std::copy_n(c0.data(), Hp, step_c.data());
    for (int64_t t = 0; t < T; t += together) {
      lstm_step(step_packed, {.steps = together,
                              .x = x.data() + t * padded(I),
                              .x_stride = padded(I),
                              .symbols = symbols.data() + t,
                              .h = state.data() + t * Rp,
                              .c = step_c.data(),
                              .zone_h = c.zoned ? zone_h.data() : nullptr,
                              .zone_c = c.zoned ? zone_c.data() : nullptr,
                              .scratch = scratch.data()});
    }
    expect_near(state.span(), {h.data(), static_cast<size_t>((T + 1) * Rp)}, tolerance, what);
    expect_near(step_c.span(), cells.span(), tolerance, what + " c");
  }
}

TEST(LstmStep, HasTheBitsOfTheSequenceKernel) {
  for (const std::string& target : simd_targets()) {
    use_simd_target(target);
    for (const int64_t hidden : {1, 3, 8, 13, 16, 20, 31, 33, 64, 100}) {
      for (const int64_t inputs : {1, 2, 5, 17}) {
        for (const int64_t projection : {int64_t{0}, (hidden + 1) / 2}) {
          for (int flags = 0; flags < 8; ++flags) {
            for (const WeightType type : {WeightType::kFloat, WeightType::kBf16, WeightType::kInt8}) {
              compare({inputs, hidden, projection, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, type}, target);
              if (::testing::Test::HasFatalFailure()) return use_simd_target("");
            }
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
        const std::vector<float> full = random_vector<float>(outputs * inputs, 0.3, 1);
        const std::vector<float> bias = random_vector<float>(outputs, 0.3, 2);
        const Buffer<float> x = aligned(random_rows<float>(1, inputs, padded(inputs), 1.0, 3));
        for (int flags = 0; flags < 6; ++flags) {
          const bool with_bias = flags % 2 == 1;
          const auto type = static_cast<WeightType>(flags / 2);
          std::vector<float> w = full;
          round_to(type, inputs, w);
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
          pack_linear_step(w.data(), with_bias ? bias.data() : nullptr, outputs, inputs, type, step);
          linear_step(step, 1, x.data(), 0, y.data(), 0);
          expect_near(std::span(y).first(static_cast<size_t>(outputs)),
                      std::span(expected).first(static_cast<size_t>(outputs)), type == WeightType::kInt8 ? 2e-5 : 0.0,
                      target + " " + name_of(type));
          EXPECT_EQ(y.back(), 7.0F);
        }
      }
    }
  }
  use_simd_target("");
}

TEST(WeightType, RoundsToTheNearest) {
  EXPECT_EQ(from_bf16(to_bf16(1.0F)), 1.0F);
  EXPECT_EQ(from_bf16(to_bf16(1.00390625F)), 1.0F);       // half way to the next: the even one
  EXPECT_EQ(from_bf16(to_bf16(1.01171875F)), 1.015625F);  // likewise
  EXPECT_TRUE(std::isnan(from_bf16(to_bf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(from_bf16(to_bf16(-std::numeric_limits<float>::infinity())), -std::numeric_limits<float>::infinity());
  const std::vector<float> row = {0.5F, -2.54F, 0.03F, 0.009F};
  const float scale = int8_scale(row.data(), 4);
  EXPECT_FLOAT_EQ(scale, 0.02F);
  EXPECT_EQ(to_int8(row[1], scale), -127);
  EXPECT_EQ(to_int8(row[0], scale), 25);
  EXPECT_EQ(to_int8(row[3], scale), 0);
  EXPECT_EQ(int8_scale(row.data(), 0), 1.0F);
  for (const WeightType type : {WeightType::kFloat, WeightType::kBf16, WeightType::kInt8}) {
    EXPECT_EQ(parse_weight_type(name_of(type)), type);
  }
}

// One unit without weights: a step is the activations of its bias alone.
TEST(LstmStep, FastActivationsHaveTheErrorsThatAreStated) {
  Context context(1);
  for (const std::string& target : simd_targets()) {
    use_simd_target(target);
    double worst_sigmoid = 0.0, worst_tanh = 0.0;
    const auto hidden_of = [&](const std::vector<float>& bias, float c_0, bool fast) {
      const float zero = 0.0F;
      const LstmWeights<float> weights{&zero, nullptr, bias.data()};
      std::vector<float> w(4, 0.0F);
      LstmWeights<float> all = weights;
      all.w_ih = w.data();
      all.w_hh = w.data();
      PackedLstmStep packed;
      pack_lstm_step({.steps = 1, .batch = 1, .inputs = 1, .hidden = 1}, {}, all, true, WeightType::kFloat, packed,
                     context);
      Buffer<float> x(padded(1)), h(2 * padded(1)), c(padded(1)), scratch(step_scratch(packed, 1));
      c[0] = c_0;
      lstm_step(packed, {.x = x.data(), .h = h.data(), .c = c.data(), .scratch = scratch.data(), .fast = fast});
      return std::pair(h[padded(1)], c[0]);
    };
    for (double a = -12.0; a <= 12.0; a += 0.01) {
      const auto at = static_cast<float>(a);
      // i, g open nothing; f = sigmoid(a) times c = 1 is the new cell.
      const float f = hidden_of({-100.0F, at, 0.0F, 0.0F}, 1.0F, true).second;
      worst_sigmoid = std::max(worst_sigmoid, std::abs(f - 1.0 / (1.0 + std::exp(-static_cast<double>(at)))));
      // i = 1, so that the new cell is g = tanh(a).
      const float g = hidden_of({100.0F, -100.0F, at, 0.0F}, 0.0F, true).second;
      worst_tanh = std::max(worst_tanh, std::abs(g - std::tanh(static_cast<double>(at))));
      EXPECT_LE(std::abs(g), 1.0F);
    }
    EXPECT_LT(worst_sigmoid, 1.6e-5) << target;  // of the gate i = 1 - 8e-6 another 8e-6
    EXPECT_LT(worst_tanh, 2.4e-5) << target;
    EXPECT_GT(worst_tanh, 1e-6) << target;  // they are others than the exact ones
  }
  use_simd_target("");
}

}  // namespace
}  // namespace longhand::kernels
