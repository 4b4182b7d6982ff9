#include "longhand/exporters/torch_program.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"

namespace longhand::exporters {
namespace {

// Attribute names that nn.Module and the code of the exported file use.
const std::set<std::string> kTorchAttributes = {"training",
                                                "forward",
                                                "parameters",
                                                "modules",
                                                "children",
                                                "train",
                                                "eval",
                                                "to",
                                                "type",
                                                "float",
                                                "half",
                                                "double",
                                                "bfloat16",
                                                "cpu",
                                                "cuda",
                                                "apply",
                                                "state_dict",
                                                "buffers",
                                                "register_buffer",
                                                "compile",
                                                "share_memory",
                                                "zero_grad",
                                                "named_parameters",
                                                "named_modules",
                                                "named_children",
                                                "named_buffers",
                                                "load_state_dict",
                                                "get_parameter",
                                                "get_buffer",
                                                "get_submodule",
                                                "register_parameter",
                                                "add_module",
                                                "extra_repr",
                                                "requires_grad_",
                                                "metadata",
                                                "encode",
                                                "symbols",
                                                "module",
                                                "model",
                                                "net",
                                                "xpu",
                                                "ipu",
                                                "mtia",
                                                "T_destination",
                                                "dump_patches",
                                                "call_super_init",
                                                "to_empty",
                                                "set_submodule",
                                                "get_extra_state",
                                                "set_extra_state",
                                                "register_module",
                                                "register_forward_hook",
                                                "register_forward_pre_hook",
                                                "register_backward_hook",
                                                "register_full_backward_hook",
                                                "register_full_backward_pre_hook",
                                                "register_state_dict_pre_hook",
                                                "register_state_dict_post_hook",
                                                "register_load_state_dict_pre_hook",
                                                "register_load_state_dict_post_hook",
                                                "super",
                                                "self"};

// Names that the code of forward uses.
const std::set<std::string> kTorchVariables = {
    "self", "state", "lengths", "torch", "nn",  "F",     "Tensor",    "math",       "json",  "struct", "Path",  "input",
    "list", "len",   "zip",     "range", "int", "float", "tuple",     "dict",       "slice", "super",  "str",   "load",
    "save", "print", "max",     "min",   "sum", "abs",   "enumerate", "isinstance", "bool",  "type",   "DTYPES"};

const std::set<std::string> kTorchClasses = {"Tensor", "Path",  "F",      "State", "None",
                                             "True",   "False", "DTYPES", "Union", "ValueError"};

// Whether forward needs `lengths`: a layer reads the end of the sequence (pooling, a reverse direction), and all other
// layers are causal or stepwise, so that padding after the end does not change their outputs.
bool reads_lengths(const graph::Graph& graph) {
  static const std::set<std::string> kStepwise = {
      "linear",  "embedding", "one-hot",  "relu",    "leaky-relu", "thresholded-relu", "elu",   "celu",
      "selu",    "gelu",      "sigmoid",  "silu",    "mish",       "hard-sigmoid",     "tanh",  "hard-swish",
      "scale",   "softsign",  "softplus", "softmax", "affine",     "log-softmax",      "clip",  "scaled-tanh",
      "add",     "subtract",  "multiply", "max",     "min",        "concat",           "slice", "layer-norm",
      "dropout", "flatten",   "reshape",  "context", "batch-norm", "magnitude",        "exp",   "abs"};
  bool whole = false;
  for (const graph::Node& node : graph.nodes) {
    const bool recurrent = node.type == "lstm" || node.type == "gru" || node.type == "rnn";
    const auto has = [&](const char* name) { return node.attributes.contains(name); };
    if (recurrent && (node.inputs.size() > 1 || node.outputs.size() > 1)) return false;
    const auto padding = node.attributes.find("padding");
    const bool causal =
        node.type == "conv1d" && padding != node.attributes.end() && padding->second == graph::Attribute("causal");
    if (!recurrent && node.type != "pool" && !causal && !kStepwise.contains(node.type)) return false;
    if ((node.type == "softmax" || node.type == "log-softmax" || node.type == "concat") && has("axis")) return false;
    whole =
        whole || node.type == "pool" || (recurrent && (has("bidirectional") || has("return") || has("go_backwards")));
  }
  return whole && graph.inputs.size() == 1 && graph.states.empty() && graph.inputs.front().time_axis == 1;
}

std::string state_token(const char* what, const std::string& name) { return fmt::format("\x01{}{}\x02", what, name); }

bool is_variable(const std::string& expression) { return expression.find_first_of(".([") == std::string::npos; }

}  // namespace

TorchProgram::TorchProgram(const graph::Graph& graph)
    : graph_(graph),
      shapes_(graph),
      attributes_(kTorchAttributes),
      variables_(kTorchVariables),
      classes_(kTorchClasses) {
  for (const std::string& helper : torch_helper_names()) {
    variables_.take(helper);
    classes_.take(helper);
  }
  lengths_ = reads_lengths(graph);
  count_uses(graph.nodes);
  total_uses_ = uses_;
  for (const graph::Port& port : graph.outputs) ++uses_[port.name];
  for (const graph::State& state : graph.states) ++uses_[state.output];
}

// Constant outputs are written as literals where they are used.
bool TorchProgram::is_known(const graph::Node& node) const {
  return node.branches.empty() && std::all_of(node.outputs.begin(), node.outputs.end(), [&](const std::string& output) {
           return output.empty() || shapes_.known_ints(output).has_value();
         });
}

void TorchProgram::count_uses(const std::vector<graph::Node>& nodes) {
  for (const graph::Node& node : nodes) {
    if (is_known(node)) continue;
    for (const std::string& input : node.inputs) ++uses_[input];
    if (node.branches.empty()) continue;
    const size_t taken = shapes_.branch(node);
    count_uses(node.branches[taken]);
    for (const std::string& output : node.branch_outputs[taken]) ++uses_[output];
  }
}

void TorchProgram::tensor(const std::string& name, graph::Array values) {
  tensors_.push_back({name, std::move(values)});
}

bool TorchProgram::tie(const std::string& array, const std::string& tensor) {
  const auto known = sources_.find(array);
  if (known == sources_.end() || known->second.how != "same") return false;
  init_.push_back(fmt::format("self.{} = self.{}", tensor, known->second.tensors.front()));
  known->second.tensors.push_back(tensor);
  return true;
}

std::string TorchProgram::helper(const std::string& name) {
  // Helpers that this helper calls come before it.
  for (const std::string& other : torch_helper_names()) {
    if (other != name && torch_helper(name).find(other + "(") != std::string::npos) helper(other);
  }
  if (std::find(helpers_.begin(), helpers_.end(), name) == helpers_.end()) helpers_.push_back(name);
  return name;
}

std::string TorchProgram::main_class(const std::string& text) {
  const std::string name = python_class_name(text);
  return classes_.take(classes_.is_free(name) ? name : fmt::format("{}Model", name));
}

std::string TorchProgram::own_class(const std::string& name, const std::string& text) {
  std::string& known = class_of_text_[text];
  if (!known.empty()) return known;
  known = classes_.take(name);
  std::string own = text;
  for (size_t at = own.find("NAME"); at != std::string::npos; at = own.find("NAME", at)) own.replace(at, 4, known);
  own_classes_.push_back(std::move(own));
  return known;
}

std::string TorchProgram::state_in(const std::string& name) {
  states_.push_back(name);
  return state_token("<", name);
}
std::string TorchProgram::state_out(const std::string& name) { return state_token(">", name); }

void TorchProgram::finish_lines() {
  const bool one = states_.size() == 1;
  for (std::string& line : forward_) {
    for (const std::string& name : states_) {
      for (const char* what : {"<", ">"}) {
        const std::string token = state_token(what, name);
        const std::string text = one            ? "state"
                                 : *what == '<' ? fmt::format("state.get({})", python_string(name))
                                                : fmt::format("state[{}]", python_string(name));
        for (size_t at = line.find(token); at != std::string::npos; at = line.find(token)) {
          line.replace(at, token.size(), text);
        }
      }
    }
  }
}

int TorchProgram::total_uses(const std::string& value) const {
  const auto found = total_uses_.find(value);
  return found == total_uses_.end() ? 0 : found->second;
}

std::optional<float> TorchProgram::number_of(const std::string& value) const {
  const auto array = graph_.arrays.find(value);
  if (array == graph_.arrays.end() || graph::count(array->second.dims) != 1) return std::nullopt;
  return array->second.type == graph::ElementType::kFloat ? array->second.floats.front()
                                                          : static_cast<float>(array->second.ints.front());
}

// Returns the expression of a constant: a parameter for floats, a buffer for integers, a literal for integers that are
// computed from shapes.
std::string TorchProgram::constant(const std::string& value) {
  const auto array = graph_.arrays.find(value);
  if (array != graph_.arrays.end()) {
    const std::string name = attribute(value);
    const bool floats = array->second.type == graph::ElementType::kFloat;
    const std::string shape = python_list(array->second.dims);
    init_.push_back(floats ? fmt::format("self.{} = nn.Parameter(torch.zeros({}))", name, shape)
                           : fmt::format("self.register_buffer({}, torch.zeros({}, dtype=torch.int64))",
                                         python_string(name), shape));
    tensor(name, array->second);
    source(value, {.tensors = {name}});
    return fmt::format("self.{}", name);
  }
  const auto known = shapes_.known_ints(value);
  LONGHAND_CHECK(known.has_value());
  return shapes_.dims(value).empty()
             ? fmt::format("torch.tensor({})", known->front())
             : fmt::format("torch.tensor({}).reshape({})", python_list(*known), python_list(shapes_.dims(value)));
}

std::string TorchProgram::of(const std::string& value) {
  const auto known = names_.find(value);
  if (known != names_.end()) return known->second;
  const std::string out = constant(value);
  names_[value] = out;
  return out;
}

std::string TorchProgram::reusable(const std::string& value) const {
  const auto name = names_.find(value);
  if (name == names_.end() || !is_variable(name->second)) return "";
  const auto uses = variable_uses_.find(name->second);
  return uses != variable_uses_.end() && uses->second == 0 ? name->second : "";
}

void TorchProgram::release(const graph::Node& node) {
  for (const std::string& input : node.inputs) {
    --uses_[input];
    const auto name = names_.find(input);
    if (name == names_.end() || !is_variable(name->second)) continue;
    if (--variable_uses_[name->second] == 0) variables_.give_back(name->second);
  }
}

std::string TorchProgram::define(const std::string& value, const std::string& called, const std::string& reused) {
  std::string name;
  if (!reused.empty() && variables_.is_free(reused)) {
    name = variables_.take(reused);
  } else {
    name = variables_.take(called);
  }
  bind(value, name);
  return name;
}

void TorchProgram::bind(const std::string& value, const std::string& expression) {
  names_[value] = expression;
  if (is_variable(expression)) variable_uses_[expression] += uses_[value];
}

void write_torch_nodes(TorchProgram& program, const std::vector<graph::Node>& nodes) {
  static const std::map<std::string, TorchWriter> kWriters = [] {
    std::map<std::string, TorchWriter> out;
    for (auto* list : {torch_layer_types, torch_recurrent_types, torch_function_types, torch_operator_types,
                       torch_move_types, torch_onnx_layer_types}) {
      for (const TorchNodeType& type : list()) out.emplace(type.type, type.write);
    }
    return out;
  }();
  for (const graph::Node& node : nodes) {
    if (node.type == "If") {
      const size_t taken = program.shapes().branch(node);
      write_torch_nodes(program, node.branches[taken]);
      for (size_t i = 0; i < node.outputs.size(); ++i) {
        program.bind(node.outputs[i], program.of(node.branch_outputs[taken][i]));
      }
      program.release({.type = "", .name = "", .inputs = node.branch_outputs[taken], .outputs = {}});
      continue;
    }
    if (program.is_known(node)) continue;
    const auto writer = kWriters.find(node.type);
    TorchNode site(program, node);
    if (writer == kWriters.end()) site.refuse("expected a type of nodes that PyTorch has, found another");
    writer->second(site);
  }
}

}  // namespace longhand::exporters
