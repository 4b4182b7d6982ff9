#include "longhand/graph/graph.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/utf8.h"
#include "longhand/graph/mask.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

constexpr int kDeepestBranch = 6;

class GraphCheck {
 public:
  GraphCheck(const Graph& graph, const std::string& where) : graph_(graph), where_(where) {}

  void run() {
    for (const auto& [name, array] : graph_.arrays) check_array(name, array);
    check_ports(graph_.inputs);
    check_ports(graph_.state_inputs);
    check_nodes(graph_.nodes, 0);
    check_ends();
    for (const auto& [name, array] : graph_.arrays) {
      if (!used_.contains(name)) {
        fail(fmt::format("expected every array to be used, found '{}' {} that no node names", visible(name),
                         shown(array.dims)),
             "remove it, or name it in the node that it belongs to");
      }
    }
  }

 private:
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const {
    throw input_error(where_ + ": " + problem, advice);
  }

  void check_array(const std::string& name, const Array& array) {
    const size_t size = array.type == ElementType::kFloat ? array.floats.size() : array.ints.size();
    if (count(array.dims) != static_cast<int64_t>(size)) {
      fail(fmt::format("'{}': expected {} to have {} elements", visible(name), shown(array.dims), size),
           "the file is damaged; use an intact copy");
    }
    if (std::all_of(array.floats.begin(), array.floats.end(), [](float v) { return std::isfinite(v); })) return;
    if (is_mask(array)) return;
    fail(fmt::format("'{}' holds values that are not finite", visible(name)),
         "the file is damaged, or its training diverged; use an intact one");
  }

  void check_ports(const std::vector<Port>& ports) {
    for (const Port& port : ports) {
      const auto rank = static_cast<int>(port.dims.size());
      const bool axes =
          port.batch_axis < rank && port.time_axis < rank && (port.batch_axis < 0 || port.batch_axis != port.time_axis);
      const bool dims = std::all_of(port.dims.begin(), port.dims.end(), [](int64_t d) { return d >= -1; });
      if (port.name.empty() || !axes || !dims) {
        fail(fmt::format("input '{}': expected a name, and axes of {}", visible(port.name), shown(port.dims)),
             "correct the network's inputs");
      }
      define(port.name, "input");
    }
  }

  void define(const std::string& name, const std::string& by) {
    if (defined_.insert(name).second && !graph_.arrays.contains(name)) return;
    fail(fmt::format("{}: expected a new name, found '{}' again", by, visible(name)), "give every value another name");
  }

  void use(const std::string& name, const std::string& by) {
    if (graph_.arrays.contains(name)) {
      used_.insert(name);
      return;
    }
    if (defined_.contains(name)) return;
    fail(fmt::format("{}: expected a value or an array '{}' before it, found none", by, visible(name)),
         "name an input, an earlier node's output, or an array" +
             did_you_mean(name, {defined_.begin(), defined_.end()}));
  }

  void check_node(const Node& node, int depth) {
    const std::string who = fmt::format("node '{}' ({})", visible(node.name), visible(node.type));
    const NodeType* type = find_node_type(node.type);
    if (type == nullptr) {
      fail(who + ": not a type of node that is known",
           "it cannot be run" + did_you_mean(node.type, node_type_names(false)));
    }
    if (node.name.empty() || !node_names_.insert(node.name).second) {
      fail(who + ": expected a name that no other node has", "give every node another name");
    }
    if (node.inputs.size() < type->least_inputs || node.inputs.size() > type->most_inputs ||
        node.outputs.size() > type->most_outputs || node.outputs.empty()) {
      fail(fmt::format("{}: expected {} to {} inputs and 1 to {} outputs, found {} and {}", who, type->least_inputs,
                       type->most_inputs == NodeType::kAny ? "any number of" : std::to_string(type->most_inputs),
                       type->most_outputs == NodeType::kAny ? "any number of" : std::to_string(type->most_outputs),
                       node.inputs.size(), node.outputs.size()),
           "correct the network");
    }
    for (const auto& [name, value] : node.attributes) check_attribute(who, *type, name, value);
    for (const auto& [role, array] : node.weights) {
      if (!type->has_weight(role)) fail(fmt::format("{}: has no weight '{}'", who, visible(role)), "remove it");
      if (!graph_.arrays.contains(array)) {
        fail(fmt::format("{}: {}: expected an array '{}', found none", who, visible(role), visible(array)),
             "give the array's name in the file of weights");
      }
      used_.insert(array);
    }
    for (const std::string& input : node.inputs) {
      if (!input.empty()) use(input, who);
    }
    check_branches(node, who, depth);
    for (const std::string& output : node.outputs) {
      if (!output.empty()) define(output, who);
    }
  }

