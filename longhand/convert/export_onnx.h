// A network as an ONNX file (docs/export.md): opset 14 where nothing needs a later one, axes called batch and time,
// states as inputs and outputs, texts of the model as metadata.
#pragma once

#include "longhand/convert/exported.h"

namespace longhand::convert {

/// Throws an input error of two lines for a node that ONNX cannot hold, and for a network whose shapes depend on more
/// than the extents of its inputs.
Exported export_onnx(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::convert
