// ONNX's numbers of 8 bits: what a graph rounds to them as it runs, and products of them.
#include <algorithm>
#include <cmath>

#include "longhand/graph/broadcast.h"
#include "longhand/graph/node_build.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

// round(x / scale) + zero point, between two limits; half to even.
int64_t rounded(float x, float scale, int64_t zero, int64_t low, int64_t high) {
  const double r = std::nearbyint(static_cast<double>(x / scale)) + static_cast<double>(zero);
  return static_cast<int64_t>(std::clamp(std::isnan(r) ? 0.0 : r, static_cast<double>(low), static_cast<double>(high)));
}

// For all elements, or for each of an axis. `low` and `high` are the limits of the type of the zero point, which an
// importer knows; without one the type is uint8.
void build_quantize(NodeBuild& node) {
  const Value &x = node.floats(0), &scale = node.floats(1);
  const Value* zero = node.has(2) ? &node.ints(2) : nullptr;
  const int64_t low = node.integer("low", 0), high = node.integer("high", 255);
  int64_t n = 1, inner = std::max<int64_t>(x.size, 1);
  if (scale.size != 1) {
    const auto axis = static_cast<size_t>(node.axis(node.integer("axis", 1), x.rank()));
    n = x.dims[axis];
    inner = count(x.dims, axis + 1, x.dims.size());
  }
  if (scale.size != n || (zero != nullptr && zero->size != n)) {
    node.fail("expected one scale, or one for each of an axis");
  }
  Value& y = node.out(0, ElementType::kInt, x.dims);
  node.step([=, &x, &scale, &y] {
    for (int64_t i = 0; i < x.size; ++i) {
      const int64_t at = i / inner % n;
      y.ints[i] = rounded(x.floats[i], scale.floats[at], zero == nullptr ? 0 : zero->ints[at], low, high);
    }
  });
}

// To uint8, with the scale and the zero point of the elements of this run.
void build_dynamic_quantize(NodeBuild& node) {
  const Value& x = node.floats(0);
  Value& y = node.out(0, ElementType::kInt, x.dims);
  Value &scale = node.out(1, Dims{}), &zero = node.out(2, ElementType::kInt, Dims{});
  if (x.rank() == 3) node.needs_whole("rounds by the largest element of a run");
  node.step([&x, &y, &scale, &zero] {
    float low = 0.0F, high = 0.0F;
    for (int64_t i = 0; i < x.size; ++i) {
      low = std::min(low, x.floats[i]);
      high = std::max(high, x.floats[i]);
    }
    scale.floats[0] = high == low ? 1.0F : (high - low) / 255.0F;
    zero.ints[0] = rounded(-low, scale.floats[0], 0, 0, 255);
    for (int64_t i = 0; i < x.size; ++i) y.ints[i] = rounded(x.floats[i], scale.floats[0], zero.ints[0], 0, 255);
  });
}

// (A - a) (B - b) of whole numbers, [..., m, k] [k, n]; a is one number, b one or one for each column.
void build_integer_product(NodeBuild& node) {
  const Value &a = node.ints(0), &b = node.ints(1);
  const Value* a_zero = node.has(2) ? &node.ints(2) : nullptr;
  const Value* b_zero = node.has(3) ? &node.ints(3) : nullptr;
  if (a.rank() < 2 || b.rank() != 2 || a.last() != b.dim(0)) {
    node.fail("expected matrices that can be multiplied, found " + shown(a.dims) + " and " + shown(b.dims));
  }
  const int64_t k = b.dim(0), n = b.dim(1);
  if ((a_zero != nullptr && a_zero->size != 1) || (b_zero != nullptr && b_zero->size != 1 && b_zero->size != n)) {
    node.fail("expected one zero point, or one for each column");
  }
  Dims dims = a.dims;
  dims.back() = n;
  Value& y = node.out(0, ElementType::kInt, dims);
  const int64_t rows = k == 0 ? 0 : a.size / k;
  node.step([=, &a, &b, &y] {
    const int64_t za = a_zero == nullptr ? 0 : a_zero->ints[0];
    std::fill_n(y.ints, y.size, 0);
    for (int64_t row = 0; row < rows; ++row) {
      int64_t* to = y.ints + row * n;
      for (int64_t i = 0; i < k; ++i) {
        const int64_t own = a.ints[row * k + i] - za;
        if (own == 0) continue;
        const int64_t* from = b.ints + i * n;
        for (int64_t j = 0; j < n; ++j) {
          const int64_t zb = b_zero == nullptr ? 0 : b_zero->ints[b_zero->size == 1 ? 0 : j];
          to[j] += own * (from[j] - zb);
        }
      }
    }
  });
}

}  // namespace

std::vector<NodeType> quantised_node_types() {
  return {
      {"QuantizeLinear", "ONNX", 2, 3, 1, {"axis", "low", "high"}, {}, build_quantize},
      {"DynamicQuantizeLinear", "ONNX", 1, 1, 3, {}, {}, build_dynamic_quantize},
      {"MatMulInteger", "ONNX", 2, 4, 1, {}, {}, build_integer_product},
  };
}

}  // namespace longhand::graph
