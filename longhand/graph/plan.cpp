#include "longhand/graph/plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/graph/broadcast.h"
#include "longhand/graph/node_types.h"
#include "longhand/graph/plan_parts.h"

namespace longhand::graph {
namespace {

Plan::View view_of(const std::string& name, const Value& value) {
  return {name, value.type, value.dims, value.floats, value.ints};
}

// "*x576x4" of [*, *, 4]: the first open extent may stay so.
std::string example_extents(const Dims& dims) {
  std::string out;
  bool stays = dims.size() > 1;
  for (const int64_t extent : dims) {
    if (!out.empty()) out += 'x';
    out += extent >= 0 ? std::to_string(extent) : stays ? "*" : "576";
    stays = stays && extent >= 0;
  }
  return out;
}

// Returns the initial values of a state. Values for one sequence are repeated for the whole batch.
std::vector<float> initial_values(const Value& initial, const Value& state) {
  if (initial.size == state.size) return {initial.floats, initial.floats + initial.size};
  std::vector<float> out;
  BroadcastLoop(initial.dims, initial.dims, state.dims)
      .for_rows([&](int64_t n, int64_t from, int64_t stride, int64_t, int64_t, int64_t) {
        for (int64_t i = 0; i < n; ++i) out.push_back(initial.floats[from + i * stride]);
      });
  return out;
}

}  // namespace

Network::Network(Graph graph, std::string where) : graph_(std::move(graph)), where_(std::move(where)) {
  check(graph_, where_);
}

// Memory for a value, zero at first.
Value& Plan::Parts::add_value(ElementType type, const Dims& dims, const std::string& owner) {
  const int64_t size = count(dims);
  elements += std::max<int64_t>(size, 0);
  if (size < 0 || elements > options.most_elements) {
    throw input_error(fmt::format("{}: {}: expected at most {} elements in all values, found more, with one of {}",
                                  network->where(), owner, options.most_elements, shown(dims)),
                      "run shorter sequences, or smaller batches");
  }
  Value& value = values.emplace_back();
  value.type = type;
  value.dims = dims;
  value.size = size;
  if (type == ElementType::kFloat) {
    value.floats = floats.emplace_back(std::max<int64_t>(size, 1)).data();
  } else {
    value.ints = ints.emplace_back(std::max<int64_t>(size, 1)).data();
  }
  return value;
}

// A value that was made before, or a trained array.
const Value* Plan::Parts::find(const std::string& name) {
  if (const auto found = names.find(name); found != names.end()) return found->second;
  const auto array = network->graph().arrays.find(name);
  if (array == network->graph().arrays.end()) return nullptr;
  Value& value = values.emplace_back();
  value.type = array->second.type;
  value.dims = array->second.dims;
  value.size = count(value.dims);
  value.constant = true;
  // No step writes what is constant.
  value.floats = const_cast<float*>(array->second.floats.data());
  value.ints = const_cast<int64_t*>(array->second.ints.data());
  names[name] = &value;
  return &value;
}

void Plan::Parts::add_inputs() {
  const auto add = [&](const Port& port) -> const Value& {
    Dims dims = port.dims;
    if (const auto given = options.dims.find(port.name); given != options.dims.end()) {
      bool fits = dims.size() == given->second.size();
      for (size_t axis = 0; fits && axis < dims.size(); ++axis) {
        fits = dims[axis] < 0 || dims[axis] == given->second[axis];
      }
      if (!fits) {
        throw input_error(fmt::format("{}: input '{}': expected {}, found {}", network->where(), port.name,
                                      shown(port.dims), shown(given->second)),
                          "give an array of that shape");
      }
      dims = given->second;
    }
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      if (dims[axis] >= 0) continue;
      if (static_cast<int>(axis) == port.batch_axis) dims[axis] = options.batch;
      if (static_cast<int>(axis) == port.time_axis) dims[axis] = options.steps;
      if (dims[axis] >= 0) continue;
      throw input_error(fmt::format("{}: input '{}': expected its shape to be known, found {}", network->where(),
                                    port.name, shown(port.dims)),
                        fmt::format("give its extents with `dims`, such as '{}={}', where * stays open", port.name,
                                    example_extents(port.dims)));
    }
    const Value& value = add_value(port.type, dims, "input '" + port.name + "'");
    names[port.name] = &value;
    return value;
  };
  for (const Port& port : network->graph().inputs) inputs.push_back(view_of(port.name, add(port)));
  for (const Port& port : network->graph().state_inputs) add(port);
}

