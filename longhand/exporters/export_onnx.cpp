#include "longhand/exporters/export_onnx.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/exporters/onnx_site.h"
#include "longhand/exporters/onnx_write.h"
#include "longhand/version.h"

namespace longhand::exporters {
namespace {

using graph::ElementType;
using graph::Graph;
using graph::Port;
using Axis = GraphExtents::Axis;

const OnnxFunctions& onnx_functions() {
  static const OnnxFunctions kFunctions = [] {
    OnnxFunctions out;
    for (auto* list : {onnx_dense_functions, onnx_step_functions, onnx_window_functions, onnx_layer_functions,
                       onnx_operator_functions}) {
      for (const auto& [type, function] : list()) out.emplace(type, function);
    }
    return out;
  }();
  return kFunctions;
}

void count_uses(const std::vector<graph::Node>& nodes, std::map<std::string, int>& uses) {
  for (const graph::Node& node : nodes) {
    for (const std::string& input : node.inputs) ++uses[input];
    for (const auto& [role, array] : node.weights) ++uses[array];
    for (const auto& branch : node.branches) count_uses(branch, uses);
  }
}

// The names of all values and arrays.
std::set<std::string> all_names(const Graph& graph) {
  std::set<std::string> out;
  for (const auto* ports : {&graph.inputs, &graph.state_inputs}) {
    for (const Port& port : *ports) out.insert(port.name);
  }
  for (const auto& [name, array] : graph.arrays) out.insert(name);
  std::vector<const graph::Node*> nodes;
  for (const graph::Node& node : graph.nodes) nodes.push_back(&node);
  while (!nodes.empty()) {
    const graph::Node* node = nodes.back();
    nodes.pop_back();
    out.insert(node->outputs.begin(), node->outputs.end());
    for (const auto& branch : node->branches) {
      for (const graph::Node& each : branch) nodes.push_back(&each);
    }
  }
  return out;
}

// Returns the opset of the file: 14, unless a node needs a later one.
int64_t opset_of(const std::vector<graph::Node>& nodes) {
  int64_t out = 14;
  for (const graph::Node& node : nodes) {
    if (node.type == "Shape" && (node.attributes.contains("start") || node.attributes.contains("end"))) {
      out = std::max<int64_t>(out, 15);
    }
    const bool last = !node.attributes.contains("axis") || node.attributes.at("axis") == graph::Attribute(int64_t{-1});
    if (node.type == "LayerNormalization" && !last) out = std::max<int64_t>(out, 17);
    if (node.type == "Pad" && node.inputs.size() > 3) out = std::max<int64_t>(out, 18);
    if (node.type == "ScatterElements" && node.attributes.contains("reduction")) out = std::max<int64_t>(out, 18);
    for (const auto& branch : node.branches) out = std::max(out, opset_of(branch));
  }
  return out;
}

// Returns the first IR version that supports the opset.
int64_t ir_version(int64_t opset) { return opset < 15 ? 7 : 8; }

class OnnxExporter {
 public:
  explicit OnnxExporter(const ExportModel& model)
      : graph_(model.graph),
        model_(model),
        network_(std::make_shared<const graph::Network>(model.graph, model.name)),
        extents_(network_),
        make_(opset_of(model.graph.nodes), all_names(model.graph)),
        all_{.graph = graph_, .extents = extents_, .make = make_, .where = model.name} {
    count_uses(graph_.nodes, all_.uses);
  }

  Exported run() {
    for (const auto* ports : {&graph_.inputs, &graph_.state_inputs}) {
      for (const Port& port : *ports) {
        if (port.type == ElementType::kInt) make_.set_type(port.name, io::DType::kI64);
      }
    }
    add_onnx_nodes(all_, graph_.nodes);
    std::vector<convert::OnnxValue> inputs, outputs;
    for (const Port& port : graph_.inputs) inputs.push_back(input_value(port));
    for (const Port& port : graph_.outputs) outputs.push_back(output_value(port.name, ""));
    add_states(inputs, outputs);
    convert::OnnxModel out;
    out.ir_version = ir_version(make_.opset());
    out.producer = "longhand";
    out.producer_version = LONGHAND_VERSION;
    out.opsets[""] = make_.opset();
    out.texts = model_.texts;
    out.texts["states"] = states_text();
    if (!graph_.symbols.empty()) out.texts["symbols"] = json_text(graph_.symbols);
    if (graph_.sample_rate > 0) out.texts["sample_rate"] = std::to_string(graph_.sample_rate);
    out.graph = make_.take();
    out.graph.name = model_.name;
    out.graph.inputs = inputs;
    out.graph.outputs = outputs;
    return {.files = {{".onnx", onnx_bytes(out)}}, .notes = notes(out)};
  }

 private:
  static convert::OnnxExtent extent(int64_t value, const char* name) {
    convert::OnnxExtent out;
    out.value = value;
    if (value < 0) out.name = name;
    return out;
  }

  convert::OnnxValue input_value(const Port& port) {
    std::vector<convert::OnnxExtent> shape;
    for (size_t axis = 0; axis < port.dims.size(); ++axis) {
      const auto at = static_cast<int>(axis);
      const bool is_batch = at == port.batch_axis, is_time = at == port.time_axis;
      const int64_t value = is_batch && !extents_.has_batch() && port.dims[axis] < 0 ? 1 : port.dims[axis];
      const std::string other = fmt::format("{}_axis_{}", port.name, axis);
      shape.push_back(extent(value, is_batch ? "batch" : is_time ? "time" : other.c_str()));
    }
    return onnx_value(port.name, port.type == ElementType::kInt ? io::DType::kI64 : io::DType::kF32, shape);
  }

