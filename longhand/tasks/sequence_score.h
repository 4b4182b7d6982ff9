// Accumulates the scores of predictions on recordings, of a network or of a baseline.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "longhand/tasks/trained_network.h"

namespace longhand::tasks {

/// Subtracts the first value of each column from its sums, so that the variance loses no digits.
class SequenceSums {
 public:
  /// The model's loss is the score's loss. The model must outlive this object.
  explicit SequenceSums(const TrainedNetwork& model) : model_(model), columns_(model.target_scales().size()) {}

  /// State of the pre-emphasis filters of a sequence, and the sums of its errors.
  struct Memory {
    std::vector<double> error, actual, sum;
    double steps = 0.0;
  };

  /// Adds a step: predictions and targets [O] in the units of the data. If `counts` is false, it only updates `memory`.
  void add(std::span<const double> predicted, std::span<const double> actual, bool counts, Memory& memory);
  /// Ends a sequence.
  void end(const Memory& memory);
  /// Adds a step with logits [n] and its class.
  void add_class(const float* logits, int64_t n, int64_t target);
  SequenceScore score() const;

 private:
  struct Column {
    double first = 0.0, sum = 0.0, squares = 0.0, energy = 0.0;
    double squared = 0.0, absolute = 0.0, scaled_squared = 0.0, scaled_absolute = 0.0;
  };
  const TrainedNetwork& model_;
  std::vector<Column> columns_;
  int64_t steps_ = 0, correct_ = 0;
  double filtered_error_ = 0.0, filtered_energy_ = 0.0, dc_ = 0.0, nats_ = 0.0;
};

}  // namespace longhand::tasks
