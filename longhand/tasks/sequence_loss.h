// Losses of what a network makes of each step of a sequence, or of a sequence as a whole, and their gradients.
//
// T steps, B sequences, O numbers of a row. With p what the network makes and y the target, both scaled, and D the
// deviation by which a column was scaled, e = D (p - y) is the error in the data's units.
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
  kMse,           ///< mean of (e / s)^2, s the deviation of the targets that are trained on
  kMae,           ///< mean of |e / s|
  kEsr,           ///< sum of f(e)^2 / sum of f(y)^2, f the pre-emphasis (Wright et al. 2019)
  kCrossEntropy,  ///< -log softmax(p)[class], the mean
};

struct SequenceLossOptions {
  std::string loss = "mse";   ///< mse, mae, esr, cross-entropy
  double pre_emphasis = 0.0;  ///< a of f(x)_t = x_t - a x_{t-1}, of esr
  double dc = 0.0;            ///< factor of the DC term of esr: mean over sequences of (mean of e)^2 / mean of y^2

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  SequenceLoss kind() const;
};

/// A batch whose loss is wanted.
template <class T>
struct LossInput {
  int64_t steps = 0, batch = 0, outputs = 0;
  const T* y = nullptr;  ///< [T, B, stride] what the network made
  int64_t stride = 0;
  const float* targets = nullptr;       ///< [T, B, O] scaled; or
  const int32_t* classes = nullptr;     ///< [T, B]
  std::span<const Range> counted;       ///< [B] the steps that count
  std::span<const data::Scale> scales;  ///< [O] by which the targets were scaled
  std::span<const double> spread;       ///< [O] deviations s of the targets, in their units
  /// Of the gradients: those of `scale` times the sum of the losses of all steps and, of esr, of the squares.
  double scale = 1.0;
  double dc_scale = 0.0;  ///< the same of the DC term's squares
  T* dy = nullptr;        ///< [T, B, stride] written, zero where nothing counts; null: not wanted
  T* before = nullptr;    ///< [B, O] e of the step before, read, and overwritten with that of the last step; of esr
};

struct LossSums {
  double loss = 0.0;  ///< summed over the steps that count; of esr the squares of the filtered errors
  double dc = 0.0;    ///< of each sequence, steps times the square of the mean error, summed
};

/// `rows` is scratch memory.
template <class T>
LossSums sequence_loss(const SequenceLossOptions& options, const LossInput<T>& input, std::vector<LossSums>& rows,
                       ThreadPool& pool);

/// Sums of squares of targets that esr is relative to: of filtered ones, and of ones as they are. Of steps `counted` of
/// one sequence, whose targets [*, O] are scaled.
struct TargetEnergy {
  double filtered = 0.0, plain = 0.0;
};
TargetEnergy target_energy(const SequenceLossOptions& options, std::span<const float> targets,
                           std::span<const data::Scale> scales, const Range& counted);

}  // namespace longhand::tasks
