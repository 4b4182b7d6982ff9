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

/// Ignores the top-level keys `others`. Throws a usage error with `path` and line for invalid TOML, unknown keys,
/// unknown layer types, and names that do not exist.
Description read_description(const std::string& text, const std::string& path,
                             const std::set<std::string>& others = {});

/// Builds the network from the arrays of a file. Names are PyTorch's: `NAME.weight`, `NAME.bias`, `NAME.weight_ih_l0`,
/// or `NAME.weight_ih` for a single layer (LSTMCell); the description may give other names. Throws an input error that
/// names `file` and the array, for a missing array and for an unused one.
Graph with_arrays(const Description& description, std::map<std::string, Array> arrays, const std::string& file);

/// Builds the network with random weights, from PyTorch's default distributions. The description must then give all
/// sizes (`units`, `kernel`, ...). The same seed gives the same weights.
Graph with_drawn_weights(const Description& description, uint64_t seed, const std::string& path);

/// The roles of required and of optional weights of a layer.
struct LayerRoles {
  std::vector<std::string> needed, optional;
};
LayerRoles roles_of(const Node& node);

}  // namespace longhand::graph
