// The cell options of LSTM nodes, beyond the sizes. All nodes with LSTM layers read them here.
#pragma once

#include <vector>

#include "longhand/graph/node_build.h"
#include "longhand/kernels/lstm_cell.h"

namespace longhand::graph {

/// Reads ONNX's attributes and returns the cell of each direction:
///
/// - `activations`: for each direction the functions of the gates, of the candidate and of the cell's output;
/// - `activation_alpha`, `activation_beta`: constants of those functions that have them, in order; missing ones have
///   ONNX's defaults;
/// - `clip`, `input_forget`.
///
/// Throws an input error for an unsupported function, and for more constants than the functions have.
std::vector<kernels::LstmCell> read_cell_options(NodeBuild& node, int64_t directions);

/// Sets the node's attributes so that `read_cell_options` returns this cell for each direction. The standard cell needs
/// none.
void write_cell_options(const kernels::LstmCell& cell, int64_t directions, Node& node);

}  // namespace longhand::graph
