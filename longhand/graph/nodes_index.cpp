// ONNX's operators on indexes: one-hot rows, elements by index, running sums, reversed sequences, triangles, largest
// elements.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "longhand/graph/broadcast.h"
#include "longhand/graph/moves.h"
#include "longhand/graph/node_build.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

// Indexes, their number of classes, and the values off and on.
void build_onnx_one_hot(NodeBuild& node) {
  const Value &indexes = node.in(0), &values = node.in(2);
  const Value& depth = node.in(1);
  if (!depth.constant || depth.size != 1 || !values.constant || values.size != 2) {
    node.fail("expected a number of classes and two values that are known before the run");
  }
  const int64_t n = node.in_range(
      "classes", depth.type == ElementType::kInt ? depth.ints[0] : static_cast<int64_t>(depth.floats[0]), 1, 1 << 24);
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", -1), indexes.rank() + 1));
  Dims dims = indexes.dims;
  dims.insert(dims.begin() + static_cast<int64_t>(axis), n);
  Value& y = node.out(0, values.type, dims);
  const AxisParts l = parts_of(dims, static_cast<int64_t>(axis));
  node.step([=, &indexes, &values, &y] {
    if (y.type == ElementType::kFloat) {
      std::fill_n(y.floats, y.size, values.floats[0]);
    } else {
      std::fill_n(y.ints, y.size, values.ints[0]);
    }
    for (int64_t i = 0; i < indexes.size; ++i) {
      int64_t at = indexes.type == ElementType::kInt ? indexes.ints[i] : static_cast<int64_t>(indexes.floats[i]);
      at = at < 0 ? at + n : at;
      if (at < 0 || at >= n) continue;  // a row without a one, as ONNX says
      const int64_t to = (i / l.inner * n + at) * l.inner + i % l.inner;
      if (y.type == ElementType::kFloat) {
        y.floats[to] = values.floats[1];
      } else {
        y.ints[to] = values.ints[1];
      }
    }
  });
}

// Where each element of `indexes` stands in an array of `dims` if the index is 0.
std::vector<int64_t> places_of(const Dims& dims, const Dims& of_indexes, size_t axis) {
  std::vector<int64_t> out;
  Dims at(dims.size(), 0);
  for (int64_t i = 0; i < count(of_indexes); ++i) {
    Dims from = at;
    from[axis] = 0;
    out.push_back(offset_of(dims, from));
    for (size_t a = at.size(); a-- > 0;) {
      if (++at[a] < of_indexes[a]) break;
      at[a] = 0;
    }
  }
  return out;
}

// Elements of x that indexes along an axis name: x[indexes[i][j]][j], for axis 0.
class IndexedElements {
 public:
  // Throws unless `indexes` fits `x`.
  IndexedElements(NodeBuild& node, const Value& x, const Value& indexes) : indexes_(indexes) {
    if (x.rank() != indexes.rank() || x.dims.empty()) node.fail("expected indexes with as many axes as the array");
    const auto axis = static_cast<size_t>(node.axis(node.integer("axis", 0), x.rank()));
    for (size_t i = 0; i < x.dims.size(); ++i) {
      if (i != axis && indexes.dims[i] > x.dims[i]) node.fail("expected indexes that fit " + shown(x.dims));
    }
    along_ = parts_of(x.dims, static_cast<int64_t>(axis));
    base_ = &node.make<std::vector<int64_t>>(places_of(x.dims, indexes.dims, axis));
  }

  // Where the element of index `i` is; -1: out of range.
  int64_t place(int64_t i) const {
    const int64_t given = indexes_.ints[i], k = given < 0 ? given + along_.extent : given;
    return k < 0 || k >= along_.extent ? -1 : (*base_)[static_cast<size_t>(i)] + k * along_.inner;
  }

 private:
  const Value& indexes_;
  AxisParts along_;
  const std::vector<int64_t>* base_ = nullptr;
};

void copy_element(const Value& x, int64_t from, Value& y, int64_t to) {
  if (x.type == ElementType::kFloat) {
    y.floats[to] = x.floats[from];
  } else {
    y.ints[to] = x.ints[from];
  }
}

