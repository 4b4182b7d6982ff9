// Sizes to plan a network for, where its shapes are found by planning it.
#pragma once

#include "longhand/graph/plan.h"

namespace longhand::convert {

/// Options of a plan for `batch` sequences and `steps` time steps. Axes of inputs that the network leaves open and that
/// are neither of a batch nor of time get the extent `other`.
graph::PlanOptions trial_sizes(const graph::Graph& graph, int64_t batch, int64_t steps, int64_t other);

}  // namespace longhand::convert
