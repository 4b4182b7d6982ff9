// Losses and gradients of a network's outputs per time step, or per sequence.
//
// T time steps, B sequences, O outputs. With prediction p and target y, both scaled, and D the standard deviation by
// which a column was scaled, e = D (p - y) is the error in the units of the data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "longhand/base/buffer.h"
#include "longhand/base/options.h"
#include "longhand/base/threads.h"
#include "longhand/data/series.h"

namespace longhand::tasks {

enum class SequenceLoss {
  kMse,           ///< mean of (e / s)^2, s the standard deviation of the training targets
  kMae,           ///< mean of |e / s|
  kEsr,           ///< sum of f(e)^2 / sum of f(y)^2, f the pre-emphasis (Wright et al. 2019)
  kCrossEntropy,  ///< mean of -log softmax(p)[class]
};

struct SequenceLossOptions {
  std::string loss = "mse";   ///< mse, mae, esr, cross-entropy
  double pre_emphasis = 0.0;  ///< esr: a in the filter f(x)_t = x_t - a x_{t-1}
  double dc = 0.0;            ///< esr: factor of the DC term, mean over sequences of (mean of e)^2 / mean of y^2

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  SequenceLoss kind() const;
};

/// Arguments of `sequence_loss` for one batch.
template <class T>
struct LossInput {
  int64_t steps = 0, batch = 0, outputs = 0;
  const T* y = nullptr;  ///< [T, B, stride] network outputs
  int64_t stride = 0;
  const float* targets = nullptr;       ///< [T, B, O] scaled; null: `classes`
  const int32_t* classes = nullptr;     ///< [T, B]
  std::span<const Range> counted;       ///< [B] the measured steps
  std::span<const data::Scale> scales;  ///< [O] scales of the targets
  std::span<const double> spread;       ///< [O] standard deviations s of the targets, in their units
  /// dy is the gradient of `scale` times the sum of the losses of all steps (esr: of the squared filtered errors).
  double scale = 1.0;
  double dc_scale = 0.0;  ///< the same factor for the squares of the DC term
  T* dy = nullptr;        ///< [T, B, stride] written, zero for steps not measured; null: no gradient
  T* before = nullptr;    ///< esr: [B, O] e of the step before the batch; overwritten with e of the last step
};

struct LossSums {
  double loss = 0.0;  ///< sum over the measured steps; esr: of the squared filtered errors
  double dc = 0.0;    ///< sum over sequences of steps times the squared mean error
};

/// Returns the sums of the losses, and writes dy and `before` of the input. `rows` is scratch memory.
template <class T>
LossSums sequence_loss(const SequenceLossOptions& options, const LossInput<T>& input, std::vector<LossSums>& rows,
                       ThreadPool& pool);

/// Sums of squared targets, filtered and unfiltered: the divisors of esr and of its DC term. `target_energy` sums over
/// the steps `counted` of one sequence with scaled targets [*, O].
struct TargetEnergy {
  double filtered = 0.0, plain = 0.0;
};
TargetEnergy target_energy(const SequenceLossOptions& options, std::span<const float> targets,
                           std::span<const data::Scale> scales, const Range& counted);

}  // namespace longhand::tasks
