// Makes a graph of the layers of a model: what the graphs of all tasks have in common (model_graph.h).
//
// T steps, B sequences. Values of sequences are [B, T, C], as nodes of networks over sequences have them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/graph/graph.h"
#include "longhand/nn/network.h"

namespace longhand::tasks {

class GraphMaker {
 public:
  /// Adds to `graph`. `prefix` begins the names of nodes, values and arrays that are made: those of a member of an
  /// ensemble ("member_1_").
  GraphMaker(graph::Graph& graph, std::string prefix) : graph_(graph), prefix_(std::move(prefix)) {}

  using Attributes = std::map<std::string, graph::Attribute>;
  /// By role in the node: the name of an array, as `parameter` and `array` return it.
  using Weights = std::map<std::string, std::string>;

  /// Adds a node, whose output is called as it is; returns that name.
  std::string add(const std::string& type, const std::string& name, std::vector<std::string> inputs,
                  Attributes attributes = {}, Weights weights = {});
  /// The parameter of this name in the arena, as an array of the graph. Returns the array's name.
  std::string parameter(const ParameterArena& arena, const std::string& name);
  /// An array that no parameter is. Returns its name.
  std::string array(const std::string& name, graph::Array array);

  /// A row of the embedding for each symbol of `symbols`, whose table is a parameter.
  std::string embedding(const ParameterArena& arena, const std::string& table, const std::string& symbols);
  /// Recurrent layers, a node for each. `mask` [B, T] is 0 for steps that are left out; empty: none. Outputs of these
  /// are zeros.
  std::string layers(const nn::LstmStack& stack, const ParameterArena& arena, const std::string& input,
                     const std::string& mask);
  /// What `layers` just returned, at the end of each sequence [B, W]: of two directions, each where it ends.
  std::string last_of(const nn::LstmStack& stack, const std::string& layers);
  /// The linear layer at the end, and the projection before it where tied weights need one. `name` is that of the
  /// output.
  std::string output(const nn::Network& network, const std::string& input, const std::string& name);

 private:
  graph::Graph& graph_;
  std::string prefix_;
};

/// Inputs: [B, T] integers; [B, T, size] numbers.
graph::Port symbols_port(const std::string& name);
graph::Port numbers_port(const std::string& name, int64_t size);

/// The ends of models that classify: values `logits` [..., K] and `probabilities` [..., K], which become the graph's
/// outputs. `logits` has one value for each member of an ensemble, whose probabilities are the mean of theirs, and
/// whose logits are their logarithms; that of a single model is called "logits".
void add_probabilities(graph::Graph& graph, const std::vector<std::string>& logits);

/// "member_2_" of an ensemble; "" of a single model.
std::string graph_prefix(size_t member, bool is_ensemble);

}  // namespace longhand::tasks
