// What a training step computes from a batch, for any model.
#pragma once

#include <cstdint>

#include "longhand/data/buckets.h"
#include "longhand/nn/dropout.h"

namespace longhand::nn {

struct GradientPass {
  DropoutKey masks;              ///< keys the random ones
  float scale = 0.0F;            ///< of the summed losses, whose gradients are wanted; 0: one over what is predicted
  float penalty_scale = 0.0F;    ///< of the activation penalties, summed over all steps; 0: as for one batch alone
  bool add = false;              ///< to the gradients that are there; otherwise they are overwritten
  bool last = true;              ///< no later pass adds to these gradients
  double label_smoothing = 0.0;  ///< part of each target that is spread over all classes (Szegedy et al. 2016)
};

/// An update of a training, of which a shard is computed.
struct UpdateShard {
  uint64_t seed = 0;
  uint64_t step = 0;       ///< the update's number in the training
  int64_t count = 0;       ///< things that all of the update predicts
  int64_t steps = 0;       ///< steps of all its sequences
  int64_t parts = 1;       ///< that its batches are read in
  data::Shard shard;       ///< of each part
  double smoothing = 0.0;  ///< GradientPass::label_smoothing
};

/// The pass of part `part`; all passes of a shard add to gradients that are zero in the beginning. No two share a
/// mask: steps of training are far below 2^40.
inline GradientPass pass_of_part(const UpdateShard& update, int64_t part) {
  const auto place = static_cast<uint64_t>(part * update.shard.of + update.shard.index);
  return {.masks = {update.seed, update.step + (place << 40U), 0},
          .scale = 1.0F / static_cast<float>(update.count),
          .penalty_scale = 1.0F / static_cast<float>(update.steps),
          .add = true,
          .last = part + 1 == update.parts,
          .label_smoothing = update.smoothing};
}

}  // namespace longhand::nn
