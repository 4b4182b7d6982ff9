// Input sizes for the plans from which the exporters find the shapes of a network.
#pragma once

#include "longhand/graph/plan.h"

namespace longhand::exporters {

/// Returns plan options for `batch` sequences and `steps` time steps. Open axes of inputs that are neither batch nor
/// time axes get the extent `other`.
graph::PlanOptions trial_sizes(const graph::Graph& graph, int64_t batch, int64_t steps, int64_t other);

}  // namespace longhand::exporters
