// Regressors beside simpler forecasts: what is measured of them, and said.
#pragma once

#include "longhand/runs/evaluation.h"
#include "longhand/tasks/regressor_baselines.h"

namespace longhand::runs {

/// Measures, and adds what is found: with `charts`, the forecasts too. `ridge` may be null.
tasks::RegressionScore examine_forecasts(const tasks::Regressor& model, const baselines::Ridge* ridge,
                                         const data::Table& table, std::span<const data::Window> windows,
                                         tasks::Regressor::Workspace& workspace, const tasks::OnDone& on_done,
                                         bool charts, Findings& findings);

/// A run's ridge regression in its folder, so that `eval` can show it without the training data.
void write_ridge(const baselines::Ridge& ridge, const std::string& folder);

Evaluation evaluate_regressor(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources);

}  // namespace longhand::runs
