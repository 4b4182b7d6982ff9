#include "longhand/exporters/torch_prepared.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "longhand/exporters/graph_shapes.h"
#include "longhand/graph/node_types.h"

namespace longhand::exporters {
namespace {

bool is_recurrent_layer(const graph::Node& node) {
  return node.type == "lstm" || node.type == "gru" || node.type == "rnn";
}

std::string free_array_name(const graph::Graph& graph, std::string name) {
  while (graph.arrays.contains(name)) name += "_";
  return name;
}

void add_second_biases(graph::Graph& graph) {
  for (graph::Node& node : graph.nodes) {
    if (!is_recurrent_layer(node)) continue;
    std::map<std::string, std::string> added;
    for (const auto& [role, array] : node.weights) {
      if (!role.starts_with("bias_ih") && !role.starts_with("bias_hh")) continue;
      const std::string other = fmt::format("{}{}", role[5] == 'i' ? "bias_hh" : "bias_ih", role.substr(7));
      if (node.weights.contains(other)) continue;
      const std::string name = free_array_name(graph, fmt::format("{}.{}", node.name, other));
      const graph::Dims dims = graph.arrays.at(array).dims;
      graph.arrays[name] = graph::array(dims, std::vector<float>(static_cast<size_t>(graph::count(dims)), 0.0F));
      added[other] = name;
    }
    node.weights.insert(added.begin(), added.end());
  }
}

// Returns how often each value is read by nodes, plus its uses as an output of the graph.
std::map<std::string, int> uses_of_values(const graph::Graph& graph) {
  std::map<std::string, int> out;
  for (const graph::Node& node : graph.nodes) {
    for (const std::string& input : node.inputs) ++out[input];
    for (const std::vector<graph::Node>& branch : node.branches) {
      for (const graph::Node& each : branch) {
        for (const std::string& input : each.inputs) ++out[input];
      }
    }
    for (const auto& outputs : node.branch_outputs) {
      for (const std::string& output : outputs) ++out[output];
    }
  }
  for (const graph::Port& port : graph.outputs) ++out[port.name];
  for (const graph::State& state : graph.states) ++out[state.output];
  return out;
}

bool is_plain_layer(const graph::Graph& graph, const graph::Node& node) {
  static const std::vector<std::string> kPlain = {"units",          "layers", "bidirectional", "return",
                                                  "masked_outputs", "carry",  "initial_state"};
  for (const auto& [name, value] : node.attributes) {
    const bool relu = name == "activation" && (value == graph::Attribute("relu") || value == graph::Attribute("tanh"));
    if (!relu && std::find(kPlain.begin(), kPlain.end(), name) == kPlain.end()) return false;
  }
  for (const auto& [role, array] : node.weights) {
    if (role.starts_with("gain") || role.starts_with("weight_peephole") || role.starts_with("bias_c")) return false;
  }
  return node.outputs.size() == 1 && node.inputs.size() <= 2 &&
         graph.arrays.at(node.weights.at("weight_ih_l0")).dims.size() == 2;
}

int64_t layers_of(const graph::Node& node) {
  const auto found = node.attributes.find("layers");
  return found == node.attributes.end() ? 1 : std::get<int64_t>(found->second);
}

std::map<std::string, graph::Attribute> common_attributes(const graph::Node& node) {
  std::map<std::string, graph::Attribute> out = node.attributes;
  for (const char* name : {"layers", "units", "return", "initial_state"}) out.erase(name);
  return out;
}

bool stacks_on(const graph::Graph& graph, const graph::Node& below, const graph::Node& above) {
  if (below.type != above.type || !is_plain_layer(graph, below) || !is_plain_layer(graph, above)) return false;
  if (above.inputs.front() != below.outputs.front() || below.attributes.contains("return")) return false;
  if (std::vector(below.inputs.begin() + 1, below.inputs.end()) !=
      std::vector(above.inputs.begin() + 1, above.inputs.end())) {
    return false;
  }
  const auto dims = [&](const graph::Node& node, const char* role) {
    const auto found = node.weights.find(role);
    return found == node.weights.end() ? graph::Dims{} : graph.arrays.at(found->second).dims;
  };
  for (const char* role : {"weight_hh_l0", "weight_hr_l0", "bias_ih_l0", "weight_hh_l0_reverse"}) {
    if (dims(below, role) != dims(above, role)) return false;
  }
  return common_attributes(below) == common_attributes(above);
}

// Adds `by` to the layer number of a role: "weight_ih_l0_reverse" becomes "weight_ih_l1_reverse" for 1.
std::string raised(const std::string& role, int64_t by) {
  const size_t at = role.rfind("_l");
  size_t used = 0;
  const int64_t layer = std::stoll(role.substr(at + 2), &used);
  return fmt::format("{}_l{}{}", role.substr(0, at), layer + by, role.substr(at + 2 + used));
}

void stack_layers(graph::Graph& graph) {
  const std::map<std::string, int> uses = uses_of_values(graph);
  std::vector<graph::Node> out;
  for (graph::Node& node : graph.nodes) {
    const auto below = std::find_if(out.begin(), out.end(), [&](const graph::Node& each) {
      return is_recurrent_layer(node) && is_recurrent_layer(each) && uses.at(each.outputs.front()) == 1 &&
             stacks_on(graph, each, node);
    });
    if (below == out.end()) {
      out.push_back(std::move(node));
      continue;
    }
    graph::Node both = *below;
    out.erase(below);
    const int64_t layers = layers_of(both);
    for (const auto& [role, array] : node.weights) both.weights[raised(role, layers)] = array;
    both.attributes["layers"] = layers + layers_of(node);
    if (node.attributes.contains("return")) both.attributes["return"] = node.attributes.at("return");
    if (node.attributes.contains("initial_state")) both.attributes["initial_state"] = int64_t{1};
    both.outputs = node.outputs;
    out.push_back(std::move(both));
  }
  graph.nodes = std::move(out);
}

// Renames a node "lstm_0" to "lstm" if there are no nodes "lstm" and "lstm_1".
void shorten_names(graph::Graph& graph) {
  for (graph::Node& node : graph.nodes) {
    if (!is_recurrent_layer(node) || !node.name.ends_with("_0") || node.name.size() < 3) continue;
    const std::string name = node.name.substr(0, node.name.size() - 2);
    const bool taken = std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const graph::Node& each) {
      return each.name == name || each.name == fmt::format("{}_1", name);
    });
    if (!taken) node.name = name;
  }
}