// y = x, but y[indexes[i][j]][j] = updates[i][j], for axis 0.
void build_scatter_elements(NodeBuild& node) {
  const Value &x = node.in(0), &indexes = node.ints(1), &updates = node.in(2);
  node.choice("reduction", "none", {"none"});
  const IndexedElements elements(node, x, indexes);
  if (updates.dims != indexes.dims || updates.type != x.type) node.fail("expected an update for each index");
  Value& y = node.out(0, x.type, x.dims);
  node.step([=, &x, &updates, &y, fault = node.fault()] {
    if (x.type == ElementType::kFloat) std::copy_n(x.floats, x.size, y.floats);
    if (x.type == ElementType::kInt) std::copy_n(x.ints, x.size, y.ints);
    for (int64_t i = 0; i < updates.size; ++i) {
      const int64_t to = elements.place(i);
      if (to < 0) return fault("an index is out of range");
      copy_element(updates, i, y, to);
    }
  });
}

void build_gather_elements(NodeBuild& node) {
  const Value &x = node.in(0), &indexes = node.ints(1);
  const IndexedElements elements(node, x, indexes);
  Value& y = node.out(0, x.type, indexes.dims);
  node.step([=, &x, &y, fault = node.fault()] {
    for (int64_t i = 0; i < y.size; ++i) {
      const int64_t from = elements.place(i);
      if (from < 0) return fault("an index is out of range");
      copy_element(x, from, y, i);
    }
  });
}

// The sum of all elements of an axis up to each.
template <class T>
void running_sums(const AxisParts& l, bool exclusive, bool reverse, const T* x, T* y) {
  for (int64_t i = 0; i < l.outer * l.inner; ++i) {
    const int64_t base = i / l.inner * l.extent * l.inner + i % l.inner;
    T sum{};
    for (int64_t k = 0; k < l.extent; ++k) {
      const int64_t at = base + (reverse ? l.extent - 1 - k : k) * l.inner;
      const T own = x[at];
      y[at] = exclusive ? sum : static_cast<T>(sum + own);
      sum = static_cast<T>(sum + own);
    }
  }
}

void build_cumulative_sum(NodeBuild& node) {
  const Value& x = node.in(0);
  const std::vector<int64_t> axes = node.constant_ints(1);
  if (axes.size() != 1) node.fail("expected one axis");
  const AxisParts l = parts_of(x.dims, node.axis(axes[0], x.rank()));
  const bool exclusive = node.integer("exclusive", 0) != 0, reverse = node.integer("reverse", 0) != 0;
  Value& y = node.out(0, x.type, x.dims);
  node.step([=, &x, &y] {
    if (x.type == ElementType::kFloat) {
      running_sums(l, exclusive, reverse, x.floats, y.floats);
    } else {
      running_sums(l, exclusive, reverse, reinterpret_cast<const uint64_t*>(x.ints),
                   reinterpret_cast<uint64_t*>(y.ints));
    }
  });
}

// The first `length` steps of each sequence in reverse order, the others as they are.
void build_reverse_sequence(NodeBuild& node) {
  const Value &x = node.in(0), &lengths = node.ints(1);
  const int64_t time = node.integer("time_axis", 0), batch = node.integer("batch_axis", 1);
  if (x.rank() < 2 || time + batch != 1 || time * batch != 0) node.fail("expected the axes 0 and 1 of time and batch");
  const int64_t T = x.dim(time), B = x.dim(batch), inner = count(x.dims, 2, x.dims.size());
  if (lengths.size != B) node.fail("expected a length for each sequence, found " + shown(lengths.dims));
  Value& y = node.out(0, x.type, x.dims);
  node.step([=, &x, &lengths, &y, fault = node.fault()] {
    for (int64_t b = 0; b < B; ++b) {
      const int64_t length = lengths.ints[b];
      if (length < 0 || length > T) return fault("a length is out of range");
      for (int64_t t = 0; t < T; ++t) {
        const int64_t s = t < length ? length - 1 - t : t;
        const int64_t from = (time == 0 ? s * B + b : b * T + s) * inner;
        const int64_t to = (time == 0 ? t * B + b : b * T + t) * inner;
        if (x.type == ElementType::kFloat) {
          std::copy_n(x.floats + from, inner, y.floats + to);
        } else {
          std::copy_n(x.ints + from, inner, y.ints + to);
        }
      }
    }
  });
}

