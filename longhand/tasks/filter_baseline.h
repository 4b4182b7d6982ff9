// What networks on recordings are compared with: a linear function of exponential averages of the inputs, of the
// present and of ever longer times. A linear reservoir is one of these, and so is any filter that is a sum of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longhand/tasks/trained_network.h"

namespace longhand::tasks {

class FilterBaseline {
 public:
  /// Ridge regression on the steps that count. Nothing for classes, symbols, one answer a sequence, or many inputs.
  static std::optional<FilterBaseline> fit(const TrainedNetwork& model, const data::RecordingSet& set,
                                           const std::vector<data::Stretch>& stretches);
  SequenceScore measure(const TrainedNetwork& model, const data::RecordingSet& set,
                        const std::vector<data::Stretch>& stretches) const;
  /// "linear function of exponential averages of the inputs over up to 256 steps"
  std::string name() const;

 private:
  // use(stretch, step, features, targets): numbers of a step, scaled.
  template <class Use>
  void each(const data::RecordingSet& set, const std::vector<data::Stretch>& stretches, const Use& use) const;

  std::vector<double> times_;   // steps; 1: the present alone
  std::vector<double> weight_;  // [features, outputs]
  std::vector<double> bias_;
};

}  // namespace longhand::tasks
