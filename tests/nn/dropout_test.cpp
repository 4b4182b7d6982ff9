// Masks.
#include "longhand/nn/dropout.h"
#include "tests/testing.h"

namespace longhand::nn {
namespace {

TEST(Dropout, KeepsTheMeanAndIsTheSameOnAnyNumberOfThreads) {
  constexpr int64_t kRows = 500, kWidth = 37, kStride = 48;
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 4}) {
    ThreadPool pool(threads);
    std::vector<float> mask(kRows * kStride, -1.0F);
    draw_mask(dropout_draw<float>({3, 5, 1}, 0.3), mask.data(), kRows, kWidth, kStride, pool);
    results.push_back(mask);
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
  const auto draw = [&pool](const DropoutKey& key) {
    std::vector<float> mask(64);
    draw_mask(dropout_draw<float>(key, 0.5), mask.data(), 1, 64, 64, pool);
    return mask;
  };
  EXPECT_NE(draw({3, 5, 1}), draw({3, 6, 1}));
  EXPECT_NE(draw({3, 5, 1}), draw({3, 5, 2}));
  EXPECT_NE(draw({3, 5, 1}), draw({4, 5, 1}));
  EXPECT_EQ(draw({3, 5, 1}), draw({3, 5, 1}));
}

TEST(Dropout, OneMaskOfTheBatchServesAllSteps) {
  ThreadPool pool(2);
  const std::vector<double> x = {1, 2, 3, 4, 5, 6, 7, 8}, mask = {0, 2, 1, 0};
  std::vector<double> y(8);
  multiply_mask<double>({.x = x.data(),
                         .x_stride = 2,
                         .mask = mask.data(),
                         .mask_rows = 2,
                         .mask_stride = 2,
                         .y = y.data(),
                         .y_stride = 2,
                         .rows = 4,
                         .width = 2},
                        pool);
  EXPECT_EQ(y, (std::vector<double>{0, 4, 3, 0, 0, 12, 7, 0}));
}

}  // namespace
}  // namespace longhand::nn
