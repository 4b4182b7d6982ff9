// Fully connected layers, and what makes rows of symbols.
#include <algorithm>

#include "longhand/graph/node_build.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

Dims with_last(Dims dims, int64_t last) {
  dims.back() = last;
  return dims;
}

// [..., I] -> [..., O]
void build_linear(NodeBuild& node) {
  const Value& x = node.floats(0);
  if (x.dims.empty()) node.fail("expected rows, found one number");
  const Array& w = node.weight("weight", {-1, x.last()});
  const int64_t inputs = x.last(), outputs = w.dims[0];
  const float* bias = node.optional_weight("bias", {outputs});
  Value& y = node.out(0, with_last(x.dims, outputs));
  const Dense dense(
      node, "linear", outputs, inputs, y.rows(), [&] { return w.floats; }, bias);
  node.step([dense, &x, &y, inputs, outputs] { dense.run(y.rows(), x.floats, inputs, y.floats, outputs); });
}

// [...] symbols -> [..., E]
void build_embedding(NodeBuild& node) {
  const Value& symbols = node.ints(0);
  const Array& table = node.weight("weight", {-1, -1});
  const int64_t V = table.dims[0], E = table.dims[1];
  Dims dims = symbols.dims;
  dims.push_back(E);
  Value& y = node.out(0, dims);
  node.step([&symbols, &y, &table, V, E, fault = node.fault()] {
    for (int64_t n = 0; n < symbols.size; ++n) {
      const int64_t s = symbols.ints[n];
      if (s < 0 || s >= V) return fault("a symbol is none of its table's");
      std::copy_n(table.floats.data() + s * E, E, y.floats + n * E);
    }
  });
}

// [...] symbols -> [..., V]
void build_one_hot(NodeBuild& node) {
  const Value& symbols = node.ints(0);
  const int64_t V = node.in_range("classes", node.integer("classes", 0), 1, int64_t{1} << 24);
  Dims dims = symbols.dims;
  dims.push_back(V);
  Value& y = node.out(0, dims);
  y.symbols = &symbols;
  node.step([&symbols, &y, V, fault = node.fault()] {
    std::fill_n(y.floats, y.size, 0.0F);
    for (int64_t n = 0; n < symbols.size; ++n) {
      const int64_t s = symbols.ints[n];
      if (s < 0 || s >= V) return fault("a symbol is none of its classes");
      y.floats[n * V + s] = 1.0F;
    }
  });
}

}  // namespace

std::vector<NodeType> dense_node_types() {
  return {
      {"linear", "y = W x + b over the last axis", 1, 1, 1, {"units"}, {"weight", "bias"}, build_linear, true},
      {"embedding", "rows of a table by symbol", 1, 1, 1, {"symbols", "units"}, {"weight"}, build_embedding, true},
      {"one-hot", "symbols as rows of zeros with a one", 1, 1, 1, {"classes"}, {}, build_one_hot, true},
  };
}

}  // namespace longhand::graph
