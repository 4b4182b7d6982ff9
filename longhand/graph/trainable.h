// A network of layers whose arrays are trained: which of its nodes have a derivative, and where their parameters are in
// an arena. training_pass.h computes with it.
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

/// Names of the types of layers that can be trained, or trained through.
std::vector<std::string> trainable_types();

class TrainableNetwork {
 public:
  /// `logits`: a softmax (or its logarithm) at the output is left to the loss. Throws an input error, which begins with
  /// `where`, for a network without one output of one float input or several, and for a node that cannot be trained, by
  /// its name.
  TrainableNetwork(Graph graph, std::string where, bool logits);
  ~TrainableNetwork();
  TrainableNetwork(const TrainableNetwork&) = delete;
  TrainableNetwork& operator=(const TrainableNetwork&) = delete;

  const Graph& graph() const { return network_->graph(); }
  const std::string& where() const { return network_->where(); }
  /// Called `layers.NODE.ROLE`; those of recurrent layers `layers.NODE.lstm.ROLE`, and so on. Filled with the graph's
  /// arrays.
  ParameterArena& parameters() { return arena_; }
  const ParameterArena& parameters() const { return arena_; }
  /// The same network with these values, in the arena's layout.
  Graph with_values(std::span<const float> values) const;

  /// The value that a loss reads: an output, or what its softmax reads.
  const std::string& output() const { return output_; }
  /// Whether a softmax was left to the loss.
  bool leaves_softmax() const { return output_ != graph().outputs.front().name; }
  /// Numbers of a row of the output.
  int64_t outputs() const { return outputs_; }
  /// Symbols of an input are below this; 0 for an input of numbers.
  int64_t symbols(size_t input) const;
  /// Numbers of a step of an input; 1 of symbols.
  int64_t width(size_t input) const;
  /// Whether there is one row for a whole sequence.
  bool answers_once() const { return answers_once_; }
  /// The reason why a sequence cannot be read in several runs; empty if it can.
  const std::string& why_whole() const;

  // What passes are made of.

  /// The nodes that the output depends on, in order.
  const std::vector<size_t>& nodes() const { return nodes_; }
  const Node& node(size_t i) const { return graph().nodes[i]; }
  /// Of a node with recurrent layers; else null.
  const nn::LstmStack* stack(size_t node) const { return parts_[node].stack.get(); }
  /// Offset in the arena of a node's parameter; -1: it has none in that role.
  int64_t offset(size_t node, const std::string& role) const;
  /// The parameters of a node's recurrent layers that its description has no array for: constants, zero.
  const std::vector<size_t>& constants(size_t node) const { return parts_[node].constants; }
  /// Shapes of all values, for one sequence.
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

/// Roles of arrays that no training changes: the statistics of batch normalisation, and scales.
bool is_constant_role(const std::string& role);

}  // namespace longhand::graph
