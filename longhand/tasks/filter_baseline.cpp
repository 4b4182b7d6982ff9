#include "longhand/tasks/filter_baseline.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/baselines/least_squares.h"
#include "longhand/tasks/sequence_score.h"

namespace longhand::tasks {

template <class Use>
void FilterBaseline::each(const data::RecordingSet& set, const std::vector<data::Stretch>& stretches,
                          const Use& use) const {
  const size_t K = times_.size();
  std::vector<double> features;
  for (const data::Stretch& stretch : stretches) {
    const data::Recording& recording = set.list[static_cast<size_t>(stretch.recording)];
    size_t columns = 0;
    for (const int64_t width : set.widths) columns += static_cast<size_t>(width);
    features.assign(columns * K, 0.0);
    for (int64_t t = stretch.read; t < stretch.end; ++t) {
      double* to = features.data();
      for (size_t k = 0; k < set.widths.size(); ++k) {
        for (int64_t c = 0; c < set.widths[k]; ++c) {
          const auto x = static_cast<double>(recording.inputs[k].floats[static_cast<size_t>(t * set.widths[k] + c)]);
          for (const double time : times_) {
            *to += (x - *to) / time;
            ++to;
          }
        }
      }
      use(stretch, t, features, recording.targets.floats.data() + t * set.targets);
    }
  }
}

std::optional<FilterBaseline> FilterBaseline::fit(const TrainedNetwork& model, const data::RecordingSet& set,
                                                  const std::vector<data::Stretch>& stretches) {
  constexpr int64_t kMostColumns = 32;
  int64_t columns = 0, longest = 0;
  for (size_t k = 0; k < set.widths.size(); ++k) {
    columns += set.widths[k];
    if (model.network().symbols(k) > 0) return std::nullopt;
  }
  if (model.classifies() || set.one_target || columns > kMostColumns) return std::nullopt;
  for (const data::Stretch& stretch : stretches) longest = std::max(longest, stretch.length());
  FilterBaseline out;
  for (double time = 1.0; time == 1.0 || (time <= static_cast<double>(longest) / 10.0 && time < 10000.0); time *= 4.0) {
    out.times_.push_back(time);
  }
  const size_t n = static_cast<size_t>(columns) * out.times_.size(), m = static_cast<size_t>(set.targets);
  baselines::Sums sums;
  sums.n = static_cast<int64_t>(n);
  sums.m = static_cast<int64_t>(m);
  sums.xx.resize(n * n);
  sums.xy.resize(n * m);
  sums.x.resize(n);
  sums.y.resize(m);
  sums.yy.resize(m);
  out.each(set, stretches, [&](const data::Stretch& stretch, int64_t t, const std::vector<double>& x, const float* y) {
    if (t < stretch.count) return;
    ++sums.count;
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) sums.xx[i * n + j] += x[i] * x[j];
      for (size_t o = 0; o < m; ++o) sums.xy[i * m + o] += x[i] * static_cast<double>(y[o]);
      sums.x[i] += x[i];
    }
    for (size_t o = 0; o < m; ++o) {
      sums.y[o] += static_cast<double>(y[o]);
      sums.yy[o] += static_cast<double>(y[o]) * static_cast<double>(y[o]);
    }
  });
  if (sums.count == 0) return std::nullopt;
  baselines::Linear linear = baselines::fit(sums, 1e-6 * static_cast<double>(sums.count));
  out.weight_ = std::move(linear.weight);
  out.bias_ = std::move(linear.bias);
  return out;
}

SequenceScore FilterBaseline::measure(const TrainedNetwork& model, const data::RecordingSet& set,
                                      const std::vector<data::Stretch>& stretches) const {
  const std::vector<data::Scale>& scales = model.target_scales();
  const size_t m = scales.size();
  SequenceSums sums(model);
  SequenceSums::Memory memory;
  std::vector<double> predicted(m), actual(m);
  each(set, stretches, [&](const data::Stretch& stretch, int64_t t, const std::vector<double>& x, const float* y) {
    for (size_t o = 0; o < m; ++o) {
      double sum = bias_[o];
      for (size_t i = 0; i < x.size(); ++i) sum += weight_[i * m + o] * x[i];
      predicted[o] = scales[o].undo(sum);
      actual[o] = scales[o].undo(static_cast<double>(y[o]));
    }
    sums.add(predicted, actual, t >= stretch.count, memory);
    if (t + 1 < stretch.end) return;
    sums.end(memory);
    memory = {};
  });
  return sums.score();
}

std::string FilterBaseline::name() const {
  return fmt::format("linear function of exponential averages of the inputs over up to {:.0f} steps", times_.back());
}

}  // namespace longhand::tasks
