// The optimizer: the update rule and what it remembers from step to step.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/base/options.h"
#include "longhand/kernels/optimizer.h"

namespace longhand::train {

struct OptimizerOptions {
  std::string optimizer = "adam";
  double learning_rate = 0.002;
  double clip_norm = 1.0;

  void add_to(OptionTable& table);
};

class Optimizer {
 public:
  /// For `n` parameters.
  Optimizer(const OptimizerOptions& options, int64_t n);

  /// Updates `values` from `gradients`, whose norm is `norm`, at step 0, 1, ...
  void update(std::span<float> values, std::span<const float> gradients, double norm, int64_t step,
              kernels::Context& context);

  /// What a checkpoint must hold.
  std::vector<std::pair<std::string, Buffer<float>*>> state();

 private:
  OptimizerOptions options_;
  Buffer<float> first_moment_, second_moment_;
};

}  // namespace longhand::train
