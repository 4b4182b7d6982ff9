// The layers of an `lstm`, `gru` or `rnn` node: nn's stack, filled with the node's weights, and, where single steps are
// run, the form that these read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/graph/node_build.h"
#include "longhand/kernels/lstm_step.h"
#include "longhand/nn/lstm_stack.h"

namespace longhand::graph {

/// What a node says of its layers. `inputs` is I; of symbols, their number.
struct RecurrentOptions {
  nn::LstmOptions lstm;
  int64_t inputs = 0;
  bool one_hot = false;
};

/// Reads the attributes, and the sizes from the weights.
RecurrentOptions read_recurrent(NodeBuild& node, const Value& x, const std::string& cell);

/// Constant, and shared by all plans. The stack's weights are packed for passes over batches.
class RecurrentLayers {
 public:
  RecurrentLayers(NodeBuild& node, const RecurrentOptions& options);
  RecurrentLayers(const RecurrentLayers&) = delete;

  const nn::LstmStack& stack() const { return stack_; }
  const nn::StackWeights<float>& weights() const { return weights_; }
  const nn::LstmOptions& lstm() const { return stack_.options().lstm; }
  const float* values() const { return arena_.values().data(); }

 private:
  void fill(NodeBuild& node);

  ParameterArena arena_;
  nn::LstmStack stack_;
  nn::StackWeights<float> weights_;
};

/// The layers as single steps of one sequence read them; LSTM layers in one direction.
struct RecurrentSteps {
  explicit RecurrentSteps(const RecurrentLayers& layers);
  std::vector<kernels::PackedLstmStep> layers;
};

}  // namespace longhand::graph
