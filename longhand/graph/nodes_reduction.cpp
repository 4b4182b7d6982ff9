// Sums and extremes over axes, and ONNX's pooling of one dimension.
#include <algorithm>
#include <cmath>
#include <limits>

#include "longhand/graph/broadcast.h"
#include "longhand/graph/node_build.h"
#include "longhand/graph/node_types.h"

namespace longhand::graph {
namespace {

enum class Reduction { kSum, kMean, kMax, kMin, kProd, kL1, kL2, kSumSquare, kLogSum, kLogSumExp };

struct ReductionRow {
  const char* name;
  Reduction reduction;
};
constexpr ReductionRow kReductions[] = {
    {"ReduceSum", Reduction::kSum},       {"ReduceMean", Reduction::kMean},
    {"ReduceMax", Reduction::kMax},       {"ReduceMin", Reduction::kMin},
    {"ReduceProd", Reduction::kProd},     {"ReduceL1", Reduction::kL1},
    {"ReduceL2", Reduction::kL2},         {"ReduceSumSquare", Reduction::kSumSquare},
    {"ReduceLogSum", Reduction::kLogSum}, {"ReduceLogSumExp", Reduction::kLogSumExp}};

float start_of(Reduction reduction) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return reduction == Reduction::kMax    ? -kInfinity
         : reduction == Reduction::kMin  ? kInfinity
         : reduction == Reduction::kProd ? 1.0F
                                         : 0.0F;
}

float reduced(Reduction reduction, float sum, float x) {
  switch (reduction) {
    case Reduction::kMax: return std::max(sum, x);
    case Reduction::kMin: return std::min(sum, x);
    case Reduction::kProd: return sum * x;
    case Reduction::kL1: return sum + std::abs(x);
    case Reduction::kL2:
    case Reduction::kSumSquare: return sum + x * x;
    case Reduction::kLogSumExp: return sum + std::exp(x);
    default: return sum + x;
  }
}

// y [size] from x, of which `less` [size] is taken off first; null: nothing.
void reduce_floats(Reduction r, const BroadcastLoop& loop, const Value& x, const float* less, int64_t size, float* y) {
  std::fill_n(y, size, start_of(r));
  if (x.size == 0) return;
  loop.for_rows([&](int64_t n, int64_t, int64_t, int64_t to, int64_t stride, int64_t from) {
    const float* row = x.floats + from;
    if (stride == 0) {
      float sum = y[to];
      const float off = less == nullptr ? 0.0F : less[to];
      for (int64_t i = 0; i < n; ++i) sum = reduced(r, sum, row[i] - off);
      y[to] = sum;
    } else {
      for (int64_t i = 0; i < n; ++i)
        y[to + i] = reduced(r, y[to + i], row[i] - (less == nullptr ? 0.0F : less[to + i]));
    }
  });
}

// The axes as an input (opset 13 or 18 and later) or an attribute; none: all, or, where the node says so, nothing.
std::vector<bool> reduced_axes(NodeBuild& node, const Value& x) {
  std::vector<bool> out(x.dims.size(), false);
  const std::vector<int64_t> axes = node.has(1) ? node.constant_ints(1) : node.integers("axes", {});
  for (const int64_t axis : axes) out[static_cast<size_t>(node.axis(axis, x.rank()))] = true;
  if (axes.empty() && node.integer("noop_with_empty_axes", 0) == 0) out.assign(out.size(), true);
  return out;
}

void build_reduction(NodeBuild& node) {
  const auto* row = std::find_if(std::begin(kReductions), std::end(kReductions),
                                 [&](const ReductionRow& each) { return node.node().type == each.name; });
  LONGHAND_CHECK(row != std::end(kReductions));
  const Value& x = node.in(0);
  const std::vector<bool> gone = reduced_axes(node, x);
  const bool keeps = node.integer("keepdims", 1) != 0;
  Dims kept, dims;
  for (size_t axis = 0; axis < gone.size(); ++axis) {
    kept.push_back(gone[axis] ? 1 : x.dims[axis]);
    if (!gone[axis] || keeps) dims.push_back(kept.back());
  }
  const BroadcastLoop loop(x.dims, kept, x.dims);
  if (x.type == ElementType::kInt) {
    const Reduction r = row->reduction;
    if (r != Reduction::kSum && r != Reduction::kProd && r != Reduction::kMax && r != Reduction::kMin) {
      node.fail("expected floats, found integers");
    }
    Value& y = node.out(0, ElementType::kInt, dims);
    if (x.size == 0 && (r == Reduction::kMax || r == Reduction::kMin)) node.fail("expected elements, found none");
    node.step([=, &x, &y] {
      const auto first = r == Reduction::kMax   ? std::numeric_limits<int64_t>::min()
                         : r == Reduction::kMin ? std::numeric_limits<int64_t>::max()
                                                : int64_t{r == Reduction::kProd};
      std::fill_n(y.ints, y.size, first);
      if (x.size == 0) return;
      loop.for_rows([&](int64_t n, int64_t, int64_t, int64_t to, int64_t stride, int64_t from) {
        for (int64_t i = 0; i < n; ++i) {
          int64_t& sum = y.ints[to + i * stride];
          const int64_t v = x.ints[from + i];
          const auto u = static_cast<uint64_t>(sum), w = static_cast<uint64_t>(v);
          sum = r == Reduction::kMax   ? std::max(sum, v)
                : r == Reduction::kMin ? std::min(sum, v)
                                       : static_cast<int64_t>(r == Reduction::kProd ? u * w : u + w);
        }
      });
    });
    return;
  }
  Value& y = node.out(0, dims);
  const float share =
      y.size == 0 ? 0.0F : static_cast<float>(y.size) / static_cast<float>(std::max<int64_t>(x.size, 1));
  const Reduction r = row->reduction;
  // The sum of exponentials stays in range if the largest element is taken off first.
  float* largest = r == Reduction::kLogSumExp ? node.floats_memory(y.size).data() : nullptr;
  if (largest != nullptr) {
    node.step([=, &x, size = y.size] {
      reduce_floats(Reduction::kMax, loop, x, nullptr, size, largest);
      for (int64_t i = 0; i < size; ++i) largest[i] = std::isfinite(largest[i]) ? largest[i] : 0.0F;
    });
  }
  node.step([=, &x, &y] {
    reduce_floats(r, loop, x, largest, y.size, y.floats);
    for (int64_t i = 0; i < y.size; ++i) {
      float& v = y.floats[i];
      v = r == Reduction::kMean        ? v * share
          : r == Reduction::kL2        ? std::sqrt(v)
          : r == Reduction::kLogSum    ? std::log(v)
          : r == Reduction::kLogSumExp ? std::log(v) + largest[i]
                                       : v;
    }
  });
}

template <class T>
int64_t best_of(const T* x, int64_t n, int64_t stride, bool least, bool last) {
  int64_t best = 0;
  for (int64_t k = 1; k < n; ++k) {
    const T now = x[k * stride], before = x[best * stride];
    if ((least ? now < before : now > before) || (last && now == before)) best = k;
  }
  return best;
}

// The first (or last) of the largest elements of an axis.
void build_argmax(NodeBuild& node) {
  const Value& x = node.in(0);
  const auto axis = static_cast<size_t>(node.axis(node.integer("axis", 0), x.rank()));
  Dims dims = x.dims;
  if (node.integer("keepdims", 1) != 0) {
    dims[axis] = 1;
  } else {
    dims.erase(dims.begin() + static_cast<int64_t>(axis));
  }
  const int64_t outer = count(x.dims, 0, axis), n = x.dims[axis], inner = count(x.dims, axis + 1, x.dims.size());
  if (n == 0) node.fail("expected elements, found none");
  Value& y = node.out(0, ElementType::kInt, dims);
  const bool least = node.node().type == "ArgMin", last = node.integer("select_last_index", 0) != 0;
  node.step([=, &x, &y] {
    for (int64_t i = 0; i < outer * inner; ++i) {
      const int64_t at = i / inner * n * inner + i % inner;
      y.ints[i] = x.type == ElementType::kFloat ? best_of(x.floats + at, n, inner, least, last)
                                                : best_of(x.ints + at, n, inner, least, last);
    }
  });
}

// [N, C, L] -> [N, C, L'], or within [B, T, C] (and frames) over the axis before the last: windows of a few elements.
struct PoolWindows {
  int64_t outer = 1, length = 1, inner = 1;
  int64_t kernel = 1, stride = 1, left = 0, right = 0;
  bool mean = false, counts_padding = false;

