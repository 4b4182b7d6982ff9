#include "longhand/convert/network_builder.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/graph/stepper.h"

namespace longhand::convert {
namespace {

struct ActivationRow {
  const char* given;
  const char* type;
};

// As Keras, PyTorch and RTNeural call them.
constexpr ActivationRow kActivations[] = {
    {"relu", "relu"},
    {"tanh", "tanh"},
    {"sigmoid", "sigmoid"},
    {"softmax", "softmax"},
    {"elu", "elu"},
    {"selu", "selu"},
    {"softplus", "softplus"},
    {"softsign", "softsign"},
    {"swish", "silu"},
    {"silu", "silu"},
    {"exponential", "exp"},
    {"mish", "mish"},
    {"log_softmax", "log-softmax"},
};

}  // namespace

NetworkBuilder::NetworkBuilder(std::string file) : file_(std::move(file)) { out_.graph.source = file_; }

void NetworkBuilder::fail(const std::string& problem, const std::string& advice) const {
  throw input_error(file_ + ": " + problem, advice);
}

std::string NetworkBuilder::unique(const std::string& name) {
  const int count = ++names_[name];
  return count == 1 ? name : unique(fmt::format("{}_{}", name, count));
}

std::string NetworkBuilder::input(const std::string& name, int64_t size, int64_t steps) {
  const std::string out = unique(name);
  if (steps > 0) steps_[out] = steps;
  out_.graph.inputs.push_back({.name = out, .dims = {-1, -1, size}, .batch_axis = 0, .time_axis = 1});
  return out;
}

std::string NetworkBuilder::input(const std::string& name, const graph::Dims& of_step, int64_t steps) {
  const std::string out = input(name, of_step.back(), steps);
  graph::Dims& dims = out_.graph.inputs.back().dims;
  dims = {-1, -1};
  dims.insert(dims.end(), of_step.begin(), of_step.end());
  return out;
}

std::string NetworkBuilder::rows(const std::string& name, int64_t size) {
  const std::string out = unique(name);
  out_.graph.inputs.push_back({.name = out, .dims = {-1, size}, .batch_axis = 0});
  return out;
}

void NetworkBuilder::fix_steps() {
  fixed_ = true;
  for (graph::Port& port : out_.graph.inputs) {
    const auto steps = steps_.find(port.name);
    if (port.time_axis < 0 || steps == steps_.end()) continue;
    port.dims[static_cast<size_t>(port.time_axis)] = steps->second;
    port.time_axis = -1;
  }
}

// A run is a whole sequence then.
void NetworkBuilder::begin_runs_anew() {
  for (graph::Node& node : out_.graph.nodes) {
    const bool recurrent = node.type == "lstm" || node.type == "gru" || node.type == "rnn";
    if (recurrent && !stateful_.contains(node.name)) node.attributes["carry"] = int64_t{0};
    const auto padding = node.attributes.find("padding");
    if (node.type != "conv1d" || padding == node.attributes.end() || padding->second != graph::Attribute("causal")) {
      continue;
    }
    const auto dilation = node.attributes.find("dilation");
    const int64_t width = out_.graph.arrays.at(node.weights.at("weight")).dims.at(2);
    const int64_t left = (width - 1) * (dilation == node.attributes.end() ? 1 : std::get<int64_t>(dilation->second));
    padding->second = std::vector<int64_t>{left, 0};
  }
}

std::string NetworkBuilder::symbols(const std::string& name, int64_t steps) {
  const std::string out = unique(name);
  if (steps > 0) steps_[out] = steps;
  out_.graph.inputs.push_back(
      {.name = out, .type = graph::ElementType::kInt, .dims = {-1, -1}, .batch_axis = 0, .time_axis = 1});
  return out;
}

std::string NetworkBuilder::array(const std::string& name, graph::Array array) { return store(name, std::move(array)); }

// Where its owner has an array of that name already, this is the same one again.
std::string NetworkBuilder::store(const std::string& name, graph::Array array) {
  std::string* known = owner_.empty() ? nullptr : &owned_[{owner_, fmt::format("{} {}", name, seen_[name]++)}];
  if (known != nullptr && !known->empty()) return *known;
  const std::string out = unique(name);
  out_.graph.arrays[out] = std::move(array);
  if (known != nullptr) *known = out;
  return out;
}

std::string NetworkBuilder::add(const std::string& type, const std::string& name, std::vector<std::string> inputs,
                                Attributes attributes, Weights weights) {
  graph::Node node{.type = type, .name = unique(name), .inputs = std::move(inputs), .outputs = {}};
  node.outputs = {node.name};
  node.attributes = std::move(attributes);
  for (auto& [role, values] : weights) {
    node.weights[role] = store(name + "." + role, std::move(values));
  }
  out_.graph.nodes.push_back(std::move(node));
  return out_.graph.nodes.back().name;
}

std::string NetworkBuilder::add_output(size_t output, const std::string& name) {
  const std::string out = unique(name);
  std::vector<std::string>& outputs = out_.graph.nodes.back().outputs;
  outputs.resize(std::max(outputs.size(), output + 1));
  outputs[output] = out;
  return out;
}

std::string NetworkBuilder::activation(const std::string& function, const std::string& name,
                                       const std::string& input_name) {
  if (function.empty() || function == "linear" || function == "identity") return input_name;
  const auto* row = std::find_if(std::begin(kActivations), std::end(kActivations),
                                 [&](const ActivationRow& each) { return function == each.given; });
  if (row == std::end(kActivations)) {
    fail(fmt::format("layer '{}': activation '{}' is not known", visible(name), visible(function)),
         "it cannot be run; replace it with another");
  }
  return add(row->type, name + "." + row->given, {input_name});
}

void NetworkBuilder::spend(int64_t rows, int64_t columns) {
  constexpr int64_t kMost = 1 << 22;
  made_numbers_ += rows > kMost || columns > kMost ? kMost + 1 : rows * columns;
  if (made_numbers_ > kMost) fail("expected attention over fewer steps", "shorten the model's windows");
}

// Nodes that no output needs, and their arrays.
void NetworkBuilder::leave_out_unused() {
  std::set<std::string> needed;
  for (const graph::Port& port : out_.graph.outputs) needed.insert(port.name);
  std::vector<graph::Node> kept;
  for (auto node = out_.graph.nodes.rbegin(); node != out_.graph.nodes.rend(); ++node) {
    const bool used = std::any_of(node->outputs.begin(), node->outputs.end(),
                                  [&](const std::string& each) { return needed.contains(each); });
    if (!used) {
      if (!node->weights.empty()) note(fmt::format("'{}' is left out: no output needs it", visible(node->name)));
      continue;
    }
    for (const std::string& input : node->inputs) needed.insert(input);
    for (const auto& [role, array] : node->weights) needed.insert(array);
    kept.push_back(std::move(*node));
  }
  out_.graph.nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  std::erase_if(out_.graph.arrays, [&](const auto& array) { return !needed.contains(array.first); });
}

Imported NetworkBuilder::finish(const std::vector<std::string>& outputs) {
  if (fixed_) begin_runs_anew();
  for (const std::string& name : outputs) {
    graph::Port port{.name = name, .dims = {}};
    out_.graph.outputs.push_back(std::move(port));
  }
  leave_out_unused();
  graph::check(out_.graph, file_);
  return std::move(out_);
}

void read_symbols(Imported& imported, const std::vector<std::string>& symbols) {
  graph::Graph& graph = imported.graph;
  const auto count = static_cast<int64_t>(symbols.size());
  graph::Port* port = graph.inputs.size() == 1 ? &graph.inputs.front() : nullptr;
  if (port == nullptr) throw usage_error("symbols: expected a network with one input, found others", "leave them out");
  if (const std::set<std::string> different(symbols.begin(), symbols.end()); different.size() != symbols.size()) {
    throw usage_error("symbols: expected each symbol once, found one several times", "give each once, in their order");
  }
  if (port->type == graph::ElementType::kInt) {
    const int64_t known = graph::symbols_of(graph, port->name);
    if (known < std::numeric_limits<int32_t>::max() && known != count) {
      throw usage_error(fmt::format("symbols: expected as many as the model's table has, {}, found {}", known, count),
                        "give each symbol once, in the order of the table");
    }
    graph.symbols = symbols;
    return;
  }
  graph.symbols = symbols;
  if (port->dims.size() != 3 || port->dims.back() != count) {
    throw usage_error(fmt::format("symbols: expected an input [batch, time, {}] for as many symbols, found {}", count,
                                  graph::shown(port->dims)),
                      "give each symbol once, in the order of the columns; leave them out where the input is numbers");
  }
  graph::Node node{.type = "one-hot", .name = "one_hot", .inputs = {"symbols"}, .outputs = {port->name}};
  node.attributes["classes"] = count;
  port->name = "symbols";
  port->type = graph::ElementType::kInt;
  port->dims = {-1, -1};
  graph.nodes.insert(graph.nodes.begin(), std::move(node));
  imported.notes.push_back(fmt::format("the input's {} numbers are one symbol of {}", count, count));
}

void add_keras_cell(const NetworkBuilder& builder, const std::string& layer, const KerasCell& cell,
                    const std::string& suffix, NetworkBuilder::Weights& weights) {
  const auto gates = static_cast<int64_t>(gates_of(cell.order).size());
  const auto& w = cell.kernel.dims;
  const auto& r = cell.recurrent.dims;
  if (w.size() != 2 || r.size() != 2 || r[1] != gates * r[0] || w[1] != r[1] || r[0] < 1) {
    builder.fail(fmt::format("layer '{}': expected kernels [I, {} H] and [H, {} H], found {} and {}", visible(layer),
                             gates, gates, graph::shown(w), graph::shown(r)),
                 "the file is damaged, or its cell is another");
  }
  weights["weight_ih" + suffix] = from_order(cell.order, transposed(cell.kernel));
  weights["weight_hh" + suffix] = from_order(cell.order, transposed(cell.recurrent));
  if (cell.bias.floats.empty()) return;
  const auto biases = static_cast<int64_t>(cell.bias.floats.size());
  const graph::Array flat = graph::array({biases}, cell.bias.floats);
  if (biases == r[1]) {
    weights["bias_ih" + suffix] = from_order(cell.order, flat);
    weights["bias_hh" + suffix] = graph::array({r[1]}, std::vector<float>(static_cast<size_t>(r[1]), 0.0F));
  } else if (biases == 2 * r[1]) {
    weights["bias_ih" + suffix] = from_order(cell.order, rows_of(flat, 0, r[1]));
    weights["bias_hh" + suffix] = from_order(cell.order, rows_of(flat, r[1], 2 * r[1]));
  } else {
    builder.fail(fmt::format("layer '{}': expected a bias of {} or {} numbers, found {}", visible(layer), r[1],
                             2 * r[1], graph::shown(cell.bias.dims)),
                 "the file is damaged");
  }
}

}  // namespace longhand::convert
