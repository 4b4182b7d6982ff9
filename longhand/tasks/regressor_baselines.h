// Simpler forecasts that a regressor is compared with, or whose error it learns: how they are fitted to its data.
#pragma once

#include <string>
#include <vector>

#include "longhand/baselines/ridge.h"
#include "longhand/tasks/regressor_task.h"

namespace longhand::tasks {

/// Windows to fit to and windows to choose by, of tables with these columns.
struct RegressorData {
  const Columns& columns;
  const data::SeriesOptions& series;
  const data::Table& table;
  std::span<const data::Window> train;
  const data::Table& valid_table;
  std::span<const data::Window> valid;  ///< may be empty
};

/// The ridge regression with the smallest held-out error: of the inputs, of the targets' own past, or (where targets
/// are no inputs) of both; and of the window, or the last half of it, a quarter, ... No value where windows differ in
/// length, or are fewer than two.
std::optional<baselines::RidgeFit> fit_ridge(const RegressorData& data);

/// Fits what the model's forecast is added to. Returns how that forecast was chosen, for the user; empty: it has no
/// choice. Throws an input error where there are too few windows.
std::string fit_residual(Regressor& model, const RegressorData& data);

/// The inputs that reduce the held-out error of a ridge regression, by forward selection; its work is limited as
/// baselines::choose_columns says.
struct ChosenInputs {
  std::vector<size_t> columns;  ///< in the order of the table
  std::string description;      ///< for the user
};
ChosenInputs choose_inputs(const RegressorData& data, double most_work = baselines::kMostSelectionWork);

/// The score of a ridge regression that was fitted on this model's columns. If the deviations of its errors are known,
/// also the measures of a Gaussian around its forecast. `interval`: see ForecastObserver.
RegressionScore evaluate_ridge(const Regressor& model, const baselines::Ridge& ridge, const data::Table& table,
                               std::span<const data::Window> windows, double interval = 0.0);

/// Reads the ridge regression beside a model. Throws an input error for one of other columns or steps.
baselines::Ridge read_ridge(const std::string& path, const Regressor& model);

}  // namespace longhand::tasks
