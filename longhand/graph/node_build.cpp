#include "longhand/graph/node_build.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "longhand/base/utf8.h"
#include "longhand/graph/plan_parts.h"
#include "longhand/kernels/linear.h"
#include "longhand/kernels/lstm_step.h"

namespace longhand::graph {

const PlanOptions& NodeBuild::options() const { return plan_.options; }
kernels::Context& NodeBuild::context() const { return plan_.context; }
const Network& NodeBuild::network() const { return *plan_.network; }
const Value* NodeBuild::find(const std::string& value) const { return plan_.find(value); }
void NodeBuild::inline_nodes(const std::vector<Node>& nodes) { plan_.plan_nodes(nodes); }

std::vector<std::function<void()>> NodeBuild::body_steps(const std::vector<Node>& nodes) {
  const auto first = static_cast<std::ptrdiff_t>(plan_.steps.size());
  plan_.plan_nodes(nodes);
  std::vector<std::function<void()>> out(std::make_move_iterator(plan_.steps.begin() + first),
                                         std::make_move_iterator(plan_.steps.end()));
  plan_.steps.resize(static_cast<size_t>(first));
  return out;
}

const Value& NodeBuild::define(const std::string& name, ElementType type, const Dims& dims) {
  const Value& value = plan_.add_value(type, dims, fmt::format("node '{}' ({})", visible(node_.name), node_.type));
  if (!name.empty()) plan_.names[name] = &value;
  return value;
}

std::function<bool()> NodeBuild::failed() const {
  return [&plan = plan_] { return plan.fault != nullptr; };
}

void NodeBuild::keep_any(std::shared_ptr<const void> thing) { plan_.kept.push_back(std::move(thing)); }
void NodeBuild::add_state(StateSlot slot) { plan_.states.push_back(std::move(slot)); }
void NodeBuild::forgets_between_runs() { plan_.forgets = true; }

void NodeBuild::fail(const std::string& problem, const std::string& advice) const {
  throw input_error(fmt::format("{}: node '{}' ({}): {}", network().where(), visible(node_.name), node_.type, problem),
                    advice.empty() ? "correct the network; `longhand info` shows its nodes" : advice);
}

void NodeBuild::needs_whole(const std::string& why) {
  if (plan_.why_whole.empty()) plan_.why_whole = fmt::format("its layer '{}' {}", node_.name, why);
}

const Value& NodeBuild::in(size_t input) const {
  if (!has(input)) fail(fmt::format("expected an input {}, found none", input + 1));
  const Value* value = plan_.find(node_.inputs[input]);
  if (value == nullptr) fail(fmt::format("expected a value '{}', found none", visible(node_.inputs[input])));
  return *value;
}

const Value& NodeBuild::floats(size_t input) const {
  const Value& value = in(input);
  if (value.type != ElementType::kFloat) fail(fmt::format("input {}: expected floats, found integers", input + 1));
  return value;
}

const Value& NodeBuild::ints(size_t input) const {
  const Value& value = in(input);
  if (value.type != ElementType::kInt) fail(fmt::format("input {}: expected integers, found floats", input + 1));
  return value;
}

std::vector<int64_t> NodeBuild::constant_ints(size_t input) const {
  const Value& value = ints(input);
  if (!value.constant) {
    fail(fmt::format("input {} ('{}'): expected numbers that are known before the run, found computed ones", input + 1,
                     visible(node_.inputs[input])),
         "only models whose shapes follow from those of their inputs can be run");
  }
  return {value.ints, value.ints + value.size};
}

float NodeBuild::constant_number(size_t input, float otherwise) const {
  if (!has(input)) return otherwise;
  const Value& value = floats(input);
  if (!value.constant || value.size != 1) {
    fail(fmt::format("input {}: expected one number that is known before the run", input + 1));
  }
  return value.floats[0];
}

const Array& NodeBuild::weight(const std::string& role, const Dims& dims) const {
  const auto named = node_.weights.find(role);
  if (named == node_.weights.end()) fail(fmt::format("expected a weight '{}', found none", role));
  const auto found = network().graph().arrays.find(named->second);
  LONGHAND_CHECK(found != network().graph().arrays.end());
  const Array& array = found->second;
  bool fits = array.type == ElementType::kFloat && array.dims.size() == dims.size();
  for (size_t axis = 0; fits && axis < dims.size(); ++axis) fits = dims[axis] < 0 || dims[axis] == array.dims[axis];
  if (!fits) {
    fail(fmt::format("{} '{}': expected floats {}, found {}s {}", role, visible(named->second), shown(dims),
                     name_of(array.type), shown(array.dims)));
  }
  return array;
}

const float* NodeBuild::optional_weight(const std::string& role, const Dims& dims) const {
  return has_weight(role) ? weight(role, dims).floats.data() : nullptr;
}

int64_t NodeBuild::integer(const std::string& name, int64_t otherwise) const {
  const auto found = node_.attributes.find(name);
  if (found == node_.attributes.end()) return otherwise;
  const auto* value = std::get_if<int64_t>(&found->second);
  if (value == nullptr) fail(fmt::format("attribute '{}': expected an integer", name));
  return *value;
}

double NodeBuild::number(const std::string& name, double otherwise) const {
  const auto found = node_.attributes.find(name);
  if (found == node_.attributes.end()) return otherwise;
  if (const auto* whole = std::get_if<int64_t>(&found->second)) return static_cast<double>(*whole);
  const auto* value = std::get_if<double>(&found->second);
  if (value == nullptr || !std::isfinite(*value)) fail(fmt::format("attribute '{}': expected a finite number", name));
  return *value;
}

std::string NodeBuild::text(const std::string& name, const std::string& otherwise) const {
  const auto found = node_.attributes.find(name);
  if (found == node_.attributes.end()) return otherwise;
  const auto* value = std::get_if<std::string>(&found->second);
  if (value == nullptr) fail(fmt::format("attribute '{}': expected a text", name));
  return *value;
}

std::vector<int64_t> NodeBuild::integers(const std::string& name, const std::vector<int64_t>& otherwise) const {
  const auto found = node_.attributes.find(name);
  if (found == node_.attributes.end()) return otherwise;
  if (const auto* one = std::get_if<int64_t>(&found->second)) return {*one};
  const auto* value = std::get_if<std::vector<int64_t>>(&found->second);
  if (value == nullptr) fail(fmt::format("attribute '{}': expected a list of integers", name));
  return *value;
}

std::vector<double> NodeBuild::numbers(const std::string& name) const {
  const auto found = node_.attributes.find(name);
  if (found == node_.attributes.end()) return {};
  if (const auto* one = std::get_if<double>(&found->second)) return {*one};
  if (const auto* value = std::get_if<std::vector<double>>(&found->second)) return *value;
  const std::vector<int64_t> whole = integers(name, {});
  return {whole.begin(), whole.end()};
}

std::string NodeBuild::choice(const std::string& name, const std::string& otherwise,
                              const std::vector<std::string>& choices) const {
  const std::string value = text(name, otherwise);
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    fail(fmt::format("attribute '{}': expected one of {}, found '{}'", name, fmt::join(choices, ", "), visible(value)));
  }
  return value;
}

