// What nodes say of the cell of their LSTM layers beyond its sizes. All nodes with LSTM layers read it here, so that
// this is the one place where a variant of the kernels' cell is plugged in.
#pragma once

#include "longhand/graph/node_build.h"

namespace longhand::graph {

/// Throws an input error for a cell that the kernels do not have: attributes `activations` (of the gates, the input and
/// the output of the cell, for each direction; with `activation_alpha`, `activation_beta`), `clip` and `input_forget`,
/// as ONNX defines them.
void read_cell_options(NodeBuild& node, int64_t directions);

}  // namespace longhand::graph
