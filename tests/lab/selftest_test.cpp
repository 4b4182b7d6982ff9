// The self-test itself: every option is in it, and on this machine everything agrees.
#include "longhand/lab/selftest.h"

#include <bit>
#include <set>
#include <tuple>

#include "longhand/lab/derivatives.h"
#include "tests/testing.h"

namespace longhand::lab {
namespace {

TEST(SelfTest, WalksEveryPairOfOptionsOnEveryShape) {
  const std::vector<LatticePoint> points = pairwise_lattice();
  std::set<std::tuple<int, int, int64_t>> seen;
  for (const LatticePoint& point : points) {
    for (int i = 0; i < kToggles; ++i) {
      for (int j = 0; j < i; ++j) {
        const bool both = point.on(static_cast<Toggle>(i)) && point.on(static_cast<Toggle>(j));
        if (both && std::popcount(point.toggles) == 2) seen.insert({i, j, point.hidden});
      }
    }
  }
  EXPECT_EQ(seen.size(), kToggles * (kToggles - 1) / 2 * lattice_shapes().size());
  EXPECT_EQ(full_lattice().size(), 1U << 15U);
}

TEST(SelfTest, WalksEveryPairOfOptionsOfTheOtherCells) {
  for (const bool every_shape : {false, true}) {
    std::set<std::tuple<std::string, int, int>> seen;
    for (const LatticePoint& point : other_cells_lattice(every_shape)) {
      for (const Toggle of_the_lstm :
           {Toggle::kProj, Toggle::kDropoutRecurrent, Toggle::kZoneout, Toggle::kZoneoutCell, Toggle::kLayerNorm}) {
        EXPECT_FALSE(point.on(of_the_lstm));
      }
      for (int i = 0; i < kToggles; ++i) {
        for (int j = 0; j < i; ++j) {
          const bool both = point.on(static_cast<Toggle>(i)) && point.on(static_cast<Toggle>(j));
          if (both && std::popcount(point.toggles) == 2) seen.insert({point.cell, i, j});
        }
      }
    }
    EXPECT_EQ(seen.size(), 3U * 14 * 13 / 2);
  }
}

// The whole lattice is the user's to run; here, nothing, each option alone and all together.
TEST(SelfTest, AgreesOnEveryOption) {
  std::vector<LatticePoint> points;
  for (const LatticePoint& point : pairwise_lattice()) {
    const int on = std::popcount(point.toggles);
    const bool all = on == kToggles || on == kToggles - 7;  // with a variant of the cell, and with the standard one
    if (on <= 1 || all) points.push_back(point);
  }
  for (const LatticePoint& point : other_cells_lattice(false)) {
    if (std::popcount(point.toggles) <= 1) points.push_back(point);
  }
  size_t done = 0;
  for (const PointResult& result : run_lattice(points, 2, [&](size_t n) { done = n; })) {
    for (const Comparison& check : result.checks) {
      EXPECT_TRUE(check.passed()) << result.point.cell << " " << result.point.toggles << " " << check.where << " "
                                  << check.difference;
    }
  }
  EXPECT_EQ(done, points.size());
}

TEST(Derivatives, EveryEquationAgreesWithTapeAndDifferences) {
  const std::vector<EquationResult> results = check_derivatives();
  std::set<int> numbers;
  for (const EquationResult& result : results) {
    EXPECT_TRUE(result.passed()) << result.number << " " << result.what << " " << result.tape << " "
                                 << result.differences;
    numbers.insert(result.number);
  }
  // (1) to (4) are the forward pass, (38) the normalisation whose derivative is (39); (60) to (62), (73) and
  // (79) are forward passes of other cells. What (52) to (59) are about has tests of its own.
  for (int number = 5; number <= 51; ++number) EXPECT_EQ(numbers.count(number), number == 38 ? 0U : 1U) << number;
  for (int number = 63; number <= 83; ++number) {
    EXPECT_EQ(numbers.count(number), number == 73 || number == 79 ? 0U : 1U) << number;
  }
}

}  // namespace
}  // namespace longhand::lab