  int64_t out_length() const { return (left + length + right - kernel) / stride + 1; }
};

void run_windows(const PoolWindows& p, const float* x, float* y) {
  const int64_t n = p.out_length();
  for (int64_t o = 0; o < p.outer; ++o) {
    for (int64_t t = 0; t < n; ++t) {
      const int64_t begin = std::max<int64_t>(t * p.stride - p.left, 0);
      const int64_t end = std::min(t * p.stride - p.left + p.kernel, p.length);
      for (int64_t j = 0; j < p.inner; ++j) {
        const float* from = x + o * p.length * p.inner + j;
        float sum = p.mean || begin >= end ? 0.0F : from[begin * p.inner];
        for (int64_t k = begin; k < end; ++k) {
          sum = p.mean ? sum + from[k * p.inner] : std::max(sum, from[k * p.inner]);
        }
        const int64_t count_ = p.counts_padding ? p.kernel : std::max<int64_t>(end - begin, 1);
        y[(o * n + t) * p.inner + j] = p.mean ? sum / static_cast<float>(count_) : sum;
      }
    }
  }
}

void build_pool_windows(NodeBuild& node) {
  const Value& x = node.floats(0);
  const std::string& type = node.node().type;
  const bool of_sequences = type[0] >= 'a', global = type.starts_with("Global");
  if (x.rank() < 3 || (!of_sequences && x.rank() != 3)) {
    node.fail("expected 3 axes, found " + shown(x.dims), "pooling of one dimension can be run, other pooling cannot");
  }
  const size_t axis = of_sequences ? x.dims.size() - 2 : 2;
  PoolWindows p{
      .outer = count(x.dims, 0, axis), .length = x.dims[axis], .inner = count(x.dims, axis + 1, x.dims.size())};
  p.mean = type.find("verage") != std::string::npos || type == "avg-pool1d";
  const auto first = [&](const char* name, int64_t otherwise) {
    const std::vector<int64_t> given = node.integers(name, {otherwise});
    if (given.empty()) node.fail(std::string("attribute '") + name + "': expected a number");
    return given.front();
  };
  if (global) {
    p.kernel = p.length;
  } else {
    p.kernel = node.in_range("kernel", first(of_sequences ? "kernel" : "kernel_shape", 0), 1, 1 << 20);
    p.stride =
        node.in_range("stride", first(of_sequences ? "stride" : "strides", of_sequences ? p.kernel : 1), 1, 1 << 20);
    const std::vector<int64_t> pads = node.integers(of_sequences ? "padding" : "pads", {0, 0});
    if (pads.empty() || pads.size() > 2 || node.choice("auto_pad", "NOTSET", {"NOTSET", "VALID"}).empty()) {
      node.fail("expected padding of both sides");
    }
    p.left = node.in_range("padding", pads.front(), 0, p.kernel - 1);
    p.right = node.in_range("padding", pads.back(), 0, p.kernel - 1);
    p.counts_padding = node.integer("count_include_pad", of_sequences ? 1 : 0) != 0;
    if (node.integer("ceil_mode", 0) != 0 || first("dilations", 1) != 1)
      node.fail("expected no ceil_mode and no dilations");
  }
  if (p.kernel < 1 || p.left + p.length + p.right < p.kernel)
    node.fail("expected a longer input, found " + shown(x.dims));
  if (of_sequences && x.rank() == 3) node.needs_whole("pools windows of time steps");
  Dims dims = x.dims;
  dims[axis] = p.out_length();
  Value& y = node.out(0, dims);
  node.step([p, &x, &y] { run_windows(p, x.floats, y.floats); });
}

}  // namespace