// A state's new value is copied to where the next run reads it, after all else.
void Plan::Parts::add_states() {
  std::vector<std::pair<const Value*, const Value*>> moves;  // to, from
  for (const State& state : network->graph().states) {
    const Value* to = find(state.input);
    const Value* from = find(state.output);
    LONGHAND_CHECK(to != nullptr);
    const std::string who = fmt::format("{}: state '{}'", network->where(), state.input);
    if (from == nullptr || from->size != to->size || from->type != to->type || to->type != ElementType::kFloat) {
      throw input_error(fmt::format("{}: expected an output '{}' of floats, {}, found {}", who, state.output,
                                    shown(to->dims), from == nullptr ? "none" : shown(from->dims)),
                        "correct the pair of input and output");
    }
    StateSlot slot{state.input, to->floats, 1, to->size, to->size, {}};
    if (!state.initial.empty()) {
      const Value* initial = find(state.initial);
      const bool known = initial != nullptr && initial->constant && initial->type == to->type;
      if (!known || (initial->size != to->size && broadcast(initial->dims, to->dims) != to->dims)) {
        throw input_error(fmt::format("{}: expected initial values of {}", who, shown(to->dims)),
                          "give as many numbers");
      }
      slot.initial = initial_values(*initial, *to);
    }
    states.push_back(std::move(slot));
    moves.emplace_back(to, from);
  }
  // An output may be another state's input itself: all are read before one is written.
  int64_t size = 0;
  for (const auto& [to, from] : moves) size += to->size;
  if (moves.empty()) return;
  float* copy = floats.emplace_back(std::max<int64_t>(size, 1)).data();
  steps.emplace_back([moves, copy] {
    float* at = copy;
    for (const auto& [to, from] : moves) at = std::copy_n(from->floats, from->size, at);
    const float* back = copy;
    for (const auto& [to, from] : moves) {
      std::copy_n(back, to->size, to->floats);
      back += to->size;
    }
  });
}

void Plan::Parts::add_outputs() {
  for (const Port& port : network->graph().outputs) {
    const Value* value = find(port.name);
    if (value == nullptr) {
      throw input_error(fmt::format("{}: expected an output '{}', found none", network->where(), port.name),
                        "correct the network's outputs");
    }
    // One that is a state's input, or that in another shape, is copied before the new state takes its place.
    const bool is_state = std::any_of(
        network->graph().states.begin(), network->graph().states.end(),
        [&](const State& state) { return value->floats != nullptr && value->floats == find(state.input)->floats; });
    if (is_state) {
      Value& copy = add_value(value->type, value->dims, "output '" + port.name + "'");
      steps.emplace_back([value, &copy] { std::copy_n(value->floats, value->size, copy.floats); });
      value = &copy;
    }
    outputs.push_back(view_of(port.name, *value));
  }
  if (forgets && why_whole.empty() && network->graph().states.empty()) {
    for (const Port& port : network->graph().inputs) {
      if (port.time_axis < 0) continue;
      why_whole = "its layers begin anew in each run, since their states are not among its inputs and outputs";
    }
  }
}

void Plan::Parts::plan_nodes(const std::vector<Node>& nodes) {
  for (const Node& node : nodes) plan_node(node);
}

