// A network as a list of layers, each of which reads the layer before it. For formats that have no other networks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longhand/graph/graph.h"

namespace longhand::exporters {

/// Throws an input error: the node that `format` cannot hold, and why. Its second line names formats that have more
/// layers.
[[noreturn]] void refuse_layer(const std::string& format, const graph::Node& node, const std::string& why);

/// Return a node's attribute, or `otherwise` if the node does not have it.
int64_t layer_integer(const graph::Node& node, const char* name, int64_t otherwise);
double layer_number(const graph::Node& node, const char* name, double otherwise);
std::string layer_word(const graph::Node& node, const char* name, const std::string& otherwise);

class LayerChain {
 public:
  /// Leaves out layers that do nothing in inference (dropout). Throws an input error for a network with several inputs
  /// or outputs, for states as inputs, for integer inputs unless `has_symbols`, and for a layer that does not read the
  /// layer before it.
  LayerChain(const graph::Graph& graph, std::string format, bool has_symbols = false);

  const graph::Graph& graph() const { return graph_; }
  const std::string& format() const { return format_; }
  /// Input size of a time step; 0: the input is symbols.
  int64_t inputs() const { return inputs_; }
  const std::vector<const graph::Node*>& nodes() const { return nodes_; }
  /// Whether the input is added to the last layer's output (a skip connection). A `scale` layer may come before the
  /// skip connection and after the sum.
  bool skips() const { return skips_; }

  const graph::Array& weight(const graph::Node& node, const std::string& role) const;
  bool has(const graph::Node& node, const std::string& role) const { return node.weights.contains(role); }
  /// Returns the bias [size], or zeros if the layer has none.
  graph::Array bias(const graph::Node& node, const std::string& role, int64_t size) const;

  /// Throws an input error unless the node is a standard LSTM, GRU or RNN cell whose initial state is zero, or trained
  /// if `may_have_initial_state`.
  void expect_usual_cell(const graph::Node& node, bool may_have_initial_state) const;
  /// As `expect_usual_cell`; also throws unless the node has one direction and returns all time steps.
  void expect_plain_layers(const graph::Node& node, bool may_have_initial_state) const;

 private:
  const graph::Graph& graph_;
  std::string format_;
  int64_t inputs_ = 0;
  std::vector<const graph::Node*> nodes_;
  bool skips_ = false;
};

}  // namespace longhand::exporters
