// Exports a network as an ONNX file (docs/export.md): opset 14 unless a node needs a later one, axes named batch and
// time, states as inputs and outputs, the model's texts as metadata.
#pragma once

#include "longhand/exporters/exported.h"

namespace longhand::exporters {

/// Returns one .onnx file. Throws an input error of two lines for a node that ONNX cannot hold, and for a network whose
/// shapes depend on the contents of its inputs.
Exported export_onnx(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::exporters
