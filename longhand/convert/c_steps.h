// How a network is called from C: step by step, or with whole sequences of up to so many steps.
#pragma once

#include <map>
#include <string>

#include "longhand/graph/graph.h"

namespace longhand::convert {

struct CSteps {
  graph::Graph graph;  ///< as it is to be written
  int64_t steps = 1;   ///< of a call
  bool anew = false;   ///< each call reads a sequence from its beginning
  std::string mask;    ///< the input that says which steps there are, made of a length; empty: none
  /// By node: pooling over all time steps, of which each step is a part. In `graph` they are of kind "last".
  std::map<std::string, std::string> running{};
};

/// `steps` is 0 for single steps. Masks of lengths become constant for single steps; whole sequences have one if
/// nothing but recurrent layers and pooling joins their steps. Throws an input error that begins with `where` for a
/// network that cannot be read step by step.
CSteps c_steps(const graph::Graph& graph, const std::string& where, int64_t steps);

}  // namespace longhand::convert
