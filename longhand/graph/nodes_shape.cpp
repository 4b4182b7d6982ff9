// ONNX's operators that move elements and change shapes.
#include <algorithm>
#include <cmath>

#include "longhand/graph/broadcast.h"
#include "longhand/graph/moves.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

template <class T>
void copy_rows(const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t rows, int64_t n) {
  for (int64_t row = 0; row < rows; ++row) {
    if (n == 1) {
      y[row * y_stride] = x[row * x_stride];
    } else {
      std::copy_n(x + row * x_stride, n, y + row * y_stride);
    }
  }
}

// Rows of n elements.
void copy_rows(const Value& x, int64_t from, int64_t x_stride, Value& y, int64_t to, int64_t y_stride, int64_t rows,
               int64_t n) {
  if (x.type == ElementType::kFloat) {
    copy_rows(x.floats + from, x_stride, y.floats + to, y_stride, rows, n);
  } else {
    copy_rows(x.ints + from, x_stride, y.ints + to, y_stride, rows, n);
  }
}

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

void build_transpose(NodeBuild& node) {
  const Value& x = node.in(0);
  std::vector<int64_t> order = node.integers("perm", {});
  if (order.empty()) {
    for (int64_t axis = x.rank(); axis-- > 0;) order.push_back(axis);
  }
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  bool all = static_cast<int64_t>(order.size()) == x.rank();
  for (size_t i = 0; all && i < sorted.size(); ++i) all = sorted[i] == static_cast<int64_t>(i);
  if (!all) node.fail("attribute 'perm': expected each axis once");
  Dims dims;
  for (const int64_t axis : order) dims.push_back(x.dim(axis));
  // Axes of one element may go anywhere.
  Dims before, after;
  for (size_t i = 0; i < order.size(); ++i) {
    if (x.dims[i] != 1) before.push_back(static_cast<int64_t>(i));
    if (dims[i] != 1) after.push_back(order[i]);
  }
  if (before == after) return (void)node.alias(0, x, dims);
  move_elements(node, 0, x, dims, [&](const Dims& at) {
    Dims from(at.size());
    for (size_t i = 0; i < at.size(); ++i) from[static_cast<size_t>(order[i])] = at[i];
    return offset_of(x.dims, from);
  });
}

void build_slice(NodeBuild& node) {
  const Value& x = node.in(0);
  const std::vector<int64_t> starts = node.has(1) ? node.constant_ints(1) : node.integers("starts", {});
  const std::vector<int64_t> ends = node.has(2) ? node.constant_ints(2) : node.integers("ends", {});
  std::vector<int64_t> axes = node.has(3) ? node.constant_ints(3) : node.integers("axes", {});
  const std::vector<int64_t> strides = node.has(4) ? node.constant_ints(4) : std::vector<int64_t>(starts.size(), 1);
  for (size_t i = axes.size(); !node.has(3) && !node.has_attribute("axes") && i < starts.size(); ++i) {
    axes.push_back(static_cast<int64_t>(i));
  }
  if (starts.size() != ends.size() || starts.size() != axes.size() || starts.size() != strides.size()) {
    node.fail("expected a start, an end and a step for each axis");
  }
  Dims begin(x.dims.size(), 0), step(x.dims.size(), 1), dims = x.dims;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(node.axis(axes[i], x.rank()));
    const int64_t n = x.dims[axis];
    if (strides[i] == 0) node.fail("expected a step other than 0");
    const int64_t by = std::clamp(strides[i], -n - 1, n + 1);  // beyond, one element is taken all the same
    const auto limit = [&](int64_t at, int64_t least, int64_t most) {
      return std::clamp(at < 0 ? at + n : at, least, most);
    };
    const int64_t from = by > 0 ? limit(starts[i], 0, n) : limit(starts[i], 0, n - 1);
    const int64_t to = by > 0 ? limit(ends[i], 0, n) : limit(std::max(ends[i], -n - 1), -1, n - 1);
    begin[axis] = from;
    step[axis] = by;
    dims[axis] = n == 0   ? 0
                 : by > 0 ? std::max<int64_t>((to - from + by - 1) / by, 0)
                          : std::max<int64_t>((from - to - by - 1) / -by, 0);
  }
  if (dims == x.dims && std::all_of(step.begin(), step.end(), [](int64_t by) { return by == 1; })) {
    return (void)node.alias(0, x, dims);
  }
  move_elements(node, 0, x, dims, [&](const Dims& at) {
    Dims from(at.size());
    for (size_t i = 0; i < at.size(); ++i) from[i] = begin[i] + at[i] * step[i];
    return offset_of(x.dims, from);
  });
}

