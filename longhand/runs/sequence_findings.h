// What is found when a network of layers is measured on recordings: what it made of them beside what it should have
// made. pages.h shows it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "longhand/io/chart.h"
#include "longhand/tasks/trained_network.h"

namespace longhand::runs {

/// One number of the output, over the steps of a recording.
struct SequenceCurves {
  std::string name;
  std::vector<io::Point> actual, predicted;              ///< of all steps, thinned (io::thinned)
  std::vector<io::Point> errors;                         ///< predicted - actual, likewise
  std::vector<io::Point> close_actual, close_predicted;  ///< every step around the largest value
};

struct SequenceFindings {
  std::string recording;  ///< whose curves are drawn: the first that was measured
  int64_t steps = 0;      ///< of it
  std::vector<SequenceCurves> curves;
};

/// Gathers the findings from the steps of an evaluation, of the first stretch that comes.
class SequenceExaminer {
 public:
  static constexpr size_t kCharted = 4;  ///< numbers of the output
  static constexpr size_t kClose = 400;  ///< steps of the close-ups

  explicit SequenceExaminer(const data::RecordingSet& set) : set_(set) {}

  void add(const data::Stretch& stretch, int64_t step, std::span<const double> predicted,
           std::span<const double> actual);
  SequenceFindings findings() const;

 private:
  const data::RecordingSet& set_;
  int64_t recording_ = -1, first_ = 0;
  std::vector<std::vector<float>> predicted_, actual_;  // by number of the output
};

}  // namespace longhand::runs
