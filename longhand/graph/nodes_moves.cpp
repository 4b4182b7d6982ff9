// ONNX's operators that move elements: which go where follows from shapes, and, of Gather, from indexes.
#include <algorithm>

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

}  // namespace

std::vector<NodeType> move_node_types() {
  constexpr size_t kAny = NodeType::kAny;
  return {
      {"Transpose", "ONNX", 1, 1, 1, {"perm"}, {}, build_transpose},
      {"Slice", "ONNX", 1, 5, 1, {"starts", "ends", "axes"}, {}, build_slice},
      {"Concat", "ONNX", 1, kAny, 1, {"axis"}, {}, build_concat},
      {"concat", "outputs of several layers side by side", 1, kAny, 1, {"axis"}, {}, build_concat, true},
      {"Split", "ONNX", 1, 2, kAny, {"axis", "split", "num_outputs"}, {}, build_split},
      {"Gather", "ONNX", 2, 2, 1, {"axis"}, {}, build_gather},
      {"Expand", "ONNX", 2, 2, 1, {}, {}, build_expand},
      {"Tile", "ONNX", 2, 2, 1, {}, {}, build_tile},
      {"Pad", "ONNX", 1, 4, 1, {"mode", "pads", "value"}, {}, build_onnx_pad},
  };
}

}  // namespace longhand::graph