std::vector<std::string> NodeBuild::texts(const std::string& name) const {
  const auto found = node_.attributes.find(name);
  if (found == node_.attributes.end()) return {};
  const auto* value = std::get_if<std::vector<std::string>>(&found->second);
  if (value == nullptr) fail(fmt::format("attribute '{}': expected a list of texts", name));
  return *value;
}

bool NodeBuild::is_trained(size_t input) const {
  return has(input) && network().graph().arrays.contains(node_.inputs[input]);
}

int64_t NodeBuild::axis(int64_t given, int64_t rank) const {
  const int64_t out = given < 0 ? given + rank : given;
  if (out < 0 || out >= rank) fail(fmt::format("expected an axis of {}, found {}", rank, given));
  return out;
}

int64_t NodeBuild::in_range(const std::string& what, int64_t value, int64_t least, int64_t most) const {
  if (value < least || value > most) fail(fmt::format("{}: expected {} to {}, found {}", what, least, most, value));
  return value;
}

Value& NodeBuild::out(size_t output, ElementType type, const Dims& dims) {
  Value& value = plan_.add_value(type, dims, fmt::format("node '{}' ({})", visible(node_.name), node_.type));
  if (wants(output)) plan_.names[node_.outputs[output]] = &value;
  return value;
}

Value& NodeBuild::alias(size_t output, const Value& of, const Dims& dims) {
  if (count(dims) != of.size) fail(fmt::format("expected {} elements, found {}", of.size, shown(dims)));
  Value& value = plan_.values.emplace_back(of);
  value.dims = dims;
  if (dims != of.dims) value.symbols = nullptr;
  if (wants(output)) plan_.names[node_.outputs[output]] = &value;
  return value;
}

