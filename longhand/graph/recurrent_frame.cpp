#include "longhand/graph/recurrent_frame.h"

#include <algorithm>

namespace longhand::graph {
namespace {

// Either row may be null: zeros.
void merge_row(const RecurrentFrame& f, const float* forward, const float* reverse, float* y) {
  const auto put = [&](const float* from, float* to) {
    from == nullptr ? (void)std::fill_n(to, f.state, 0.0F) : (void)std::copy_n(from, f.state, to);
  };
  put(forward, y);
  if (f.directions == 1) return;
  if (f.merge == Merge::kConcat) return put(reverse, y + f.state);
  for (int64_t j = 0; j < f.state; ++j) {
    const float other = reverse == nullptr ? 0.0F : reverse[j];
    y[j] = f.merge == Merge::kMul ? y[j] * other : f.merge == Merge::kSum ? y[j] + other : 0.5F * (y[j] + other);
  }
}

// [B, T] symbols in the order of work, [T, B]; returns whether all are below `most`.
bool order_symbols(const RecurrentFrame& f, const int64_t* from, int64_t most, int32_t* to) {
  bool known = true;
  for (int64_t b = 0; b < f.batch; ++b) {
    for (int64_t t = 0; t < f.steps; ++t) {
      const int64_t s = from[b * f.steps + f.source(t)];
      known = known && s >= 0 && s < most;
      to[t * f.batch + b] = static_cast<int32_t>(s);
    }
  }
  return known;
}

void order_rows(const RecurrentFrame& f, const float* from, float* to) {
  for (int64_t b = 0; b < f.batch; ++b) {
    int64_t n = 0;
    for (int64_t t = 0; t < f.steps; ++t) {
      if (!f.reads(b, t)) continue;
      std::copy_n(from + (b * f.steps + f.source(t)) * f.inputs, f.inputs, to + (n++ * f.batch + b) * f.inputs);
    }
    if (f.lengths != nullptr) f.lengths[b] = static_cast<int32_t>(n);
    for (; n < f.steps; ++n) std::fill_n(to + (n * f.batch + b) * f.inputs, f.inputs, 0.0F);
  }
}

}  // namespace

RecurrentFrame read_frame(NodeBuild& node, const Value& x, int64_t state, int64_t directions) {
  RecurrentFrame f{.batch = x.dim(0), .steps = x.dim(1), .inputs = x.last(), .state = state, .directions = directions};
  f.backwards = node.integer("go_backwards", 0) != 0;
  f.last = node.choice("return", "sequences", {"sequences", "last"}) == "last";
  f.masked_zeros = node.choice("masked_outputs", "before", {"before", "zeros"}) == "zeros";
  const std::string merge = node.choice("merge", "concat", {"concat", "sum", "mul", "ave"});
  f.merge = merge == "sum" ? Merge::kSum : merge == "mul" ? Merge::kMul : merge == "ave" ? Merge::kAve : Merge::kConcat;
  if (f.merge != Merge::kConcat && directions == 1) {
    node.fail("expected one bidirectional layer for merge = \"" + merge + "\"", "make each layer a node of its own");
  }
  if (f.steps == 0 || f.batch == 0) node.fail("expected at least one time step of one sequence");
  const bool frames = node.in(0).rank() == 4;  // each is a step of its sequence
  if (!frames) {
    if (directions == 2) node.needs_whole("is bidirectional");
    if (f.backwards) node.needs_whole("reads sequences from their end");
    if (node.integer("carry", 1) == 0) node.needs_whole("begins anew in each run");
    if (node.has(2)) node.needs_whole("begins each run with a state that is computed");
  }
  f.fresh = frames || directions == 2 || node.integer("carry", 1) == 0 || node.has(2);
  if (!node.has(1)) return f;
  const Value& mask = node.ints(1);
  Dims expected = node.in(0).dims;
  expected.pop_back();
  if (mask.dims != expected) node.fail("expected a mask " + shown(expected) + ", found " + shown(mask.dims));
  f.mask = mask.ints;
  f.lengths = node.ints_memory(f.batch).data();
  return f;
}

RecurrentInput add_input(NodeBuild& node, const RecurrentFrame& f, const Value& x) {
  if (x.symbols != nullptr && f.mask == nullptr) {
    int32_t* symbols = node.ints_memory(f.batch * f.steps).data();
    node.step([f, &x, symbols, fault = node.fault()] {
      if (!order_symbols(f, x.symbols->ints, f.inputs, symbols)) fault("a symbol is none of its classes");
    });
    return {nullptr, symbols};
  }
  if (f.batch == 1 && !f.backwards && f.mask == nullptr) return {x.floats, nullptr};
  float* rows = node.floats_memory(x.size).data();
  node.step([f, &x, rows] { order_rows(f, x.floats, rows); });
  return {rows, nullptr};
}

void write_outputs(const RecurrentFrame& f, const float* h, int64_t stride, float* y) {
  const auto row = [&](int64_t n, int64_t b) { return h + (n * f.batch + b) * stride; };
  for (int64_t b = 0; b < f.batch; ++b) {
    const float* before = f.before == nullptr ? nullptr : f.before + b * padded(f.state);
    const int64_t length = f.length(b);
    // `n` steps were read up to this one; the reverse direction was last at the next.
    const auto put = [&](int64_t n, bool read, float* to) {
      if (!read && f.masked_zeros) return merge_row(f, nullptr, nullptr, to);
      const int64_t back = read ? n - 1 : n;
      merge_row(f, n > 0 ? row(n - 1, b) : before,
                f.directions == 2 && back < length ? row(back, b) + f.state : nullptr, to);
    };
    if (f.last) {
      merge_row(f, length > 0 ? row(length - 1, b) : before, length > 0 ? row(0, b) + f.state : nullptr,
                y + b * f.outputs());
      continue;
    }
    int64_t n = 0;
    for (int64_t t = 0; t < f.steps; ++t) {
      const bool read = f.reads(b, t);
      n += read ? 1 : 0;
      put(n, read, y + (b * f.steps + t) * f.outputs());
    }
  }
}

}  // namespace longhand::graph
