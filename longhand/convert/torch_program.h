// The module of PyTorch that a graph becomes, as it is written: what __init__ makes, what forward does, and the tensors
// of its state dict. A type of nodes is a function of TorchNode, and a row in the table of its file.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "longhand/convert/gate_order.h"
#include "longhand/convert/graph_shapes.h"
#include "longhand/convert/torch_text.h"
#include "longhand/graph/graph.h"

namespace longhand::convert {

/// A tensor of the state dict.
struct ModuleTensor {
  std::string name;
  graph::Array values;
};

/// How an array of the graph is made of tensors.
struct TorchSource {
  /// "same" (other tensors are the first one under other names); "transposed" [A, B] of [B, A]; "row", number `index`
  /// of a tensor [n, 1, width]; "onnx" and "onnx-bias", the blocks of ONNX's recurrent nodes, of a tensor (of a bias:
  /// two) for each direction.
  std::string how = "same";
  std::vector<std::string> tensors;
  int64_t index = 0;
  std::string order{};  ///< of "onnx": "lstm", "gru" or "rnn"
};

class TorchProgram {
 public:
  /// `graph` must outlive the program.
  explicit TorchProgram(const graph::Graph& graph);

  const graph::Graph& graph() const { return graph_; }
  const GraphShapes& shapes() const { return shapes_; }

  /// A line of __init__ after super().__init__(), and one of forward.
  void init(const std::string& line) { init_.push_back(line); }
  void line(const std::string& line) { forward_.push_back(line); }
  const std::vector<std::string>& init_lines() const { return init_; }
  const std::vector<std::string>& forward_lines() const { return forward_; }

  /// An attribute of the module, called as the text.
  std::string attribute(const std::string& text) { return attributes_.take(text); }
  /// A variable of forward, called as the text.
  std::string variable(const std::string& text) { return variables_.take(text); }
  void give_back(const std::string& variable) { variables_.give_back(variable); }
  bool is_free(const std::string& variable) const { return variables_.is_free(variable); }
  /// Whether all that the node makes is known, so that nothing is written for it.
  bool is_known(const graph::Node& node) const;

  /// Adds a tensor; the array of the graph, where it is one of them, is made of it.
  void tensor(const std::string& name, graph::Array values);
  void source(const std::string& array, TorchSource source) { sources_[array] = std::move(source); }
  /// Where another layer has the array already: both share one parameter, of which this is another name.
  bool tie(const std::string& array, const std::string& tensor);
  const std::vector<ModuleTensor>& tensors() const { return tensors_; }
  const std::map<std::string, TorchSource>& sources() const { return sources_; }

  /// A class or function that the module needs, by name; returns the name. torch_helpers.cpp has them.
  std::string helper(const std::string& name);
  const std::vector<std::string>& helpers() const { return helpers_; }
  /// A class that is written for this model: its text, with NAME where its name belongs. Returns the name that it has;
  /// the same text has the same one.
  std::string own_class(const std::string& name, const std::string& text);
  const std::vector<std::string>& own_classes() const { return own_classes_; }

  /// A state, by name: expressions of what it is before the run (None at the beginning) and after it. With one state
  /// in the whole module it is `state` itself, otherwise a dict's member. finish_lines() says which.
  std::string state_in(const std::string& name);
  std::string state_out(const std::string& name);
  void finish_lines();
  const std::vector<std::string>& states() const { return states_; }

  /// Whether forward has `lengths`, of sequences that are padded: where layers need whole sequences, and all of them
  /// can leave the rest out.
  bool has_lengths() const { return lengths_; }

  /// The expression of a value: a variable, or a parameter.
  std::string of(const std::string& value);
  /// Where a value is an array of one number: the number.
  std::optional<float> number_of(const std::string& value) const;
  /// The inputs of a node are read for the last time by it where no later node has them; their variables are free for
  /// its outputs.
  void release(const graph::Node& node);
  std::string define(const std::string& value, const std::string& called, const std::string& reused);
  void bind(const std::string& value, const std::string& expression);
  /// Counts a use of a value more.
  void keep(const std::string& value) { ++uses_[value]; }
  /// How many inputs of nodes the value is.
  int total_uses(const std::string& value) const;
  /// The variable of an input that is not used again; empty: none.
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
  std::map<std::string, TorchSource> sources_;
  bool lengths_ = false;
  std::map<std::string, std::string> names_;  // values: expressions
  std::map<std::string, int> uses_;           // of values, that are still to come
  std::map<std::string, int> total_uses_;
  std::map<std::string, int> variable_uses_;  // of variables
};

/// A node as it is written.
class TorchNode {
 public:
  TorchNode(TorchProgram& program, const graph::Node& node) : program_(program), node_(node) {}

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
  /// Known integers, of the input or else of the attribute. Refuses the node where an input's are not known.
  std::vector<int64_t> ints(size_t input, const char* attribute, const std::vector<int64_t>& otherwise) const;

  /// The variable of an output. All inputs must have been asked for before.
  std::string out(size_t output = 0);
  /// `out = EXPRESSION`
  void assign(const std::string& expression);
  void line(const std::string& text) { program_.line(text); }
  /// The output is the input.
  void pass_on();

  /// The attribute of the node in the module.
  std::string module();
  /// `self.MODULE = EXPRESSION`
  void init(const std::string& expression);
  /// Adds the node's array as a tensor of its module.
  void tensor(const std::string& role, const std::string& called);

  bool has_weight(const std::string& role) const { return node_.weights.contains(role); }
  const graph::Array& weight(const std::string& role) const;
  int64_t integer(const char* name, int64_t otherwise) const;
  double number(const char* name, double otherwise) const;
  std::string text(const char* name, const std::string& otherwise) const;
  std::vector<int64_t> integers(const char* name, const std::vector<int64_t>& otherwise) const;
  std::vector<double> numbers(const char* name) const;
  std::vector<std::string> texts(const char* name) const;
  bool has_attribute(const char* name) const { return node_.attributes.contains(name); }
  int64_t axis(const char* name, int64_t otherwise, size_t rank) const;

  /// Throws an input error: what PyTorch's module cannot be, and a way out.
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
/// The rows, each list in the file that writes them.
std::vector<TorchNodeType> torch_layer_types();
std::vector<TorchNodeType> torch_recurrent_types();
std::vector<TorchNodeType> torch_onnx_recurrent_types();
std::vector<TorchNodeType> torch_onnx_layer_types();
std::vector<TorchNodeType> torch_function_types();
std::vector<TorchNodeType> torch_operator_types();
std::vector<TorchNodeType> torch_move_types();

/// Writes all nodes. Throws an input error that names a node whose type has no row.
void write_torch_nodes(TorchProgram& program, const std::vector<graph::Node>& nodes);

/// The text of a helper.
const std::string& torch_helper(const std::string& name);
/// Those that the text names.
std::vector<std::string> torch_helper_names();

}  // namespace longhand::convert
