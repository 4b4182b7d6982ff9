// A graph in the form that PyTorch's modules have, with the same outputs.
#pragma once

#include <string>
#include <vector>

#include "longhand/graph/graph.h"

namespace longhand::convert {

/// - A second bias, of zeros, where a recurrent layer has one alone.
/// - Plain recurrent layers of one size, one above the other, as one node.
/// - Of a graph of arrays, the branches that are taken, what is made of arrays alone as an array, and weights of 8 bits
///   as floats.
/// The notes say what was changed of the weights.
graph::Graph prepared_for_torch(const graph::Graph& graph, std::vector<std::string>& notes);

}  // namespace longhand::convert
