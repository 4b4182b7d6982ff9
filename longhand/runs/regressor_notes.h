// Notes for the user on a regressor's data and options: data left out, intervals not measured, options without effect.
#pragma once

#include <string>
#include <vector>

#include "longhand/tasks/regressor_task.h"

namespace longhand::runs {

/// Counts the series (or sequences) of a table without a window in `windows`, and names the first of them; empty if
/// each has one. `purpose`: such as "to train on". `among`: if not empty, only series with a window in it are counted.
std::string note_left_out(const std::string& source, const data::Table& table, std::span<const data::Window> windows,
                          const std::string& purpose, std::span<const data::Window> among = {});
/// Counts the series with a window, and names the texts of static columns, that are not in a model's training data;
/// empty if there are none.
std::string note_new(const std::string& source, const data::Table& table, std::span<const data::Window> windows,
                     const tasks::Columns& columns);
/// Says that `count` forecasts keep the model's calibration because too few earlier values are known; empty for 0.
std::string note_not_recalibrated(int64_t count);
/// Says which targets of which series are constant in their training rows; empty if none are.
std::string note_constant(const data::Table& table, std::span<const tasks::RowRange> training_rows);
/// Says that the central interval is not measured because it lies outside the model's quantiles; empty if it does not.
std::string note_interval(const tasks::ForecastDistribution& distribution, double interval);
/// Says that the coverage of the interval is far from its nominal value, and what to do; empty if it is not.
std::string note_coverage(const tasks::Regressor& model, const tasks::RegressionScore& score);
/// Returns a sentence for each option that was changed from its default but has no effect with the other options.
std::vector<std::string> notes_without_effect(const tasks::RegressorOptions& options);
/// Returns advice if the ridge regression (`is_ridge`), or else the naive forecast, is as good as the model. Names only
/// options that can be combined with the model's.
std::string forecast_advice(const tasks::RegressorOptions& options, bool is_ridge);

}  // namespace longhand::runs
