// A network as a module of PyTorch: its weights in safetensors, and a file of Python that needs PyTorch alone.
#pragma once

#include "longhand/convert/exported.h"

namespace longhand::convert {

/// NAME.safetensors, and NAME.py with a class, load() and save(). Throws an input error that names a node which PyTorch
/// has no form for.
Exported export_torch(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::convert
