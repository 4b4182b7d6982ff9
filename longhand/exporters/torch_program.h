// A PyTorch module while it is generated from a graph: the lines of __init__ and forward, and the state dict. Each node
// type has a function that writes a TorchNode, and a row in the table of that function's file.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "longhand/convert/gate_order.h"
#include "longhand/convert/torch_return.h"
#include "longhand/exporters/graph_shapes.h"
#include "longhand/exporters/node_attributes.h"
#include "longhand/exporters/torch_text.h"
#include "longhand/graph/graph.h"

namespace longhand::exporters {

/// A tensor of the state dict.
struct ModuleTensor {
  std::string name;
  graph::Array values;
};

class TorchProgram {
 public:
  /// `graph` must outlive the program.
  explicit TorchProgram(const graph::Graph& graph);

  const graph::Graph& graph() const { return graph_; }
  const GraphShapes& shapes() const { return shapes_; }

  /// Append a line to __init__, after super().__init__(), or to forward.
  void init(const std::string& line) { init_.push_back(line); }
  void line(const std::string& line) { forward_.push_back(line); }
  const std::vector<std::string>& init_lines() const { return init_; }
  const std::vector<std::string>& forward_lines() const { return forward_; }

  /// Returns a free attribute name of the module, derived from the text.
  std::string attribute(const std::string& text) { return attributes_.take(text); }
  /// Returns a free variable name of forward, derived from the text.
  std::string variable(const std::string& text) { return variables_.take(text); }
  void give_back(const std::string& variable) { variables_.give_back(variable); }
  bool is_free(const std::string& variable) const { return variables_.is_free(variable); }
  /// Whether all outputs of the node are constant integers. Then no code is written for the node.
  bool is_known(const graph::Node& node) const;

  /// Adds a tensor to the state dict.
  void tensor(const std::string& name, graph::Array values);
  void source(const std::string& array, convert::TorchSource source) { sources_[array] = std::move(source); }
  /// If another layer already has the array: makes `tensor` a second name of the same parameter, and returns true.
  bool tie(const std::string& array, const std::string& tensor);
  const std::vector<ModuleTensor>& tensors() const { return tensors_; }
  const std::map<std::string, convert::TorchSource>& sources() const { return sources_; }

  /// Adds the class or function `name` of torch_helpers.cpp to the file. Returns the name.
  std::string helper(const std::string& name);
  const std::vector<std::string>& helpers() const { return helpers_; }
  /// Returns a name for the module's class, derived from `text`, that the file does not use for anything else.
  std::string main_class(const std::string& text);
  /// Adds a class that is generated for this model. `text` has NAME in place of the class name. Returns the class name;
  /// equal texts share one class.
  std::string own_class(const std::string& name, const std::string& text);
  const std::vector<std::string>& own_classes() const { return own_classes_; }

  /// Return placeholders of a state before the run (None at the start of a sequence) and after it. finish_lines()
  /// replaces them by `state` if the module has one state, otherwise by a member of the dict `state`.
  std::string state_in(const std::string& name);
  std::string state_out(const std::string& name);
  void finish_lines();
  const std::vector<std::string>& states() const { return states_; }

  /// Whether forward has the argument `lengths` for padded batches: if a layer needs the end of a sequence, and all
  /// layers can ignore the padding.
  bool has_lengths() const { return lengths_; }

  /// Returns the expression of a value: a variable, a parameter or a constant.
  std::string of(const std::string& value);
  /// Returns the number if the value is an array with one element.
  std::optional<float> number_of(const std::string& value) const;
  /// Counts one use of each input of the node as done. A variable without remaining uses becomes free for the outputs.
  void release(const graph::Node& node);
  std::string define(const std::string& value, const std::string& called, const std::string& reused);
  void bind(const std::string& value, const std::string& expression);
  /// Adds one remaining use to a value, so that its variable is not reused.
  void keep(const std::string& value) { ++uses_[value]; }
  /// Returns how often nodes read the value.
  int total_uses(const std::string& value) const;
  /// Returns the variable of a value without remaining uses; empty: none.
  std::string reusable(const std::string& value) const;

