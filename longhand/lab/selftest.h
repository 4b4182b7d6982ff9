// The gradient checks that a user can run: stacks of layers with every pair of options, each computed by all engines
// and by central differences, and compared.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "longhand/lab/lattice.h"

namespace longhand::lab {

/// The largest difference from the reference at one point, as a part of the largest gradient (or output, or state)
/// there.
struct Comparison {
  double difference = 0.0;
  double tolerance = 0.0;
  std::string where;  ///< the array with the largest difference

  bool passed() const { return difference <= tolerance; }
  double share() const { return difference / tolerance; }
};

/// What is compared with the reference.
enum class Check { kFused, kBf16, kTape, kDifferences };
inline constexpr int kChecks = 4;

struct PointResult {
  LatticePoint point;
  Comparison checks[kChecks];  // kFused, kBf16: the worst of all SIMD targets

  bool passed() const {
    return std::all_of(checks, checks + kChecks, [](const Comparison& check) { return check.passed(); });
  }
};

/// Runs the points on `threads` threads (0: all), the fused engine on each of the machine's SIMD targets, and calls
/// `progress` with the number of points done from time to time. The running SIMD target is the best one afterwards.
std::vector<PointResult> run_lattice(const std::vector<LatticePoint>& points, int threads,
                                     const std::function<void(size_t)>& progress);

/// Tolerances, and why, as lines of text.
std::vector<std::string> tolerance_notes();

}  // namespace longhand::lab
