#include "longhand/graph/node_types.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string_view>

namespace longhand::graph {
namespace {

const std::vector<NodeType>& node_types() {
  static const std::vector<NodeType> kTypes = [] {
    std::vector<NodeType> out;
    for (auto* list : {dense_node_types, matrix_node_types, convolution_node_types, recurrent_node_types,
                       sequence_node_types, activation_node_types, normalisation_node_types, arithmetic_node_types,
                       move_node_types, shape_node_types, index_node_types, einsum_node_types, quantised_node_types,
                       reduction_node_types, onnx_recurrent_node_types, scan_node_types}) {
      for (NodeType& type : list()) out.push_back(std::move(type));
    }
    return out;
  }();
  return kTypes;
}

// "_l0", "_l12_reverse"
bool numbers_a_layer(std::string_view text) {
  if (text.ends_with("_reverse")) text.remove_suffix(8);
  if (!text.starts_with("_l") || text.size() < 3 || text.size() > 5) return false;
  return std::all_of(text.begin() + 2, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool NodeType::has_attribute(const std::string& attribute) const {
  return std::any_of(attributes.begin(), attributes.end(), [&](const char* each) { return attribute == each; });
}

bool NodeType::has_weight(const std::string& role) const {
  return std::any_of(weights.begin(), weights.end(), [&](std::string_view each) {
    if (!each.ends_with('*')) return role == each;
    each.remove_suffix(1);
    return role.starts_with(each) && numbers_a_layer(std::string_view(role).substr(each.size()));
  });
}

const NodeType* find_node_type(const std::string& name) {
  static const std::map<std::string, const NodeType*> kByName = [] {
    std::map<std::string, const NodeType*> out;
    for (const NodeType& type : node_types()) out.emplace(type.name, &type);
    return out;
  }();
  const auto found = kByName.find(name);
  return found == kByName.end() ? nullptr : found->second;
}

std::vector<std::string> node_type_names(bool of_sequences) {
  std::vector<std::string> out;
  for (const NodeType& type : node_types()) {
    if (!of_sequences || type.of_sequences) out.emplace_back(type.name);
  }
  return out;
}

}  // namespace longhand::graph
