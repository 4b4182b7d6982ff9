// What nodes say of the cell of their LSTM layers beyond its sizes. All nodes with LSTM layers read it here.
#pragma once

#include <vector>

#include "longhand/graph/node_build.h"
#include "longhand/kernels/lstm_cell.h"

namespace longhand::graph {

/// The cell of each direction, as ONNX's attributes say it: `activations` (for each direction the functions of the
/// gates, of the candidate and of the cell's output), `activation_alpha` and `activation_beta` (the constants of those
/// functions that have them, in their order; the usual ones where there are too few), `clip` and `input_forget`. Throws
/// an input error for a function that the kernels do not have, and for more constants than the functions take.
std::vector<kernels::LstmCell> read_cell_options(NodeBuild& node, int64_t directions);

}  // namespace longhand::graph
