#include "longhand/graph/stepper.h"

#include <algorithm>
#include <limits>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/graph/rows_trial.h"

namespace longhand::graph {
namespace {

// Whether the rows of the time steps follow one another in memory.
bool is_by_time(const Dims& single, const Dims& many, int64_t steps) {
  const int axis = changed_axis(single, many);
  const auto at = static_cast<size_t>(axis);
  return axis >= 0 && single[at] == 1 && many[at] == steps && parts_of(many, axis).outer == 1;
}

bool all_by_time(const std::vector<Plan::View>& single, const std::vector<Plan::View>& many, int64_t steps) {
  bool out = true;
  for (size_t i = 0; i < single.size(); ++i) out = out && is_by_time(single[i].dims, many[i].dims, steps);
  return out;
}

StepShape shape_of(const Network& network, const Plan& plan, int64_t steps = 1) {
  StepShape out;
  const Graph& graph = network.graph();
  int64_t ints = 0;
  for (const Plan::View& input : plan.inputs()) {
    (input.type == ElementType::kInt ? ints : out.inputs) += count(input.dims);
  }
  for (const Plan::View& output : plan.outputs()) {
    out.outputs += count(output.dims);
    if (output.type == ElementType::kInt) out.why_no_steps = "its output '" + output.name + "' is not of floats";
  }
  const bool only = plan.inputs().size() == 1 && ints == steps;
  if (only) out.symbols = symbols_of(graph, plan.inputs().front().name);
  if (ints > 0 && out.symbols == 0) out.why_no_steps = "it reads symbols or whole numbers beside other inputs";
  // Where no input has an axis of time, a run is a step, whatever is in it.
  const bool over_time =
      std::any_of(graph.inputs.begin(), graph.inputs.end(), [](const Port& port) { return port.time_axis >= 0; });
  if (out.why_no_steps.empty() && over_time) out.why_no_steps = plan.why_whole();
  return out;
}

// As a sentence; empty where a short sequence in steps gives what it gives as a whole, or where none can be planned.
std::string why_steps_differ(const std::shared_ptr<const Network>& network) {
  const std::vector<Port>& inputs = network->graph().inputs;
  const bool over_time = !inputs.empty() && std::all_of(inputs.begin(), inputs.end(),
                                                        [](const Port& port) { return port.time_axis >= 0; });
  for (const int64_t steps : {6, 4, 2}) {
    const RowsTrial trial = over_time ? try_rows(network, RowsOf::kTime, steps) : RowsTrial();
    if (!trial.ran) continue;
    if (trial.different.empty()) return "";
    return (trial.other_rows ? "it has not one row for each time step in its output '"
                             : "step by step it gives another than for the whole sequence in its output '") +
           visible(trial.different) + "'";
  }
  return "";
}

}  // namespace

int64_t symbols_of(const Graph& graph, const std::string& port) {
  int64_t out = std::numeric_limits<int32_t>::max();
  for (const Node& node : graph.nodes) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != port) continue;
      if (node.type == "embedding") out = std::min(out, graph.arrays.at(node.weights.at("weight")).dims.front());
      const auto classes = node.attributes.find("classes");
      if (node.type == "one-hot" && classes != node.attributes.end()) {
        if (const auto* n = std::get_if<int64_t>(&classes->second)) out = std::min(out, *n);
      }
      const auto depth = node.type == "OneHot" && i == 0 ? graph.arrays.find(node.inputs[1]) : graph.arrays.end();
      if (depth != graph.arrays.end() && depth->second.ints.size() == 1) out = std::min(out, depth->second.ints[0]);
      const auto axis = node.attributes.find("axis");
      const bool of_rows = axis == node.attributes.end() || axis->second == Attribute(int64_t{0});
      const bool looks_up = node.type == "Gather" && i == 1 && of_rows && graph.arrays.contains(node.inputs[0]);
      if (looks_up && !graph.arrays.at(node.inputs[0]).dims.empty()) {
        out = std::min(out, graph.arrays.at(node.inputs[0]).dims.front());
      }
    }
  }
  return out;
}

FewestSteps fewest_steps(const std::shared_ptr<const Network>& network) {
  constexpr int64_t kMost = 4096;
  const int64_t elements = std::max<int64_t>(int64_t{1} << 24, 64 * network->graph().parameters());
  for (int64_t steps = 1;; steps *= 4) {
    try {
      return {steps, Plan(network, {.steps = steps, .most_elements = elements})};
    } catch (const Error&) {
      // The error of single steps is what is wrong, if more of them are of no help.
      if (steps >= kMost) (void)Plan(network, {.most_elements = elements});
    }
  }
}

