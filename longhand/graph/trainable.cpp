#include "longhand/graph/trainable.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/graph/general_cells.h"
#include "longhand/graph/plan_parts.h"
#include "longhand/graph/recurrent_layers.h"
#include "longhand/graph/training_build.h"

namespace longhand::graph {
namespace {

bool is_recurrent_layer(const Node& node) { return node.type == "lstm" || node.type == "gru" || node.type == "rnn"; }

// Plans the shapes for one sequence, with few time steps: tries 1, 4, 16, ... until the network accepts them.
std::unique_ptr<Plan::Parts> shapes_of(const std::shared_ptr<const Network>& network) {
  constexpr int64_t kMostTried = 1 << 16;
  std::optional<Error> first;
  for (int64_t steps = 1; steps <= kMostTried; steps *= 4) {
    try {
      auto out = std::make_unique<Plan::Parts>(network, PlanOptions{.steps = steps});
      out->add_inputs();
      out->plan_nodes(network->graph().nodes);
      return out;
    } catch (const Error& e) {
      if (!first) first = e;
    }
  }
  throw Error(*first);
}

}  // namespace

bool is_constant_role(const std::string& role) {
  return role == "running_mean" || role == "running_var" || role == "scale" || role == "shift";
}

TrainableNetwork::TrainableNetwork(Graph graph, std::string where, bool logits)
    : network_(std::make_shared<const Network>(std::move(graph), std::move(where))) {
  find_output(logits);
  find_nodes();
  shapes_ = shapes_of(network_);
  parts_.resize(this->graph().nodes.size());
  for (const size_t i : nodes_) {
    check_node(i);
    is_recurrent_layer(node(i)) ? declare_stack(i) : declare_arrays(i);
  }
  const Value* out = shapes_->find(output_);
  LONGHAND_CHECK(out != nullptr);
  if (out->type != ElementType::kFloat || out->rank() < 2 || out->rank() > 3) {
    throw input_error(fmt::format("{}: output '{}': expected a row of numbers for each step, or one for a sequence, "
                                  "found {}",
                                  this->where(), visible(output_), shown(out->dims)),
                      "add a `flatten` or `pool` layer");
  }
  outputs_ = out->last();
  answers_once_ = out->rank() == 2;
  if (arena_.parameters().empty()) {
    throw input_error(this->where() + ": expected layers with weights, found none", "add a layer to train");
  }
  arena_.allocate();
  fill();
}

TrainableNetwork::~TrainableNetwork() = default;

const std::string& TrainableNetwork::why_whole() const { return shapes_->why_whole; }

void TrainableNetwork::find_output(bool logits) {
  const Graph& g = graph();
  if (!g.states.empty() || !g.state_inputs.empty()) {
    throw input_error(where() + ": expected layers over sequences, found a graph of arrays with states of its own",
                      "networks from a TOML description, PyTorch or Keras can be trained; import from one of these");
  }
  if (g.outputs.size() != 1) {
    throw input_error(fmt::format("{}: expected one output to train, found {}", where(), g.outputs.size()),
                      "leave one in `outputs` of the description");
  }
  output_ = g.outputs.front().name;
  if (!logits) return;
  for (const Node& node : g.nodes) {
    const bool softmax = node.type == "softmax" || node.type == "log-softmax";
    if (softmax && !node.outputs.empty() && node.outputs.front() == output_) {
      output_ = node.inputs.front();
      return;
    }
  }
}

void TrainableNetwork::find_nodes() {
  std::set<std::string> wanted = {output_};
  for (size_t i = graph().nodes.size(); i-- > 0;) {
    const Node& each = node(i);
    const bool used = std::any_of(each.outputs.begin(), each.outputs.end(),
                                  [&](const std::string& name) { return wanted.contains(name); });
    if (!used) continue;
    nodes_.push_back(i);
    wanted.insert(each.inputs.begin(), each.inputs.end());
  }
  std::reverse(nodes_.begin(), nodes_.end());
}

void TrainableNetwork::check_node(size_t i) const {
  const Node& each = node(i);
  const NodeBuild described(each, *shapes_);
  if (find_trainable_type(each.type) == nullptr) {
    described.fail("cannot be trained", fmt::format("`longhand run` runs it; layers that can be trained are {}",
                                                    listed(trainable_types(), 99)));
  }
  if (each.outputs.size() != 1 || !each.branches.empty()) {
    described.fail("expected one output to train, found " + std::to_string(each.outputs.size()),
                   "leave its states out");
  }
  for (const std::string& input : each.inputs) {
    const Value* value = shapes_->find(input);
    if (value == nullptr || graph().arrays.contains(input)) {
      described.fail("expected outputs of layers, found the trained array '" + visible(input) + "' as an input",
                     "networks from a TOML description, PyTorch or Keras can be trained; import from one of these");
    }
  }
}

void TrainableNetwork::declare_stack(size_t i) {
  NodeBuild described(node(i), *shapes_);
  if (node(i).inputs.size() > 1) {
    described.fail("cannot be trained with a mask or states as inputs", "leave them out");
  }
  const int64_t directions = described.integer("bidirectional", 0) != 0 ? 2 : 1;
  if (read_general_cells(described, node(i).type, directions)) {
    described.fail("its cell cannot be trained",
                   "use the cells of lstm, gru and rnn with their usual activations, and `reset_after`");
  }
  const Value* x = shapes_->find(node(i).inputs.front());
  RecurrentOptions options = read_recurrent(described, *x, node(i).type);
  const auto makes_symbols = [&](const Node& each) {
    return each.type == "one-hot" && each.outputs.front() == node(i).inputs.front();
  };
  options.one_hot = options.one_hot && std::any_of(graph().nodes.begin(), graph().nodes.end(), makes_symbols);
  options.lstm.train_initial_state = described.has_weight("h_0_l0");
  if (described.has_weight("bias_hh_l0") && !described.has_weight("bias_ih_l0")) {
    described.fail("expected bias_ih where there is bias_hh, found none", "give it as zeros");
  }
  Part& part = parts_[i];
  const size_t first = arena_.parameters().size();
  nn::LstmStackOptions stack;
  stack.lstm = options.lstm;
  stack.inputs = options.inputs;
  stack.one_hot = options.one_hot;
  stack.prefix = "layers." + node(i).name + ".";
  part.stack = std::make_unique<nn::LstmStack>(stack, arena_);
  for (size_t p = first; p < arena_.parameters().size(); ++p) {
    const std::string& name = arena_.parameters()[p].name;
    const std::string role = name.substr(name.rfind('.') + 1);
    part.parameters[role] = p;
    if (!node(i).weights.contains(role)) {
      part.constants.push_back(p);
    } else if (!of_array_.emplace(node(i).weights.at(role), p).second) {
      described.fail("cannot be trained: it shares its weights with another layer", "give each layer its own");
    }
  }
}

void TrainableNetwork::declare_arrays(size_t i) {
  for (const auto& [role, name] : node(i).weights) {
    if (is_constant_role(role)) continue;
    const Array& array = graph().arrays.at(name);
    const auto known = of_array_.find(name);
    if (known != of_array_.end()) {  // shared with another node, which declared it
      parts_[i].parameters[role] = known->second;
      continue;
    }
    const size_t index = arena_.declare(fmt::format("layers.{}.{}", node(i).name, role), array.dims, {});
    parts_[i].parameters[role] = index;
    of_array_[name] = index;
  }
}

// Copies the graph's arrays into the arena. Biases bias_ih and bias_hh that are only added become one parameter.
void TrainableNetwork::fill() {
  for (const size_t i : nodes_) {
    for (const auto& [role, index] : parts_[i].parameters) {
      const auto name = node(i).weights.find(role);
      if (name == node(i).weights.end()) continue;
      const Array& from = graph().arrays.at(name->second);
      const Parameter& p = arena_.parameters()[index];
      if (static_cast<int64_t>(from.floats.size()) != p.size) {
        NodeBuild(node(i), *shapes_)
            .fail(fmt::format("{}: expected {}, found {}", role, shown(p.shape), shown(from.dims)));
      }
      std::copy(from.floats.begin(), from.floats.end(), arena_.value(index));
    }
    if (stack(i) == nullptr || stack(i)->options().lstm.kind() == nn::Cell::kGru) continue;
    for (const auto& [role, name] : node(i).weights) {
      if (!role.starts_with("bias_hh")) continue;
      const auto first = parts_[i].parameters.find("bias_ih" + role.substr(7));
      if (first == parts_[i].parameters.end()) continue;
      const Array& second = graph().arrays.at(name);
      for (size_t k = 0; k < second.floats.size(); ++k) arena_.value(first->second)[k] += second.floats[k];
    }
  }
}

int64_t TrainableNetwork::symbols(size_t input) const {
  const Port& port = graph().inputs[input];
  if (port.type != ElementType::kInt) return 0;
  int64_t out = 1 << 24;
  for (const size_t i : nodes_) {
    if (std::find(node(i).inputs.begin(), node(i).inputs.end(), port.name) == node(i).inputs.end()) continue;
    const Value* rows = shapes_->find(node(i).outputs.front());
    const bool table = node(i).type == "embedding";
    out = std::min(out, table ? graph().arrays.at(node(i).weights.at("weight")).dims.front() : rows->last());
  }
  return out;
}

int64_t TrainableNetwork::width(size_t input) const {
  const Port& port = graph().inputs[input];
  if (port.type == ElementType::kInt) return 1;
  const Value* value = shapes_->find(port.name);
  return value->last();
}

int64_t TrainableNetwork::offset(size_t node, const std::string& role) const {
  const auto found = parts_[node].parameters.find(role);
  return found == parts_[node].parameters.end() ? -1 : arena_.parameters()[found->second].offset;
}

Graph TrainableNetwork::with_values(std::span<const float> values) const {
  Graph out = graph();
  for (const size_t i : nodes_) {
    const bool one_bias = stack(i) != nullptr && stack(i)->options().lstm.kind() != nn::Cell::kGru;
    for (const auto& [role, name] : node(i).weights) {
      Array& array = out.arrays.at(name);
      const auto found = parts_[i].parameters.find(role);
      if (found != parts_[i].parameters.end()) {
        const Parameter& p = arena_.parameters()[found->second];
        std::copy_n(values.data() + p.offset, p.size, array.floats.data());
      } else if (one_bias && role.starts_with("bias_hh")) {
        std::fill(array.floats.begin(), array.floats.end(), 0.0F);
      }
    }
  }
  return out;
}

}  // namespace longhand::graph
