// Imports an exported module again, also after training in PyTorch. The metadata of its safetensors file describe the
// graph that its tensors belong to.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/convert/torch_graph.h"

namespace longhand::convert {

/// The metadata key of the graph's description.
inline constexpr const char* kReturningKey = "longhand";

/// How an array of the graph is computed from tensors of the state dict.
struct TorchSource {
  /// - "same": the first tensor; further tensors are other names of the same parameter;
  /// - "transposed": [A, B] from a tensor [B, A];
  /// - "row": row `index` of a tensor [n, 1, width];
  /// - "onnx", "onnx-bias", "onnx-peephole": a weight of an ONNX recurrent node, from one tensor per direction
  ///   ("onnx-bias": two).
  std::string how = "same";
  std::vector<std::string> tensors;
  int64_t index = 0;
  std::string order{};  ///< gate order of "onnx": "lstm", "gru" or "rnn"
};

/// Returns JSON: the graph, and how its arrays are computed from the module's tensors.
std::string returning_text(const graph::Graph& graph, const std::map<std::string, TorchSource>& sources);

/// Returns the graph with the tensors' values. `described_by` is the path of the file that contains `text`. Throws an
/// input error that begins with `file` for a damaged text, and for a tensor that is missing, has another shape or
/// belongs to no array.
Imported returned_graph(const std::string& text, const std::string& described_by, const NamedTensors& tensors,
                        const std::string& file);

/// Sets unknown dimensions of the graph's inputs; -1 stays unknown. Throws a usage error for an unknown input, and for
/// dimensions that contradict the graph.
void fix_extents(graph::Graph& graph, const std::map<std::string, graph::Dims>& dims);

/// Whether the bytes are the safetensors file of an exported module, not a TOML description.
bool is_exported_module(const std::string& bytes);

}  // namespace longhand::convert
