// What a training step computes from a batch, for any model.
#pragma once

#include <cstdint>

#include "longhand/nn/dropout.h"

namespace longhand::nn {

struct GradientPass {
  DropoutKey masks;              ///< keys the random ones
  float scale = 0.0F;            ///< of the summed losses, whose gradients are wanted; 0: one over what is predicted
  float penalty_scale = 0.0F;    ///< of the activation penalties, summed over all steps; 0: as for one batch alone
  bool add = false;              ///< to the gradients that are there; otherwise they are overwritten
  double label_smoothing = 0.0;  ///< part of each target that is spread over all classes (Szegedy et al. 2016)
};

/// The pass of part `part` of an update, all parts of which predict `count` things from `steps` steps of sequences. No
/// two parts share a mask: steps of training are far below 2^40.
inline GradientPass pass_of_part(uint64_t seed, uint64_t step, int64_t part, int64_t count, int64_t steps,
                                 double label_smoothing) {
  return {.masks = {seed, step + (static_cast<uint64_t>(part) << 40U), 0},
          .scale = 1.0F / static_cast<float>(count),
          .penalty_scale = 1.0F / static_cast<float>(steps),
          .add = part > 0,
          .label_smoothing = label_smoothing};
}

}  // namespace longhand::nn
