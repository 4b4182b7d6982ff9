// Networks as one header in C.
#pragma once

#include "longhand/convert/exported.h"

namespace longhand::convert {

/// One file, of C99: NAME_reset begins a sequence, NAME_step computes a step of it. docs/export-c.md describes it.
/// Throws a usage error for a name that C cannot have, and an input error that names the node that C has not, or the
/// reason why the network cannot be read step by step.
Exported export_c(const ExportModel& model, const ExportOptions& options);

}  // namespace longhand::convert
