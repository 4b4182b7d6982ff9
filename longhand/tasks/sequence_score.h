// Sums that the score of a network on recordings is made of, and of any other forecast of the same.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "longhand/tasks/trained_network.h"

namespace longhand::tasks {

/// Each column is shifted by its first value, so that the mean's square costs no digits.
class SequenceSums {
 public:
  /// The model says what the loss is. It must outlive this.
  explicit SequenceSums(const TrainedNetwork& model) : model_(model), columns_(model.target_scales().size()) {}

  /// What the filters of a sequence remember, and its mean error.
  struct Memory {
    std::vector<double> error, actual, sum;
    double steps = 0.0;
  };

  /// A step, [O] numbers in the data's units; one that does not count is for the filters alone.
  void add(std::span<const double> predicted, std::span<const double> actual, bool counts, Memory& memory);
  /// The end of a sequence.
  void end(const Memory& memory);
  /// A step with a class, and the logits of all `n`.
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
