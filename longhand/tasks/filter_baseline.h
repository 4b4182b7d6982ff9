// Baseline for networks on recordings: a linear function of the inputs and of their exponential averages with time
// constants 4, 16, 64, ... steps. It contains linear reservoirs and sums of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longhand/tasks/trained_network.h"

namespace longhand::tasks {

class FilterBaseline {
 public:
  /// Fits ridge regression on the measured steps. Returns nothing for classes, symbols, one target per sequence, or
  /// more than 32 input columns.
  static std::optional<FilterBaseline> fit(const TrainedNetwork& model, const data::RecordingSet& set,
                                           const std::vector<data::Stretch>& stretches);
  SequenceScore measure(const TrainedNetwork& model, const data::RecordingSet& set,
                        const std::vector<data::Stretch>& stretches) const;
  /// "linear function of exponential averages of the inputs over up to 256 steps"
  std::string name() const;

 private:
  // Calls use(stretch, step, features, targets) for each step; features and targets are scaled.
  template <class Use>
  void each(const data::RecordingSet& set, const std::vector<data::Stretch>& stretches, const Use& use) const;

  std::vector<double> times_;   // time constants in steps; 1: the input itself
  std::vector<double> weight_;  // [features, outputs]
  std::vector<double> bias_;
};

}  // namespace longhand::tasks
