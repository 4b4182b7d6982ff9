#include "longhand/tasks/graph_maker.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/graph/cell_options.h"

namespace longhand::tasks {
namespace {

// Returns the role of a parameter in a node with one layer: "weight_ih_l1_reverse" becomes "weight_ih_l0_reverse".
std::string role_of(std::string name, size_t layer) {
  const std::string number = "_l" + std::to_string(layer);
  const bool reverse = name.ends_with("_reverse");
  if (reverse) name.resize(name.size() - 8);
  if (!name.ends_with(number)) return "";
  name.resize(name.size() - number.size());
  return name + (reverse ? "_l0_reverse" : "_l0");
}

void add_cell_options(const nn::LstmOptions& options, graph::Node& node) {
  if (options.bidirectional) node.attributes["bidirectional"] = int64_t{1};
  if (options.kind() == nn::Cell::kRnnRelu) node.attributes["activation"] = std::string("relu");
  if (!options.is_lstm()) return;
  graph::write_cell_options(options.lstm_cell(), options.directions(), node);
  if (options.zoneout > 0.0) node.attributes["zoneout"] = options.zoneout;
  if (options.zoneout_cell > 0.0) node.attributes["zoneout_cell"] = options.zoneout_cell;
}

}  // namespace

std::string GraphMaker::add(const std::string& type, const std::string& name, std::vector<std::string> inputs,
                            Attributes attributes, Weights weights) {
  graph_.nodes.push_back({.type = type,
                          .name = prefix_ + name,
                          .inputs = std::move(inputs),
                          .outputs = {prefix_ + name},
                          .attributes = std::move(attributes),
                          .weights = std::move(weights)});
  return prefix_ + name;
}

std::string GraphMaker::parameter(const ParameterArena& arena, const std::string& name) {
  const std::vector<Parameter>& all = arena.parameters();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Parameter& each) { return each.name == name; });
  LONGHAND_CHECK(found != all.end());
  const float* values = arena.value(static_cast<size_t>(found - all.begin()));
  return array(name, graph::array(found->shape, {values, values + found->size}));
}

std::string GraphMaker::array(const std::string& name, graph::Array array) {
  graph_.arrays[prefix_ + name] = std::move(array);
  return prefix_ + name;
}

std::string GraphMaker::embedding(const ParameterArena& arena, const std::string& table, const std::string& symbols) {
  std::string name = table.substr(0, table.find('.'));  // embedding.weight
  return add("embedding", name == symbols ? name + "_embedding" : name, {symbols}, {},
             {{"weight", parameter(arena, table)}});
}

std::string GraphMaker::layers(const nn::LstmStack& stack, const ParameterArena& arena, const std::string& input,
                               const std::string& mask) {
  const nn::LstmOptions& options = stack.options().lstm;
  const std::string prefix = stack.options().prefix + options.layer_name() + ".";
  std::string called = prefix.substr(0, prefix.size() - 1);
  std::replace(called.begin(), called.end(), '.', '_');
  std::string x = input;
  for (size_t l = 0; l < stack.layers().size(); ++l) {
    const std::string name = fmt::format("{}_{}", called, l);
    Weights weights;
    for (const Parameter& each : arena.parameters()) {
      if (!each.name.starts_with(prefix)) continue;
      const std::string role = role_of(each.name.substr(prefix.size()), l);
      if (!role.empty()) weights[role] = parameter(arena, each.name);
    }
    std::vector<std::string> inputs{x};
    if (!mask.empty()) inputs.push_back(mask);
    const std::string y = add(options.layer_name(), name, std::move(inputs), {}, std::move(weights));
    add_cell_options(options, graph_.nodes.back());
    if (!mask.empty()) graph_.nodes.back().attributes["masked_outputs"] = std::string("zeros");
    x = stack.layers()[l].residual ? add("add", name + "_residual", {y, x}) : y;
  }
  return x;
}

std::string GraphMaker::last_of(const nn::LstmStack& stack, const std::string& layers) {
  if (!stack.layers().back().residual) {
    graph_.nodes.back().attributes["return"] = std::string("last");
    return layers;
  }
  return add("pool", "last", {layers},
             {{"kind", std::string("last")}, {"directions", stack.options().lstm.directions()}});
}

std::string GraphMaker::output(const nn::Network& network, const std::string& input, const std::string& name) {
  const ParameterArena& arena = network.parameters();
  const auto has = [&](const char* parameter) {
    return std::any_of(arena.parameters().begin(), arena.parameters().end(),
                       [&](const Parameter& each) { return each.name == parameter; });
  };
  std::string x = input;
  if (has("output.projection.weight")) {
    x = add("linear", "projection", {x}, {}, {{"weight", parameter(arena, "output.projection.weight")}});
  }
  const char* weight = network.output().is_tied() ? "embedding.weight" : "output.weight";
  return add("linear", name, {x}, {},
             {{"weight", parameter(arena, weight)}, {"bias", parameter(arena, "output.bias")}});
}

graph::Port symbols_port(const std::string& name) {
  return {.name = name, .type = graph::ElementType::kInt, .dims = {-1, -1}, .batch_axis = 0, .time_axis = 1};
}

graph::Port numbers_port(const std::string& name, int64_t size) {
  return {.name = name, .dims = {-1, -1, size}, .batch_axis = 0, .time_axis = 1};
}

void add_probabilities(graph::Graph& graph, const std::vector<std::string>& logits) {
  GraphMaker maker(graph, "");
  if (logits.size() == 1) {
    maker.add("softmax", "probabilities", {"logits"});
  } else {
    // log(mean of e^(l - m)) + m, with m the largest of the log-probabilities l: no probability underflows to zero.
    std::vector<std::string> logarithms, shares;
    for (const std::string& each : logits) logarithms.push_back(maker.add("log-softmax", each + "_log", {each}));
    const std::string largest = maker.add("max", "largest_log", logarithms);
    for (const std::string& each : logarithms) {
      const std::string difference = maker.add("subtract", each + "_difference", {each, largest});
      shares.push_back(maker.add("exp", each + "_share", {difference}));
    }
    const std::string sum = maker.add("add", "sum_of_shares", shares);
    const std::string mean = maker.add("scale", "mean_of_shares", {sum},
                                       {{"scale", std::vector<double>{1.0 / static_cast<double>(logits.size())}}});
    maker.add("add", "logits", {maker.add("log", "log_of_mean", {mean}), largest});
    maker.add("exp", "probabilities", {"logits"});
  }
  graph.outputs.push_back({.name = "logits", .dims = {}});
  graph.outputs.push_back({.name = "probabilities", .dims = {}});
}

std::string graph_prefix(size_t member, bool is_ensemble) {
  return is_ensemble ? fmt::format("member_{}_", member) : "";
}

}  // namespace longhand::tasks
