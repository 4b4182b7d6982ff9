// ONNX's operators on shapes, and constants.
#include <algorithm>

#include "longhand/graph/node_build.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

// Axes as an input (opset 13 and later) or as an attribute.
std::vector<int64_t> axes_of(NodeBuild& node, size_t input, int64_t rank) {
  std::vector<int64_t> axes = node.has(input) ? node.constant_ints(input) : node.integers("axes", {});
  for (int64_t& axis : axes) axis = node.axis(axis, rank);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) node.fail("expected different axes");
  return axes;
}

void build_identity(NodeBuild& node) { node.alias(0, node.in(0), node.in(0).dims); }

void build_constant(NodeBuild& node) {
  if (!node.has_weight("value")) node.fail("expected a value, found none");
  const Value* value = node.find(node.node().weights.at("value"));
  node.alias(0, *value, value->dims);
}

// The shape is known before a run, whatever the elements are.
void build_shape(NodeBuild& node) {
  const Value& x = node.in(0);
  const auto limit = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + x.rank() : at, 0, x.rank()); };
  const int64_t begin = limit(node.integer("start", 0)), end = limit(node.integer("end", x.rank()));
  Value& y = node.out(0, ElementType::kInt, {std::max<int64_t>(end - begin, 0)});
  for (int64_t i = 0; i < y.size; ++i) y.ints[i] = x.dims[static_cast<size_t>(begin + i)];
  y.constant = true;
}

void build_size(NodeBuild& node) {
  Value& y = node.out(0, ElementType::kInt, {});
  y.ints[0] = node.in(0).size;
  y.constant = true;
}

void build_constant_of_shape(NodeBuild& node) {
  const Dims dims = node.constant_ints(0);
  const auto found = node.node().weights.find("value");
  const Array* value = found == node.node().weights.end() ? nullptr : &node.network().graph().arrays.at(found->second);
  Value& y = node.out(0, value == nullptr ? ElementType::kFloat : value->type, dims);
  if (value != nullptr && count(value->dims) != 1) node.fail("expected a value of one element");
  if (y.type == ElementType::kFloat) {
    std::fill_n(y.floats, y.size, value == nullptr ? 0.0F : value->floats[0]);
  } else {
    std::fill_n(y.ints, y.size, value->ints[0]);
  }
}

// 0: as it was; -1: what is left.
Dims reshaped(NodeBuild& node, const Value& x, Dims dims, bool zero_is_copied) {
  int64_t open = -1, known = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && zero_is_copied && i < x.dims.size()) dims[i] = x.dims[i];
    if (dims[i] == -1 && open < 0) {
      open = static_cast<int64_t>(i);
    } else if (dims[i] < 0 || __builtin_mul_overflow(known, dims[i], &known)) {
      node.fail("expected a shape, found " + shown(dims));
    }
  }
  if (open >= 0) dims[static_cast<size_t>(open)] = known == 0 ? 0 : x.size / known;
  if (count(dims) != x.size)
    node.fail("expected a shape for " + std::to_string(x.size) + " elements, found " + shown(dims));
  return dims;
}

void build_reshape(NodeBuild& node) {
  const Value& x = node.in(0);
  const Dims wanted = node.has(1) ? node.constant_ints(1) : node.integers("shape", {});
  node.alias(0, x, reshaped(node, x, wanted, node.integer("allowzero", 0) == 0));
}

void build_flatten(NodeBuild& node) {
  const Value& x = node.in(0);
  const int64_t given = node.integer("axis", 1);
  const auto at = static_cast<size_t>(node.in_range("axis", given < 0 ? given + x.rank() : given, 0, x.rank()));
  node.alias(0, x, {count(x.dims, 0, at), count(x.dims, at, x.dims.size())});
}

