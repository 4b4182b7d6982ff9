#include "longhand/train/optimizer.h"

#include <cmath>

namespace longhand::train {

void OptimizerOptions::add_to(OptionTable& table) {
  table.add("optimizer", optimizer, "update rule", one_of({"sgd", "adam"}));
  table.add("lr", learning_rate, "learning rate", more_than(0.0));
  table.add("clip-norm", clip_norm, "scale gradients down to this global norm (Pascanu et al. 2013); 0: never",
            at_least(0.0));
}

Optimizer::Optimizer(const OptimizerOptions& options, int64_t n) : options_(options) {
  if (options.optimizer != "adam") return;
  first_moment_.resize(n);
  second_moment_.resize(n);
}

void Optimizer::update(std::span<float> values, std::span<const float> gradients, double norm, int64_t step,
                       kernels::Context& context) {
  const double scale = options_.clip_norm > 0.0 && norm > options_.clip_norm ? options_.clip_norm / norm : 1.0;
  const auto n = static_cast<int64_t>(values.size());
  if (options_.optimizer == "sgd") {
    kernels::sgd_update(
        {n, values.data(), gradients.data(), static_cast<float>(scale), static_cast<float>(options_.learning_rate)},
        context);
    return;
  }
  constexpr double kBeta1 = 0.9;
  constexpr double kBeta2 = 0.999;
  const auto t = static_cast<double>(step + 1);
  kernels::adam_update({.n = n,
                        .w = values.data(),
                        .dw = gradients.data(),
                        .m = first_moment_.data(),
                        .v = second_moment_.data(),
                        .gradient_scale = static_cast<float>(scale),
                        .beta1 = static_cast<float>(kBeta1),
                        .beta2 = static_cast<float>(kBeta2),
                        .epsilon = 1e-8F,
                        .step_size = static_cast<float>(options_.learning_rate / (1.0 - std::pow(kBeta1, t))),
                        .v_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(kBeta2, t)))},
                       context);
}

std::vector<std::pair<std::string, Buffer<float>*>> Optimizer::state() {
  if (options_.optimizer != "adam") return {};
  return {{"optimizer.first_moment", &first_moment_}, {"optimizer.second_moment", &second_moment_}};
}

}  // namespace longhand::train