void build_concat(NodeBuild& node) {
  const Value& first = node.in(0);
  const bool of_layers = node.node().type == "concat";
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", of_layers ? -1 : 0), first.rank()));
  Dims dims = first.dims;
  dims[axis] = 0;
  for (size_t i = 0; i < node.inputs(); ++i) {
    const Value& x = node.in(i);
    Dims same = x.dims;
    if (same.size() == dims.size()) same[axis] = dims[axis];
    if (same != dims || x.type != first.type) {
      node.fail("expected arrays that differ in one axis, found " + shown(first.dims) + " and " + shown(x.dims));
    }
    dims[axis] += x.dims[axis];
  }
  Value& y = node.out(0, first.type, dims);
  const int64_t outer = count(dims, 0, axis), inner = count(dims, axis + 1, dims.size());
  const int64_t row = dims[axis] * inner;
  int64_t at = 0;
  for (size_t i = 0; i < node.inputs(); ++i) {
    const Value& x = node.in(i);
    const int64_t own = x.dims[axis] * inner;
    node.step([&x, &y, outer, own, row, at] { copy_rows(x, 0, own, y, at, row, outer, own); });
    at += own;
  }
}

// Parts along an axis: their sizes as an input, as an attribute, or equal ones.
void build_split(NodeBuild& node) {
  const Value& x = node.in(0);
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", 0), x.rank()));
  const auto parts = static_cast<int64_t>(node.node().outputs.size());
  std::vector<int64_t> sizes = node.has(1) ? node.constant_ints(1) : node.integers("split", {});
  const int64_t n = x.dims[axis], each = (n + parts - 1) / parts;
  for (int64_t i = 0; sizes.empty() && i < parts; ++i) sizes.resize(static_cast<size_t>(parts), each);
  if (!node.has(1) && !node.has_attribute("split")) sizes.back() = n - each * (parts - 1);
  int64_t sum = 0;
  for (const int64_t size : sizes) sum += node.in_range("split", size, 0, n);
  if (sum != n || static_cast<int64_t>(sizes.size()) != parts) {
    node.fail("expected " + std::to_string(parts) + " parts of " + std::to_string(n));
  }
  const int64_t outer = count(x.dims, 0, axis), inner = count(x.dims, axis + 1, x.dims.size()), row = n * inner;
  int64_t at = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    Dims dims = x.dims;
    dims[axis] = sizes[i];
    Value& y = node.out(i, x.type, dims);
    const int64_t own = sizes[i] * inner;
    node.step([&x, &y, outer, own, row, at] { copy_rows(x, at, row, y, 0, own, outer, own); });
    at += own;
  }
}

void build_gather(NodeBuild& node) {
  const Value &x = node.in(0), &indexes = node.ints(1);
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", 0), x.rank()));
  Dims dims(x.dims.begin(), x.dims.begin() + static_cast<int64_t>(axis));
  dims.insert(dims.end(), indexes.dims.begin(), indexes.dims.end());
  dims.insert(dims.end(), x.dims.begin() + static_cast<int64_t>(axis) + 1, x.dims.end());
  Value& y = node.out(0, x.type, dims);
  const int64_t outer = count(x.dims, 0, axis), inner = count(x.dims, axis + 1, x.dims.size()), n = x.dims[axis];
  node.step([&x, &indexes, &y, outer, inner, n, fault = node.fault()] {
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t k = 0; k < indexes.size; ++k) {
        const int64_t given = indexes.ints[k], at = given < 0 ? given + n : given;
        if (at < 0 || at >= n) return fault("an index is out of range");
        copy_rows(x, (o * n + at) * inner, 0, y, (o * indexes.size + k) * inner, 0, 1, inner);
      }
    }
  });
}

void build_expand(NodeBuild& node) {
  const Value& x = node.in(0);
  const std::optional<Dims> dims = broadcast(x.dims, node.constant_ints(1));
  if (!dims || count(*dims) < 0) node.fail("expected a shape that " + shown(x.dims) + " fits");
  if (*dims == x.dims) return (void)node.alias(0, x, x.dims);
  const Dims strides = broadcast_strides(x.dims, *dims);
  move_elements(node, 0, x, *dims, [&](const Dims& at) {
    int64_t from = 0;
    for (size_t i = 0; i < at.size(); ++i) from += at[i] * strides[i];
    return from;
  });
}