  // Returns an output of the graph, named `name`, or `value` if `name` is empty. Adds an Identity node if the output
  // needs another name than the value.
  convert::OnnxValue output_value(const std::string& value, const std::string& name) {
    const std::vector<Axis> axes = extents_.axes(value);
    const graph::Dims dims = extents_.dims(value);
    std::vector<convert::OnnxExtent> shape;
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      const bool is_batch = axes[axis] == Axis::kBatch, is_time = axes[axis] == Axis::kTime;
      shape.push_back(extent(dims[axis], is_batch ? "batch" : is_time ? "time" : ""));
    }
    std::string called = name.empty() ? value : name;
    io::DType dtype = make_.type_of(value);
    const bool is_array = graph_.arrays.contains(value);
    const bool is_input =
        std::any_of(graph_.inputs.begin(), graph_.inputs.end(), [&](const Port& port) { return port.name == value; }) ||
        is_state_input(value);
    if (is_array || is_input || called != value || !outputs_.insert(called).second) {
      if (called == value) called = make_.unique(value + "_out");
      const std::string from = is_array ? make_.array(value, graph_.arrays.at(value)) : value;
      dtype = make_.type_of(from);
      make_.op("Identity", {from}, {}, called);
      outputs_.insert(called);
    }
    return onnx_value(called, dtype, shape);
  }

  bool is_state_input(const std::string& value) const {
    return std::any_of(graph_.state_inputs.begin(), graph_.state_inputs.end(),
                       [&](const Port& port) { return port.name == value; });
  }

  // Makes all states inputs and outputs of the ONNX graph: those kept within the network and those of graph_.states.
  void add_states(std::vector<convert::OnnxValue>& inputs, std::vector<convert::OnnxValue>& outputs) {
    for (const OnnxState& state : all_.states) {
      std::vector<convert::OnnxExtent> shape;
      for (const int64_t dim : state.dims) shape.push_back(extent(extents_.has_batch() || dim >= 0 ? dim : 1, "batch"));
      inputs.push_back(onnx_value(state.input, io::DType::kF32, shape));
      outputs.push_back(onnx_value(state.output, io::DType::kF32, shape));
    }
    for (size_t i = 0; i < graph_.states.size(); ++i) {
      const graph::State& state = graph_.states[i];
      const auto port = std::find_if(graph_.state_inputs.begin(), graph_.state_inputs.end(),
                                     [&](const Port& each) { return each.name == state.input; });
      inputs.push_back(input_value(*port));
      outputs.push_back(output_value(state.output, ""));
      OnnxState kept{.input = state.input, .output = outputs.back().name, .dims = port->dims};
      if (!state.initial.empty()) kept.initial = graph_.arrays.at(state.initial).floats;
      all_.states.push_back(std::move(kept));
    }
  }

  std::string states_text() const {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const OnnxState& state : all_.states) {
      nlohmann::ordered_json one = {{"input", state.input}, {"output", state.output}};
      if (!state.initial.empty()) one["initial"] = state.initial;
      out.push_back(std::move(one));
    }
    return json_text(out);
  }

  static std::string json_text(const nlohmann::ordered_json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  static std::string shown(const convert::OnnxValue& value) {
    std::vector<std::string> extents;
    for (const convert::OnnxExtent& each : value.shape) {
      extents.push_back(each.value >= 0 ? std::to_string(each.value) : each.name.empty() ? "*" : each.name);
    }
    return fmt::format("{} {} [{}]", value.name, io::name_of(*value.dtype), fmt::join(extents, ", "));
  }

  std::vector<std::string> notes(const convert::OnnxModel& out) const {
    std::vector<std::string> lines;
    size_t scans = 0;
    for (const convert::OnnxNode& node : out.graph.nodes) scans += node.op_type == "Scan" ? 1 : 0;
    lines.push_back(fmt::format("onnx    opset {}, {} nodes, {} parameters", make_.opset(), out.graph.nodes.size(),
                                graph_.parameters()));
    for (const convert::OnnxValue& value : out.graph.inputs) lines.push_back("input   " + shown(value));
    for (const convert::OnnxValue& value : out.graph.outputs) lines.push_back("output  " + shown(value));
    for (const OnnxState& state : all_.states) {
      lines.push_back(fmt::format("state   {} becomes {}; it begins with {}", state.output, state.input,
                                  state.initial.empty() ? "zeros" : "trained numbers (metadata 'states')"));
    }
    if (scans > 0) {
      lines.push_back(fmt::format(
          "scan    {} layers or directions that ONNX's operators cannot hold are written out step by step", scans));
    }
    return lines;
  }

  const Graph& graph_;
  const ExportModel& model_;
  std::shared_ptr<const graph::Network> network_;
  GraphExtents extents_;
  OnnxMaker make_;
  OnnxExport all_;
  std::set<std::string> outputs_;
};

}  // namespace

void add_onnx_nodes(OnnxExport& all, const std::vector<graph::Node>& nodes) {
  for (const graph::Node& node : nodes) {
    OnnxSite site(all, node);
    const auto found = onnx_functions().find(node.type);
    if (found == onnx_functions().end()) {
      site.fail("expected a node that can be written as ONNX, found one of another type",
                "describe the network without it");
    }
    all.make.set_owner(node.name);
    found->second(site);
  }
}

Exported export_onnx(const ExportModel& model, const ExportOptions& /*options*/) { return OnnxExporter(model).run(); }

}  // namespace longhand::exporters
