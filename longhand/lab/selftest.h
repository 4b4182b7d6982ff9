// The gradient checks that a user can run: stacks of LSTM layers with every pair of options, each computed by all
// engines and by central differences, and compared.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "longhand/nn/lstm_stack.h"

namespace longhand::lab {

/// What can be on or off in a point of the lattice: the options of nn::LstmOptions, and how the stack is used.
enum class Toggle {
  kLayers,
  kBidirectional,
  kProj,
  kDropout,
  kDropoutInput,
  kDropoutOutput,
  kVariational,
  kDropoutRecurrent,
  kWeightDrop,
  kZoneout,
  kZoneoutCell,
  kLayerNorm,
  kResidual,
  kTrainInitialState,
  kRagged,         // lengths that differ, 0 and 1 among them
  kOneHot,         // symbols instead of dense input
  kGivenState,     // an initial state that is not zero
  kEvaluation,     // gradients of the model as it is used, without random masks and penalties
  kActivationReg,  // activation_reg and temporal_reg
};
inline constexpr int kToggles = 19;

const char* toggle_name(Toggle toggle);

/// A point of the lattice: which toggles are on, by bit, and the shape.
struct LatticePoint {
  uint32_t toggles = 0;
  int64_t steps = 1, batch = 1, inputs = 1, hidden = 1, proj = 1;

  bool on(Toggle toggle) const { return (toggles >> static_cast<uint32_t>(toggle) & 1U) != 0; }
};

/// The shapes: 1 everywhere, and hidden sizes around the width of a vector.
const std::vector<LatticePoint>& lattice_shapes();

/// Nothing on, each toggle alone, each pair, everything, and everything but one; on every shape.
std::vector<LatticePoint> pairwise_lattice();
/// The full product of the toggles that change the layers, on two small shapes in turn; the others, of use and loss,
/// vary among the points.
std::vector<LatticePoint> full_lattice();

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
