// A network of layers measured on recordings.
#pragma once

#include "longhand/runs/evaluation.h"
#include "longhand/tasks/model_file.h"

namespace longhand::runs {

/// What the model file says of its training tells what is read of the data, and which loss is shown; of a file that
/// does not say it, the mean squared error.
Evaluation evaluate_network(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources);

}  // namespace longhand::runs
