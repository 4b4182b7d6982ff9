// Ridge regression: against scikit-learn's numbers, against sums and equations written out here, and on data whose
// best forecast is known.
#include "longhand/baselines/ridge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "longhand/base/error.h"
#include "longhand/base/rng.h"
#include "longhand/io/file.h"
#include "tests/testing.h"

namespace longhand::baselines {
namespace {

// Two waves, of which the second is predicted.
Columns waves(int64_t rows) {
  Columns out{.x = {{}, {}}, .y = {{}}};
  for (int64_t row = 0; row < rows; ++row) {
    const auto t = static_cast<double>(row);
    out.x[0].push_back(std::sin(0.7 * t) + 0.1 * t);
    out.x[1].push_back(std::cos(1.3 * t) * (1 + 0.05 * t));
    out.y[0].push_back(out.x[1].back());
  }
  return out;
}

Columns noise(int64_t rows, size_t columns, size_t targets) {
  const CounterRng rng(4, 0, RngPlace::kSample);
  Columns out{.x = {}, .y = {}};
  uint64_t i = 0;
  for (size_t c = 0; c < columns + targets; ++c) {
    auto& column = c < columns ? out.x.emplace_back() : out.y.emplace_back();
    for (int64_t row = 0; row < rows; ++row) column.push_back(rng.normal(i++) + 0.5);
  }
  return out;
}

std::vector<data::Window> windows(int64_t first, int64_t last, int64_t length) {
  std::vector<data::Window> out;
  for (int64_t begin = first; begin < last; ++begin) out.push_back({begin, length, begin + length});
  return out;
}

// sklearn.linear_model.Ridge(alpha=0.5).fit(F, Y), version 1.x, on the windows of waves(20): three rows of both columns
// (of the first column first), two rows ahead of the second.
TEST(Ridge, FitsAsScikitLearnDoes) {
  const Columns columns = waves(20);
  const Sums sums = sums_of(columns, windows(0, 16, 3), {{0, 1}, 3, 2});
  const Linear found = fit(sums, 0.5);
  const double coefficients[2][6] = {
      {-4.82355574e-04, 6.62911535e-03, -1.95783009e-03, -4.86973806e-01, -7.88971041e-01, 8.86136749e-02},
      {-1.26350528e-02, 1.02646675e-02, 2.72372324e-04, 1.87335522e-01, -6.68190657e-01, -5.73509803e-01}};
  for (size_t k = 0; k < 2; ++k) {
    for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(found.weight[i * 2 + k], coefficients[k][i], 1e-9) << k << ' ' << i;
  }
  EXPECT_NEAR(found.bias[0], -0.00396969, 1e-8);
  EXPECT_NEAR(found.bias[1], 0.00410106, 1e-8);
  EXPECT_NEAR(squared_error(sums, found), 0.026714346743355787, 1e-12);
}

// Sums along diagonals are those of all products, also where windows do not follow one another.
TEST(LeastSquares, SumsAreThoseOfAllProducts) {
  const Columns columns = noise(60, 3, 2);
  std::vector<data::Window> some = windows(2, 20, 5);
  for (const data::Window& window : windows(31, 32, 5)) some.push_back(window);
  for (const data::Window& window : windows(33, 50, 5)) some.push_back(window);
  const Reading reading{{2, 0}, 4, 3};
  const Sums found = sums_of(columns, some, reading);
  ASSERT_EQ(found.n, 8);
  ASSERT_EQ(found.m, 6);
  ASSERT_EQ(found.count, 36);
  std::vector<double> xx(64), xy(48), yy(6);
  for (const data::Window& w : some) {
    std::vector<double> x, y;
    for (const size_t c : reading.columns) {
      for (int64_t t = 1; t < 5; ++t) x.push_back(columns.x[c][static_cast<size_t>(w.begin + t)]);
    }
    for (int64_t a = 0; a < 3; ++a) {
      for (size_t o = 0; o < 2; ++o) y.push_back(columns.y[o][static_cast<size_t>(w.target + a)]);
    }
    for (size_t i = 0; i < 8; ++i) {
      for (size_t k = 0; k < 8; ++k) xx[i * 8 + k] += x[i] * x[k];
      for (size_t j = 0; j < 6; ++j) xy[i * 6 + j] += x[i] * y[j];
    }
    for (size_t j = 0; j < 6; ++j) yy[j] += y[j] * y[j];
  }
  for (size_t i = 0; i < 64; ++i) EXPECT_NEAR(found.xx[i], xx[i], 1e-11) << i;
  for (size_t i = 0; i < 48; ++i) EXPECT_NEAR(found.xy[i], xy[i], 1e-11) << i;
  for (size_t j = 0; j < 6; ++j) EXPECT_NEAR(found.yy[j], yy[j], 1e-11) << j;
}

// Of more numbers than a block of the factorisation, against the equations that the solution fulfils.
TEST(LeastSquares, SolvesTheNormalEquations) {
  const Columns columns = noise(400, 3, 2);
  const Sums sums = sums_of(columns, windows(0, 350, 27), {{0, 1, 2}, 27, 2});
  const double penalty = 3.5;
  const Linear found = fit(sums, penalty);
  const auto N = static_cast<double>(sums.count);
  for (int64_t i = 0; i < sums.n; ++i) {
    for (int64_t j = 0; j < sums.m; ++j) {
      const auto at = [&](int64_t row) { return static_cast<size_t>(row * sums.m + j); };
      const double mean = sums.x[static_cast<size_t>(i)] / N;
      double left = penalty * found.weight[at(i)];
      for (int64_t k = 0; k < sums.n; ++k) {
        const double centred = sums.xx[static_cast<size_t>(i * sums.n + k)] - mean * sums.x[static_cast<size_t>(k)];
        left += centred * found.weight[at(k)];
      }
      EXPECT_NEAR(left, sums.xy[at(i)] - mean * sums.y[static_cast<size_t>(j)], 1e-9);
    }
  }
}

TEST(LeastSquares, ShorterWindowsAndOtherWindowsAreParts) {
  const Columns columns = noise(60, 2, 1);
  const auto all = windows(0, 50, 6);
  const Reading reading{{0, 1}, 6, 2};
  const auto expect_same = [](const Sums& found, const Sums& expected) {
    ASSERT_EQ(found.n, expected.n);
    EXPECT_EQ(found.count, expected.count);
    for (const auto member : {&Sums::xx, &Sums::xy, &Sums::x, &Sums::y, &Sums::yy}) {
      ASSERT_EQ((found.*member).size(), (expected.*member).size());
      for (size_t i = 0; i < (found.*member).size(); ++i) EXPECT_NEAR((found.*member)[i], (expected.*member)[i], 1e-11);
    }
  };
  expect_same(shortened(sums_of(columns, all, reading), 6, 2), sums_of(columns, all, {{0, 1}, 2, 2}));
  Sums others = sums_of(columns, all, reading);
  subtract(others, sums_of(columns, std::span(all).first(20), reading));
  expect_same(others, sums_of(columns, std::span(all).last(30), reading));
}

// y[t] = 0.9 x1[t-2] + noise: of three columns and eight rows, one column's last two suffice.
struct Known {
  explicit Known(int64_t rows) : columns(noise(rows, 3, 1)) {
    for (size_t t = 2; t < columns.y[0].size(); ++t)
      columns.y[0][t] = 0.9 * columns.x[1][t - 2] + 0.3 * columns.y[0][t];
  }
  RidgeData data() const { return {columns, train, columns, valid, 1, {"a", "b", "c"}}; }

