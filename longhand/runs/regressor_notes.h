// Sentences for the user about what a regressor's run or evaluation leaves out, cannot measure or does not use.
#pragma once

#include <string>
#include <vector>

#include "longhand/tasks/regressor_task.h"

namespace longhand::runs {

/// Says which series (or sequences) of a table have no window in `windows`, with their number and the first names;
/// empty if each has one. `purpose`: "to train on". `among`: if not empty, only series with a window there are named.
std::string note_left_out(const std::string& source, const data::Table& table, std::span<const data::Window> windows,
                          const std::string& purpose, std::span<const data::Window> among = {});
/// Says which series with a window and which texts of static columns are not in a model's training data; empty if all
/// are.
std::string note_new(const std::string& source, const data::Table& table, std::span<const data::Window> windows,
                     const tasks::Columns& columns);
/// Says that `count` forecasts keep the model's calibration, since too few earlier values are known; empty for 0.
std::string note_not_recalibrated(int64_t count);
/// Says which targets of which series are constant in their training rows; empty if none are.
std::string note_constant(const data::Table& table, std::span<const tasks::RowRange> training_rows);
/// Says that the central interval lies outside a model's quantiles, and is not measured; empty if it can be.
std::string note_interval(const tasks::ForecastDistribution& distribution, double interval);
/// Says that far more or fewer values than stated lie in the interval, and what to do; empty if this is not so.
std::string note_coverage(const tasks::Regressor& model, const tasks::RegressionScore& score);
/// Options with a value of their own that the other options make useless, one sentence each.
std::vector<std::string> notes_without_effect(const tasks::RegressorOptions& options);
/// What usually helps if the ridge regression (`is_ridge`), or else the naive forecast, is as good as the model. Names
/// only options that can be combined with the model's.
std::string forecast_advice(const tasks::RegressorOptions& options, bool is_ridge);

}  // namespace longhand::runs