void build_squeeze(NodeBuild& node) {
  const Value& x = node.in(0);
  const std::vector<int64_t> axes = axes_of(node, 1, x.rank());
  Dims dims;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    const bool named = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (named && x.dim(axis) != 1) node.fail("expected axes of one element, found " + shown(x.dims));
    const bool goes = axes.empty() ? x.dim(axis) == 1 : named;
    if (!goes) dims.push_back(x.dim(axis));
  }
  node.alias(0, x, dims);
}

void build_unsqueeze(NodeBuild& node) {
  const Value& x = node.in(0);
  const size_t added = node.has(1) ? node.constant_ints(1).size() : node.integers("axes", {}).size();
  const std::vector<int64_t> axes = axes_of(node, 1, x.rank() + static_cast<int64_t>(added));
  Dims dims = x.dims;
  for (const int64_t axis : axes) dims.insert(dims.begin() + axis, 1);
  node.alias(0, x, dims);
}

void build_range(NodeBuild& node) {
  if (node.in(0).type == ElementType::kFloat) return build_float_range(node);
  for (size_t i = 0; i < 3; ++i) {
    if (node.constant_ints(i).size() != 1) node.fail("expected one number for the start, the end and the step");
  }
  const int64_t begin = node.constant_ints(0)[0], end = node.constant_ints(1)[0], by = node.constant_ints(2)[0];
  if (by == 0) node.fail("expected a step other than 0");
  constexpr int64_t kMost = int64_t{1} << 40;
  for (const int64_t number : {begin, end, by}) node.in_range("range", number, -kMost, kMost);
  const int64_t n = std::max<int64_t>((end - begin + by + (by > 0 ? -1 : 1)) / by, 0);
  Value& y = node.out(0, ElementType::kInt, {n});
  for (int64_t i = 0; i < n; ++i) y.ints[i] = begin + i * by;
}

// Only where it is known before a run which branch is taken.
void build_if(NodeBuild& node) {
  const Value& condition = node.ints(0);
  if (!condition.constant || condition.size != 1) {
    node.fail("expected a condition that is known before the run, found a computed one",
              "models that decide as they run cannot be run here");
  }
  const size_t taken = condition.ints[0] != 0 ? 0 : 1;
  node.inline_nodes(node.node().branches[taken]);
  for (size_t i = 0; i < node.node().outputs.size(); ++i) {
    const Value* value = node.find(node.node().branch_outputs[taken][i]);
    LONGHAND_CHECK(value != nullptr);
    node.alias(i, *value, value->dims);
  }
}

}  // namespace

std::vector<NodeType> shape_node_types() {
  constexpr size_t kAny = NodeType::kAny;
  return {
      {"Identity", "ONNX", 1, 1, 1, {}, {}, build_identity},
      {"Dropout", "ONNX; does nothing in inference", 1, 3, 1, {"ratio", "seed"}, {}, build_identity},
      {"dropout", "does nothing in inference", 1, 1, 1, {"rate"}, {}, build_identity, true},
      {"Constant", "ONNX", 0, 0, 1, {}, {"value"}, build_constant},
      {"Shape", "ONNX", 1, 1, 1, {"start", "end"}, {}, build_shape},
      {"Size", "ONNX", 1, 1, 1, {}, {}, build_size},
      {"ConstantOfShape", "ONNX", 1, 1, 1, {}, {"value"}, build_constant_of_shape},
      {"Reshape", "ONNX", 1, 2, 1, {"allowzero", "shape"}, {}, build_reshape},
      {"Flatten", "ONNX", 1, 1, 1, {"axis"}, {}, build_flatten},
      {"Squeeze", "ONNX", 1, 2, 1, {"axes"}, {}, build_squeeze},
      {"Unsqueeze", "ONNX", 1, 2, 1, {"axes"}, {}, build_unsqueeze},
      {"Range", "ONNX", 3, 3, 1, {}, {}, build_range},
      {"If", "ONNX, where the condition is known before a run", 1, 1, kAny, {}, {}, build_if},
  };
}

}  // namespace longhand::graph
