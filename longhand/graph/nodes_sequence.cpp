// What stands between the layers of networks over sequences: [B, T, C], or [B, T, L, C] where a step is a frame of L
// rows.
#include <algorithm>
#include <cmath>

#include "longhand/graph/moves.h"
#include "longhand/graph/node_types.h"
#include "longhand/kernels/elementwise.h"

namespace longhand::graph {
namespace {

// The `n` rows that are pooled to one: rows `of` of x.
struct PoolRows {
  const float* x = nullptr;
  int64_t width = 0;
  const int32_t* of = nullptr;
  int64_t n = 0;

  const float* row(int64_t k) const { return x + of[k] * width; }
};

void pool_mean(const PoolRows& rows, float* y) {
  const float share = 1.0F / static_cast<float>(rows.n);
  std::fill_n(y, rows.width, 0.0F);
  for (int64_t k = 0; k < rows.n; ++k) {
    for (int64_t j = 0; j < rows.width; ++j) y[j] += rows.row(k)[j];
  }
  for (int64_t j = 0; j < rows.width; ++j) y[j] *= share;
}

void pool_max(const PoolRows& rows, float* y) {
  std::copy_n(rows.row(0), rows.width, y);
  for (int64_t k = 1; k < rows.n; ++k) {
    for (int64_t j = 0; j < rows.width; ++j) y[j] = std::max(y[j], rows.row(k)[j]);
  }
}

// Copies the last output of each direction: the first half of the last row, and of two directions also the second
// half of the first row.
void pool_last(const PoolRows& rows, int64_t directions, float* y) {
  const int64_t forward = rows.width / directions;
  std::copy_n(rows.row(rows.n - 1), forward, y);
  std::copy_n(rows.row(0) + forward, rows.width - forward, y + forward);
}

// sum of a_t x_t, a = softmax over t of v . tanh(x_t) (Zhou et al. 2016, equations 9 to 11)
void pool_attention(const PoolRows& rows, const float* query, float* scratch, float* y) {
  float* activated = scratch + rows.n;
  float largest = 0.0F, sum = 0.0F;
  for (int64_t k = 0; k < rows.n; ++k) {
    kernels::apply(kernels::Function::kTanh, 0.0F, 0.0F, rows.row(k), activated, rows.width);
    float score = 0.0F;
    for (int64_t j = 0; j < rows.width; ++j) score += query[j] * activated[j];
    scratch[k] = score;
    largest = k == 0 ? score : std::max(largest, score);
  }
  for (int64_t k = 0; k < rows.n; ++k) {
    scratch[k] = std::exp(scratch[k] - largest);
    sum += scratch[k];
  }
  std::fill_n(y, rows.width, 0.0F);
  for (int64_t k = 0; k < rows.n; ++k) {
    const float share = scratch[k] / sum;
    for (int64_t j = 0; j < rows.width; ++j) y[j] += share * rows.row(k)[j];
  }
}

using PoolFunction = std::function<void(const PoolRows& rows, float* y)>;

PoolFunction pool_function(NodeBuild& node, int64_t n, int64_t width) {
  const std::string kind = node.choice("kind", "last", {"last", "mean", "max", "attention"});
  const int64_t directions = node.in_range("directions", node.integer("directions", 1), 1, 2);
  if (width % directions != 0) node.fail("directions: expected rows of both directions' outputs");
  if (kind == "mean") return pool_mean;
  if (kind == "max") return pool_max;
  if (kind == "last") return [=](const PoolRows& rows, float* y) { pool_last(rows, directions, y); };
  const float* query = node.weight("query", {width}).floats.data();
  float* scratch = node.floats_memory(n + width).data();
  return [=](const PoolRows& rows, float* y) { pool_attention(rows, query, scratch, y); };
}

// Pools [B, T, C] -> [B, C] over the time steps, or [B, T, L, C] -> [B, T, C] over the rows of a frame. Input 1: a mask
// [B, T] or [B, T, L], 0 for excluded rows. If all rows are excluded, the output is zeros.
void build_pool(NodeBuild& node) {
  const Value& x = node.floats(0);
  if (x.rank() != 3 && x.rank() != 4) node.fail("expected [B, T, C] or [B, T, L, C], found " + shown(x.dims));
  const int64_t outer = count(x.dims, 0, x.dims.size() - 2), n = x.dim(-2), width = x.last();
  Dims dims = x.dims;
  dims.pop_back();
  const int64_t* mask = node.has(1) ? node.ints(1).ints : nullptr;
  if (mask != nullptr && node.ints(1).dims != dims) {
    node.fail("expected a mask " + shown(dims) + ", found " + shown(node.ints(1).dims));
  }
  dims.back() = width;
  if (n == 0) node.fail("expected at least one row");
  const PoolFunction pool = pool_function(node, n, width);
  const bool last = node.text("kind", "last") == "last" && node.integer("directions", 1) == 1;
  if (x.rank() == 3 && !last) node.needs_whole("is over all time steps");
  Value& y = node.out(0, dims);
  int32_t* of = node.ints_memory(n).data();
  node.step([=, &x, &y] {
    for (int64_t o = 0; o < outer; ++o) {
      int64_t read = 0;
      for (int64_t k = 0; k < n; ++k) {
        if (mask == nullptr || mask[o * n + k] != 0) of[read++] = static_cast<int32_t>(k);
      }
      float* to = y.floats + o * width;
      if (read == 0) std::fill_n(to, width, 0.0F);
      if (read > 0) pool({.x = x.floats + o * n * width, .width = width, .of = of, .n = read}, to);
    }
  });
}

// [B, T, ...] -> [B, T, shape]: of each step; -1 stands for what is left.
void build_step_reshape(NodeBuild& node) {
  const Value& x = node.in(0);
  if (x.rank() < 2) node.fail("expected [B, T, ...], found " + shown(x.dims));
  Dims shape = node.integers("shape", {});
  const int64_t each = count(x.dims, 2, x.dims.size());
  int64_t known = 1, open = 0;
  for (const int64_t extent : shape) {
    open += extent == -1 ? 1 : 0;
    if (extent != -1) known *= node.in_range("shape", extent, 1, 1 << 24);
    if (known > each) break;
  }
  if (open == 1 && each % known == 0) std::replace(shape.begin(), shape.end(), int64_t{-1}, each / known);
  Dims dims = {x.dim(0), x.dim(1)};
  dims.insert(dims.end(), shape.begin(), shape.end());
  if (open > 1 || count(dims) != x.size) {
    node.fail("attribute 'shape': expected a shape for the " + std::to_string(each) + " numbers of a step, found " +
              shown(shape));
  }
  node.alias(0, x, dims);
}

// [B, T, ...] -> [B, T, C]: each step's numbers in a row; or, after `pool`, [B, ...] as it is.
void build_step_flatten(NodeBuild& node) {
  const Value& x = node.in(0);
  if (x.rank() < 3) return (void)node.alias(0, x, x.dims);
  node.alias(0, x, {x.dim(0), x.dim(1), count(x.dims, 2, x.dims.size())});
}

// [B, T, L, C] -> [B, T, C, L]
void build_step_transpose(NodeBuild& node) {
  const Value& x = node.in(0);
  if (x.rank() != 4) node.fail("expected [B, T, L, C], found " + shown(x.dims));
  move_elements(node, 0, x, {x.dim(0), x.dim(1), x.dim(3), x.dim(2)}, [&](const Dims& at) {
    return offset_of(x.dims, {at[0], at[1], at[3], at[2]});
  });
}

// [B, T, ...], the last step first.
void build_reverse(NodeBuild& node) {
  const Value& x = node.in(0);
  if (x.rank() < 2) node.fail("expected [B, T, ...], found " + shown(x.dims));
  node.needs_whole("reads sequences from their end");
  move_elements(node, 0, x, x.dims, [&](const Dims& at) {
    Dims from = at;
    from[1] = x.dims[1] - 1 - at[1];
    return offset_of(x.dims, from);
  });
}

// Part of the last axis, from `start` to before `end`; negative numbers count from the end.
void build_part(NodeBuild& node) {
  const Value& x = node.in(0);
  if (x.dims.empty()) node.fail("expected rows, found one number");
  const int64_t n = x.last();
  const auto place = [&](const char* name, int64_t otherwise) {
    const int64_t given = node.integer(name, otherwise);
    return node.in_range(name, given < 0 ? given + n : given, 0, n);
  };
  const int64_t start = place("start", 0), end = place("end", n);
  if (start >= end) node.fail("expected a start before the end");
  Dims dims = x.dims;
  dims.back() = end - start;
  move_elements(node, 0, x, dims, [&](const Dims& at) {
    Dims from = at;
    from.back() += start;
    return offset_of(x.dims, from);
  });
}

// [B, T, C] -> [B, T, n + C]: before the numbers of each step, the last n of the step before (zeros at the beginning).
void build_context(NodeBuild& node) {
  const Value& x = node.floats(0);
  if (x.rank() != 3) node.fail("expected [B, T, C], found " + shown(x.dims));
  const int64_t B = x.dim(0), T = x.dim(1), C = x.last(), n = node.in_range("size", node.integer("size", 0), 1, C);
  Value& y = node.out(0, {B, T, n + C});
  float* past = node.floats_memory(B * n).data();
  node.add_state({node.name(), past, B, n, n, {}});
  node.step([=, &x, &y] {
    for (int64_t b = 0; b < B; ++b) {
      for (int64_t t = 0; t < T; ++t) {
        const float* from = x.floats + (b * T + t) * C;
        float* to = y.floats + (b * T + t) * (n + C);
        std::copy_n(past + b * n, n, to);
        std::copy_n(from, C, to + n);
        std::copy_n(from + C - n, n, past + b * n);
      }
    }
  });
}

// [..., 2 F] -> [..., F]: sqrt(re^2 + im^2) of F real parts and then F imaginary ones.
void build_magnitude(NodeBuild& node) {
  const Value& x = node.floats(0);
  if (x.dims.empty() || x.last() % 2 != 0) node.fail("expected an even number in each row, found " + shown(x.dims));
  const int64_t F = x.last() / 2;
  Dims dims = x.dims;
  dims.back() = F;
  Value& y = node.out(0, dims);
  node.step([&x, &y, F] {
    for (int64_t row = 0; row < y.rows(); ++row) {
      const float *re = x.floats + row * 2 * F, *im = re + F;
      float* to = y.floats + row * F;
      for (int64_t j = 0; j < F; ++j) to[j] = re[j] * re[j] + im[j] * im[j];
    }
    kernels::apply(kernels::Function::kSqrt, 0.0F, 0.0F, y.floats, y.floats, y.size);
  });
}

}  // namespace

std::vector<NodeType> sequence_node_types() {
  return {
      {"pool",
       "one row for all time steps (or rows of a frame)",
       1,
       2,
       1,
       {"kind", "directions"},
       {"query"},
       build_pool,
       true},
      {"reshape", "each step's numbers in another shape", 1, 1, 1, {"shape"}, {}, build_step_reshape, true},
      {"flatten", "each step's numbers as one row", 1, 1, 1, {}, {}, build_step_flatten, true},
      {"transpose", "[B, T, L, C] as [B, T, C, L]", 1, 1, 1, {}, {}, build_step_transpose, true},
      {"reverse", "the last time step first", 1, 1, 1, {}, {}, build_reverse, true},
      {"slice", "part of the last axis", 1, 1, 1, {"start", "end"}, {}, build_part, true},
      {"context",
       "the last numbers of the step before, then those of the step",
       1,
       1,
       1,
       {"size"},
       {},
       build_context,
       true},
      {"magnitude", "of complex numbers: real parts, then imaginary ones", 1, 1, 1, {}, {}, build_magnitude, true},
  };
}

}  // namespace longhand::graph
