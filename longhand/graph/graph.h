// A network of layers as a description: nodes, what flows between them, and the arrays that they were trained with.
//
// Two kinds of origin share it. A network over sequences (a TOML description, PyTorch, Keras) has nodes such as
// `conv1d` and `lstm` on arrays [B, T, C], which keep what they need of the past themselves, and find their weights by
// role. A graph of arrays (ONNX) has nodes such as `Gemm` and `LSTM` on arrays of any rank; trained arrays are inputs
// like others, and what is carried from one run to the next is an input and an output (`states`). docs/network.md lists
// the nodes.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "longhand/graph/array.h"

namespace longhand::graph {

/// Truth values are integers, 0 and 1.
using Attribute =
    std::variant<int64_t, double, std::string, std::vector<int64_t>, std::vector<double>, std::vector<std::string>>;

struct Node {
  std::string type;                  ///< as in the table of node types (node_types.h)
  std::string name;                  ///< unique, not empty; errors name the node by it
  std::vector<std::string> inputs;   ///< values or arrays; empty: an optional one that is absent
  std::vector<std::string> outputs;  ///< names that no other value has; empty: not wanted
  std::map<std::string, Attribute> attributes{};
  std::map<std::string, std::string> weights{};  ///< role in the node ("weight", "bias_ih_l0") -> name of an array
  std::vector<std::vector<Node>> branches{};     ///< If: then, else; Scan: body. They may read earlier values.
  /// If and Scan: for each branch, the names of the values that become the node's outputs.
  std::vector<std::vector<std::string>> branch_outputs{};
};

/// An input or an output.
struct Port {
  std::string name;
  ElementType type = ElementType::kFloat;
  Dims dims;            ///< of an input; -1 where the caller decides
  int batch_axis = -1;  ///< the axis of the sequences of a batch; -1: none
  int time_axis = -1;   ///< the axis of the time steps; -1: none, a run is a step
};

/// Carried from run to run: the output becomes the input.
struct State {
  std::string input, output;
  std::string initial{};  ///< name of an array of the input's shape; empty: zeros
};

/// A graph's sample rate is not above this.
inline constexpr int64_t kHighestSampleRate = int64_t{1} << 32;

struct Graph {
  std::vector<Port> inputs;   ///< those that are not states
  std::vector<Port> outputs;  ///< likewise
  std::vector<Port> state_inputs{};
  std::vector<State> states{};
  std::vector<Node> nodes;
  std::map<std::string, Array> arrays;
  std::vector<std::string> symbols{};  ///< texts of the input's symbols, if it has any and they are known
  std::string source{};                ///< where it came from, for `longhand info`
  int64_t sample_rate = 0;             ///< of the sound that it was made for, frames a second; 0: not known

  /// Numbers in all arrays of floats.
  int64_t parameters() const;
};

/// Replaces an input with a constant, for example the sampling rate.
void bind_input(Graph& graph, const std::string& name, Array value);

/// Checks what does not depend on shapes. Throws an input error, which begins with `where`, for a node of unknown type,
/// an unknown attribute or weight of a node, a missing or repeated name, a value that is used before it is computed,
/// and an unused array.
void check(const Graph& graph, const std::string& where);

}  // namespace longhand::graph
