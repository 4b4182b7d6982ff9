// ONNX's matrix products.
#include <algorithm>

#include "longhand/graph/broadcast.h"
#include "longhand/graph/node_build.h"
#include "longhand/graph/node_types.h"
#include "longhand/kernels/gemm.h"

namespace longhand::graph {
namespace {

// [k, n] as rows of n.
std::vector<float> transposed(const float* b, int64_t k, int64_t n) {
  std::vector<float> out(static_cast<size_t>(k * n));
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t j = 0; j < n; ++j) out[static_cast<size_t>(j * k + i)] = b[i * n + j];
  }
  return out;
}

// A computed right operand is packed in each run, one matrix of the batch after the other.
void multiply_computed(NodeBuild& node, const Value& a, const Value& b, Value& y, int64_t m, int64_t k, int64_t n) {
  const Dims over_a(a.dims.begin(), a.dims.end() - 2), over_b(b.dims.begin(), b.dims.end() - 2);
  const Dims over(y.dims.begin(), y.dims.end() - 2);
  const BroadcastLoop loop(over_a, over_b, over);
  kernels::PackedMatrix& packed = node.make<kernels::PackedMatrix>();
  node.step([=, &a, &b, &y, &packed, &context = node.context()] {
    loop.for_rows([&](int64_t count_, int64_t at_a, int64_t a_stride, int64_t at_b, int64_t b_stride, int64_t at_y) {
      for (int64_t i = 0; i < count_; ++i) {
        kernels::pack({.b = b.floats + (at_b + i * b_stride) * k * n, .stride = n, .k = k, .n = n}, packed, context);
        kernels::gemm({.a = a.floats + (at_a + i * a_stride) * m * k,
                       .a_stride = k,
                       .m = m,
                       .b = &packed,
                       .c = y.floats + (at_y + i) * m * n,
                       .c_stride = n},
                      context);
      }
    });
  });
}

// [..., m, k] [..., k, n] -> [..., m, n]; an operand of one axis is a row, or a column, whose axis the result lacks.
void build_matmul(NodeBuild& node) {
  const Value &a_in = node.floats(0), &b_in = node.floats(1);
  if (a_in.dims.empty() || b_in.dims.empty()) node.fail("expected two matrices");
  Value &a = node.make<Value>(a_in), &b = node.make<Value>(b_in);
  if (a.rank() == 1) a.dims.insert(a.dims.begin(), 1);
  if (b.rank() == 1) b.dims.push_back(1);
  const int64_t m = a.dim(-2), k = a.dim(-1), n = b.dim(-1);
  const std::optional<Dims> over = broadcast({a.dims.begin(), a.dims.end() - 2}, {b.dims.begin(), b.dims.end() - 2});
  if (b.dim(-2) != k || !over) {
    node.fail("expected matrices that can be multiplied, found " + shown(a_in.dims) + " and " + shown(b_in.dims));
  }
  Dims dims = *over, result = *over;
  dims.insert(dims.end(), {m, n});
  if (a_in.rank() > 1) result.push_back(m);
  if (b_in.rank() > 1) result.push_back(n);
  Value& y = node.out(0, result);
  if (y.size == 0) return;
  if (b.constant && b.rank() == 2) {
    const Dense dense(
        node, node.is_trained(1) ? "matmul" : "", n, k, a.size / std::max<int64_t>(k, 1),
        [&] { return transposed(b.floats, k, n); }, nullptr);
    node.step([dense, &a, &y, k, n] { dense.run(y.size / n, a.floats, k, y.floats, n); });
    return;
  }
  Value& whole = node.make<Value>(y);
  whole.dims = dims;
  multiply_computed(node, a, b, whole, m, k, n);
}

// alpha A' B' + beta C, of A [m, k] and B [k, n], or their transposes.
void build_gemm(NodeBuild& node) {
  const Value &a = node.floats(0), &b = node.floats(1);
  if (a.rank() != 2 || b.rank() != 2)
    node.fail("expected two matrices, found " + shown(a.dims) + " and " + shown(b.dims));
  const bool a_turned = node.integer("transA", 0) != 0, b_turned = node.integer("transB", 0) != 0;
  const auto alpha = static_cast<float>(node.number("alpha", 1.0)), beta = static_cast<float>(node.number("beta", 1.0));
  const int64_t m = a.dim(a_turned ? 1 : 0), k = a.dim(a_turned ? 0 : 1), n = b.dim(b_turned ? 0 : 1);
  if (b.dim(b_turned ? 1 : 0) != k) {
    node.fail("expected matrices that can be multiplied, found " + shown(a.dims) + " and " + shown(b.dims));
  }
  Value& y = node.out(0, {m, n});
  if (y.size == 0) return;
  const Value* c = node.has(2) ? &node.floats(2) : nullptr;
  if (c != nullptr && broadcast(c->dims, y.dims) != y.dims) node.fail("expected C to fit " + shown(y.dims));
  const bool bias = c != nullptr && c->constant && c->size == n && c->last() == n && alpha == 1.0F && beta == 1.0F;
  const float* rows = a.floats;
  if (a_turned) {
    float* turned = node.floats_memory(a.size).data();
    node.step([&a, turned, m, k] {
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < k; ++j) turned[i * k + j] = a.floats[j * m + i];
      }
    });
    rows = turned;
  }
  if (b.constant) {
    const bool trained = node.is_trained(1) && (!bias || node.is_trained(2));
    const Dense dense(
        node, trained ? "gemm" : "", n, k, m,
        [&] { return b_turned ? std::vector<float>(b.floats, b.floats + b.size) : transposed(b.floats, k, n); },
        bias ? c->floats : nullptr);
    node.step([=, &y] { dense.run(m, rows, k, y.floats, n); });
  } else {
    kernels::PackedMatrix& packed = node.make<kernels::PackedMatrix>();
    node.step([=, &b, &y, &packed, &context = node.context()] {
      kernels::pack({.b = b.floats, .stride = b_turned ? k : n, .k = k, .n = n, .transposed = b_turned}, packed,
                    context);
      kernels::gemm({.a = rows, .a_stride = k, .m = m, .b = &packed, .c = y.floats, .c_stride = n}, context);
    });
  }
  if (bias || (c == nullptr && alpha == 1.0F)) return;
  const BroadcastLoop loop(y.dims, c == nullptr ? y.dims : c->dims, y.dims);
  node.step([=, &y] {
    loop.for_rows([&](int64_t count_, int64_t at, int64_t, int64_t at_c, int64_t c_stride, int64_t) {
      for (int64_t i = 0; i < count_; ++i) {
        y.floats[at + i] = alpha * y.floats[at + i] + (c == nullptr ? 0.0F : beta * c->floats[at_c + i * c_stride]);
      }
    });
  });
}

}  // namespace

std::vector<NodeType> matrix_node_types() {
  return {
      {"MatMul", "ONNX", 2, 2, 1, {}, {}, build_matmul},
      {"Gemm", "ONNX", 2, 3, 1, {"alpha", "beta", "transA", "transB"}, {}, build_gemm},
  };
}

}  // namespace longhand::graph