void build_tile(NodeBuild& node) {
  const Value& x = node.in(0);
  const std::vector<int64_t> times = node.constant_ints(1);
  if (static_cast<int64_t>(times.size()) != x.rank()) node.fail("expected a number of repeats for each axis");
  Dims dims = x.dims;
  for (size_t i = 0; i < dims.size(); ++i) dims[i] *= node.in_range("repeats", times[i], 0, 1 << 20);
  move_elements(node, 0, x, dims, [&](const Dims& at) {
    Dims from = at;
    for (size_t i = 0; i < at.size(); ++i) from[i] %= x.dims[i];
    return offset_of(x.dims, from);
  });
}

// Numbers on both sides of each axis; negative ones take elements away.
void build_onnx_pad(NodeBuild& node) {
  const Value& x = node.in(0);
  std::vector<int64_t> pads = node.has(1) ? node.constant_ints(1) : node.integers("pads", {});
  const std::string mode = node.choice("mode", "constant", {"constant", "reflect", "edge", "wrap"});
  double fill = node.number("value", 0.0);
  if (node.has(2)) {
    const Value& value = node.in(2);
    if (!value.constant || value.size != 1) node.fail("expected a fill of one element that is known before the run");
    fill =
        value.type == ElementType::kFloat ? static_cast<double>(value.floats[0]) : static_cast<double>(value.ints[0]);
  }
  const auto rank = x.dims.size();
  std::vector<int64_t> left(rank, 0), right(rank, 0);
  std::vector<int64_t> axes = node.has(3) ? node.constant_ints(3) : std::vector<int64_t>();
  for (size_t i = 0; !node.has(3) && i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
  if (pads.size() != 2 * axes.size()) node.fail("expected two numbers of padding for each axis");
  Dims dims = x.dims;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(node.axis(axes[i], x.rank()));
    const int64_t n = x.dims[axis];
    left[axis] = node.in_range("pads", pads[i], -n, 1 << 24);
    right[axis] = node.in_range("pads", pads[axes.size() + i], -n - left[axis], 1 << 24);
    dims[axis] = n + left[axis] + right[axis];
    const int64_t most = std::max(left[axis], right[axis]);
    if (most > 0 && ((mode == "reflect" && most >= n) || (mode != "constant" && n == 0))) {
      node.fail("expected less padding than there are elements, in " + shown(x.dims));
    }
  }
  move_elements(
      node, 0, x, dims,
      [&](const Dims& at) -> int64_t {
        Dims from(rank);
        for (size_t i = 0; i < rank; ++i) {
          const int64_t n = x.dims[i];
          int64_t k = at[i] - left[i];
          if (k < 0 || k >= n) {
            if (mode == "constant") return -1;
            if (mode == "edge") k = std::clamp<int64_t>(k, 0, n - 1);
            if (mode == "reflect") k = k < 0 ? -k : 2 * (n - 1) - k;
            if (mode == "wrap") k = (k % n + n) % n;
          }
          from[i] = k;
        }
        return offset_of(x.dims, from);
      },
      fill);
}

// start, start + step, ..., before the end.
void build_float_range(NodeBuild& node) {
  const auto begin = static_cast<double>(node.constant_number(0, 0.0F));
  const auto end = static_cast<double>(node.constant_number(1, 0.0F));
  const auto by = static_cast<double>(node.constant_number(2, 1.0F));
  const double n = std::max(std::ceil((end - begin) / by), 0.0);
  if (by == 0.0 || !(n < 1e9)) node.fail("expected a step other than 0, and an end that it reaches");
  Value& y = node.out(0, {static_cast<int64_t>(n)});
  for (int64_t i = 0; i < y.size; ++i) y.floats[i] = static_cast<float>(begin + static_cast<double>(i) * by);
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
      {"Transpose", "ONNX", 1, 1, 1, {"perm"}, {}, build_transpose},
      {"Slice", "ONNX", 1, 5, 1, {"starts", "ends", "axes"}, {}, build_slice},
      {"Concat", "ONNX", 1, kAny, 1, {"axis"}, {}, build_concat},
      {"concat", "outputs of several layers side by side", 1, kAny, 1, {"axis"}, {}, build_concat, true},
      {"Split", "ONNX", 1, 2, kAny, {"axis", "split", "num_outputs"}, {}, build_split},
      {"Gather", "ONNX", 2, 2, 1, {"axis"}, {}, build_gather},
      {"Expand", "ONNX", 2, 2, 1, {}, {}, build_expand},
      {"Tile", "ONNX", 2, 2, 1, {}, {}, build_tile},
      {"Pad", "ONNX", 1, 4, 1, {"mode", "pads", "value"}, {}, build_onnx_pad},
      {"Range", "ONNX", 3, 3, 1, {}, {}, build_range},
      {"If", "ONNX, where the condition is known before a run", 1, 1, kAny, {}, {}, build_if},
  };
}

}  // namespace longhand::graph
