// Rewrites a graph in the form of PyTorch's modules. The outputs stay the same.
#pragma once

#include <string>
#include <vector>

#include "longhand/graph/graph.h"

namespace longhand::exporters {

/// - Adds a second bias of zeros to a recurrent layer with one bias.
/// - Joins stacked standard recurrent layers of one size into one node.
/// - Replaces each If by the branch that is taken, folds constants, and dequantises 8-bit weights to floats.
///
/// Appends to `notes` how the weights were changed.
graph::Graph prepared_for_torch(const graph::Graph& graph, std::vector<std::string>& notes);

}  // namespace longhand::exporters
