// Which inputs and outputs of an ONNX graph carry a state from run to run, and what nobody needs.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/onnx_graph.h"

namespace longhand::convert {
namespace {

using graph::Graph;
using graph::Node;
using graph::Port;

bool only_moves(const Node& node) {
  static const std::set<std::string_view> kMoves = {"Squeeze",   "Unsqueeze", "Slice", "Gather",
                                                    "Identity",  "Reshape",   "Split", "Concat",
                                                    "Transpose", "Expand",    "Cast"};
  return kMoves.contains(node.type);
}

bool is_recurrent(const Node& node) {
  return node.type == "LSTM" || node.type == "GRU" || node.type == "RNN" || node.type == "DynamicQuantizeLSTM";
}

// Returns how many of a Scan's inputs are states. They come before the scanned inputs.
size_t states_of_scan(const Node& node) {
  const auto scanned = node.attributes.find("num_scan_inputs");
  const int64_t* count = scanned == node.attributes.end() ? nullptr : std::get_if<int64_t>(&scanned->second);
  const auto inputs = static_cast<int64_t>(node.inputs.size());
  return count == nullptr ? 0 : static_cast<size_t>(std::clamp<int64_t>(inputs - *count, 0, inputs));
}
std::string scan_state(const Node& node, size_t i) { return fmt::format("{}.{}", node.name, i); }

// The states of recurrent nodes, as "node.h" and "node.c", that a value reaches, or is made of, by moves alone.
using ReachedStates = std::set<std::string>;

std::map<std::string, ReachedStates> states_reached(const Graph& graph) {
  std::map<std::string, ReachedStates> reached;  // by value: the initial states that it becomes
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (is_recurrent(*node)) {
      if (node->inputs.size() > 5) reached[node->inputs[5]].insert(node->name + ".h");
      if (node->inputs.size() > 6 && node->type != "GRU") reached[node->inputs[6]].insert(node->name + ".c");
    } else if (node->type == "Scan") {
      for (size_t i = 0; i < states_of_scan(*node); ++i) reached[node->inputs[i]].insert(scan_state(*node, i));
    } else if (only_moves(*node)) {
      for (const std::string& output : node->outputs) {
        const ReachedStates ends = reached[output];
        for (const std::string& input : node->inputs) {
          if (!graph.arrays.contains(input)) reached[input].insert(ends.begin(), ends.end());
        }
      }
    }
  }
  return reached;
}

std::map<std::string, ReachedStates> states_made(const Graph& graph) {
  std::map<std::string, ReachedStates> made;  // by value: the last states that it is made of
  for (const Node& node : graph.nodes) {
    if (is_recurrent(node)) {
      if (node.outputs.size() > 1) made[node.outputs[1]].insert(node.name + ".h");
      if (node.outputs.size() > 2) made[node.outputs[2]].insert(node.name + ".c");
    } else if (node.type == "Scan") {
      for (size_t i = 0; i < states_of_scan(node); ++i) made[node.outputs[i]].insert(scan_state(node, i));
    } else if (only_moves(node)) {
      ReachedStates all;
      for (const std::string& input : node.inputs) all.insert(made[input].begin(), made[input].end());
      for (const std::string& output : node.outputs) made[output] = all;
    }
  }
  return made;
}

bool may_be_one(const Port& input, const Port& output) {
  const bool floats = input.type == graph::ElementType::kFloat && output.type == graph::ElementType::kFloat;
  if (!floats || input.dims.size() != output.dims.size() || input.dims.empty()) return false;
  for (size_t axis = 0; axis < input.dims.size(); ++axis) {
    if (input.dims[axis] >= 0 && output.dims[axis] >= 0 && input.dims[axis] != output.dims[axis]) return false;
  }
  return true;
}

// Whether more than one extent is open: that of a batch, and another. A state is as large whatever the number of steps.
bool has_time(const Port& port) { return std::count(port.dims.begin(), port.dims.end(), -1) > 1; }

// What is left of a name without what tells an input from an output: "state" of "stateN", "h" of "h_in" and "hn".
std::string stem(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '9');
    if (letter) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  for (const std::string_view end : {"output", "input", "initial", "final", "next", "prev", "new", "out", "in", "n"}) {
    if (out.size() > end.size() && out.ends_with(end)) {
      out.resize(out.size() - end.size());
      break;
    }
    if (out.size() > end.size() + 1 && out.starts_with(end) && end != "n" && end != "in") {
      out.erase(0, end.size());
      break;
    }
  }
  return out;
}

// Names of what a model reads and writes at each step.
bool names_data(const std::string& name) {
  constexpr std::string_view kNames[] = {"audio",   "sound", "signal", "speech", "wave",   "frame", "frames", "x",
                                         "samples", "data",  "mic",    "image",  "tokens", "y",     "mel"};
  return std::find(std::begin(kNames), std::end(kNames), stem(name)) != std::end(kNames);
}

class StateSearch {
 public:
  StateSearch(Graph& graph, std::vector<std::string>& notes) : graph_(graph), notes_(notes) {}

  void take_given(const std::vector<std::pair<std::string, std::string>>& pairs) {
    for (const auto& [input, output] : pairs) {
      const Port& from = find(graph_.inputs, input, "input");
      const Port& to = find(graph_.outputs, output, "output");
      if (!may_be_one(from, to)) {
        throw usage_error(fmt::format("state {}={}: expected one shape, found {} and {}", visible(input),
                                      visible(output), graph::shown(from.dims), graph::shown(to.dims)),
                          "name an input and the output that becomes it");
      }
      take(input, output);
    }
  }

