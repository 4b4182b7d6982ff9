// The way back of an exported module: its safetensors file says which graph its tensors belong to, whatever became of
// them in PyTorch.
#pragma once

#include <map>
#include <string>

#include "longhand/convert/torch_graph.h"
#include "longhand/convert/torch_program.h"

namespace longhand::convert {

/// The metadata that has the text of a graph.
inline constexpr const char* kReturningKey = "longhand";

/// JSON: the graph, and how its arrays are made of the module's tensors.
std::string returning_text(const graph::Graph& graph, const std::map<std::string, TorchSource>& sources);

/// The graph with the tensors' values. Throws an input error that begins with `file` where the text is damaged, and for
/// a tensor that is missing, has another shape or is of no array. `described_by` is the file that the text is in.
Imported returned_graph(const std::string& text, const std::string& described_by, const NamedTensors& tensors,
                        const std::string& file);

/// Fixes extents of inputs that the graph leaves open; -1 stays open. Throws a usage error for an input that it does
/// not have, and for extents that do not fit.
void fix_extents(graph::Graph& graph, const std::map<std::string, graph::Dims>& dims);

/// Whether a description of layers is no TOML, but the safetensors file of an exported module.
bool is_exported_module(const std::string& bytes);

}  // namespace longhand::convert
