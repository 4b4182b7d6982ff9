// Exports a network as a single C header.
#pragma once

#include "longhand/exporters/exported.h"

namespace longhand::exporters {

/// Returns one C99 header: NAME_reset begins a sequence, NAME_step computes one time step (docs/export-c.md). Throws a
/// usage error for a model name that is not a valid C name, and an input error that names a node that C does not
/// support or the reason why the network cannot be read step by step.
Exported export_c(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::exporters
