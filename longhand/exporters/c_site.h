// Access to a node, its values and its network, for the functions that write nodes in C.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/exporters/c_program.h"
#include "longhand/exporters/node_attributes.h"
#include "longhand/graph/plan.h"

namespace longhand::exporters {

/// A value of the network, with its shape and its memory in the plan.
struct CView {
  std::string name;
  graph::ElementType type = graph::ElementType::kFloat;
  graph::Dims dims;
  const float* floats = nullptr;  ///< elements of kFloat
  const int64_t* ints = nullptr;  ///< elements of kInt
  bool constant = false;          ///< known before a run
};

/// Maps memory of the plan to buffers of the program. Values that share memory in the plan share a buffer.
class CMemory {
 public:
  explicit CMemory(CProgram& program) : program_(program) {}

  static const void* place(const CView& view) {
    return view.type == graph::ElementType::kFloat ? static_cast<const void*>(view.floats) : view.ints;
  }
  bool has(const CView& view) const { return buffers_.contains(place(view)); }
  /// Returns the buffer of a value, and adds one if there is none: a constant array for a known value, otherwise
  /// scratch memory.
  int of(const CView& view);
  void set(const CView& view, int buffer) { buffers_[place(view)] = buffer; }

 private:
  CProgram& program_;
  std::map<const void*, int> buffers_;
};

/// A network and the program that it is compiled to.
struct CNetwork {
  const graph::Graph& graph;
  const graph::Plan& plan;
  const std::string& where;
  CProgram& program;
  CMemory& memory;
  const std::map<std::string, std::string>& running;  ///< by node name: kind of running pooling over time
  std::map<std::string, int> uses{};                  ///< by value: how many nodes, states and outputs read it
  std::map<std::string, std::string> kept{};  ///< by value: the state input that takes this value in the next step
  std::map<std::string, CView> views{};

  /// Fills `views` and `uses`.
  void read_values();
  /// Returns null if the plan has no such value.
  const CView* find(const std::string& value) const;

  /// Returns the buffer of symbol indices from which a one-hot node computes `value`; -1 for other values.
  int one_hot(const std::string& value) const;

 private:
  void read_nodes(const std::vector<graph::Node>& nodes);
  bool is_known(const graph::Node& node) const;
  void add_view(const std::string& value, bool constant);
};

class CSite : public NodeAttributes {
 public:
  CSite(const graph::Node& of, CNetwork& in_network)
      : NodeAttributes(of), node(of), network(in_network), program(in_network.program) {}

  const graph::Node& node;
  CNetwork& network;
  CProgram& program;

  /// Throws an input error that names the node and the problem.
  [[noreturn]] void fail(const std::string& problem, const std::string& advice = "") const;
  /// Returns the node's type and name: "LSTM 'encoder'".
  std::string called() const;

  bool has(size_t input) const { return input < node.inputs.size() && !node.inputs[input].empty(); }
  bool wants(size_t output) const { return output < node.outputs.size() && !node.outputs[output].empty(); }
  const CView& in(size_t input) const;
  const CView& out(size_t output = 0) const;
  bool is_known(size_t input) const { return in(input).constant; }
  /// Returns the elements of a float input that is known before a run; throws an input error for others.
  std::vector<float> known_floats(size_t input) const;

  COperation::Argument read(const std::string& parameter, size_t input) const;
  COperation::Argument write(const std::string& parameter, size_t output = 0) const;
  COperation::Argument scratch(const std::string& parameter, int64_t size) const;

  bool has_weight(const std::string& role) const { return node.weights.contains(role); }
  const graph::Array& weight(const std::string& role) const;
  std::vector<float> weights_or(const std::string& role, const std::vector<float>& otherwise) const;

  /// The prefix of the C names of the node's function and arrays.
  std::string label() const;
  /// Adds an operation with this comment, body and arguments.
  void add(const std::string& comment, const std::string& body, std::vector<COperation::Argument> arguments,
           int64_t products = 0) const;
  /// Makes an output share `buffer` instead of copying it.
  void alias(size_t output, int buffer) const { network.memory.set(out(output), buffer); }

  static int64_t size(const CView& view) { return graph::count(view.dims); }
  static int64_t last(const CView& view) { return view.dims.empty() ? 1 : view.dims.back(); }
  static int64_t rows(const CView& view) { return last(view) == 0 ? 0 : size(view) / last(view); }
};

/// A row of the table of supported node types. Each c_*.cpp file lists the types that it writes.
struct CNodeType {
  std::vector<const char*> names;
  void (*write)(const CSite& site);
};
std::vector<CNodeType> c_dense_types();
std::vector<CNodeType> c_convolution_types();
std::vector<CNodeType> c_recurrent_types();
std::vector<CNodeType> c_onnx_recurrent_types();
std::vector<CNodeType> c_elementwise_types();
std::vector<CNodeType> c_normalisation_types();
std::vector<CNodeType> c_move_types();
std::vector<CNodeType> c_reduction_types();

/// Returns null for a node type that the C exporter does not support.
const CNodeType* find_c_type(const std::string& node_type);

}  // namespace longhand::exporters
