// Exports a network as a PyTorch module: weights in safetensors, and Python code that only needs PyTorch.
#pragma once

#include "longhand/exporters/exported.h"

namespace longhand::exporters {

/// Returns NAME.safetensors, and NAME.py with a class, load() and save(). Throws an input error that names a node that
/// cannot be written in PyTorch.
Exported export_torch(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::exporters
