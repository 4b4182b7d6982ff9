#include "cli/network_table.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/console.h"
#include "longhand/base/format.h"
#include "longhand/graph/graph_json.h"
#include "longhand/graph/stepper.h"

namespace longhand::cli {
namespace {

// Numbers in the trained arrays that a node names, its branches' included.
int64_t weights_of(const graph::Graph& graph, const graph::Node& node) {
  std::set<std::string> names;
  for (const auto& [role, array] : node.weights) names.insert(array);
  for (const std::string& input : node.inputs) names.insert(input);
  int64_t out = 0;
  for (const std::string& name : names) {
    const auto found = graph.arrays.find(name);
    if (found != graph.arrays.end()) out += static_cast<int64_t>(found->second.floats.size());
  }
  for (const auto& branch : node.branches) {
    for (const graph::Node& each : branch) out += weights_of(graph, each);
  }
  return out;
}

std::string attribute_text(const graph::Attribute& attribute) {
  return std::visit(
      [](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string>) return visible(value);
        if constexpr (std::is_same_v<T, std::vector<int64_t>>) return fmt::format("[{}]", fmt::join(value, ", "));
        if constexpr (std::is_same_v<T, std::vector<double>>) {
          const size_t shown_values = std::min<size_t>(value.size(), 4);
          return fmt::format("[{:.4g}{}]",
                             fmt::join(value.begin(), value.begin() + static_cast<int64_t>(shown_values), ", "),
                             value.size() > shown_values ? ", ..." : "");
        }
        if constexpr (std::is_same_v<T, std::vector<std::string>>)
          return visible(fmt::format("[{}]", fmt::join(value, ", ")));
        if constexpr (std::is_arithmetic_v<T>) return fmt::format("{:.6g}", static_cast<double>(value));
      },
      attribute);
}

}  // namespace

void print_network(const graph::Graph& graph, const std::string& path) {
  const auto network = std::make_shared<const graph::Network>(graph, path);
  const graph::FewestSteps few = graph::fewest_steps(network);
  put("network of {} layers, {} parameters\n", graph.nodes.size(),
      format_count(static_cast<double>(graph.parameters())));
  if (!graph.source.empty()) put("source  {}\n", visible(graph.source));
  if (graph.sample_rate > 0) put("sound   {} frames a second\n", graph.sample_rate);
  for (const graph::Port& port : graph.inputs) {
    put("input   {} {} {}\n", visible(port.name),
        port.type == graph::ElementType::kInt ? "of whole numbers" : "of numbers", graph::shown(port.dims));
  }
  for (const graph::State& state : graph.states) put("state   {} -> {}\n", visible(state.input), visible(state.output));
  size_t name_width = 5, type_width = 4, shape_width = 5;
  std::vector<std::string> shapes;
  for (const graph::Node& node : graph.nodes) {
    const graph::Plan::View* view = few.plan.find(node.outputs.front());
    shapes.push_back(view == nullptr ? "" : graph::shown(view->dims));
    name_width = std::max(name_width, visible(node.name).size());
    type_width = std::max(type_width, node.type.size());
    shape_width = std::max(shape_width, shapes.back().size());
  }
  put("\n{:<{}}  {:<{}}  {:<{}}  {:>10}  {}\n", "layer", name_width, "type", type_width, "shape", shape_width,
      "weights", few.steps == 1 ? "options" : fmt::format("options (shapes of {} steps)", few.steps));
  std::string before;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const graph::Node& node = graph.nodes[i];
    const int64_t weights = weights_of(graph, node);
    std::string options;
    const bool usual = node.inputs.size() == 1 && (node.inputs.front() == before || i == 0);
    if (!usual && !node.inputs.empty())
      options = fmt::format("from {}  ", visible(fmt::format("{}", fmt::join(node.inputs, ", "))));
    for (const auto& [name, value] : node.attributes) options += fmt::format("{} {}  ", name, attribute_text(value));
    while (options.ends_with(' ')) options.pop_back();
    const std::string line =
        fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>10}  {}", visible(node.name), name_width, node.type, type_width,
                    shapes[i], shape_width, weights == 0 ? "" : format_count(static_cast<double>(weights)), options);
    put("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
    before = node.outputs.front();
  }
  put("\n");
  for (const graph::Port& port : graph.outputs) put("output  {}\n", visible(port.name));
  const graph::StepShape step = graph::step_shape(network);
  if (!step.why_no_steps.empty()) return put("stream  no: {}\n", step.why_no_steps);
  put("stream  {} -> {} numbers a step, {} of state\n",
      step.symbols > 0 ? fmt::format("a symbol below {}", step.symbols) : fmt::format("{} numbers", step.inputs),
      step.outputs, few.plan.state_size());
}

void print_network_json(const graph::Graph& graph) {
  nlohmann::ordered_json tensors = nlohmann::ordered_json::object();
  for (const auto& [name, array] : graph.arrays) tensors[name] = array.dims;
  write_json(nlohmann::ordered_json({{"task", "network"},
                                     {"parameters", graph.parameters()},
                                     {"network", graph::to_json(graph)},
                                     {"tensors", tensors}})
                 .dump());
}

}  // namespace longhand::cli
