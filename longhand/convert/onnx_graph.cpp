#include "longhand/convert/onnx_graph.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/onnx_texts.h"
#include "longhand/graph/node_types.h"

namespace longhand::convert {
namespace {

using graph::Attribute;
using graph::ElementType;
using graph::Node;

// Attributes that say nothing to who runs a model: of training, of memory, and of opsets before 7.
constexpr std::string_view kSilentAttributes[] = {"consumed_inputs", "is_test",         "momentum", "seed",
                                                  "ratio",           "output_sequence", "saturate", "stash_type",
                                                  "storage_order",   "spatial",         "broadcast"};

// Numbers of an input in one step.
constexpr int64_t kMostInputs = 1 << 26;

int64_t whole_attribute(const OnnxNode& node, std::string_view name, int64_t otherwise) {
  const OnnxAttribute* found = node.attribute(name);
  return found == nullptr ? otherwise : found->integer;
}

class OnnxMapper {
 public:
  OnnxMapper(const OnnxModel& model, const std::string& file) : model_(model), file_(file) {
    const auto own = model.opsets.find("");
    opset_ = own != model.opsets.end() ? own->second : 1;
  }

  Imported run() {
    const OnnxGraph& from = model_.graph;
    out_.graph.source = fmt::format("{}, ONNX opset {}", file_, opset_);
    add_initialisers(from);
    for (const OnnxValue& input : from.inputs) add_input(input);
    collect_uses(from);
    out_.graph.nodes = nodes_of(from);
    for (const OnnxValue& output : from.outputs) {
      out_.graph.outputs.push_back({.name = output.name, .type = type_of(output), .dims = dims_of(output)});
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const OnnxNode& node, const std::string& problem, const std::string& advice) const {
    const std::string& name = node.name.empty() && !node.outputs.empty() ? node.outputs.front() : node.name;
    throw input_error(fmt::format("{}: node '{}' ({}): {}", file_, visible(name), visible(node.op_type), problem),
                      advice);
  }

  static ElementType type_of(const OnnxValue& value) {
    return value.dtype && !io::is_floating(*value.dtype) ? ElementType::kInt : ElementType::kFloat;
  }

  static graph::Dims dims_of(const OnnxValue& value) {
    graph::Dims out;
    for (const OnnxExtent& extent : value.shape) out.push_back(extent.value);
    return out;
  }

  void add_array(const std::string& name, graph::Array array) {
    if (name.empty() || !out_.graph.arrays.emplace(name, std::move(array)).second) {
      throw input_error(fmt::format("{}: expected a new name of an array, found '{}' again", file_, visible(name)),
                        "the file is damaged; export it again");
    }
  }

  void add_initialisers(const OnnxGraph& from) {
    for (const OnnxTensor& tensor : from.initialisers) {
      if (tensor.is_text) {
        throw input_error(fmt::format("{}: '{}': expected numbers, found texts", file_, visible(tensor.name)),
                          "models that read texts cannot be run");
      }
      add_array(tensor.name, to_graph_array(tensor.array, file_ + ": " + tensor.name));
      types_[tensor.name] = tensor.array.dtype;
    }
  }

  void add_input(const OnnxValue& input) {
    if (out_.graph.arrays.contains(input.name)) return;  // its default is in the file
    if (!input.has_shape) {
      throw input_error(fmt::format("{}: input '{}': expected a shape, found none", file_, visible(input.name)),
                        "export the model with the shapes of its inputs");
    }
    graph::Port port{.name = input.name, .type = type_of(input), .dims = dims_of(input)};
    int64_t numbers = 1;
    for (const int64_t extent : port.dims) {
      numbers *= std::clamp<int64_t>(extent, 1, kMostInputs + 1);
      if (numbers <= kMostInputs) continue;
      throw input_error(fmt::format("{}: input '{}': expected at most {} numbers, found {}", file_, visible(input.name),
                                    kMostInputs, graph::shown(port.dims)),
                        "the file is damaged; export it again");
    }
    for (size_t axis = 0; axis < input.shape.size(); ++axis) {
      const std::string& called = input.shape[axis].name;
      if (port.batch_axis < 0 && (called == "batch" || called == "batch_size")) {
        port.batch_axis = static_cast<int>(axis);
      }
    }
    out_.graph.inputs.push_back(std::move(port));
  }

  void collect_uses(const OnnxGraph& from) {
    for (const OnnxValue& output : from.outputs) used_.insert(output.name);
    for (const OnnxNode& node : from.nodes) {
      used_.insert(node.inputs.begin(), node.inputs.end());
      for (const OnnxAttribute& attribute : node.attributes) {
        for (const OnnxGraph& branch : attribute.graphs) collect_uses(branch);
      }
    }
  }

  std::vector<Node> nodes_of(const OnnxGraph& from) {
    std::vector<Node> out;
    for (const OnnxNode& node : from.nodes) {
      if (node.op_type == "Constant" && node.domain.empty()) {
        add_constant(node);
      } else {
        out.push_back(node_of(node));
      }
    }
    return out;
  }

  void add_constant(const OnnxNode& node) {
    if (node.outputs.size() != 1 || node.attributes.size() != 1) fail(node, "expected one value", "export it again");
    const OnnxAttribute& a = node.attributes.front();
    graph::Array array;
    if (a.type == OnnxAttributeType::kTensor && !a.tensors.empty() && !a.tensors.front().is_text) {
      array = to_graph_array(a.tensors.front().array, file_ + ": " + node.outputs.front());
      types_[node.outputs.front()] = a.tensors.front().array.dtype;
    } else if (a.type == OnnxAttributeType::kReal) {
      array = graph::array({}, {a.real});
    } else if (a.type == OnnxAttributeType::kInteger) {
      array = graph::array_of_ints({}, {a.integer});
    } else if (a.type == OnnxAttributeType::kReals) {
      array = graph::array({static_cast<int64_t>(a.reals.size())}, a.reals);
    } else if (a.type == OnnxAttributeType::kIntegers) {
      array = graph::array_of_ints({static_cast<int64_t>(a.integers.size())}, a.integers);
    } else {
      fail(node, "expected numbers, found another value", "models that compute with texts cannot be run");
    }
    add_array(node.outputs.front(), std::move(array));
  }

  std::string unique_name(const OnnxNode& node) {
    std::string name = node.name;
    while (name.empty() || !names_.insert(name).second) {
      name = fmt::format("{}_{}", node.name.empty() ? node.op_type : node.name, ++counts_[node.op_type]);
    }
    return name;
  }

  Node node_of(const OnnxNode& from) {
    const bool of_runtime = from.op_type == "DynamicQuantizeLSTM" || from.op_type == "Gelu";
    const bool known_domain = from.domain.empty() || (from.domain == "com.microsoft" && of_runtime);
    const graph::NodeType* type = known_domain ? graph::find_node_type(from.op_type) : nullptr;
    if (type == nullptr || type->of_sequences || from.op_type == "Affine") {
      fail(from, "not an operator that is known",
           "it cannot be run; export the model without it" + did_you_mean(from.op_type, graph::node_type_names(false)));
    }
    Node out{.type = from.op_type, .name = unique_name(from), .inputs = from.inputs, .outputs = from.outputs};
    // How many outputs there are says how many parts a Split has, and is the same in the branches of an If.
    const bool any_number = type->most_outputs == graph::NodeType::kAny;
    while (!any_number && out.outputs.size() > 1 && !used_.contains(out.outputs.back())) out.outputs.pop_back();
    for (std::string& output : out.outputs) {
      if ((out.type == "LSTM" || any_number) && !used_.contains(output)) output.clear();
    }
    while (!out.inputs.empty() && out.inputs.back().empty()) out.inputs.pop_back();
    if (out.outputs.empty() || out.inputs.size() < type->least_inputs) {
      fail(from, fmt::format("expected at least {} inputs and an output, found fewer", type->least_inputs),
           "the file is damaged; export it again");
    }
    for (const OnnxAttribute& attribute : from.attributes) add_attribute(from, attribute, *type, out);
    settle_opset(from, out);
    return out;
  }

  void add_attribute(const OnnxNode& from, const OnnxAttribute& a, const graph::NodeType& type, Node& to) {
    if (a.type == OnnxAttributeType::kGraph && (to.type == "If" || to.type == "Scan")) return;
    const bool has_tensor = a.type == OnnxAttributeType::kTensor && !a.tensors.empty() && !a.tensors.front().is_text;
    if (type.has_weight(a.name) && has_tensor) {
      const std::string name = to.name + "." + a.name;
      add_array(name, to_graph_array(a.tensors.front().array, file_ + ": " + name));
      to.weights.emplace(a.name, name);
      return;
    }
    const bool of_broadcast = a.name == "axis" && opset_ < 7 && from.attribute("broadcast") != nullptr;
    if (of_broadcast) return;  // see settle_opset
    if (!type.has_attribute(a.name)) {
      const bool silent =
          std::find(std::begin(kSilentAttributes), std::end(kSilentAttributes), a.name) != std::end(kSilentAttributes);
      if (silent) return;
      fail(from, fmt::format("attribute '{}' is not known", visible(a.name)), "it cannot be run; export it without");
    }
    switch (a.type) {
      case OnnxAttributeType::kReal: to.attributes.emplace(a.name, static_cast<double>(a.real)); break;
      case OnnxAttributeType::kInteger: to.attributes.emplace(a.name, a.integer); break;
      case OnnxAttributeType::kText: to.attributes.emplace(a.name, a.text); break;
      case OnnxAttributeType::kIntegers: to.attributes.emplace(a.name, a.integers); break;
      case OnnxAttributeType::kReals:
        to.attributes.emplace(a.name, std::vector<double>(a.reals.begin(), a.reals.end()));
        break;
      case OnnxAttributeType::kTexts: to.attributes.emplace(a.name, a.texts); break;
      default: fail(from, fmt::format("attribute '{}': expected numbers or texts", visible(a.name)), "export it again");
    }
  }

  // What an opset means otherwise than the newest does.
  void settle_opset(const OnnxNode& from, Node& to) {
    const auto is = [&](std::string_view type) { return to.type == type; };
    if (is("Cast")) to.attributes["to"] = cast_target(from);
    if (is("Softmax") || is("LogSoftmax")) {
      if (opset_ < 13) to.attributes["flat"] = int64_t{1};
    }
    if (is("Dropout")) {
      to.type = "Identity";
      if (from.inputs.size() > 2 && !from.inputs[2].empty() && !is_zero(from.inputs[2])) {
        fail(from, "expected inference, found training_mode", "export it for inference");
      }
      to.inputs.resize(1);
      to.attributes.clear();
      if (to.outputs.size() > 1) fail(from, "expected that its mask is not used", "export it for inference");
    }
    if (is("BatchNormalization") || is("LayerNormalization") || is("MaxPool")) {
      if (to.outputs.size() > 1) fail(from, "expected that its first output alone is used", "export it for inference");
    }
    if (is("BatchNormalization") && opset_ < 7 && whole_attribute(from, "is_test", 0) == 0) {
      fail(from, "expected the running averages of inference, found training", "export it for inference");
    }
    if (is("BatchNormalization") && whole_attribute(from, "spatial", 1) == 0) {
      fail(from, "expected statistics of channels, found some of every element (spatial = 0)", "it cannot be run");
    }
    if (is("Concat") && opset_ < 4 && from.attribute("axis") == nullptr) to.attributes["axis"] = int64_t{1};
    if (opset_ < 7 && from.attribute("axis") != nullptr && from.attribute("broadcast") != nullptr) {
      fail(from, "expected arrays that fit one another from their last axis, found an axis of its own",
           "convert it to opset 7 or later");
    }
    if (is("QuantizeLinear")) add_limits(from, to);
    if (is("If")) add_branches(from, to);
    if (is("Scan")) add_body(from, to);
  }

  // The limits of the type that numbers are rounded to: that of the zero point, or uint8.
  void add_limits(const OnnxNode& from, Node& to) const {
    io::DType type = io::DType::kU8;
    if (from.inputs.size() > 2 && !from.inputs[2].empty()) {
      const auto found = types_.find(from.inputs[2]);
      type = found == types_.end() ? io::DType::kF32 : found->second;
    }
    int64_t low = 0, high = 0;
    switch (type) {
      case io::DType::kU8: high = 255; break;
      case io::DType::kI8: low = -128, high = 127; break;
      case io::DType::kU16: high = 65535; break;
      case io::DType::kI16: low = -32768, high = 32767; break;
      default: fail(from, "expected a zero point of 8 or 16 bits that the file has", "it cannot be run");
    }
    to.attributes["low"] = low;
    to.attributes["high"] = high;
  }

  bool is_zero(const std::string& name) const {
    const auto found = out_.graph.arrays.find(name);
    return found != out_.graph.arrays.end() && found->second.ints == std::vector<int64_t>{0};
  }

  Attribute cast_target(const OnnxNode& from) const {
    const OnnxAttribute* to = from.attribute("to");
    if (to == nullptr) fail(from, "expected an attribute 'to'", "export it again");
    constexpr int64_t kFloat = 1, kHalf = 10, kDouble = 11, kBrain = 16, kBool = 9, kText = 8;
    static constexpr std::array<std::string_view, 14> kNames = {"",        "FLOAT",  "UINT8",  "INT8",  "UINT16",
                                                                "INT16",   "INT32",  "INT64",  "",      "BOOL",
                                                                "FLOAT16", "DOUBLE", "UINT32", "UINT64"};
    int64_t code = to->integer;
    if (to->type == OnnxAttributeType::kText) {  // before opset 6
      code = std::find(kNames.begin(), kNames.end(), to->text) - kNames.begin();
    }
    if (code == kFloat || code == kHalf || code == kDouble || code == kBrain) return "float";
    if (code == kBool) return "bool";
    if (code == kText || code < 1 || code > 13) fail(from, "expected a type of numbers", "it cannot be run");
    return "int";
  }

  void add_branches(const OnnxNode& from, Node& to) {
    for (const char* which : {"then_branch", "else_branch"}) {
      const OnnxAttribute* branch = from.attribute(which);
      if (branch == nullptr || branch->graphs.size() != 1) fail(from, "expected two branches", "export it again");
      add_initialisers(branch->graphs.front());
      to.branches.push_back(nodes_of(branch->graphs.front()));
      std::vector<std::string>& outputs = to.branch_outputs.emplace_back();
      for (const OnnxValue& output : branch->graphs.front().outputs) outputs.push_back(output.name);
      if (outputs.size() != from.outputs.size()) fail(from, "expected branches with its outputs", "export it again");
      outputs.resize(to.outputs.size());
    }
  }

  // Adds the body of a Scan. Its inputs are the states, then one slice of each scanned input.
  void add_body(const OnnxNode& from, Node& to) {
    const OnnxAttribute* body = from.attribute("body");
    if (body == nullptr || body->graphs.size() != 1 || opset_ < 9) {
      fail(from, "expected a body, of opset 9 or later", "export it again");
    }
    const OnnxGraph& graph = body->graphs.front();
    add_initialisers(graph);
    std::vector<std::string> inputs, outputs;
    for (const OnnxValue& input : graph.inputs) inputs.push_back(input.name);
    for (const OnnxValue& output : graph.outputs) outputs.push_back(output.name);
    if (inputs.size() != from.inputs.size() || outputs.size() != from.outputs.size()) {
      fail(from, "expected a body with its inputs and outputs", "export it again");
    }
    to.attributes["body_inputs"] = inputs;
    to.branches.push_back(nodes_of(graph));
    to.branch_outputs.push_back(outputs);
    to.outputs = from.outputs;
  }

  const OnnxModel& model_;
  const std::string& file_;
  int64_t opset_ = 0;
  Imported out_;
  std::set<std::string> used_, names_;
  std::map<std::string, io::DType> types_;  // of arrays, as the file has them
  std::map<std::string, int> counts_;
};

}  // namespace

Imported onnx_to_graph(const OnnxModel& model, const std::string& file, const ImportOptions& options) {
  Imported out = OnnxMapper(model, file).run();
  settle_inputs(out.graph, options, out.notes);
  remove_unused(out.graph, out.notes);
  recognise_cells(out.graph, out.notes);
  ImportOptions states = options;
  if (states.states.empty()) states.states = written_states(model, out.graph);
  recognise_states(out.graph, states, out.notes);
  std::vector<std::string> known;  // what became part of a cell is not unused
  remove_unused(out.graph, known);
  read_written_texts(model, out.graph);
  recognise_axes(out.graph, out.notes);
  graph::check(out.graph, file);
  return out;
}

}  // namespace longhand::convert
