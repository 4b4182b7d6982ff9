// The functions of one number that nodes are named after.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "longhand/graph/node_build.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::graph {

/// A function under its names as a layer and in ONNX ("" where it has none), the defaults of its constants, and what
/// their attributes are called.
struct FunctionRow {
  const char* name;
  const char* onnx;
  kernels::Function function;
  float alpha = 0.0F, beta = 0.0F;
  const char* alpha_name = "alpha";
  const char* beta_name = "beta";
};
/// All but `gelu` and `clip`.
std::span<const FunctionRow> function_rows();
/// The row of a type of nodes, or null.
const FunctionRow* find_function(const std::string& type);

struct NamedFunction {
  kernels::Function function = kernels::Function::kIdentity;
  float alpha = 0.0F, beta = 0.0F;
};

/// The function of a node that is named after one, and its constants. Also of `gelu` and `clip`.
NamedFunction read_function(NodeBuild& node);
/// Those of layers in descriptions, but for `gelu` and `clip`: relu, sigmoid, ...
std::vector<std::string> function_names();

}  // namespace longhand::graph
