// Elementwise functions that are node types.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "longhand/graph/node_build.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::graph {

/// A function: its names in descriptions and in ONNX ("": none), and the defaults and attribute names of its constants.
struct FunctionRow {
  const char* name;
  const char* onnx;
  kernels::Function function;
  float alpha = 0.0F, beta = 0.0F;
  const char* alpha_name = "alpha";
  const char* beta_name = "beta";
};
/// All functions but `gelu` and `clip`.
std::span<const FunctionRow> function_rows();
/// Returns the row of a node type, or null.
const FunctionRow* find_function(const std::string& type);

struct NamedFunction {
  kernels::Function function = kernels::Function::kIdentity;
  float alpha = 0.0F, beta = 0.0F;
};

/// Returns the function of an elementwise node, and its constants. Also for `gelu` and `clip`.
NamedFunction read_function(NodeBuild& node);
/// Names in descriptions, without `gelu` and `clip`: relu, sigmoid, ...
std::vector<std::string> function_names();

}  // namespace longhand::graph
