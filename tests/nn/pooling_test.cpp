// Pooling: by its definition, and its gradients by central differences.
#include "longhand/nn/pooling.h"

#include <tuple>

#include "tests/testing.h"

namespace longhand::nn {
namespace {

constexpr int64_t kSteps = 4, kRows = 3, kWidth = 6, kStride = 32;
const std::vector<int32_t> kLengths{4, 1, 3};

struct Problem {
  PoolKind kind;
  std::vector<double> x = testing::random_rows<double>(kSteps * kRows, kWidth, kStride, 1.5, 3);
  std::vector<double> query = testing::random_vector<double>(kWidth, 1.0, 4);
  PoolKept<double> kept;

  PoolInput<double> input() const {
    return {kind, kSteps, kRows, kWidth, 2, kLengths.data(), x.data(), kStride, query.data()};
  }
  std::vector<double> run(int threads = 1) {
    ThreadPool pool_of(threads);
    std::vector<double> y(kRows * kStride);
    pool(input(), y.data(), kStride, kept, pool_of);
    return y;
  }
  double at(int64_t t, int64_t row, int64_t w) const { return x[static_cast<size_t>((t * kRows + row) * kStride + w)]; }
};

class Pooling : public ::testing::TestWithParam<PoolKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, Pooling,
                         ::testing::Values(PoolKind::kLast, PoolKind::kMean, PoolKind::kMax, PoolKind::kAttention,
                                           PoolKind::kConcat));

TEST_P(Pooling, IsWhatItsNameSays) {
  Problem p{GetParam()};
  const std::vector<double> y = p.run();
  for (int64_t row = 0; row < kRows; ++row) {
    const int64_t length = kLengths[static_cast<size_t>(row)];
    std::vector<double> weights(static_cast<size_t>(length), 1.0 / static_cast<double>(length));
    if (GetParam() == PoolKind::kAttention) {
      double sum = 0.0;
      for (int64_t t = 0; t < length; ++t) {
        double score = 0.0;
        for (int64_t w = 0; w < kWidth; ++w) score += p.query[static_cast<size_t>(w)] * std::tanh(p.at(t, row, w));
        sum += weights[static_cast<size_t>(t)] = std::exp(score);
      }
      for (double& weight : weights) weight /= sum;
    }
    for (int64_t v = 0; v < pooled_width(GetParam(), kWidth); ++v) {
      constexpr PoolKind kParts[] = {PoolKind::kLast, PoolKind::kMax, PoolKind::kMean};
      const PoolKind kind = GetParam() == PoolKind::kConcat ? kParts[v / kWidth] : GetParam();
      const int64_t w = v % kWidth;
      double expected = kind == PoolKind::kMax ? -1e300 : 0.0;
      for (int64_t t = 0; t < length; ++t) {
        if (kind == PoolKind::kMax) expected = std::max(expected, p.at(t, row, w));
        if (kind == PoolKind::kMean || kind == PoolKind::kAttention) {
          expected += weights[static_cast<size_t>(t)] * p.at(t, row, w);
        }
      }
      if (kind == PoolKind::kLast) expected = p.at(w < kWidth / 2 ? length - 1 : 0, row, w);
      EXPECT_NEAR(y[static_cast<size_t>(row * kStride + v)], expected, 1e-14) << row << ' ' << v;
    }
  }
}

// Large enough for the rows to be shared out.
TEST_P(Pooling, IsTheSameOnAnyNumberOfThreads) {
  constexpr int64_t T = 40, B = 64, W = 32;
  const std::vector<float> x = testing::random_rows<float>(T * B, W, W, 1.0, 5);
  const std::vector<float> query = testing::random_vector<float>(W, 1.0, 6);
  const int64_t V = pooled_width(GetParam(), W);
  const std::vector<float> dy = testing::random_rows<float>(B, V, V, 1.0, 7);
  std::vector<int32_t> lengths;
  for (int64_t row = 0; row < B; ++row) lengths.push_back(static_cast<int32_t>(1 + row % T));
  const auto run = [&](int threads) {
    ThreadPool pool_of(threads);
    const PoolInput<float> input{GetParam(), T, B, W, 2, lengths.data(), x.data(), W, query.data()};
    PoolKept<float> kept;
    std::vector<float> y(static_cast<size_t>(B * V)), dx(x.size()), d_query(W);
    pool(input, y.data(), V, kept, pool_of);
    pool_backward(input, kept, dy.data(), V, dx.data(), d_query.data(), pool_of);
    return std::tuple(y, dx, d_query);
  };
  EXPECT_EQ(run(1), run(3));
}

TEST_P(Pooling, GradientsAgreeWithCentralDifferences) {
  Problem p{GetParam()};
  const std::vector<double> dy = testing::random_rows<double>(kRows, 3 * kWidth, kStride, 1.0, 9);
  const auto loss = [&] {
    const std::vector<double> y = p.run();
    double sum = 0.0;
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t v = 0; v < pooled_width(GetParam(), kWidth); ++v) {
        const auto i = static_cast<size_t>(row * kStride + v);
        sum += dy[i] * y[i];
      }
    }
    return sum;
  };
  loss();
  ThreadPool pool_of(2);
  std::vector<double> dx(p.x.size(), 7.0), d_query(kWidth, 0.5);
  pool_backward(p.input(), p.kept, dy.data(), kStride, dx.data(), d_query.data(), pool_of);
  const auto check = [&](double& value, double gradient, const char* what, int64_t i) {
    const double kept = value;
    value = kept + 1e-6;
    const double above = loss();
    value = kept - 1e-6;
    const double below = loss();
    value = kept;
    EXPECT_NEAR(gradient, (above - below) / 2e-6, 1e-8) << what << ' ' << i;
  };
  for (int64_t i = 0; i < kSteps * kRows * kStride; ++i) {
    check(p.x[static_cast<size_t>(i)], dx[static_cast<size_t>(i)], "x", i);  // and zeros in the padding
  }
  for (int64_t w = 0; w < kWidth; ++w) {
    check(p.query[static_cast<size_t>(w)], d_query[static_cast<size_t>(w)] - 0.5, "query", w);
  }
}

}  // namespace
}  // namespace longhand::nn
