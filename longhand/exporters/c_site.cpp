#include "longhand/exporters/c_site.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::exporters {

int CMemory::of(const CView& view) {
  const auto found = buffers_.find(place(view));
  if (found != buffers_.end()) return found->second;
  const int64_t n = graph::count(view.dims);
  int made = 0;
  if (!view.constant) {
    made = program_.scratch(n, view.ints != nullptr && view.type == graph::ElementType::kInt);
  } else if (view.type == graph::ElementType::kFloat) {
    const std::string name = program_.constant(view.name, {view.floats, view.floats + n});
    made = program_.add_buffer({.kind = CBuffer::Kind::kConstant, .size = n, .name = name});
  } else {
    const std::string name = program_.indexes(view.name, {view.ints, view.ints + n}, "int");
    made = program_.add_buffer({.kind = CBuffer::Kind::kConstant, .size = n, .ints = true, .name = name});
  }
  buffers_[place(view)] = made;
  return made;
}

const CView* CNetwork::find(const std::string& value) const {
  const auto found = views.find(value);
  return found == views.end() ? nullptr : &found->second;
}

void CNetwork::add_view(const std::string& value, bool constant) {
  const graph::Plan::View* view = plan.find(value);
  if (view == nullptr) return;
  views[value] = {value, view->type, view->dims, view->floats, view->ints, constant};
}

void CNetwork::read_values() {
  for (const auto& [name, array] : graph.arrays) {
    views[name] = {name, array.type, array.dims, array.floats.data(), array.ints.data(), true};
  }
  for (const graph::Port& port : graph.inputs) add_view(port.name, false);
  for (const graph::Port& port : graph.state_inputs) add_view(port.name, false);
  read_nodes(graph.nodes);
  for (const graph::Port& port : graph.outputs) ++uses[port.name];
  for (const graph::State& state : graph.states) ++uses[state.output];
}

// Whether the outputs of a node are known from the plan: they depend only on constants or on shapes.
bool CNetwork::is_known(const graph::Node& node) const {
  if (node.type == "Shape" || node.type == "Size" || node.type == "Constant") return true;
  const bool keeps = node.type == "lstm" || node.type == "gru" || node.type == "rnn" || node.type == "context";
  if (node.inputs.empty() || keeps) return false;
  return std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
    const CView* view = find(input);
    return input.empty() || (view != nullptr && view->constant);
  });
}

void CNetwork::read_nodes(const std::vector<graph::Node>& nodes) {
  for (const graph::Node& node : nodes) {
    for (const std::string& input : node.inputs) ++uses[input];
    for (const std::vector<graph::Node>& branch : node.branches) read_nodes(branch);
    for (const std::vector<std::string>& outputs : node.branch_outputs) {
      for (const std::string& output : outputs) ++uses[output];
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      bool known = node.branches.empty() && is_known(node);
      if (!node.branches.empty()) {
        const CView* condition = find(node.inputs.front());
        const size_t taken = condition != nullptr && condition->ints[0] != 0 ? 0 : 1;
        const CView* value = find(node.branch_outputs[taken][i]);
        known = value != nullptr && value->constant;
      }
      if (!node.outputs[i].empty()) add_view(node.outputs[i], known);
    }
  }
}

int CNetwork::one_hot(const std::string& value) const {
  for (const graph::Node& node : graph.nodes) {
    if (node.type == "one-hot" && node.outputs.front() == value) return memory.of(*find(node.inputs.front()));
  }
  return -1;
}

std::string CSite::called() const { return fmt::format("{} '{}'", visible(node.type), visible(node.name)); }

void CSite::fail(const std::string& problem, const std::string& advice) const {
  throw input_error(
      fmt::format("{}: node '{}' ({}): {}", network.where, visible(node.name), visible(node.type), problem),
      advice.empty() ? "export to another format, such as --to onnx" : advice);
}

const CView& CSite::in(size_t input) const {
  const CView* view = has(input) ? network.find(node.inputs[input]) : nullptr;
  if (view == nullptr) fail(fmt::format("expected an input {}, found none", input + 1));
  return *view;
}

const CView& CSite::out(size_t output) const {
  const CView* view = wants(output) ? network.find(node.outputs[output]) : nullptr;
  if (view == nullptr) fail(fmt::format("expected an output {}, found none", output + 1));
  return *view;
}

std::vector<float> CSite::known_floats(size_t input) const {
  const CView& view = in(input);
  if (!view.constant || view.type != graph::ElementType::kFloat) {
    fail(fmt::format("input {}: expected numbers that are known before a run, found computed ones", input + 1));
  }
  return {view.floats, view.floats + size(view)};
}

COperation::Argument CSite::read(const std::string& parameter, size_t input) const {
  return {parameter, network.memory.of(in(input)), false};
}
COperation::Argument CSite::write(const std::string& parameter, size_t output) const {
  return {parameter, network.memory.of(out(output)), true};
}
COperation::Argument CSite::scratch(const std::string& parameter, int64_t size) const {
  return {parameter, program.scratch(size), true};
}

const graph::Array& CSite::weight(const std::string& role) const {
  const auto named = node.weights.find(role);
  if (named == node.weights.end()) fail(fmt::format("expected a weight '{}', found none", role));
  return network.graph.arrays.at(named->second);
}

std::vector<float> CSite::weights_or(const std::string& role, const std::vector<float>& otherwise) const {
  return has_weight(role) ? weight(role).floats : otherwise;
}

std::string CSite::label() const { return node.name; }

void CSite::add(const std::string& comment, const std::string& body, std::vector<COperation::Argument> arguments,
                int64_t products) const {
  program.add({.name = program.name(label()),
               .comment = comment,
               .body = body,
               .arguments = std::move(arguments),
               .products = products});
}

const CNodeType* find_c_type(const std::string& node_type) {
  static const std::map<std::string, CNodeType> kTypes = [] {
    std::map<std::string, CNodeType> out;
    for (auto* list : {c_dense_types, c_convolution_types, c_recurrent_types, c_onnx_recurrent_types,
                       c_elementwise_types, c_normalisation_types, c_move_types, c_reduction_types}) {
      for (const CNodeType& type : list()) {
        for (const char* name : type.names) out.emplace(name, type);
      }
    }
    return out;
  }();
  const auto found = kTypes.find(node_type);
  return found == kTypes.end() ? nullptr : &found->second;
}

}  // namespace longhand::exporters
