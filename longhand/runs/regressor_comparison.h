// Regressors beside simpler forecasts: what is measured of them, and said.
#pragma once

#include "longhand/runs/evaluation.h"
#include "longhand/tasks/regressor_baselines.h"

namespace longhand::runs {

/// Evaluates the model on `windows` and adds measures to `findings`; with `charts`, also forecasts. `interval` and
/// `recalibrate`: see tasks::ForecastObserver.
tasks::RegressionScore examine_forecasts(const tasks::Regressor& model, const data::Table& table,
                                         std::span<const data::Window> windows, tasks::Regressor::Workspace& workspace,
                                         const tasks::OnDone& on_done, bool charts, Findings& findings,
                                         double interval = 0.0, int64_t recalibrate = 0);

/// Writes a run's ridge regression, so that `eval` can show it without the training data.
void write_ridge(const baselines::Ridge& ridge, const std::string& path);
/// The best of the naive, the seasonal-naive and, unless it is null, the ridge forecast by its mean squared error.
BaselineFindings measure_simple_forecasts(const tasks::Regressor& model, const baselines::Ridge* ridge,
                                          const data::Table& table, std::span<const data::Window> windows);
/// Whether the best of the simple forecasts is the ridge regression.
bool is_ridge(const BaselineFindings& baseline);

Evaluation evaluate_regressor(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources);

}  // namespace longhand::runs