  Columns columns;
  std::vector<data::Window> train = windows(0, 80, 8), valid = windows(90, 180, 8);
};

TEST(Ridge, HeldOutRowsChooseColumnsAndRows) {
  const Known known(200);
  const std::vector<RidgeChoice> choices = {{{0, 1, 2}, 8}, {{0}, 8}, {{1}, 8}};
  const auto found = fit_ridge(known.data(), choices);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->ridge.columns, std::vector<std::string>{"b"});
  const int64_t window = found->ridge.window;
  ASSERT_TRUE(window == 2 || window == 4) << window;
  EXPECT_NEAR(found->ridge.coefficients[static_cast<size_t>(window - 2)], 0.9, 0.1);
  EXPECT_NEAR(found->held_out_mse, 0.09, 0.03);
  // The held-out error is that of its forecasts.
  double error = 0.0;
  for (const data::Window& row : known.valid) {
    double y = 0.0;
    found->ridge.predict(known.columns.x[1].data() + row.begin + 8 - window, &y);
    error += std::pow(y - known.columns.y[0][static_cast<size_t>(row.target)], 2);
  }
  EXPECT_NEAR(found->held_out_mse, error / 90.0, 1e-6);
  const ChosenColumns chosen = choose_columns(known.data(), 8, 0.005);
  ASSERT_FALSE(chosen.columns.empty());
  EXPECT_EQ(chosen.columns.front().column, 1U);
  EXPECT_NEAR(chosen.columns.front().held_out_mse, found->held_out_mse, 1e-12);
  EXPECT_EQ(chosen.window, 8);
  EXPECT_TRUE(chosen.tried_all);
}

// Of many columns, three of which make the target: whatever is left of the work, the best ones are found first.
TEST(Ridge, ChoosesAmongManyColumnsWithinTheWork) {
  constexpr size_t kColumns = 80;
  Columns columns = noise(300, kColumns, 1);
  for (size_t t = 1; t < 300; ++t) {
    columns.y[0][t] =
        columns.x[61][t - 1] + 0.5 * columns.x[7][t - 1] + 0.2 * columns.x[30][t - 1] + 0.05 * columns.y[0][t];
  }
  const auto train = windows(0, 200, 16), valid = windows(216, 280, 16);
  RidgeData data{columns, train, columns, valid, 1, {}};
  for (size_t c = 0; c < kColumns; ++c) data.names.push_back(std::to_string(c));
  const ChosenColumns all = choose_columns(data, 16, 0.5, 1e12);
  ASSERT_EQ(all.columns.size(), 3U);
  EXPECT_EQ(all.columns[0].column, 61U);
  EXPECT_EQ(all.columns[1].column, 7U);
  EXPECT_EQ(all.columns[2].column, 30U);
  EXPECT_EQ(all.fits, 80 + 79 + 78 + 77);
  EXPECT_TRUE(all.tried_all);
  EXPECT_EQ(all.window, 16);
  // Less work: shorter windows, then the most promising columns alone. At last, one fit of each column.
  for (const double share : {0.5, 0.1, 0.02}) {
    const double most = share * all.work;
    const ChosenColumns some = choose_columns(data, 16, 0.5, most);
    EXPECT_LE(some.work, most);
    EXPECT_TRUE(some.window < 16 || !some.tried_all) << share;
    ASSERT_FALSE(some.columns.empty());
    EXPECT_EQ(some.columns[0].column, 61U) << share;
    if (share > 0.05) {
      ASSERT_GE(some.columns.size(), 2U);
      EXPECT_EQ(some.columns[1].column, 7U);
    }
  }
  const ChosenColumns least = choose_columns(data, 16, 0.5, 1.0);
  EXPECT_EQ(least.fits, 80);
  EXPECT_EQ(least.window, 1);
  EXPECT_FALSE(least.tried_all);
  ASSERT_EQ(least.columns.size(), 1U);
  EXPECT_EQ(least.columns[0].column, 61U);
}

TEST(Ridge, WithoutHeldOutRowsTheLastTenthChooses) {
  const Known known(200);
  RidgeData data = known.data();
  data.valid_windows = {};
  const std::vector<RidgeChoice> choices = {{{0, 1, 2}, 8}};
  const auto found = fit_ridge(data, choices);
  ASSERT_TRUE(found);
  EXPECT_GT(found->ridge.penalty, 0.0);
  const std::vector<data::Window> one(known.train.begin(), known.train.begin() + 1);
  data.train_windows = one;
  EXPECT_FALSE(fit_ridge(data, choices));
}

TEST(Ridge, SurvivesItsFile) {
  const Known known(200);
  const std::vector<RidgeChoice> choices = {{{0, 1}, 8}};
  const Ridge ridge = fit_ridge(known.data(), choices)->ridge;
  const testing::TemporaryFolder folder;
  const auto write = [&](const Ridge& of) {
    BaselineWriter file(Ridge::kKind);
    of.write(file);
    file.write(folder / "baseline.safetensors");
  };
  write(ridge);
  const Ridge again = Ridge::read(BaselineFile::read(folder / "baseline.safetensors"));
  EXPECT_EQ(again.columns, ridge.columns);
  EXPECT_EQ(again.window, ridge.window);
  EXPECT_EQ(again.coefficients, ridge.coefficients);
  EXPECT_EQ(again.intercept, ridge.intercept);
  for (const auto& alter : std::vector<std::function<void(Ridge&)>>{
           [](Ridge& r) { r.window = 0; }, [](Ridge& r) { ++r.window; }, [](Ridge& r) { r.columns.emplace_back("c"); },
           [](Ridge& r) { r.columns.clear(); }, [](Ridge& r) { r.intercept.clear(); }, [](Ridge& r) { r.outputs = 2; },
           [](Ridge& r) { r.coefficients[0] = std::nanf(""); }, [](Ridge& r) { r.penalty = INFINITY; }}) {
    Ridge altered = ridge;
    alter(altered);
    write(altered);
    EXPECT_THROW(Ridge::read(BaselineFile::read(folder / "baseline.safetensors")), Error);
  }
}

}  // namespace
}  // namespace longhand::baselines