  void take_by_nodes() {
    const auto reached = states_reached(graph_), made = states_made(graph_);
    const auto of = [](const auto& map, const std::string& name) {
      const auto found = map.find(name);
      return found == map.end() ? ReachedStates() : found->second;
    };
    for (const Port& input : std::vector<Port>(graph_.inputs)) {
      const ReachedStates states = of(reached, input.name);
      std::vector<std::string> fits;
      for (const Port& output : graph_.outputs) {
        if (!states.empty() && may_be_one(input, output) && of(made, output.name) == states)
          fits.push_back(output.name);
      }
      if (fits.size() == 1 && leaves_ports()) take(input.name, fits.front());
    }
  }

  // Where every input or every output would be a state, names alone do not tell which are.
  void take_by_names() {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const Port& input : graph_.inputs) {
      std::vector<std::string> outputs, inputs;
      for (const Port& output : graph_.outputs) {
        if (!may_be_one(input, output) || has_time(input) || names_data(input.name)) continue;
        if (stem(output.name) == stem(input.name)) outputs.push_back(output.name);
      }
      for (const Port& other : graph_.inputs) {
        if (stem(other.name) == stem(input.name)) inputs.push_back(other.name);
      }
      if (outputs.size() == 1 && inputs.size() == 1) pairs.emplace_back(input.name, outputs.front());
    }
    if (pairs.empty()) return;
    if (pairs.size() < graph_.inputs.size() && pairs.size() < graph_.outputs.size()) {
      for (const auto& [input, output] : pairs) take(input, output);
    } else if (pairs.size() > 1) {
      notes_.push_back(
          fmt::format("no state was told by its name: '{}' and '{}' could both be one (--state says which)",
                      pairs[0].first, pairs[1].first));
    }
  }

 private:
  // Whether a network with one input and one output less still has both: the only output is no state.
  bool leaves_ports() const { return graph_.inputs.size() > 1 && graph_.outputs.size() > 1; }

  const Port& find(const std::vector<Port>& ports, const std::string& name, const char* what) const {
    std::vector<std::string> names;
    for (const Port& port : ports) {
      if (port.name == name) return port;
      names.push_back(port.name);
    }
    throw usage_error(fmt::format("state: expected an {} '{}', found none", what, visible(name)),
                      "write --state INPUT=OUTPUT" + did_you_mean(name, names));
  }

  void take(const std::string& input, const std::string& output) {
    const auto named = [](const std::string& name) { return [&name](const Port& port) { return port.name == name; }; };
    const auto from = std::find_if(graph_.inputs.begin(), graph_.inputs.end(), named(input));
    notes_.push_back(fmt::format("output '{}' {} is the state that input '{}' begins with", output,
                                 graph::shown(from->dims), input));
    graph_.state_inputs.push_back(*from);
    graph_.states.push_back({input, output});
    graph_.inputs.erase(from);
    graph_.outputs.erase(std::find_if(graph_.outputs.begin(), graph_.outputs.end(), named(output)));
  }

  Graph& graph_;
  std::vector<std::string>& notes_;
};

void collect_inputs(const Node& node, std::set<std::string>& used) {
  used.insert(node.inputs.begin(), node.inputs.end());
  for (const auto& [role, array] : node.weights) used.insert(array);
  for (const auto& outputs : node.branch_outputs) used.insert(outputs.begin(), outputs.end());
  for (const auto& branch : node.branches) {
    for (const Node& each : branch) collect_inputs(each, used);
  }
}

std::string joined_names(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < 4; ++i) out += (i == 0 ? "'" : ", '") + names[i] + "'";
  return names.size() > 4 ? fmt::format("{} and {} more", out, names.size() - 4) : out;
}

}  // namespace

void recognise_states(Graph& graph, const ImportOptions& options, std::vector<std::string>& notes) {
  StateSearch search(graph, notes);
  if (options.no_states) return;
  if (!options.states.empty()) return search.take_given(options.states);
  search.take_by_nodes();
  search.take_by_names();
}

void remove_unused(Graph& graph, std::vector<std::string>& notes) {
  std::set<std::string> used;
  for (const Port& output : graph.outputs) used.insert(output.name);
  for (const graph::State& state : graph.states) used.insert(state.output);
  std::vector<Node> kept;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const bool needed = std::any_of(node->outputs.begin(), node->outputs.end(), [&](const std::string& output) {
      return !output.empty() && used.contains(output);
    });
    if (!needed) continue;
    collect_inputs(*node, used);
    kept.push_back(std::move(*node));
  }
  std::reverse(kept.begin(), kept.end());
  graph.nodes = std::move(kept);
  std::vector<std::string> unused;
  for (auto array = graph.arrays.begin(); array != graph.arrays.end();) {
    const bool needed = used.contains(array->first);
    const bool weights = array->second.dims.size() > 1 && array->second.type == graph::ElementType::kFloat;
    if (!needed && weights) unused.push_back(array->first);
    array = needed ? std::next(array) : graph.arrays.erase(array);
  }
  for (const Port& input : graph.inputs) {
    if (!used.contains(input.name)) notes.push_back(fmt::format("input '{}' is not used by any output", input.name));
  }
  if (!unused.empty()) notes.push_back("no output needs " + joined_names(unused) + ": left out");
}

}  // namespace longhand::convert