  void check_attribute(const std::string& who, const NodeType& type, const std::string& name, const Attribute& value) {
    if (!type.has_attribute(name)) {
      const std::vector<std::string> names(type.attributes.begin(), type.attributes.end());
      fail(fmt::format("{}: '{}' is none of its attributes ({})", who, visible(name), fmt::join(names, ", ")),
           "remove it or correct it" + did_you_mean(name, names));
    }
    const auto* numbers = std::get_if<std::vector<double>>(&value);
    if (numbers == nullptr) return;
    if (std::all_of(numbers->begin(), numbers->end(), [](double v) { return std::isfinite(v); })) return;
    fail(fmt::format("{}: '{}' holds values that are not finite", who, name), "correct it");
  }

  // What a branch makes is seen in that branch alone, but for the outputs of its node.
  void check_branches(const Node& node, const std::string& who, int depth) {
    const size_t branches = node.type == "If" ? 2 : node.type == "Scan" ? 1 : 0;
    const size_t expected = depth < kDeepestBranch ? branches : 0;
    if (node.branches.size() != expected || node.branch_outputs.size() != expected) {
      fail(fmt::format("{}: expected {} branches, found {}", who, expected, node.branches.size()),
           "correct the network");
    }
    const bool scans = node.type == "Scan", scanned = in_scan_;
    if (scans && scanned) fail(who + ": expected no Scan within another", "models that have one cannot be run");
    in_scan_ = in_scan_ || scans;
    for (size_t i = 0; i < expected; ++i) {
      const std::set<std::string> outside = defined_;
      if (const auto names = node.attributes.find("body_inputs"); names != node.attributes.end()) {
        const auto* inputs = std::get_if<std::vector<std::string>>(&names->second);
        if (inputs == nullptr) fail(who + ": body_inputs: expected names", "correct the network");
        for (const std::string& name : *inputs) define(name, who);
      }
      check_nodes(node.branches[i], depth + 1);
      for (const std::string& output : node.branch_outputs[i]) use(output, who);
      if (node.branch_outputs[i].size() != node.outputs.size()) {
        fail(who + ": expected each branch to have its outputs", "correct the network");
      }
      defined_ = outside;
    }
    in_scan_ = scanned;
  }

  void check_nodes(const std::vector<Node>& nodes, int depth) {
    for (const Node& node : nodes) check_node(node, depth);
  }

  void check_ends() {
    if (graph_.inputs.empty() || graph_.outputs.empty()) {
      fail("expected a network with inputs and outputs, found none", "name at least one of each");
    }
    for (const Port& output : graph_.outputs) use(output.name, "output");
    for (const State& state : graph_.states) {
      const auto is_its_input = [&](const Port& port) { return port.name == state.input; };
      if (std::none_of(graph_.state_inputs.begin(), graph_.state_inputs.end(), is_its_input)) {
        fail(fmt::format("state '{}': expected an input of that name, found none", visible(state.input)),
             "correct the pair of input and output");
      }
      use(state.output, "state");
      if (!state.initial.empty()) use(state.initial, "state");
    }
    if (graph_.states.size() != graph_.state_inputs.size()) {
      fail(fmt::format("expected as many states as inputs for them, found {} and {}", graph_.states.size(),
                       graph_.state_inputs.size()),
           "pair each with an output");
    }
  }

  const Graph& graph_;
  const std::string& where_;
  std::set<std::string> defined_, used_, node_names_;
  bool in_scan_ = false;  // inside the body of a Scan
};

}  // namespace

int64_t Graph::parameters() const {
  int64_t out = 0;
  for (const auto& [name, array] : arrays) out += static_cast<int64_t>(array.floats.size());
  return out;
}

void bind_input(Graph& graph, const std::string& name, Array value) {
  const auto found =
      std::find_if(graph.inputs.begin(), graph.inputs.end(), [&](const Port& port) { return port.name == name; });
  if (found == graph.inputs.end()) {
    throw usage_error("expected an input '" + name + "', found none", "name one of the network's inputs");
  }
  graph.inputs.erase(found);
  graph.arrays[name] = std::move(value);
}

void check(const Graph& graph, const std::string& where) { GraphCheck(graph, where).run(); }

}  // namespace longhand::graph
