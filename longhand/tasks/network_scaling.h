// Scales of inputs and targets as layers of a network: training sees scaled numbers, and whoever runs the model sees
// the data's own units.
#pragma once

#include <vector>

#include "longhand/data/series.h"
#include "longhand/graph/graph.h"

namespace longhand::tasks {

struct NetworkScaling {
  std::vector<std::vector<data::Scale>> inputs;  ///< by input and number of its step; empty: as they are
  std::vector<data::Scale> targets;              ///< of the output, which is undone; empty: as it is

  bool any() const;
};

/// Takes away the layers that `with_scaling` added, and returns what they did. A network without them stays as it is.
NetworkScaling take_scaling(graph::Graph& graph);
/// Adds a layer `scale` after each scaled input (called INPUT_standardised), and one before the output
/// (OUTPUT_in_units). Identities are left out.
graph::Graph with_scaling(graph::Graph graph, const NetworkScaling& scaling);

}  // namespace longhand::tasks