std::vector<NodeType> reduction_node_types() {
  std::vector<NodeType> out;
  for (const ReductionRow& row : kReductions) {
    out.push_back({row.name, "ONNX", 1, 2, 1, {"axes", "keepdims", "noop_with_empty_axes"}, {}, build_reduction});
  }
  for (const char* name : {"ArgMax", "ArgMin"})
    out.push_back({name, "ONNX", 1, 1, 1, {"axis", "keepdims", "select_last_index"}, {}, build_argmax});
  for (const char* name : {"MaxPool", "AveragePool"}) {
    out.push_back({name,
                   "ONNX, of one dimension",
                   1,
                   1,
                   1,
                   {"auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"},
                   {},
                   build_pool_windows});
  }
  for (const char* name : {"GlobalAveragePool", "GlobalMaxPool"}) {
    out.push_back({name, "ONNX, of one dimension", 1, 1, 1, {}, {}, build_pool_windows});
  }
  for (const char* name : {"max-pool1d", "avg-pool1d"}) {
    out.push_back({name,
                   "windows of time steps, or of the rows of a frame",
                   1,
                   1,
                   1,
                   {"kernel", "stride", "padding"},
                   {},
                   build_pool_windows,
                   true});
  }
  return out;
}

}  // namespace longhand::graph
