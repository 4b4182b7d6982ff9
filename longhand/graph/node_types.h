// The types of nodes, a row each. A new one is a function that builds it, and a row.
#pragma once

#include <string>
#include <vector>

#include "longhand/graph/graph.h"

namespace longhand::graph {

class NodeBuild;

struct NodeType {
  const char* name;
  const char* help;  ///< for docs/network.md
  size_t least_inputs;
  size_t most_inputs;  ///< kAny: as many as there are
  size_t most_outputs;
  std::vector<const char*> attributes;
  /// Roles of weights. `*` stands for what numbers the layers: "weight_ih*" is weight_ih_l0, weight_ih_l0_reverse, ...
  std::vector<const char*> weights;
  void (*build)(NodeBuild& node);
  bool of_sequences = false;  ///< may be named in a TOML description

  static constexpr size_t kAny = 1 << 20;
  bool has_attribute(const std::string& name) const;
  bool has_weight(const std::string& role) const;
};

/// Null where there is none.
const NodeType* find_node_type(const std::string& name);
std::vector<std::string> node_type_names(bool of_sequences);

/// The rows, each list in the file that builds them.
std::vector<NodeType> dense_node_types();
std::vector<NodeType> matrix_node_types();
std::vector<NodeType> convolution_node_types();
std::vector<NodeType> recurrent_node_types();
std::vector<NodeType> sequence_node_types();
std::vector<NodeType> activation_node_types();
std::vector<NodeType> arithmetic_node_types();
std::vector<NodeType> move_node_types();
std::vector<NodeType> shape_node_types();
std::vector<NodeType> reduction_node_types();
std::vector<NodeType> normalisation_node_types();
std::vector<NodeType> einsum_node_types();
std::vector<NodeType> index_node_types();
std::vector<NodeType> quantised_node_types();
std::vector<NodeType> onnx_recurrent_node_types();
std::vector<NodeType> scan_node_types();

}  // namespace longhand::graph
