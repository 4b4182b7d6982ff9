#include "longhand/exporters/c_steps.h"

#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <set>

#include "longhand/base/error.h"
#include "longhand/graph/stepper.h"

namespace longhand::exporters {
namespace {

using graph::Graph;
using graph::Node;
using graph::Plan;

bool is_layer(const Node& node) { return node.type == "lstm" || node.type == "gru" || node.type == "rnn"; }

std::string text_attribute(const Node& node, const std::string& name) {
  const auto found = node.attributes.find(name);
  const auto* text = found == node.attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
  return text == nullptr ? "" : *text;
}

// Whether the node computes each time step of [B, T, ...] independently.
bool is_of_each_step(const Node& node, size_t rank) {
  static const std::set<std::string> kTypes = {
      "linear",    "embedding", "one-hot",      "relu",       "leaky-relu",  "thresholded-relu",
      "elu",       "celu",      "selu",         "gelu",       "sigmoid",     "tanh",
      "silu",      "mish",      "hard-sigmoid", "hard-swish", "scaled-tanh", "softsign",
      "softplus",  "affine",    "clip",         "exp",        "log",         "sqrt",
      "abs",       "neg",       "reciprocal",   "layer-norm", "scale",       "add",
      "subtract",  "multiply",  "max",          "min",        "reshape",     "flatten",
      "transpose", "slice",     "dropout",      "magnitude",  "batch-norm"};
  if (kTypes.contains(node.type)) return true;
  const bool last_axis =
      !node.attributes.contains("axis") || node.attributes.at("axis") == graph::Attribute(int64_t{-1});
  if (node.type == "softmax" || node.type == "log-softmax" || node.type == "concat") return last_axis;
  return (node.type == "conv1d" || node.type == "pad") && rank == 4;
}

class StepsInC {
 public:
  StepsInC(const Graph& graph, const std::string& where, int64_t steps) : where_(where) {
    out_.graph = graph;
    out_.steps = std::max<int64_t>(steps, 1);
    for (const graph::Port& port : graph.inputs) {
      if (port.name == "mask" && port.type == graph::ElementType::kInt && port.time_axis >= 0) given_mask_ = port.name;
    }
  }

  CSteps single() {
    if (!given_mask_.empty()) bind_input(out_.graph, given_mask_, graph::array_of_ints({1, 1}, {1}));
    make_running();
    const graph::StepShape shape = graph::step_shape(network());
    if (!shape.why_no_steps.empty() && !reads_ints(shape.why_no_steps)) {
      throw input_error(
          fmt::format("{}: expected a network that can be read step by step: {}", where_, shape.why_no_steps),
          "give the most steps that a sequence has, such as --steps 100: a call then reads a whole sequence");
    }
    return std::move(out_);
  }

  CSteps whole() {
    const std::string why = graph::step_shape(network()).why_no_steps;
    out_.anew = !given_mask_.empty() || !(why.empty() || reads_ints(why));
    if (out_.anew && joins_by_layers_alone()) add_mask();
    if (!given_mask_.empty() && out_.mask.empty()) {  // all sequences have the full length
      bind_input(out_.graph, given_mask_,
                 graph::array_of_ints({1, out_.steps}, std::vector<int64_t>(static_cast<size_t>(out_.steps), 1)));
    }
    return std::move(out_);
  }

 private:
  std::shared_ptr<const graph::Network> network() const {
    return std::make_shared<const graph::Network>(out_.graph, where_);
  }

  // Whether the network only fails in a Stream because it reads integers beside other inputs. C functions support this.
  bool reads_ints(const std::string& why) const {
    return why.find("beside other inputs") != std::string::npos && over_time_alone();
  }
  bool over_time_alone() const {
    const graph::FewestSteps few = graph::fewest_steps(network());
    return few.steps == 1 && few.plan.why_whole().empty();
  }

  size_t rank_of(const Plan& plan, const Node& node) const {
    const Plan::View* view = plan.find(node.inputs.front());
    return view == nullptr ? 0 : view->dims.size();
  }

  // Replaces pooling over time by pooling that is accumulated step by step.
  void make_running() {
    const bool pools = std::any_of(out_.graph.nodes.begin(), out_.graph.nodes.end(),
                                   [](const Node& node) { return node.type == "pool"; });
    if (!pools) return;
    const Plan plan(network(), {});
    for (Node& node : out_.graph.nodes) {
      const std::string kind = text_attribute(node, "kind");
      if (node.type != "pool" || rank_of(plan, node) != 3 || kind.empty() || kind == "last") continue;
      out_.running[node.name] = kind;
    }
    // "last" lets the graph be checked step by step, so that an error names other nodes that need a whole sequence.
    for (Node& node : out_.graph.nodes) {
      if (out_.running.contains(node.name)) node.attributes["kind"] = std::string("last");
    }
  }

  bool joins_by_layers_alone() const {
    if (!out_.graph.states.empty()) return false;
    const Plan plan(network(), {.steps = out_.steps});
    return std::all_of(out_.graph.nodes.begin(), out_.graph.nodes.end(), [&](const Node& node) {
      const size_t rank = rank_of(plan, node);
      const bool layer = is_layer(node) && !node.attributes.contains("go_backwards") && node.inputs.size() < 3;
      return layer || node.type == "pool" || is_of_each_step(node, rank);
    });
  }

  void add_mask() {
    out_.mask = given_mask_.empty() ? "steps_that_are_there" : given_mask_;
    const Plan plan(network(), {.steps = out_.steps});
    if (given_mask_.empty()) {
      out_.graph.inputs.push_back(
          {.name = out_.mask, .type = graph::ElementType::kInt, .dims = {-1, -1}, .batch_axis = 0, .time_axis = 1});
    }
    for (Node& node : out_.graph.nodes) {
      const bool joins = (is_layer(node) || node.type == "pool") && rank_of(plan, node) == 3;
      if (joins && node.inputs.size() < 2) node.inputs.push_back(out_.mask);
    }
  }

  const std::string& where_;
  std::string given_mask_;
  CSteps out_;
};

}  // namespace

CSteps c_steps(const Graph& graph, const std::string& where, int64_t steps) {
  StepsInC made(graph, where, steps);
  return steps == 0 ? made.single() : made.whole();
}

}  // namespace longhand::exporters
