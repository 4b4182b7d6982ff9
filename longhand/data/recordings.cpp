#include "longhand/data/recordings.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace longhand::data {
namespace {

constexpr int64_t kManySequences = 20;  // from this number on, whole sequences are held out

using AtRow = std::function<double(const Recording& recording, int64_t row, int64_t column)>;

// Two passes: no loss of precision where the mean is far from 0.
std::vector<Scale> column_scales(const RecordingSet& set, const std::vector<Stretch>& stretches, int64_t width,
                                 bool one_row, const AtRow& at) {
  std::vector<Scale> out(static_cast<size_t>(width));
  for (int64_t c = 0; c < width; ++c) {
    double sum = 0.0, squares = 0.0, largest = 0.0, count = 0.0, first = 0.0;
    const auto each = [&](const auto& use) {
      for (const Stretch& stretch : stretches) {
        const Recording& recording = set.list[static_cast<size_t>(stretch.recording)];
        if (one_row) {
          use(at(recording, 0, c));
          continue;
        }
        for (int64_t t = stretch.read; t < stretch.end; ++t) use(at(recording, t, c));
      }
    };
    bool begun = false;
    each([&](double x) {
      if (!begun) first = x;
      begun = true;
      sum += x - first;
      largest = std::max(largest, std::abs(x));
      count += 1.0;
    });
    if (count == 0.0) continue;
    Scale& scale = out[static_cast<size_t>(c)];
    scale.mean = first + sum / count;
    each([&](double x) { squares += (x - scale.mean) * (x - scale.mean); });
    const double deviation = std::sqrt(squares / count);
    const double rounding = 4.0 * std::numeric_limits<double>::epsilon() * largest * std::sqrt(count);
    scale.deviation = deviation > rounding ? deviation : 1.0;
  }
  return out;
}

}  // namespace

void Numbers::apply(const std::vector<Scale>& scales) {
  const size_t n = size(), width = scales.size();
  const bool wide = !doubles.empty();
  if (wide) floats.resize(n);
  for (size_t i = 0; i < n; ++i) {
    const double x = wide ? doubles[i] : static_cast<double>(floats[i]);
    floats[i] = static_cast<float>(scales[i % width].apply(x));
  }
  doubles = {};
}

int64_t RecordingSet::steps() const {
  int64_t out = 0;
  for (const Recording& recording : list) out += recording.steps;
  return out;
}

std::vector<Stretch> whole_recordings(const RecordingSet& set) {
  std::vector<Stretch> out;
  for (size_t i = 0; i < set.list.size(); ++i) out.push_back({static_cast<int64_t>(i), 0, 0, set.list[i].steps});
  return out;
}

SplitStretches split_recordings(const RecordingSet& set, double held_out, int64_t warm_up) {
  SplitStretches out;
  const auto sequences = static_cast<int64_t>(set.list.size());
  out.by_sequence = set.one_target || sequences >= kManySequences;
  if (out.by_sequence) {
    const int64_t kept = sequences - static_cast<int64_t>(static_cast<double>(sequences) * held_out);
    for (const Stretch& whole : whole_recordings(set)) {
      (whole.recording < kept ? out.train : out.valid).push_back(whole);
    }
    return out;
  }
  for (const Stretch& whole : whole_recordings(set)) {
    const auto cut = static_cast<int64_t>(std::floor(static_cast<double>(whole.end) * (1.0 - held_out)));
    if (cut > 0) out.train.push_back({whole.recording, 0, 0, cut});
    if (cut < whole.end) out.valid.push_back({whole.recording, cut - std::min(cut, warm_up), cut, whole.end});
  }
  return out;
}

std::vector<Stretch> cut_stretches(const std::vector<Stretch>& stretches, const CutOptions& options) {
  std::vector<Stretch> out;
  for (const Stretch& stretch : stretches) {
    int64_t count = std::max(stretch.count, stretch.read + options.warm_up);
    while (count < stretch.end) {
      const int64_t end = options.segment > 0 ? std::min(stretch.end, count + options.segment) : stretch.end;
      out.push_back({stretch.recording, count - options.warm_up, count, end});
      count = end;
    }
  }
  return out;
}

std::vector<Scale> target_scales(const RecordingSet& set, const std::vector<Stretch>& stretches) {
  const int64_t width = set.targets;
  return column_scales(set, stretches, width, set.one_target, [width](const Recording& r, int64_t row, int64_t column) {
    return r.targets[static_cast<size_t>(row * width + column)];
  });
}

std::vector<Scale> input_scales(const RecordingSet& set, const std::vector<Stretch>& stretches, size_t input) {
  const int64_t width = set.widths[input];
  return column_scales(set, stretches, width, false, [width, input](const Recording& r, int64_t row, int64_t column) {
    return r.inputs[input][static_cast<size_t>(row * width + column)];
  });
}

}  // namespace longhand::data
