// The functions of one number that nodes are named after.
#pragma once

#include <string>
#include <vector>

#include "longhand/graph/node_build.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::graph {

struct NamedFunction {
  kernels::Function function = kernels::Function::kIdentity;
  float alpha = 0.0F, beta = 0.0F;
};

/// The function of a node that is named after one, and its constants. Also of `gelu` and `clip`.
NamedFunction read_function(NodeBuild& node);
/// Those of layers in descriptions, but for `gelu` and `clip`: relu, sigmoid, ...
std::vector<std::string> function_names();

}  // namespace longhand::graph
