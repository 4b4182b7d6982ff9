// ONNX models as networks: nodes become nodes, nearly one to one.
#pragma once

#include <string>

#include "longhand/convert/imported.h"
#include "longhand/convert/onnx_file.h"

namespace longhand::convert {

/// Opsets 1 to 22 for the operators that graph has (docs/network.md). What differs between opsets is brought into one
/// form; outputs that nobody uses and nodes that only they need are left out. Cells that are written out as products,
/// Split, Sigmoid and Tanh become LSTM nodes. Inputs and outputs that carry a state are paired where the graph shows
/// it: the input reaches the initial states of LSTM, GRU or RNN nodes whose last states make the output, or both have
/// one shape and names that are alike. Throws an input error naming `file` and the node for an operator or an attribute
/// that is not known, and a usage error for options that name no input or output.
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
