// Evaluates a network of layers on recordings.
#pragma once

#include "longhand/runs/evaluation.h"
#include "longhand/tasks/model_file.h"

namespace longhand::runs {

/// Columns and loss are those that the model file names. If it names no loss, the loss is the mean squared error.
Evaluation evaluate_network(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources);

}  // namespace longhand::runs
