// A network of layers that can be trained: its nodes, and the offsets of their parameters in an arena. training_pass.h
// computes outputs and gradients.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "longhand/base/arena.h"
#include "longhand/graph/plan.h"
#include "longhand/nn/lstm_stack.h"

namespace longhand::graph {

/// Names of the layer types that have a gradient, with or without parameters.
std::vector<std::string> trainable_types();

class TrainableNetwork {
 public:
  /// `logits`: leaves out a softmax (or log-softmax) at the output, since the loss computes it. Throws an input error,
  /// which begins with `where`, for a network with several outputs or without weights, and for a node that cannot be
  /// trained, by its name.
  TrainableNetwork(Graph graph, std::string where, bool logits);
  ~TrainableNetwork();
  TrainableNetwork(const TrainableNetwork&) = delete;
  TrainableNetwork& operator=(const TrainableNetwork&) = delete;

  const Graph& graph() const { return network_->graph(); }
  const std::string& where() const { return network_->where(); }
  /// Parameters, initialised with the graph's arrays. Names are `layers.NODE.ROLE`, for recurrent layers
  /// `layers.NODE.lstm.ROLE`, `layers.NODE.gru.ROLE` or `layers.NODE.rnn.ROLE`.
  ParameterArena& parameters() { return arena_; }
  const ParameterArena& parameters() const { return arena_; }
  /// Returns the graph with these parameter values, which are in the arena's layout.
  Graph with_values(std::span<const float> values) const;

  /// Name of the value that the loss reads: the output, or the input of its softmax.
  const std::string& output() const { return output_; }
  /// Whether the softmax at the output was left out.
  bool leaves_softmax() const { return output_ != graph().outputs.front().name; }
  /// Size O of an output row.
  int64_t outputs() const { return outputs_; }
  /// Number of symbols of an integer input; 0 for a float input.
  int64_t symbols(size_t input) const;
  /// Numbers per time step of an input; 1 for symbols.
  int64_t width(size_t input) const;
  /// Whether the network has one output row per sequence, not per time step.
  bool answers_once() const { return answers_once_; }
  /// Why a sequence cannot be split into several runs; empty if it can.
  const std::string& why_whole() const;

  // For TrainingPass:

  /// Indices of the nodes that the output depends on, in order.
  const std::vector<size_t>& nodes() const { return nodes_; }
  const Node& node(size_t i) const { return graph().nodes[i]; }
  /// The recurrent layers of a node; null for other nodes.
  const nn::LstmStack* stack(size_t node) const { return parts_[node].stack.get(); }
  /// Offset in the arena of a node's parameter; -1: the node has no parameter of this role.
  int64_t offset(size_t node, const std::string& role) const;
  /// Parameters of a node's recurrent layers that the graph has no array for. They stay zero.
  const std::vector<size_t>& constants(size_t node) const { return parts_[node].constants; }
  /// Shapes of all values for one sequence.
  Plan::Parts& shapes() const { return *shapes_; }

 private:
  struct Part {
    std::unique_ptr<nn::LstmStack> stack;
    std::map<std::string, size_t> parameters;  // by role
    std::vector<size_t> constants;
  };
  void find_output(bool logits);
  void find_nodes();
  void check_node(size_t i) const;
  void declare_stack(size_t i);
  void declare_arrays(size_t i);
  void fill();

  std::shared_ptr<const Network> network_;
  std::unique_ptr<Plan::Parts> shapes_;
  std::string output_;
  int64_t outputs_ = 0;
  bool answers_once_ = false;
  std::vector<size_t> nodes_;
  std::vector<Part> parts_;
  std::map<std::string, size_t> of_array_;
  ParameterArena arena_;
};

/// Whether arrays of this role are not trained: the statistics of batch normalisation, and scales.
bool is_constant_role(const std::string& role);

}  // namespace longhand::graph
