// Scales of inputs and targets as layers of a network. Training uses scaled numbers; a saved model reads and returns
// the units of the data.
#pragma once

#include <vector>

#include "longhand/data/series.h"
#include "longhand/graph/graph.h"

namespace longhand::tasks {

struct NetworkScaling {
  std::vector<std::vector<data::Scale>> inputs;  ///< [inputs][width]; empty: not scaled
  std::vector<data::Scale> targets;              ///< [outputs], undone by the output layer; empty: not scaled

  bool any() const;
};

/// Removes the layers that `with_scaling` added, and returns their scales. Other networks are not changed.
NetworkScaling take_scaling(graph::Graph& graph);
/// Adds a layer `scale` after each scaled input (named INPUT_standardised), and one before the output (named
/// OUTPUT_in_units). Identity scales add no layer.
graph::Graph with_scaling(graph::Graph graph, const NetworkScaling& scaling);

}  // namespace longhand::tasks