// Dequantises integers [D, K, G] to floats [D, G, K].
graph::Array dequantised_weights(const graph::Array& q, const graph::Array& scale, const graph::Array* zero) {
  const int64_t D = q.dims[0], K = q.dims[1], G = q.dims[2];
  graph::Array out = graph::array({D, G, K}, std::vector<float>(q.ints.size()));
  for (size_t i = 0; i < q.ints.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int64_t d = at / (K * G), k = at / G % K, g = at % G;
    const auto of = static_cast<size_t>(static_cast<int64_t>(scale.floats.size()) == D ? d : d * G + g);
    const auto whole = static_cast<float>(q.ints[i] - (zero == nullptr ? 0 : zero->ints[of]));
    out.floats[static_cast<size_t>((d * G + g) * K + k)] = whole * scale.floats[of];
  }
  return out;
}

bool dequantise_lstm(graph::Graph& graph, graph::Node& node) {
  const auto array = [&](size_t input) -> const graph::Array* {
    const auto found = input < node.inputs.size() ? graph.arrays.find(node.inputs[input]) : graph.arrays.end();
    return found == graph.arrays.end() ? nullptr : &found->second;
  };
  for (const size_t input : {size_t{1}, size_t{2}}) {
    const graph::Array *q = array(input), *scale = array(6 + 2 * input), *zero = array(7 + 2 * input);
    if (q == nullptr || scale == nullptr || q->dims.size() != 3 || q->type != graph::ElementType::kInt) return false;
    const int64_t D = q->dims[0], G = q->dims[2];
    const auto scales = static_cast<int64_t>(scale->floats.size());
    if ((scales != D && scales != D * G) || (zero != nullptr && zero->ints.size() != scale->floats.size()))
      return false;
    const std::string name = free_array_name(graph, node.inputs[input] + "_float");
    graph.arrays[name] = dequantised_weights(*q, *scale, zero);
    node.inputs[input] = name;
  }
  node.inputs.resize(8);
  while (node.inputs.back().empty()) node.inputs.pop_back();
  node.type = "LSTM";
  return true;
}

