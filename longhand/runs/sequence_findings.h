// Curves for the report on a network of layers: its outputs and the targets on a recording. pages.h draws them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "longhand/io/chart.h"
#include "longhand/tasks/trained_network.h"

namespace longhand::runs {

/// One output number over the steps of a recording.
struct SequenceCurves {
  std::string name;
  std::vector<io::Point> actual, predicted;              ///< all steps, thinned (io::thinned)
  std::vector<io::Point> errors;                         ///< predicted - actual, thinned
  std::vector<io::Point> close_actual, close_predicted;  ///< all steps around the largest value
};

struct SequenceFindings {
  std::string recording;  ///< name of the first measured recording; its curves are drawn
  int64_t steps = 0;      ///< measured steps of that recording
  std::vector<SequenceCurves> curves;
};

/// Collects the findings during an evaluation, for the first recording only.
class SequenceExaminer {
 public:
  static constexpr size_t kCharted = 4;  ///< max. number of outputs with curves
  static constexpr size_t kClose = 400;  ///< steps of a close-up

  explicit SequenceExaminer(const data::RecordingSet& set) : set_(set) {}

  void add(const data::Stretch& stretch, int64_t step, std::span<const double> predicted,
           std::span<const double> actual);
  SequenceFindings findings() const;

 private:
  const data::RecordingSet& set_;
  int64_t recording_ = -1, first_ = 0;
  std::vector<std::vector<float>> predicted_, actual_;  // [outputs][steps]
};

}  // namespace longhand::runs