// What is made of constants alone is computed here, once.
void Plan::Parts::plan_node(const Node& node) {
  const NodeType* type = find_node_type(node.type);
  LONGHAND_CHECK(type != nullptr && depth < 8);
  const size_t first = steps.size(), state_count = states.size();
  NodeBuild build(node, *this);
  ++depth;
  type->build(build);
  --depth;
  // What a branch makes was looked at where the branch's nodes were planned.
  bool constant = states.size() == state_count && !node.inputs.empty() && node.branches.empty();
  for (size_t i = 0; i < node.inputs.size(); ++i) constant = constant && (!build.has(i) || build.in(i).constant);
  if (constant) {
    const FlushDenormals flush;
    fault = nullptr;
    run_steps(first);
    if (fault != nullptr) build.fail(fault);
    steps.resize(first);
  }
  for (const std::string& output : node.outputs) {
    const auto found = names.find(output);
    if (found == names.end()) continue;
    if (constant) const_cast<Value*>(found->second)->constant = true;
  }
}

void Plan::Parts::run_steps(size_t from) noexcept {
  for (size_t i = from; i < steps.size() && fault == nullptr; ++i) steps[i]();
}

Plan::Plan(std::shared_ptr<const Network> network, const PlanOptions& options)
    : parts_(std::make_unique<Parts>(std::move(network), options)) {
  Parts& p = *parts_;
  LONGHAND_CHECK(options.batch >= 1 && options.steps >= 0);
  p.add_inputs();
  p.plan_nodes(p.network->graph().nodes);
  p.add_outputs();
  p.add_states();
  for (const auto& [name, value] : p.names) p.views.emplace(name, view_of(name, *value));
  reset();
  // Kernels take their scratch memory in their first call.
  run();
  p.fault = nullptr;
  reset();
}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

const std::vector<Plan::View>& Plan::inputs() const { return parts_->inputs; }
const std::vector<Plan::View>& Plan::outputs() const { return parts_->outputs; }
const std::string& Plan::why_whole() const { return parts_->why_whole; }

bool Plan::run() noexcept {
  const FlushDenormals flush;
  parts_->fault = nullptr;
  parts_->run_steps(0);
  return parts_->fault == nullptr;
}

std::string Plan::fault() const {
  if (parts_->fault == nullptr) return "";
  return fmt::format("{}: {}: {}", parts_->network->where(), *parts_->fault_node, parts_->fault);
}

void Plan::reset() noexcept {
  for (const StateSlot& slot : parts_->states) {
    for (int64_t row = 0; row < slot.rows; ++row) {
      float* to = slot.data + row * slot.stride;
      const auto own = static_cast<int64_t>(slot.initial.size()) > slot.width ? row * slot.width : 0;
      slot.initial.empty() ? (void)std::fill_n(to, slot.width, 0.0F)
                           : (void)std::copy_n(slot.initial.data() + own, slot.width, to);
    }
  }
}

int64_t Plan::state_size() const {
  int64_t size = 0;
  for (const StateSlot& slot : parts_->states) size += slot.width;
  return size;
}

void Plan::get_state(int64_t row, float* to) const noexcept {
  for (const StateSlot& slot : parts_->states) {
    to = std::copy_n(slot.data + std::min(row, slot.rows - 1) * slot.stride, slot.width, to);
  }
}

void Plan::set_state(int64_t row, const float* from) noexcept {
  for (const StateSlot& slot : parts_->states) {
    std::copy_n(from, slot.width, slot.data + std::min(row, slot.rows - 1) * slot.stride);
    from += slot.width;
  }
}

std::vector<std::pair<std::string, int64_t>> Plan::state_parts() const {
  std::vector<std::pair<std::string, int64_t>> out;
  for (const StateSlot& slot : parts_->states) out.emplace_back(slot.name, slot.width);
  return out;
}

const Plan::View* Plan::find(const std::string& value) const {
  const auto found = parts_->views.find(value);
  return found == parts_->views.end() ? nullptr : &found->second;
}

}  // namespace longhand::graph
