// Networks whose layers follow one another, as formats have them that know nothing else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longhand/graph/graph.h"

namespace longhand::convert {

/// A refusal of a format: which node does not fit it, and why; an input error whose second line names formats that do.
[[noreturn]] void refuse_layer(const std::string& format, const graph::Node& node, const std::string& why);

/// Reads the attributes of a node.
int64_t layer_integer(const graph::Node& node, const char* name, int64_t otherwise);
double layer_number(const graph::Node& node, const char* name, double otherwise);
std::string layer_word(const graph::Node& node, const char* name, const std::string& otherwise);

class LayerChain {
 public:
  /// Throws a refusal for a network with several inputs or outputs, with states as inputs, with symbols unless the
  /// format has them, and where a layer reads another one than the layer before. Layers that do nothing (dropout) are
  /// left out.
  LayerChain(const graph::Graph& graph, std::string format, bool has_symbols = false);

  const graph::Graph& graph() const { return graph_; }
  const std::string& format() const { return format_; }
  /// Numbers of a step; 0: symbols.
  int64_t inputs() const { return inputs_; }
  const std::vector<const graph::Node*>& nodes() const { return nodes_; }
  /// Whether the input, or what the first `scale` made of it, is added to the last layer's output; a `scale` may
  /// follow.
  bool skips() const { return skips_; }

  const graph::Array& weight(const graph::Node& node, const std::string& role) const;
  bool has(const graph::Node& node, const std::string& role) const { return node.weights.contains(role); }
  /// A bias, or zeros where the layer has none.
  graph::Array bias(const graph::Node& node, const std::string& role, int64_t size) const;

  /// Throws a refusal unless the node's layers are the usual cell, and begin with zeros or with trained states, where
  /// the format has these.
  void expect_usual_cell(const graph::Node& node, bool may_have_initial_state) const;
  /// The same, and unless they are in one direction, with all outputs.
  void expect_plain_layers(const graph::Node& node, bool may_have_initial_state) const;

 private:
  const graph::Graph& graph_;
  std::string format_;
  int64_t inputs_ = 0;
  std::vector<const graph::Node*> nodes_;
  bool skips_ = false;
};

}  // namespace longhand::convert
