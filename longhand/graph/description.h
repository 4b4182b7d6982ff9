// A network as a short TOML text: its layers in order, each with its type and options. docs/network.md describes it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "longhand/graph/graph.h"

namespace longhand::graph {

/// What a description says before its layers have weights.
struct Description {
  Graph graph;  ///< without arrays; nodes without weights
  /// By node: where its weights' names begin ("decoder.0"), and those that are called otherwise, by role.
  std::map<std::string, std::string> prefixes;
  std::map<std::string, std::map<std::string, std::string>> renamed;
  std::set<std::string> without_bias;  ///< nodes whose description says so
};

/// Throws a usage error with `path` and line for what is no description: keys that a layer does not have, types that do
/// not exist, names that nothing has.
Description read_description(const std::string& text, const std::string& path);

/// The network with the arrays of a file, each of which is used. Names are PyTorch's: `NAME.weight`, `NAME.bias`,
/// `NAME.weight_ih_l0`, or `NAME.weight_ih` of a single layer, as of a cell; the description may give others. Throws an
/// input error naming `file` for an array that a layer needs and the file lacks, and for one that no layer names.
Graph with_arrays(const Description& description, std::map<std::string, Array> arrays, const std::string& file);

/// The network with weights drawn as PyTorch draws them, from the sizes (`units`, `kernel`, ...) that the description
/// then must have. The same seed gives the same weights.
Graph with_drawn_weights(const Description& description, uint64_t seed, const std::string& path);

/// Roles of the weights that a layer of a description cannot be without, and of those that it may have.
struct LayerRoles {
  std::vector<std::string> needed, optional;
};
LayerRoles roles_of(const Node& node);

}  // namespace longhand::graph
