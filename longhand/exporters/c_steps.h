// Prepares a graph for calls from C: one time step per call, or a fixed maximum number of steps per call.
#pragma once

#include <map>
#include <string>

#include "longhand/graph/graph.h"

namespace longhand::exporters {

struct CSteps {
  graph::Graph graph;  ///< the graph to compile
  int64_t steps = 1;   ///< time steps per call
  bool anew = false;   ///< each call starts a new sequence
  std::string mask;    ///< name of the mask input, computed from the length of the sequence; empty: none
  /// By node name: kind of pooling over time that is accumulated step by step. In `graph` such nodes have the kind
  /// "last".
  std::map<std::string, std::string> running{};
};

/// Prepares `graph` for `steps` time steps per call, or for single steps if `steps` is 0. Single steps replace the mask
/// input by a constant. Whole sequences get a mask if only recurrent layers and pooling combine time steps. Throws an
/// input error that begins with `where` for a network that cannot be read step by step.
CSteps c_steps(const graph::Graph& graph, const std::string& where, int64_t steps);

}  // namespace longhand::exporters
