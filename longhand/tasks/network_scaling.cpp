#include "longhand/tasks/network_scaling.h"

#include <algorithm>

namespace longhand::tasks {
namespace {

constexpr const char* kStandardised = "_standardised";
constexpr const char* kInUnits = "_in_units";

bool scales_anything(const std::vector<data::Scale>& scales) {
  return std::any_of(scales.begin(), scales.end(),
                     [](const data::Scale& s) { return s.mean != 0.0 || s.deviation != 1.0; });
}

// y = x scale + shift.
graph::Node scale_node(graph::Graph& graph, const std::string& name, const std::string& input,
                       const std::vector<float>& scale, const std::vector<float>& shift) {
  graph::Node node{.type = "scale", .name = name, .inputs = {input}, .outputs = {name}};
  const auto n = static_cast<int64_t>(scale.size());
  for (const auto& [role, values] : {std::pair("scale", &scale), std::pair("shift", &shift)}) {
    const std::string array = name + "." + role;
    node.weights[role] = array;
    graph.arrays[array] = graph::array({n}, *values);
  }
  return node;
}

void rename_uses(graph::Graph& graph, const std::string& from, const std::string& to) {
  for (graph::Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
}

// Reads the scale and shift of a node. Returns false unless with_scaling may have added the node.
bool read_scale(const graph::Graph& graph, const graph::Node& node, std::vector<float>& scale,
                std::vector<float>& shift) {
  if (node.type != "scale" || node.inputs.size() != 1 || node.outputs.size() != 1) return false;
  const auto a = node.weights.find("scale"), b = node.weights.find("shift");
  if (a == node.weights.end() || b == node.weights.end()) return false;
  scale = graph.arrays.at(a->second).floats;
  shift = graph.arrays.at(b->second).floats;
  return !scale.empty() && scale.size() == shift.size() &&
         std::none_of(scale.begin(), scale.end(), [](float s) { return s == 0.0F; });
}

void erase_node(graph::Graph& graph, size_t i) {
  for (const auto& [role, array] : graph.nodes[i].weights) graph.arrays.erase(array);
  graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i));
}

int64_t uses_of(const graph::Graph& graph, const std::string& value) {
  int64_t out = 0;
  for (const graph::Node& node : graph.nodes) out += std::count(node.inputs.begin(), node.inputs.end(), value);
  for (const graph::Port& port : graph.outputs) out += port.name == value ? 1 : 0;
  return out;
}

}  // namespace

bool NetworkScaling::any() const {
  return scales_anything(targets) || std::any_of(inputs.begin(), inputs.end(), scales_anything);
}

NetworkScaling take_scaling(graph::Graph& graph) {
  NetworkScaling out;
  out.inputs.resize(graph.inputs.size());
  std::vector<float> scale, shift;
  for (size_t k = 0; k < graph.inputs.size(); ++k) {
    const std::string input = graph.inputs[k].name, value = input + kStandardised;
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const graph::Node& node = graph.nodes[i];
      const bool ours = node.name == value && node.inputs == std::vector<std::string>{input};
      if (!ours || uses_of(graph, input) != 1 || !read_scale(graph, node, scale, shift)) continue;
      for (size_t j = 0; j < scale.size(); ++j) {
        const double s = static_cast<double>(scale[j]);
        out.inputs[k].push_back({-static_cast<double>(shift[j]) / s, 1.0 / s});
      }
      erase_node(graph, i);
      rename_uses(graph, value, input);
      break;
    }
  }
  if (graph.outputs.size() != 1 || !graph.outputs.front().name.ends_with(kInUnits)) return out;
  const std::string output = graph.outputs.front().name;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const graph::Node node = graph.nodes[i];
    if (node.name != output || uses_of(graph, output) != 1 || !read_scale(graph, node, scale, shift)) continue;
    for (size_t j = 0; j < scale.size(); ++j) {
      out.targets.push_back({static_cast<double>(shift[j]), static_cast<double>(scale[j])});
    }
    erase_node(graph, i);
    graph.outputs.front().name = node.inputs.front();
    break;
  }
  return out;
}

graph::Graph with_scaling(graph::Graph graph, const NetworkScaling& scaling) {
  std::vector<float> scale, shift;
  for (size_t k = 0; k < scaling.inputs.size(); ++k) {
    if (!scales_anything(scaling.inputs[k])) continue;
    scale.clear();
    shift.clear();
    for (const data::Scale& s : scaling.inputs[k]) {
      scale.push_back(static_cast<float>(1.0 / s.deviation));
      shift.push_back(static_cast<float>(-s.mean / s.deviation));
    }
    const std::string input = graph.inputs[k].name;
    rename_uses(graph, input, input + kStandardised);
    graph::Node node = scale_node(graph, input + kStandardised, input, scale, shift);
    graph.nodes.insert(graph.nodes.begin(), std::move(node));
  }
  if (!scales_anything(scaling.targets)) return graph;
  scale.clear();
  shift.clear();
  for (const data::Scale& s : scaling.targets) {
    scale.push_back(static_cast<float>(s.deviation));
    shift.push_back(static_cast<float>(s.mean));
  }
  const std::string output = graph.outputs.front().name;
  graph::Node node = scale_node(graph, output + kInUnits, output, scale, shift);
  graph.outputs.front().name = output + kInUnits;
  graph.nodes.push_back(std::move(node));
  return graph;
}

}  // namespace longhand::tasks