int64_t steps_at_once(const StepShape& shape, int64_t most) {
  constexpr int64_t kNumbers = int64_t{1} << 22;
  return std::clamp<int64_t>(kNumbers / std::max<int64_t>(shape.inputs + shape.outputs, 1), 1, most);
}

StepShape step_shape(const std::shared_ptr<const Network>& network) {
  const FewestSteps few = fewest_steps(network);
  StepShape out = shape_of(*network, few.plan, few.steps);
  if (few.steps == 1) {
    if (out.why_no_steps.empty()) out.why_no_steps = why_steps_differ(network);
    return out;
  }
  out.inputs /= few.steps;
  out.outputs = 0;
  if (out.why_no_steps.empty()) out.why_no_steps = "it needs several time steps at once";
  return out;
}

Stepper::Stepper(std::shared_ptr<const Network> network, int64_t block, Threads threads) {
  single_.emplace(network, PlanOptions{.threads = threads});
  shape_ = shape_of(*network, *single_);
  LONGHAND_CHECK(shape_.why_no_steps.empty() && block >= 1);
  const Graph& graph = network->graph();
  const bool over_time =
      std::all_of(graph.inputs.begin(), graph.inputs.end(), [](const Port& port) { return port.time_axis >= 0; });
  if (block > 1 && over_time && graph.states.empty()) {
    many_.emplace(network, PlanOptions{.steps = block, .threads = threads});
    const bool fits = all_by_time(single_->inputs(), many_->inputs(), block) &&
                      all_by_time(single_->outputs(), many_->outputs(), block);
    if (!fits) many_.reset();
  }
  block_ = many_ ? block : 1;
  current_ = &*single_;
  state_size_ = single_->state_size();
  moved_.resize(static_cast<size_t>(state_size_));
}

void Stepper::use(Plan& plan) noexcept {
  if (current_ == &plan) return;
  current_->get_state(0, moved_.data());
  plan.set_state(0, moved_.data());
  current_ = &plan;
}

bool Stepper::run(Plan& plan, int64_t steps, const float* x, const int32_t* symbols, float* y) noexcept {
  use(plan);
  int64_t at = 0;
  for (const Plan::View& input : plan.inputs()) {
    if (symbols != nullptr) {
      std::copy_n(symbols, steps, input.ints);
      continue;
    }
    const int64_t own = count(input.dims) / steps;
    for (int64_t t = 0; t < steps; ++t) std::copy_n(x + t * shape_.inputs + at, own, input.floats + t * own);
    at += own;
  }
  if (!plan.run()) return false;
  at = 0;
  for (const Plan::View& output : plan.outputs()) {
    const int64_t own = count(output.dims) / steps;
    for (int64_t t = 0; t < steps; ++t) std::copy_n(output.floats + t * own, own, y + t * shape_.outputs + at);
    at += own;
  }
  return true;
}

template <class X>
int64_t Stepper::process_all(int64_t steps, const X* x, int64_t x_stride, float* y) noexcept {
  int64_t done = 0;
  while (done < steps) {
    const int64_t n = steps - done >= block_ ? block_ : 1;
    const X* from = x + done * x_stride;
    const float* numbers = nullptr;
    const int32_t* symbols = nullptr;
    if constexpr (std::is_same_v<X, float>) numbers = from;
    if constexpr (std::is_same_v<X, int32_t>) symbols = from;
    if (!run(n > 1 ? *many_ : *single_, n, numbers, symbols, y + done * shape_.outputs)) return done;
    done += n;
  }
  return done;
}

int64_t Stepper::process(int64_t steps, const float* x, float* y) noexcept {
  return process_all(steps, x, shape_.inputs, y);
}

int64_t Stepper::process(int64_t steps, const int32_t* symbols, float* y) noexcept {
  int64_t known = 0;
  while (known < steps && symbols[known] >= 0 && symbols[known] < shape_.symbols) ++known;
  return process_all(known, symbols, 1, y);
}

void Stepper::reset() noexcept {
  current_ = &*single_;
  single_->reset();
}
void Stepper::get_state(float* to) const noexcept { current_->get_state(0, to); }
void Stepper::set_state(const float* from) noexcept { current_->set_state(0, from); }

}  // namespace longhand::graph