void NodeBuild::step(std::function<void()> work) { plan_.steps.push_back(std::move(work)); }

std::function<void(const char*)> NodeBuild::fault() {
  const std::string* who = &make<std::string>(fmt::format("node '{}' ({})", visible(node_.name), node_.type));
  return [plan = &plan_, who](const char* what) {
    plan->fault = what;
    plan->fault_node = who;
  };
}

Buffer<float>& NodeBuild::floats_memory(int64_t size) {
  plan_.elements += size;
  if (size < 0 || plan_.elements > plan_.options.most_elements) {
    fail(fmt::format("expected at most {} elements in all values, found more", plan_.options.most_elements),
         "run shorter sequences, or smaller batches");
  }
  return plan_.floats.emplace_back(std::max<int64_t>(size, 1));
}

Buffer<int32_t>& NodeBuild::ints_memory(int64_t size) {
  if (size < 0 || size > plan_.options.most_elements) fail("expected fewer elements");
  return plan_.small_ints.emplace_back(std::max<int64_t>(size, 1));
}

struct Dense::Packed {
  kernels::PackedLinearStep step;
  kernels::PackedLinear rows;
  Buffer<float> bias;
  int64_t outputs = 0, inputs = 0;
};

Dense::Dense(NodeBuild& node, const std::string& key, int64_t outputs, int64_t inputs, int64_t rows,
             const std::function<std::vector<float>()>& make_w, const float* bias)
    : context_(&node.context()), steps_(rows <= 16) {
  const auto pack = [&] {
    auto packed = std::make_shared<Packed>();
    const std::vector<float> w = make_w();
    LONGHAND_CHECK(static_cast<int64_t>(w.size()) == outputs * inputs);
    packed->outputs = outputs;
    packed->inputs = inputs;
    if (steps_) {
      kernels::pack_linear_step(w.data(), bias, outputs, inputs, kernels::WeightType::kFloat, packed->step);
      return packed;
    }
    kernels::pack_linear(w.data(), outputs, inputs, false, packed->rows, node.context());
    packed->bias.resize(outputs);
    if (bias != nullptr) std::copy_n(bias, outputs, packed->bias.data());
    return packed;
  };
  packed_ = key.empty() ? &node.keep(pack()) : &node.shared<Packed>(key + (steps_ ? "/steps" : "/rows"), pack);
}

void Dense::run(int64_t rows, const float* x, int64_t x_stride, float* y, int64_t y_stride) const {
  if (rows == 0) return;
  if (steps_) return kernels::linear_step(packed_->step, rows, x, x_stride, y, y_stride);
  kernels::linear_forward({.inputs = packed_->inputs,
                           .outputs = packed_->outputs,
                           .n = rows,
                           .x = x,
                           .x_stride = x_stride,
                           .bias = packed_->bias.data(),
                           .y = y,
                           .y_stride = y_stride},
                          packed_->rows, *context_);
}

}  // namespace longhand::graph
