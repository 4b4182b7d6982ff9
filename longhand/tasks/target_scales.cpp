#include "longhand/tasks/target_scales.h"

#include <algorithm>
#include <cmath>

namespace longhand::tasks {
namespace {

constexpr double kConstantShare = 0.1;  // scale of a constant, as a share of its absolute value

}  // namespace

data::Scale scale_of_target(const std::vector<double>& values, TargetScaling scaling) {
  if (scaling == TargetScaling::kStandard) {
    const data::Scale spread = data::spread_of(values, static_cast<int64_t>(values.size()));
    return {spread.mean, spread.deviation > 0.0 ? spread.deviation : kConstantShare * std::abs(spread.mean)};
  }
  double sum = 0.0;
  for (const double value : values) sum += std::abs(value);
  const auto n = static_cast<double>(values.size());
  if (sum > 0.0) return {0.0, sum / n};
  return {0.0, scaling == TargetScaling::kCounts ? 1.0 / (n + 1.0) : 0.0};
}

void fill_unknown(std::span<data::Scale* const> scales) {
  double smallest = 0.0;
  for (const data::Scale* scale : scales) {
    if (scale->deviation > 0.0) smallest = smallest > 0.0 ? std::min(smallest, scale->deviation) : scale->deviation;
  }
  for (data::Scale* scale : scales) {
    if (!(scale->deviation > 0.0)) scale->deviation = smallest > 0.0 ? smallest : 1.0;
  }
}

std::vector<data::Scale> running_scales(const data::Table& table, int64_t begin, int64_t end, bool mean_absolute,
                                        std::span<const double> if_zero) {
  const size_t O = table.target.size();
  std::vector<data::Scale> out(static_cast<size_t>(end - begin) * O);
  for (size_t o = 0; o < O && end > begin; ++o) {
    // Sums are relative to the first row, for accuracy.
    const double origin = mean_absolute ? 0.0 : table.target[o][static_cast<size_t>(begin)];
    double sum = 0.0, squares = 0.0, largest = 0.0;
    for (int64_t row = begin; row < end; ++row) {
      const double x = table.target[o][static_cast<size_t>(row)] - origin;
      const auto n = static_cast<double>(row - begin + 1);
      sum += mean_absolute ? std::abs(x) : x;
      squares += x * x;
      largest = std::max(largest, std::abs(x));
      data::Scale& scale = out[static_cast<size_t>(row - begin) * O + o];
      scale.mean = mean_absolute ? 0.0 : origin + sum / n;
      scale.deviation = mean_absolute ? sum / n : std::sqrt(std::max(squares / n - sum / n * (sum / n), 0.0));
      // Treats a deviation within rounding error as zero.
      if (!(scale.deviation > 1e-7 * largest)) scale.deviation = kConstantShare * std::abs(scale.mean);
      if (!(scale.deviation > 0.0)) scale.deviation = if_zero[o];
    }
  }
  return out;
}

}  // namespace longhand::tasks