// The upper or the lower triangle of matrices; zeros elsewhere.
void build_triangle(NodeBuild& node) {
  const Value& x = node.in(0);
  if (x.rank() < 2) node.fail("expected matrices, found " + shown(x.dims));
  const std::vector<int64_t> given = node.has(1) ? node.constant_ints(1) : std::vector<int64_t>{0};
  if (given.size() != 1) node.fail("expected one diagonal");
  const bool upper = node.integer("upper", 1) != 0;
  const size_t rank = x.dims.size();
  move_elements(node, 0, x, x.dims, [&](const Dims& at) {
    const int64_t distance = at[rank - 1] - at[rank - 2];
    const bool kept = upper ? distance >= given[0] : distance <= given[0];
    return kept ? offset_of(x.dims, at) : -1;
  });
}

template <class T>
void take_top(const AxisParts& l, int64_t k, bool largest, const T* x, std::vector<int64_t>& order, T* y,
              int64_t* places) {
  for (int64_t i = 0; i < l.outer * l.inner; ++i) {
    const T* from = x + i / l.inner * l.extent * l.inner + i % l.inner;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
      const T u = from[a * l.inner], v = from[b * l.inner];
      if (u < v || v < u) return largest ? v < u : u < v;
      return a < b;
    });
    for (int64_t j = 0; j < k; ++j) {
      const int64_t to = (i / l.inner * k + j) * l.inner + i % l.inner, best = order[static_cast<size_t>(j)];
      y[to] = from[best * l.inner];
      places[to] = best;
    }
  }
}

// The k largest (or least) elements of an axis and their places, in order; of equal ones the first.
void build_top(NodeBuild& node) {
  const Value& x = node.in(0);
  const std::vector<int64_t> given = node.has(1) ? node.constant_ints(1) : node.integers("k", {});
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", -1), x.rank()));
  const AxisParts l = parts_of(x.dims, static_cast<int64_t>(axis));
  if (given.size() != 1) node.fail("expected one number k");
  const int64_t k = node.in_range("k", given[0], 0, l.extent);
  Dims dims = x.dims;
  dims[axis] = k;
  Value& y = node.out(0, x.type, dims);
  Value& places = node.out(1, ElementType::kInt, dims);
  std::vector<int64_t>& order = node.make<std::vector<int64_t>>(static_cast<size_t>(l.extent));
  const bool largest = node.integer("largest", 1) != 0;
  node.step([=, &x, &y, &places, &order] {
    if (x.type == ElementType::kFloat) {
      take_top(l, k, largest, x.floats, order, y.floats, places.ints);
    } else {
      take_top(l, k, largest, x.ints, order, y.ints, places.ints);
    }
  });
}

void build_is_nan(NodeBuild& node) {
  const Value& x = node.floats(0);
  Value& y = node.out(0, ElementType::kInt, x.dims);
  node.step([&x, &y] {
    for (int64_t i = 0; i < x.size; ++i) y.ints[i] = std::isnan(x.floats[i]) ? 1 : 0;
  });
}

}  // namespace

std::vector<NodeType> index_node_types() {
  return {
      {"OneHot", "ONNX", 3, 3, 1, {"axis"}, {}, build_onnx_one_hot},
      {"ScatterElements", "ONNX", 3, 3, 1, {"axis", "reduction"}, {}, build_scatter_elements},
      {"GatherElements", "ONNX", 2, 2, 1, {"axis"}, {}, build_gather_elements},
      {"CumSum", "ONNX", 2, 2, 1, {"exclusive", "reverse"}, {}, build_cumulative_sum},
      {"ReverseSequence", "ONNX", 2, 2, 1, {"batch_axis", "time_axis"}, {}, build_reverse_sequence},
      {"Trilu", "ONNX", 1, 2, 1, {"upper"}, {}, build_triangle},
      {"TopK", "ONNX", 1, 2, 2, {"axis", "k", "largest", "sorted"}, {}, build_top},
      {"IsNaN", "ONNX", 1, 1, 1, {}, {}, build_is_nan},
  };
}

}  // namespace longhand::graph
