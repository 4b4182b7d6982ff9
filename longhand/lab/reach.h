// How far back a gradient reaches: its norm by the state k steps before the loss, its parts by road, and what the
// Jacobians along the way predict and allow. All in double, by the backward pass of recurrence.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/lab/recurrence.h"
#include "longhand/lab/sequence_task.h"

namespace longhand::lab {

class SmallModel;

/// What many sequences gave: the middle, and the range from the tenth to the ninetieth of a hundred.
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
  /// Element k: |dL_t / dh_{t-k}| / |dL_t / dh_t|, over the sequences; and of an LSTM the same by c_{t-k}, where
  /// c_{t-k} is what step t-k+1 reads (30).
  std::vector<Spread10> h, c;
  /// The first k at which the median is below a thousandth; -1: not within the reach.
  int64_t steps_h = -1, steps_c = -1;
  /// By what factor the median of |dL_t / d(h, c)| falls per step: a fit of its logarithm, from the fifth step on.
  double factor = 0.0;

  // Along the way of one sequence: the Jacobians J of its steps by the whole state.
  double radius = 0.0;             ///< geometric mean of J's spectral radius
  double singular = 0.0;           ///< geometric mean of J's largest singular value
  std::vector<double> way, bound;  ///< element k: |dL / d(h, c)| relative to k = 0, and the product of the singular
                                   ///< values, which it cannot exceed

  std::vector<std::string> roads;  ///< their names; empty where there is one alone
  std::vector<RoadParts> parts;    ///< at some k
};

struct ReachOptions {
  int64_t steps = 200;     ///< how far back
  int64_t sequences = 64;  ///< over which medians are taken
};

/// Measures a model of one layer on sequences of its task with a single loss, at the end.
Reach measure_reach(const SmallModel& model, const ReachOptions& options);

}  // namespace longhand::lab
