// Access to a node, its values and the ONNX graph, for the functions that write nodes as ONNX (onnx_from_*.cpp).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/exporters/graph_extents.h"
#include "longhand/exporters/node_attributes.h"
#include "longhand/exporters/onnx_maker.h"

namespace longhand::exporters {

/// A state that the caller passes from one run to the next.
struct OnnxState {
  std::string input, output;
  graph::Dims dims;              ///< -1: the batch axis
  std::vector<float> initial{};  ///< for one sequence, or for the whole batch; empty: zeros
};

/// Data shared by all nodes of a network that is being written.
struct OnnxExport {
  const graph::Graph& graph;
  const GraphExtents& extents;
  OnnxMaker& make;
  std::string where;
  std::vector<OnnxState> states{};
  std::map<std::string, int> uses{};  ///< by array: how many nodes use it
};

class OnnxSite : public NodeAttributes {
 public:
  OnnxSite(OnnxExport& all, const graph::Node& node) : NodeAttributes(node), make(all.make), all_(all), node_(node) {}

  OnnxMaker& make;  ///< builds the ONNX graph

  const graph::Node& node() const { return node_; }
  const graph::Graph& graph() const { return all_.graph; }
  const GraphExtents& extents() const { return all_.extents; }
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const;

  bool has(size_t input) const { return input < node_.inputs.size() && !node_.inputs[input].empty(); }
  /// Returns the name of an input's value in the ONNX graph.
  std::string in(size_t input) const;
  std::vector<std::string> all_inputs() const;
  graph::Dims dims(size_t input) const { return extents().dims(node_.inputs.at(input)); }
  int64_t rank(size_t input) const { return extents().rank(node_.inputs.at(input)); }
  /// Returns the last extent of an input. Throws an input error if it is not fixed.
  int64_t width(size_t input) const;
  const std::string& out() const { return node_.outputs.front(); }
  bool wants(size_t output) const { return output < node_.outputs.size() && !node_.outputs[output].empty(); }

  bool has_weight(const std::string& role) const { return node_.weights.contains(role); }
  const graph::Array& weight(const std::string& role) const;
  /// Adds the array of a weight unchanged, and returns its name.
  std::string weight_value(const std::string& role);
  /// Adds a weight matrix [rows, columns] as [columns, rows], and returns its name.
  std::string transposed_weight(const std::string& role);

  /// Adds a state that is an input and an output of the ONNX graph. `begin_state` returns the name of the input;
  /// `end_state` sets the value `next` as the output.
  std::string begin_state(const std::string& name, const graph::Dims& dims, std::vector<float> initial = {});
  void end_state(const std::string& input, const std::string& next);

  OnnxExport& all() { return all_; }

 private:
  OnnxExport& all_;
  const graph::Node& node_;
};

using OnnxFunction = void (*)(OnnxSite& site);
/// Functions by node type. Each onnx_from_*.cpp file lists the types that it writes.
using OnnxFunctions = std::map<std::string, OnnxFunction>;
OnnxFunctions onnx_dense_functions();
OnnxFunctions onnx_step_functions();
OnnxFunctions onnx_window_functions();
OnnxFunctions onnx_layer_functions();
OnnxFunctions onnx_operator_functions();

/// Writes the nodes in order. Throws an input error for a node that ONNX cannot hold.
void add_onnx_nodes(OnnxExport& all, const std::vector<graph::Node>& nodes);

/// An activation function by its ONNX name, or "Silu" or "GeluTanh", which have no ONNX name.
struct OnnxActivation {
  std::string name;
  double alpha = 0.0, beta = 0.0;
};
/// Adds nodes that compute f(x), and returns the name of the output. Ignores constants that the function does not have.
std::string add_activation(OnnxMaker& make, const OnnxActivation& f, const std::string& x,
                           const std::string& output = "");
/// Returns the function with ONNX's default constants.
OnnxActivation usual_activation(const std::string& name);

}  // namespace longhand::exporters