// Adds the names of all values and arrays that the nodes read.
void add_names(const std::vector<graph::Node>& nodes, std::set<std::string>& names) {
  for (const graph::Node& node : nodes) {
    names.insert(node.inputs.begin(), node.inputs.end());
    for (const auto& [role, array] : node.weights) names.insert(array);
    for (const std::vector<graph::Node>& branch : node.branches) add_names(branch, names);
    for (const std::vector<std::string>& outputs : node.branch_outputs) names.insert(outputs.begin(), outputs.end());
  }
}

// Removes nodes and arrays that no output depends on.
void leave_out_unused(graph::Graph& graph) {
  std::set<std::string> kept;
  for (const graph::Port& port : graph.outputs) kept.insert(port.name);
  for (const graph::State& state : graph.states) kept.insert({state.initial, state.output});
  std::vector<graph::Node> needed;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool used = std::any_of(node->outputs.begin(), node->outputs.end(),
                                  [&](const std::string& output) { return !output.empty() && kept.contains(output); });
    if (!used) continue;
    add_names({*node}, kept);
    needed.push_back(std::move(*node));
  }
  graph.nodes.assign(std::make_move_iterator(needed.rbegin()), std::make_move_iterator(needed.rend()));
  std::erase_if(graph.arrays, [&](const auto& each) { return !kept.contains(each.first); });
}

// Replaces each If by the nodes of the branch that is taken.
void add_inlined(const std::vector<graph::Node>& nodes, const GraphShapes& shapes, std::vector<graph::Node>& out) {
  for (const graph::Node& node : nodes) {
    if (node.type != "If") {
      out.push_back(node);
      continue;
    }
    const size_t taken = shapes.branch(node);
    add_inlined(node.branches[taken], shapes, out);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      out.push_back({.type = "Identity",
                     .name = fmt::format("{}/{}", node.name, i),
                     .inputs = {node.branch_outputs[taken][i]},
                     .outputs = {node.outputs[i]}});
    }
  }
}

// Computes nodes whose inputs are all constant, and replaces them by arrays.
void fold_constants(graph::Graph& graph, std::vector<std::string>& notes) {
  const GraphShapes shapes(graph);
  std::vector<graph::Node> inlined, kept;
  add_inlined(graph.nodes, shapes, inlined);
  size_t dequantised = 0;
  for (graph::Node& node : inlined) {
    const bool of_arrays = std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
      return input.empty() || graph.arrays.contains(input);
    });
    if (!of_arrays || (node.inputs.empty() && node.type != "Constant")) {
      kept.push_back(std::move(node));
      continue;
    }
    dequantised += node.type == "DequantizeLinear" ? 1 : 0;
    for (const std::string& output : node.outputs) {
      if (!output.empty()) graph.arrays[output] = shapes.constant(output);
    }
  }
  graph.nodes = std::move(kept);
  if (dequantised > 0) notes.push_back(fmt::format("{} arrays of 8 bits became floats", dequantised));
}

void dequantise_layers(graph::Graph& graph, std::vector<std::string>& notes) {
  size_t changed = 0;
  for (graph::Node& node : graph.nodes) {
    if (node.type == "DynamicQuantizeLSTM" && dequantise_lstm(graph, node)) ++changed;
  }
  if (changed > 0) notes.push_back(fmt::format("weights of 8 bits became floats, in {} LSTM layers", changed));
}

bool is_of_arrays(const graph::Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const graph::Node& node) {
    const graph::NodeType* type = graph::find_node_type(node.type);
    return type != nullptr && !type->of_sequences;
  });
}

}  // namespace

graph::Graph prepared_for_torch(const graph::Graph& graph, std::vector<std::string>& notes) {
  graph::Graph out = graph;
  if (is_of_arrays(out)) {
    fold_constants(out, notes);
    dequantise_layers(out, notes);
    leave_out_unused(out);
  }
  add_second_biases(out);
  stack_layers(out);
  shorten_names(out);
  return out;
}

}  // namespace longhand::exporters
