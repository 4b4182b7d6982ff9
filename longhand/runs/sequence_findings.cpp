#include "longhand/runs/sequence_findings.h"

#include <algorithm>
#include <cmath>

namespace longhand::runs {
namespace {

constexpr size_t kOverviewPoints = 800;

// Returns the minimum and the maximum of each block of steps as points.
std::vector<io::Point> overview(int64_t first, const std::vector<float>& values) {
  std::vector<io::Point> all;
  const size_t each = std::max<size_t>(1, values.size() / (4 * kOverviewPoints));
  for (size_t begin = 0; begin < values.size(); begin += each) {
    const size_t end = std::min(values.size(), begin + each);
    const auto [low, high] = std::minmax_element(values.begin() + static_cast<std::ptrdiff_t>(begin),
                                                 values.begin() + static_cast<std::ptrdiff_t>(end));
    for (const auto& at : {std::min(low, high), std::max(low, high)}) {
      all.push_back({static_cast<double>(first + (at - values.begin())), static_cast<double>(*at)});
      if (low == high) break;
    }
  }
  return io::thinned(all, kOverviewPoints);
}

}  // namespace

void SequenceExaminer::add(const data::Stretch& stretch, int64_t step, std::span<const double> predicted,
                           std::span<const double> actual) {
  if (recording_ < 0) {
    recording_ = stretch.recording;
    first_ = step;
    predicted_.resize(std::min(predicted.size(), kCharted));
    actual_.resize(predicted_.size());
  }
  if (stretch.recording != recording_ || actual.size() < predicted_.size()) return;
  for (size_t o = 0; o < predicted_.size(); ++o) {
    predicted_[o].push_back(static_cast<float>(predicted[o]));
    actual_[o].push_back(static_cast<float>(actual[o]));
  }
}

SequenceFindings SequenceExaminer::findings() const {
  SequenceFindings out;
  if (recording_ < 0) return out;
  out.recording = set_.list[static_cast<size_t>(recording_)].name;
  for (size_t o = 0; o < predicted_.size() && !predicted_[o].empty(); ++o) {
    const std::vector<float>&predicted = predicted_[o], &actual = actual_[o];
    out.steps = static_cast<int64_t>(actual.size());
    SequenceCurves curves{.name = o < set_.target_names.size() ? set_.target_names[o] : std::to_string(o + 1)};
    std::vector<float> errors(actual.size());
    size_t largest = 0;
    for (size_t t = 0; t < actual.size(); ++t) {
      errors[t] = predicted[t] - actual[t];
      if (std::abs(actual[t]) > std::abs(actual[largest])) largest = t;
    }
    curves.actual = overview(first_, actual);
    curves.predicted = overview(first_, predicted);
    curves.errors = overview(first_, errors);
    const size_t begin = largest - std::min(largest, kClose / 2), end = std::min(actual.size(), begin + kClose);
    for (size_t t = begin; t < end; ++t) {
      const auto x = static_cast<double>(first_ + static_cast<int64_t>(t));
      curves.close_actual.push_back({x, static_cast<double>(actual[t])});
      curves.close_predicted.push_back({x, static_cast<double>(predicted[t])});
    }
    out.curves.push_back(std::move(curves));
  }
  return out;
}

}  // namespace longhand::runs
