// How far back a gradient reaches: its norm by the state k steps before the loss, its parts by road, and what the
// Jacobians along the way predict and allow. All in double, by the backward pass of recurrence.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "longhand/lab/recurrence.h"
#include "longhand/lab/sequence_task.h"

namespace longhand::lab {

class SmallModel;

/// What many sequences gave: the median, and the 10th and 90th percentile. (Of a few seeds `Spread` in comparison.h has
/// the whole range.)
struct Spread10 {
  double median = 0.0;
  double low = 0.0;
  double high = 0.0;
};
/// Of nothing, all three are NaN.
Spread10 spread10(std::vector<double> values);

/// A share of the way: the gradient by the state k steps before the loss, divided into parts that add up to it.
struct RoadParts {
  int64_t k = 0;
  /// Of each road its part of the gradient g, as (part . g) / (g . g), so that all add up to 1: means over the
  /// sequences whose gradient is not negligible there (a part in 1e12 of the first). The first road never leaves the
  /// state (31); each other one left it first through the gate of its name.
  std::vector<double> shares;
  int64_t sequences = 0;     ///< that many
  double unexplained = 0.0;  ///< the largest |g - sum of the parts| / |g|: rounding
};

struct Reach {
  static constexpr int64_t kBeyond = -1;      ///< more than a thousandth is left everywhere within the reach
  static constexpr int64_t kNoGradient = -2;  ///< not measured: the loss has no gradient, or the training diverged

  /// Element k: |dL_t / dh_{t-k}| / |dL_t / dh_t|, over the sequences; and of an LSTM the same by c_{t-k}, where
  /// c_{t-k} is what step t-k+1 reads (30). Empty where there is no gradient.
  std::vector<Spread10> h, c;
  /// The first k at which the median is below a thousandth, or one of the above.
  int64_t steps_h = kNoGradient, steps_c = kNoGradient;
  /// What each step multiplies the median of |dL_t / d(h, c)| by: a fit of its logarithm from the first step on, as far
  /// as it is above a part in ten thousand.
  double factor = NAN;

  // Of the steps of one sequence: their Jacobians J by the whole state.
  double radius = NAN;    ///< geometric mean of J's spectral radius
  double singular = NAN;  ///< geometric mean of J's largest singular value
  /// Element k: |dL / d(h, c)| relative to k = 0; and the product of the singular values, which it cannot exceed.
  std::vector<double> measured, bound;

  std::vector<std::string> roads;  ///< their names; empty where there is one alone
  std::vector<RoadParts> parts;    ///< at some k
};

struct ReachOptions {
  int64_t steps = 200;     ///< how far back
  int64_t sequences = 64;  ///< over which medians are taken
};

/// Measures a model of one layer on sequences of its task with a single loss, at the end. `go_on` is asked from time to
/// time; where it says no, the result is unfinished.
Reach measure_reach(
    const SmallModel& model, const ReachOptions& options, const std::function<bool()>& go_on = [] { return true; });

/// The factor per step of a line through the logarithms of `medians`, element k of the state k steps back, from the
/// first step on, down to a part in ten thousand; not a number where fewer than two are above that.
double factor_per_step(const std::vector<double>& medians);

}  // namespace longhand::lab