 private:
  void count_uses(const std::vector<graph::Node>& nodes);
  std::string constant(const std::string& value);

  const graph::Graph& graph_;
  GraphShapes shapes_;
  PythonNames attributes_, variables_, classes_;
  std::vector<std::string> init_, forward_, helpers_, own_classes_, states_;
  std::map<std::string, std::string> class_of_text_;
  std::vector<ModuleTensor> tensors_;
  std::map<std::string, convert::TorchSource> sources_;
  bool lengths_ = false;
  std::map<std::string, std::string> names_;  // value -> expression
  std::map<std::string, int> uses_;           // remaining uses of each value
  std::map<std::string, int> total_uses_;
  std::map<std::string, int> variable_uses_;  // remaining uses of each variable
};

/// A node while its code is written.
class TorchNode : public NodeAttributes {
 public:
  TorchNode(TorchProgram& program, const graph::Node& node) : NodeAttributes(node), program_(program), node_(node) {}

  TorchProgram& program() const { return program_; }
  const graph::Node& node() const { return node_; }

  bool has(size_t input) const { return input < node_.inputs.size() && !node_.inputs[input].empty(); }
  bool wants(size_t output) const;
  std::string in(size_t input) const { return program_.of(node_.inputs.at(input)); }
  graph::Dims dims(size_t input) const { return program_.shapes().dims(node_.inputs.at(input)); }
  graph::Dims out_dims(size_t output) const { return program_.shapes().dims(node_.outputs.at(output)); }
  bool is_int(size_t input) const { return program_.shapes().type(node_.inputs.at(input)) == graph::ElementType::kInt; }
  size_t rank(size_t input = 0) const { return dims(input).size(); }
  std::optional<std::vector<int64_t>> known_ints(size_t input) const {
    return program_.shapes().known_ints(node_.inputs.at(input));
  }
  /// Returns constant integers from the input, or from the attribute if there is no input. Throws an input error for an
  /// input that is not constant.
  std::vector<int64_t> ints(size_t input, const char* attribute, const std::vector<int64_t>& otherwise) const;

  /// Returns the variable of an output. May reuse the variable of an input: call `in` for all inputs first.
  std::string out(size_t output = 0);
  /// Writes `out = EXPRESSION` to forward.
  void assign(const std::string& expression);
  void line(const std::string& text) { program_.line(text); }
  /// Makes the output another name of the input.
  void pass_on();

  /// Returns the name of the node's submodule.
  std::string module();
  /// Writes `self.MODULE = EXPRESSION` to __init__.
  void init(const std::string& expression);
  /// Adds the node's weight `role` to the state dict as MODULE.`called`.
  void tensor(const std::string& role, const std::string& called);

  bool has_weight(const std::string& role) const { return node_.weights.contains(role); }
  const graph::Array& weight(const std::string& role) const;
  int64_t axis(const char* name, int64_t otherwise, size_t rank) const;

  /// Throws an input error: the node, what PyTorch does not support, and what to do.
  [[noreturn]] void refuse(const std::string& what) const;

 private:
  TorchProgram& program_;
  const graph::Node& node_;
  std::string module_;
  bool released_ = false;
};

using TorchWriter = void (*)(TorchNode&);
struct TorchNodeType {
  const char* type;
  TorchWriter write;
};
/// The table of node types. Each list is in the file of its functions.
std::vector<TorchNodeType> torch_layer_types();
std::vector<TorchNodeType> torch_recurrent_types();
std::vector<TorchNodeType> torch_onnx_recurrent_types();
std::vector<TorchNodeType> torch_onnx_layer_types();
std::vector<TorchNodeType> torch_function_types();
std::vector<TorchNodeType> torch_operator_types();
std::vector<TorchNodeType> torch_move_types();

/// Writes all nodes. Throws an input error that names a node of an unsupported type.
void write_torch_nodes(TorchProgram& program, const std::vector<graph::Node>& nodes);

/// Returns the Python text of a helper class or function.
const std::string& torch_helper(const std::string& name);
/// Names of all helpers.
std::vector<std::string> torch_helper_names();

}  // namespace longhand::exporters
