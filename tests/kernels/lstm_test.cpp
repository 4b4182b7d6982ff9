// The fused LSTM layer against the reference, and the reference's gradients against central differences in double.
#include "longhand/kernels/lstm.h"

#include "tests/kernels/lstm_layer.h"

namespace longhand::kernels {
namespace {

class LstmKernel : public ::testing::TestWithParam<Case> {};

TEST_P(LstmKernel, AgreesWithTheReferenceOnEveryTarget) { expect_the_reference_on_every_target(GetParam()); }
TEST_P(LstmKernel, AgreesWithTheReferenceInBf16OnEveryTarget) { expect_the_reference_in_bf16(GetParam()); }
TEST_P(LstmKernel, InferenceEqualsTraining) { expect_inference_to_equal_training(GetParam()); }

TEST_P(LstmKernel, IsBitIdenticalOnAnyNumberOfThreads) {
  expect_the_same_on_any_number_of_threads(GetParam(), true);
  expect_the_same_on_any_number_of_threads(GetParam(), true, Precision::kBf16);
}

// Without the gradients of the initial state, threads may share the steps of the way back, too.
TEST(LstmKernel, SharesStepsBackwardToTheSameBits) {
  for (const Case& c : {Case{20, 1, 9, 130, false, false}, Case{12, 2, 17, 150, false, true, {.reverse = true}},
                        Case{5, 30, 9, 260, true, true}}) {
    testing::on_every_target([&] { expect_the_same_on_any_number_of_threads(c, false); });
    testing::on_every_target_in_bf16([&] { expect_the_same_on_any_number_of_threads(c, false, Precision::kBf16); });
  }
}

// Sizes around the vector widths (4, 8, 16), around the tiles' rows (3, 4, 6, 8), 1, and lengths of 0.
INSTANTIATE_TEST_SUITE_P(Sizes, LstmKernel,
                         ::testing::Values(Case{1, 1, 1, 1, false, false}, Case{1, 1, 3, 5, true, false},
                                           Case{3, 2, 4, 15, false, false}, Case{5, 7, 17, 16, false, true},
                                           Case{4, 6, 16, 17, true, true}, Case{2, 13, 33, 31, false, false},
                                           Case{6, 9, 47, 33, false, true}, Case{3, 5, 11, 48, true, false},
                                           Case{9, 17, 64, 64, true, true}, Case{2, 3, 130, 65, false, false},
                                           Case{70, 17, 5, 20, false, true}));

// Large enough for several threads, which share the rows, or the steps of a few rows; more threads than rows.
INSTANTIATE_TEST_SUITE_P(Shared, LstmKernel,
                         ::testing::Values(Case{20, 1, 9, 130, false, false}, Case{25, 2, 17, 150, true, true},
                                           Case{25, 3, 17, 150, false, true, {.reverse = true}},
                                           Case{9, 1, 30, 200, false, false, {.zone_c = true}},
                                           Case{9, 2, 30, 200, false, true, {.projection = 70, .normalised = true}},
                                           Case{12, 40, 20, 70, false, true}, Case{6, 1, 9, 260, false, false},
                                           Case{6, 33, 9, 260, true, true}, Case{30, 15, 9, 20, false, false}));

constexpr Options kProjected{.projection = 7};
constexpr Options kReverse{.reverse = true};
constexpr Options kMask{.recurrent_mask = true};
constexpr Options kZoneout{.zone_h = true, .zone_c = true};
constexpr Options kNormalised{.normalised = true};
constexpr Options kAll{
    .projection = 19, .reverse = true, .recurrent_mask = true, .zone_h = true, .zone_c = true, .normalised = true};
constexpr Options kAllButNormalised{
    .projection = 19, .reverse = true, .recurrent_mask = true, .zone_h = true, .zone_c = true};
INSTANTIATE_TEST_SUITE_P(
    Options, LstmKernel,
    ::testing::Values(Case{4, 7, 5, 17, false, true, kProjected}, Case{4, 7, 5, 17, false, true, kReverse},
                      Case{5, 3, 6, 20, true, false, kReverse}, Case{4, 7, 5, 17, true, true, kMask},
                      Case{4, 7, 5, 33, false, true, kZoneout}, Case{4, 7, 5, 17, false, true, kNormalised},
                      Case{4, 7, 5, 17, true, true, kNormalised}, Case{1, 3, 1, 1, false, false, kAllButNormalised},
                      Case{1, 1, 1, 3, false, false, kAll}, Case{5, 9, 18, 33, false, true, kAll},
                      Case{5, 9, 18, 16, true, true, kAll}, Case{40, 8, 5, 48, false, false, kAll}));

TEST(LstmReference, GradientsAgreeWithCentralDifferences) {
  for (const Case& c : {Case{4, 3, 3, 5, false, false}, Case{5, 4, 3, 4, false, true}, Case{4, 3, 4, 3, true, true},
                        Case{4, 3, 3, 5, false, true, {.projection = 2}}, Case{4, 4, 3, 5, false, true, kReverse},
                        Case{4, 3, 3, 5, false, true, kMask}, Case{4, 3, 3, 5, false, true, kZoneout},
                        Case{4, 3, 3, 5, false, true, kNormalised}, Case{4, 3, 4, 3, true, true, kNormalised},
                        Case{4, 4, 3, 5, false, true, kAll}}) {
    SCOPED_TRACE(::testing::PrintToString(c));
    expect_central_differences(c);
  }
}

TEST(LstmReference, OneHotSymbolsEqualDenseOneHotRows) {
  const Case c{4, 3, 6, 5, true, false};
  Layer<double> symbols(c);
  Layer<double> dense({4, 3, 6, 5, false, false});
  dense.x.fill(0.0);
  for (int64_t row = 0; row < 12; ++row) dense.x[row * padded(6) + symbols.symbols[static_cast<size_t>(row)]] = 1.0;
  EXPECT_DOUBLE_EQ(symbols.loss(), dense.loss());
}

// A broken weight must not pass for a working model.
TEST(LstmKernel, CarriesNanThroughOnEveryTarget) {
  const Case c{2, 3, 5, 20, false, false};
  testing::on_every_target([&] {
    Layer<float> layer(c);
    layer.parameters[1][0] = std::nanf("");
    Context context(1);
    PackedLstm packed;
    pack_lstm(layer.shape(), layer.weights(), true, PackFor::kTraining, packed, context);
    lstm_forward(layer.forward(), packed, context);
    EXPECT_TRUE(std::isnan(layer.h[c.batch * padded(c.hidden)]));
  });
}

TEST(LstmKernel, RefusesASymbolOutsideItsInputs) {
  const Case c{2, 2, 3, 4, true, false};
  Layer<float> layer(c);
  layer.symbols[1] = 3;
  Context context(1);
  PackedLstm packed;
  pack_lstm(layer.shape(), layer.weights(), false, PackFor::kTraining, packed, context);
  EXPECT_THROW(lstm_forward(layer.forward(), packed, context), std::logic_error);
}

}  // namespace
}  // namespace longhand::kernels
