#include "longhand/exporters/graph_extents.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/exporters/trial_sizes.h"
#include "longhand/graph/stepper.h"

namespace longhand::exporters {
namespace {

using graph::Dims;
using graph::Plan;
using graph::PlanOptions;
using graph::Port;

constexpr int64_t kTrialBatch = 2, kTrialExtent = 5;

bool has_open_axis(const graph::Graph& graph, int Port::*axis) {
  return std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](const Port& port) {
    return port.*axis >= 0 && port.dims[static_cast<size_t>(port.*axis)] < 0;
  });
}

bool has_other_axes(const graph::Graph& graph) { return !trial_sizes(graph, 1, 1, 1).dims.empty(); }

// Returns the smallest trial number of steps (a power of 4 up to 4096) that can be planned; 0 if there is none.
int64_t fewest_steps_of(const std::shared_ptr<const graph::Network>& network, int64_t batch) {
  for (int64_t steps = 1; steps <= 4096; steps *= 4) {
    try {
      const Plan plan(network, trial_sizes(network->graph(), batch, steps, kTrialExtent));
      return steps;
    } catch (const Error&) {
      if (!has_open_axis(network->graph(), &Port::time_axis)) break;
    }
  }
  return 0;
}

std::unique_ptr<Plan> plan_of(const std::shared_ptr<const graph::Network>& network, const PlanOptions& options) {
  return std::make_unique<Plan>(network, options);
}

}  // namespace

GraphExtents::GraphExtents(const std::shared_ptr<const graph::Network>& network)
    : where_(network->where()),
      has_batch_(has_open_axis(network->graph(), &Port::batch_axis) && fewest_steps_of(network, kTrialBatch) > 0),
      steps_(std::max<int64_t>(fewest_steps_of(network, has_batch_ ? kTrialBatch : 1), 1)),
      base_(network, trial_sizes(network->graph(), has_batch_ ? kTrialBatch : 1, steps_, kTrialExtent)) {
  const graph::Graph& graph = network->graph();
  const int64_t batch = has_batch_ ? kTrialBatch : 1;
  if (has_batch_) batch_ = plan_of(network, trial_sizes(graph, batch + 1, steps_, kTrialExtent));
  // Doubles the steps, so that axes with a stride over time scale exactly.
  if (has_open_axis(graph, &Port::time_axis))
    time_ = plan_of(network, trial_sizes(graph, batch, 2 * steps_, kTrialExtent));
  if (has_other_axes(graph)) other_ = plan_of(network, trial_sizes(graph, batch, steps_, kTrialExtent + 2));
}

const Plan::View& GraphExtents::view(const std::string& value) const {
  const Plan::View* found = base_.find(value);
  if (found == nullptr) {
    throw input_error(fmt::format("{}: expected a value '{}', found none", where_, visible(value)),
                      "the network is damaged");
  }
  return *found;
}

std::vector<const Plan*> GraphExtents::others() const {
  std::vector<const Plan*> out;
  for (const auto* plan : {&batch_, &time_, &other_}) {
    if (*plan) out.push_back(plan->get());
  }
  return out;
}

Dims GraphExtents::dims(const std::string& value) const {
  Dims out = view(value).dims;
  for (const Plan* plan : others()) {
    const Plan::View* other = plan->find(value);
    for (size_t axis = 0; axis < out.size(); ++axis) {
      if (other != nullptr && axis < other->dims.size() && other->dims[axis] != view(value).dims[axis]) out[axis] = -1;
    }
  }
  return out;
}

std::vector<GraphExtents::Axis> GraphExtents::axes(const std::string& value) const {
  const Dims& base = view(value).dims;
  std::vector<Axis> out(base.size(), Axis::kFixed);
  const auto mark = [&](const std::unique_ptr<Plan>& plan, Axis kind, int64_t before, int64_t after) {
    const Plan::View* other = plan ? plan->find(value) : nullptr;
    for (size_t axis = 0; other != nullptr && axis < base.size() && axis < other->dims.size(); ++axis) {
      if (other->dims[axis] == base[axis]) continue;
      const bool exact = base[axis] == before && other->dims[axis] == after && out[axis] == Axis::kFixed;
      out[axis] = exact ? kind : Axis::kOther;
    }
  };
  mark(batch_, Axis::kBatch, kTrialBatch, kTrialBatch + 1);
  mark(time_, Axis::kTime, steps_, 2 * steps_);
  mark(other_, Axis::kOther, kTrialExtent, kTrialExtent + 2);
  return out;
}

std::vector<int64_t> GraphExtents::known_ints(const std::string& value, const std::string& who) const {
  const Plan::View& base = view(value);
  const int64_t n = graph::count(base.dims);
  bool same = base.type == graph::ElementType::kInt;
  for (const Plan* plan : others()) {
    const Plan::View* other = plan->find(value);
    same = same && other != nullptr && other->dims == base.dims && std::equal(base.ints, base.ints + n, other->ints);
  }
  if (!same) {
    throw input_error(
        fmt::format("{}: {}: expected '{}' to be the same for all sizes of the inputs", where_, who, visible(value)),
        "fix the shapes of the inputs when the model is imported (--dims)");
  }
  return {base.ints, base.ints + n};
}

}  // namespace longhand::exporters
