#include "longhand/exporters/layer_chain.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::exporters {
namespace {

constexpr const char* kOtherFormats = "export it to onnx, pytorch or c, which have more layers";

template <class T>
const T* attribute_in(const graph::Node& node, const char* name) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? nullptr : std::get_if<T>(&found->second);
}

bool does_nothing(const graph::Node& node) {
  return node.type == "dropout" || node.type == "Dropout" || node.type == "Identity";
}

}  // namespace

void refuse_layer(const std::string& format, const graph::Node& node, const std::string& why) {
  throw input_error(fmt::format("layer '{}' ({}): {} has no place for {}", visible(node.name), node.type, format, why),
                    kOtherFormats);
}

int64_t layer_integer(const graph::Node& node, const char* name, int64_t otherwise) {
  const auto* value = attribute_in<int64_t>(node, name);
  return value == nullptr ? otherwise : *value;
}

double layer_number(const graph::Node& node, const char* name, double otherwise) {
  if (const auto* whole = attribute_in<int64_t>(node, name)) return static_cast<double>(*whole);
  const auto* value = attribute_in<double>(node, name);
  return value == nullptr ? otherwise : *value;
}

std::string layer_word(const graph::Node& node, const char* name, const std::string& otherwise) {
  const auto* value = attribute_in<std::string>(node, name);
  return value == nullptr ? otherwise : *value;
}

LayerChain::LayerChain(const graph::Graph& graph, std::string format, bool has_symbols)
    : graph_(graph), format_(std::move(format)) {
  const bool one = graph.inputs.size() == 1 && graph.outputs.size() == 1 && graph.states.empty();
  const graph::Port* port = one ? &graph.inputs.front() : nullptr;
  const bool symbols =
      port != nullptr && has_symbols && port->type == graph::ElementType::kInt && port->dims.size() == 2;
  const bool numbers =
      port != nullptr && port->type == graph::ElementType::kFloat && port->dims.size() == 3 && port->dims.back() > 0;
  if (!(symbols || numbers) || port->time_axis != 1) {
    throw input_error(fmt::format("the network's inputs and outputs: {} has one input of numbers at each time step and "
                                  "one output, found others",
                                  format_),
                      kOtherFormats);
  }
  inputs_ = symbols ? 0 : port->dims[2];
  std::string last = port->name, after_gain = port->name;
  for (const graph::Node& node : graph.nodes) {
    const bool follows = !node.inputs.empty() && node.inputs.front() == last;
    const auto is_input = [&](const std::string& name) { return name == port->name || name == after_gain; };
    const bool at_end =
        &node == &graph.nodes.back() ||
        (graph.nodes.size() > 1 && &node == &graph.nodes[graph.nodes.size() - 2] && graph.nodes.back().type == "scale");
    if (node.type == "add" && node.inputs.size() == 2 && at_end &&
        ((follows && is_input(node.inputs[1])) || (is_input(node.inputs[0]) && node.inputs[1] == last))) {
      skips_ = true;
      last = node.outputs.front();
      continue;
    }
    if (!follows) refuse_layer(format_, node, "a layer that reads others than the layer before");
    last = node.outputs.front();
    if (does_nothing(node)) continue;
    if (nodes_.empty() && node.type == "scale") after_gain = last;
    nodes_.push_back(&node);
  }
  if (last != graph.outputs.front().name) {
    refuse_layer(format_, graph.nodes.back(), "an output that is not the last layer's");
  }
}

const graph::Array& LayerChain::weight(const graph::Node& node, const std::string& role) const {
  return graph_.arrays.at(node.weights.at(role));
}

graph::Array LayerChain::bias(const graph::Node& node, const std::string& role, int64_t size) const {
  if (has(node, role)) return weight(node, role);
  return graph::array({size}, std::vector<float>(static_cast<size_t>(size), 0.0F));
}

void LayerChain::expect_plain_layers(const graph::Node& node, bool may_have_initial_state) const {
  const auto expect = [&](bool good, const char* why) {
    if (!good) refuse_layer(format_, node, why);
  };
  expect(layer_integer(node, "bidirectional", 0) == 0, "both directions");
  expect(layer_integer(node, "go_backwards", 0) == 0, "sequences from their end");
  expect(layer_word(node, "return", "sequences") == "sequences", "the last output alone");
  expect(!node.attributes.contains("activations") && layer_word(node, "activation", "tanh") == "tanh",
         "other activations of the cell");
  expect(layer_integer(node, "reset_after", 1) != 0, "the reset gate before the product");
  expect_usual_cell(node, may_have_initial_state);
}

void LayerChain::expect_usual_cell(const graph::Node& node, bool may_have_initial_state) const {
  const auto expect = [&](bool good, const char* why) {
    if (!good) refuse_layer(format_, node, why);
  };
  expect(node.inputs.size() == 1 && node.outputs.size() == 1, "masks, and states as inputs or outputs");
  expect(layer_integer(node, "carry", 1) != 0, "layers that begin anew");
  expect(layer_integer(node, "residual", 0) == 0, "residual connections");
  expect(!has(node, "weight_hr_l0"), "a projection");
  expect(!has(node, "gain_ih_l0"), "layer normalisation");
  expect(!has(node, "weight_peephole_l0"), "peepholes");
  for (const char* option : {"clip", "cell_clip", "input_forget", "zoneout", "zoneout_cell"}) {
    expect(layer_number(node, option, 0.0) == 0.0, option);
  }
  for (const auto& [role, array] : node.weights) {
    if (may_have_initial_state || !(role.starts_with("h_0") || role.starts_with("c_0"))) continue;
    const std::vector<float>& values = graph_.arrays.at(array).floats;
    expect(std::all_of(values.begin(), values.end(), [](float v) { return v == 0.0F; }), "a trained initial state");
  }
}

}  // namespace longhand::exporters
