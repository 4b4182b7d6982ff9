#include "longhand/exporters/graph_shapes.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/exporters/trial_sizes.h"

namespace longhand::exporters {
namespace {

// Plans the graph with the first batch size and number of steps that it accepts. Convolutions need a minimum number of
// steps, and a graph may fix the number. Throws the first error if no sizes are accepted.
std::unique_ptr<graph::Plan> plan_for_shapes(const std::shared_ptr<const graph::Network>& network,
                                             const std::vector<int64_t>& batches, const std::vector<int64_t>& steps,
                                             int64_t other_extent) {
  std::optional<Error> first;
  for (const int64_t batch : batches) {
    for (const int64_t number : steps) {
      try {
        return std::make_unique<graph::Plan>(network, trial_sizes(network->graph(), batch, number, other_extent));
      } catch (const Error& error) {
        if (!first) first = error;
      }
    }
  }
  throw *first;
}

}  // namespace

GraphShapes::GraphShapes(const graph::Graph& graph) : graph_(graph) {
  const auto network = std::make_shared<const graph::Network>(graph, "the model");
  first_ = plan_for_shapes(network, {2, 1}, {7, 48, 400, 1}, 16);
  second_ = plan_for_shapes(network, {3, 1}, {11, 60, 500, 1}, 20);
  for (const auto& [name, array] : graph.arrays) static_.insert(name);
  mark_static(graph.nodes);
}

void GraphShapes::mark_static(const std::vector<graph::Node>& nodes) {
  for (const graph::Node& node : nodes) {
    if (node.type == "If") {
      const size_t taken = branch(node);
      mark_static(node.branches[taken]);
      for (size_t i = 0; i < node.outputs.size(); ++i) {
        if (static_.contains(node.branch_outputs[taken][i])) static_.insert(node.outputs[i]);
      }
      continue;
    }
    const bool of_shapes = node.type == "Shape" || node.type == "Size";
    bool all = true;
    for (const std::string& input : node.inputs) all = all && (input.empty() || static_.contains(input));
    if (of_shapes || all) static_.insert(node.outputs.begin(), node.outputs.end());
  }
}

const graph::Dims& GraphShapes::dims(const std::string& value) const {
  static const graph::Dims kNone;
  const auto array = graph_.arrays.find(value);
  if (array != graph_.arrays.end()) return array->second.dims;
  const graph::Plan::View* view = first_->find(value);
  return view == nullptr ? kNone : view->dims;
}

graph::ElementType GraphShapes::type(const std::string& value) const {
  const auto array = graph_.arrays.find(value);
  if (array != graph_.arrays.end()) return array->second.type;
  const graph::Plan::View* view = first_->find(value);
  return view == nullptr ? graph::ElementType::kFloat : view->type;
}

graph::Dims GraphShapes::fixed_dims(const std::string& value) const {
  graph::Dims out = dims(value);
  const graph::Plan::View* other = second_->find(value);
  if (other == nullptr || other->dims.size() != out.size()) return out;
  for (size_t axis = 0; axis < out.size(); ++axis) {
    if (other->dims[axis] != out[axis]) out[axis] = -1;
  }
  return out;
}

graph::Array GraphShapes::constant(const std::string& value) const {
  const graph::Plan::View* view = first_->find(value);
  LONGHAND_CHECK(view != nullptr);
  graph::Array out{.type = view->type, .dims = view->dims, .floats = {}, .ints = {}};
  const int64_t n = graph::count(view->dims);
  if (view->type == graph::ElementType::kFloat) out.floats.assign(view->floats, view->floats + n);
  if (view->type == graph::ElementType::kInt) out.ints.assign(view->ints, view->ints + n);
  return out;
}

std::optional<std::vector<int64_t>> GraphShapes::known_ints(const std::string& value) const {
  if (!is_static(value) || type(value) != graph::ElementType::kInt) return std::nullopt;
  const auto array = graph_.arrays.find(value);
  if (array != graph_.arrays.end()) return array->second.ints;
  const graph::Plan::View *a = first_->find(value), *b = second_->find(value);
  if (a == nullptr || b == nullptr || a->dims != b->dims) return std::nullopt;
  const int64_t n = graph::count(a->dims);
  if (!std::equal(a->ints, a->ints + n, b->ints)) return std::nullopt;
  return std::vector<int64_t>(a->ints, a->ints + n);
}

size_t GraphShapes::branch(const graph::Node& node) const {
  const auto condition = known_ints(node.inputs.at(0));
  if (condition && condition->size() == 1) return condition->front() != 0 ? 0 : 1;
  const graph::Plan::View* view = first_->find(node.inputs.at(0));
  return view != nullptr && view->ints[0] != 0 ? 0 : 1;
}

}  // namespace longhand::exporters
