// ONNX models as networks: nodes become nodes, nearly one to one.
#pragma once

#include <string>

#include "longhand/convert/imported.h"
#include "longhand/convert/onnx_file.h"

namespace longhand::convert {

/// Converts a model of opset 1 to 22. docs/network.md lists the supported operators.
///
/// - Differences between opsets are removed: all nodes get one form.
/// - Nodes and outputs that nothing uses are removed.
/// - LSTM cells that were exported as products, Split, Sigmoid and Tanh become LSTM nodes.
/// - An input and an output become a state if the input leads to the initial states of LSTM, GRU or RNN nodes and the
///   output comes from the last states of the same nodes, or if both have the same shape and similar names.
///
/// Throws an input error that names `file` and the node for an unknown operator or attribute, and a usage error for
/// options that name an unknown input or output.
Imported onnx_to_graph(const OnnxModel& model, const std::string& file, const ImportOptions& options = {});

// Parts, in files of their own.

/// Makes inputs constants, and fixes open extents, as the options say.
void settle_inputs(graph::Graph& graph, const ImportOptions& options, std::vector<std::string>& notes);
/// Makes LSTM nodes of cells that are written out.
void recognise_cells(graph::Graph& graph, std::vector<std::string>& notes);
/// Removes nodes that no output and no state needs, and arrays that no node needs.
void remove_unused(graph::Graph& graph, std::vector<std::string>& notes);
/// Moves inputs and outputs that carry a state to the graph's states: the given pairs, and those that are recognised.
void recognise_states(graph::Graph& graph, const ImportOptions& options, std::vector<std::string>& notes);
/// Finds the axes of time and batch of the inputs from the nodes that read them.
void recognise_axes(graph::Graph& graph, std::vector<std::string>& notes);

}  // namespace longhand::convert
