// Computes scales of a regressor's targets: over the training rows, and over the rows of a series up to each row.
//
// A target that is constant in these rows has deviation 0. Its scale is then a tenth of its absolute value, so that
// forecasts and intervals stay proportional to the data. A target that is always 0 has the smallest scale of the other
// series (1 if there are none). For counts, its scale is 1 / (rows + 1), the expected count after that many zeros.
#pragma once

#include <span>
#include <vector>

#include "longhand/data/series.h"

namespace longhand::tasks {

enum class TargetScaling {
  kStandard,      ///< mean and standard deviation
  kMeanAbsolute,  ///< 0 and the mean absolute value
  kCounts,        ///< as kMeanAbsolute, for counts
};

/// Returns the scale of these values. Its deviation is 0 (unknown) if all values are 0, except for counts.
data::Scale scale_of_target(const std::vector<double>& values, TargetScaling scaling);
/// Replaces deviations of 0 (unknown) by the smallest deviation of the other scales, or by 1 if all are unknown.
void fill_unknown(std::span<data::Scale* const> scales);
/// Returns the scales [rows, O] for each row in [begin, end), computed from the rows from `begin` to that row.
/// `if_zero` [O]: deviation while all values are 0.
std::vector<data::Scale> running_scales(const data::Table& table, int64_t begin, int64_t end, bool mean_absolute,
                                        std::span<const double> if_zero);

}  // namespace longhand::tasks
