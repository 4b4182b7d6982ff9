// Adds the layers of a model to a graph. Shared by the graphs of all tasks (model_graph.h).
//
// T time steps, B sequences, C features. Sequence values are [B, T, C].
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/graph/graph.h"
#include "longhand/nn/network.h"

namespace longhand::tasks {

class GraphMaker {
 public:
  /// Adds to `graph`. The names of all added nodes, values and arrays begin with `prefix` ("member_1_" for a member of
  /// an ensemble).
  GraphMaker(graph::Graph& graph, std::string prefix) : graph_(graph), prefix_(std::move(prefix)) {}

  using Attributes = std::map<std::string, graph::Attribute>;
  /// Role in the node -> name of an array, as returned by `parameter` and `array`.
  using Weights = std::map<std::string, std::string>;

  /// Adds a node with one output of the same name. Returns the name.
  std::string add(const std::string& type, const std::string& name, std::vector<std::string> inputs,
                  Attributes attributes = {}, Weights weights = {});
  /// Copies a parameter of the arena to an array of the graph. Returns the array's name.
  std::string parameter(const ParameterArena& arena, const std::string& name);
  /// Adds an array that is not a parameter. Returns its name.
  std::string array(const std::string& name, graph::Array array);

  /// Adds an embedding of the value `symbols`. `table` is the name of its weight matrix in the arena.
  std::string embedding(const ParameterArena& arena, const std::string& table, const std::string& symbols);
  /// Adds recurrent layers, one node per layer. `mask` [B, T] is 0 for steps that are skipped, whose outputs are zeros;
  /// empty: no mask.
  std::string layers(const nn::LstmStack& stack, const ParameterArena& arena, const std::string& input,
                     const std::string& mask);
  /// Returns the last output [B, W] of each sequence, of the layers that `layers` added last. In two directions: the
  /// last output of each direction.
  std::string last_of(const nn::LstmStack& stack, const std::string& layers);
  /// Adds the output layer, and the projection before it that tied weights may need. `name` is the output's name.
  std::string output(const nn::Network& network, const std::string& input, const std::string& name);

 private:
  graph::Graph& graph_;
  std::string prefix_;
};

/// Graph inputs: integers [B, T], or floats [B, T, size].
graph::Port symbols_port(const std::string& name);
graph::Port numbers_port(const std::string& name, int64_t size);

/// Adds the outputs `logits` [..., K] and `probabilities` [..., K] of a classifying model. The argument has one value
/// per member. An ensemble's probabilities are the mean of its members' probabilities, and its logits are their
/// logarithm. The value of a single model must be called "logits".
void add_probabilities(graph::Graph& graph, const std::vector<std::string>& logits);

/// Returns "member_2_" for a member of an ensemble, "" for a single model.
std::string graph_prefix(size_t member, bool is_ensemble);

}  // namespace longhand::tasks
