// LSTMs whose equations are wrong in ways that texts about them are, trained beside a right one: on the tape, which
// takes any equations.
#pragma once

#include <string>
#include <vector>

#include "longhand/lab/jobs.h"
#include "longhand/lab/sequence_task.h"

namespace longhand::lab {

enum class Equations {
  kRight,
  kSigmoidCandidate,  ///< g = sigmoid(a_g), and o = tanh(a_o): the two activations swapped
  kNoForgetGradient,  ///< forward as it is right; backward without (23): the forget gate passes no gradient on
};

struct EquationsOptions {
  int64_t gap = 10;  ///< of the recall task
  int64_t updates = 800;
  int64_t seeds = 3;
  int64_t seed = 1;
  int64_t hidden = 16;
  int64_t rows = 32;
  double learning_rate = 0.01;
};

struct EquationsRun {
  double accuracy = 0.0;  ///< per cent of new sequences, in the end
  double loss = 0.0;      ///< nats
  /// |d - d'| / |d'|, where d is the gradient by W_hh, and d' the same by central differences: before the training, and
  /// after it.
  double error_before = 0.0, error_after = 0.0;
};

struct EquationsResult {
  Equations equations;
  std::string name;
  std::vector<EquationsRun> runs;
};

/// The three, each with room for its runs.
std::vector<EquationsResult> all_equations(const EquationsOptions& options);
/// Trains one of them.
EquationsRun train_equations(Equations equations, uint64_t seed, const EquationsOptions& options,
                             const Advance& advance);

}  // namespace longhand::lab
