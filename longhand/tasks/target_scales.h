// Scales of a regressor's targets: of the training rows, and of a new series up to each of its rows.
//
// A target that is constant in its rows has no deviation of its own. Its scale is then a tenth of its absolute value,
// so that forecasts and intervals are multiplied by 1000 if the data are. A target that is always 0 has the smallest
// scale of the other series (1 if there are none), or, for counts, 1 / (rows + 1): the expected count after that many
// zeros.
#pragma once

#include <span>
#include <vector>

#include "longhand/data/series.h"

namespace longhand::tasks {

enum class TargetScaling {
  kStandard,      ///< mean and standard deviation
  kMeanAbsolute,  ///< 0 and the mean absolute value
  kCounts,        ///< the same, of counts
};

/// The scale of these values. Its deviation is 0 (unknown) for values that are all 0, except for counts.
data::Scale scale_of_target(const std::vector<double>& values, TargetScaling scaling);
/// Replaces unknown deviations [S] by the smallest of the others, or by 1 if all are unknown.
void fill_unknown(std::span<data::Scale* const> scales);
/// The scales [rows, O] of the rows from `begin` up to and including each row before `end`. `if_zero` [O]: deviation
/// while all values are 0.
std::vector<data::Scale> running_scales(const data::Table& table, int64_t begin, int64_t end, bool mean_absolute,
                                        std::span<const double> if_zero);

}  // namespace longhand::tasks
