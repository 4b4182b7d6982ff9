// The place of a node that is written as ONNX: what the functions of node types (onnx_from_*.cpp) work with.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/convert/graph_extents.h"
#include "longhand/convert/onnx_maker.h"

namespace longhand::convert {

/// A state that the caller carries from run to run.
struct OnnxState {
  std::string input, output;
  graph::Dims dims;              ///< -1: the batch
  std::vector<float> initial{};  ///< of one sequence, or of the whole; empty: zeros
};

/// What is shared by all nodes while a network is written.
struct OnnxExport {
  const graph::Graph& graph;
  const GraphExtents& extents;
  OnnxMaker& make;
  std::string where;
  std::vector<OnnxState> states{};
  std::map<std::string, int> uses{};  ///< of arrays: how many nodes name them
};

class OnnxSite {
 public:
  OnnxSite(OnnxExport& all, const graph::Node& node) : make(all.make), all_(all), node_(node) {}

  OnnxMaker& make;  ///< also called in the functions of types

  const graph::Node& node() const { return node_; }
  const graph::Graph& graph() const { return all_.graph; }
  const GraphExtents& extents() const { return all_.extents; }
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const;

  bool has(size_t input) const { return input < node_.inputs.size() && !node_.inputs[input].empty(); }
  /// The value, as ONNX's nodes name it.
  std::string in(size_t input) const;
  std::vector<std::string> all_inputs() const;
  graph::Dims dims(size_t input) const { return extents().dims(node_.inputs.at(input)); }
  int64_t rank(size_t input) const { return extents().rank(node_.inputs.at(input)); }
  /// The last extent, which must be fixed.
  int64_t width(size_t input) const;
  const std::string& out() const { return node_.outputs.front(); }
  bool wants(size_t output) const { return output < node_.outputs.size() && !node_.outputs[output].empty(); }

  bool has_attribute(const std::string& name) const { return node_.attributes.contains(name); }
  int64_t integer(const std::string& name, int64_t otherwise) const;
  double number(const std::string& name, double otherwise) const;
  std::string word(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> integers(const std::string& name) const;
  std::vector<double> numbers(const std::string& name) const;
  std::vector<std::string> words(const std::string& name) const;

  bool has_weight(const std::string& role) const { return node_.weights.contains(role); }
  const graph::Array& weight(const std::string& role) const;
  /// The array as it is.
  std::string weight_value(const std::string& role);
  /// A matrix [rows, columns] as [columns, rows].
  std::string transposed_weight(const std::string& role);

  /// A state that is an input and an output of the ONNX graph. Returns the input's name; `next` is the value that
  /// becomes its output.
  std::string begin_state(const std::string& name, const graph::Dims& dims, std::vector<float> initial = {});
  void end_state(const std::string& input, const std::string& next);

  OnnxExport& all() { return all_; }

 private:
  OnnxExport& all_;
  const graph::Node& node_;
};

using OnnxFunction = void (*)(OnnxSite& site);
/// Rows of the table of node types, each list in the file that has the functions.
using OnnxFunctions = std::map<std::string, OnnxFunction>;
OnnxFunctions onnx_dense_functions();
OnnxFunctions onnx_step_functions();
OnnxFunctions onnx_window_functions();
OnnxFunctions onnx_layer_functions();
OnnxFunctions onnx_operator_functions();

/// Writes nodes in order. Throws an input error for a node that ONNX cannot hold.
void add_onnx_nodes(OnnxExport& all, const std::vector<graph::Node>& nodes);

/// A function of each number by its name in ONNX, or "Silu", "GeluTanh", which have none. Constants that a function
/// does not have are not read; returns the name of the value.
struct OnnxActivation {
  std::string name;
  double alpha = 0.0, beta = 0.0;
};
std::string add_activation(OnnxMaker& make, const OnnxActivation& f, const std::string& x,
                           const std::string& output = "");
/// With ONNX's constants where they are not given.
OnnxActivation usual_activation(const std::string& name);

}  // namespace longhand::convert
