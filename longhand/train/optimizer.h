// The optimizer: clipping, the update rule, and what it remembers from step to step. The rules are PyTorch's.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "longhand/base/options.h"
#include "longhand/kernels/optimizer.h"

namespace longhand::train {

struct OptimizerOptions {
  std::string optimizer = "adam";
  double learning_rate = 0.002;
  double momentum = 0.9;         ///< of momentum and nesterov
  double beta1 = 0.9;            ///< of adam, adamw and nadam
  double beta2 = -1.0;           ///< of these, rmsprop and adadelta; -1: 0.999, 0.99 and 0.9
  double epsilon = -1.0;         ///< -1: 1e-8; adagrad 1e-10; adadelta 1e-6
  double l2 = 0.0;               ///< l2 / 2 times the sum of the squared weights is part of the loss
  double weight_decay = -1.0;    ///< decoupled (Loshchilov and Hutter 2019); -1: 0.01 with adamw, else 0
  double clip_norm = 1.0;        ///< 0: never
  double clip_value = 0.0;       ///< 0: never; before clip_norm
  int64_t average_after = -1;    ///< asgd: updates before averaging starts; -1: when the trigger fires
  int64_t average_trigger = 5;   ///< evaluations of the trigger (Merity et al. 2018, algorithm 1)
  double asgd_lambda = 0.0;      ///< decay of the weights and, to the power of 0.75, of the rate
  std::string average = "none";  ///< of the weights, with any optimizer but asgd: none, ema or swa
  double average_decay = 0.999;  ///< of ema
  double average_start = 0.75;   ///< of swa: share of the run after which it begins

  void add_to(OptionTable& table);
  /// Arrays of the weights' size that the update rule keeps.
  int64_t moments() const;
  /// Whether an average of the weights is kept beside them.
  bool keeps_average() const { return optimizer == "asgd" || average != "none"; }
};

/// A part of the parameters that has a learning rate of its own.
struct RatedPart {
  double factor = 1.0;       ///< of the rate
  int64_t since = 0;         ///< step from which on it is trained
  std::vector<Range> where;  ///< stretches, in order
};

/// An average of the weights, where one is kept, is the one to evaluate and save:
///   asgd  equal, of the weights after each update since `begin_averaging` was called, or since `average_after`; before
///         it, this is SGD (Polyak and Juditsky 1992)
///   swa   equal, of the weights after each update since `begin_averaging` was called (Izmailov et al. 2018, who take
///         one of each epoch)
///   ema   exponential, from the first update: a = d a + (1 - d) w with d = min(average_decay, (1 + t) / (10 + t)) in
///         update t = 0, 1, ..., so that the initial weights are soon forgotten
/// It is of all weights in every update, also of those elsewhere than `where`.
class Optimizer {
 public:
  /// For `n` parameters. Calls `on_moments` with each array of `moments`, before it allocates the next one.
  Optimizer(const OptimizerOptions& options, int64_t n, const std::function<void(std::span<float>)>& on_moments = {});

  /// Clips the gradients in these stretches by value, if the options say so, and returns whether they do.
  bool clip_values(std::span<float> gradients, std::span<const Range> where, kernels::Context& context) const;
  /// Updates `values` from `gradients`, whose norm is `norm`, with learning rate `rate`, at step 0, 1, ... Elsewhere
  /// than in the stretches of the parts there are no gradients, and weights and what is remembered of them stay as they
  /// are; but the average is of all weights in the stretches `averaged`.
  void update(std::span<float> values, std::span<const float> gradients, std::span<const RatedPart> parts,
              std::span<const Range> averaged, double norm, double rate, int64_t step, kernels::Context& context);
  /// The same for all weights, after clipping by value.
  void update(std::span<float> values, std::span<float> gradients, double norm, double rate, int64_t step,
              kernels::Context& context);

  /// Whether swa is to begin now that this share of the run is done.
  bool starts_averaging(double done) const;
  /// Whether the trigger is to be asked, after each evaluation.
  bool waits_for_trigger() const;
  /// Averages from `step` on; until then `values` are the average.
  void begin_averaging(int64_t step, std::span<const float> values);
  /// The step at which averaging began; -1: it has not. A checkpoint must hold it, too.
  int64_t averaging_since() const { return averaging_since_; }
  void set_averaging_since(int64_t step) { averaging_since_ = step; }
  /// The averaged weights; empty while there are none.
  std::span<float> averages();

  /// The moment estimates of the update rule. Only the moments of updated parameters are read and written.
  std::vector<std::span<float>> moments() { return {m_.span(), v_.span()}; }
  /// Arrays that a checkpoint must hold.
  std::vector<std::pair<std::string, Buffer<float>*>> state();

 private:
  double nesterov_momentum(int64_t t) const;
  double average_share(int64_t step) const;
  double nesterov_product(int64_t since, int64_t steps);
  void update_part(std::span<float> values, std::span<const float> gradients, const RatedPart& part, double scale,
                   double rate, int64_t step, kernels::Context& context);

  OptimizerOptions options_;
  bool asgd_;
  kernels::UpdateRule rule_;
  Buffer<float> m_, v_, averages_;
  int64_t averaging_since_ = -1;
  struct MomentumProduct {
    double product = 1.0;
    int64_t steps = 0;
  };
  std::map<int64_t, MomentumProduct> momentum_;  // nadam's, of the first steps since a step
};

/// The non-monotone trigger of Merity et al. 2018: whether the last of `losses`, one per evaluation, is above the
/// minimum of all evaluations more than `patience` before it.
bool non_monotone(const std::vector<double>& losses, int64_t patience);

}  // namespace longhand::train
