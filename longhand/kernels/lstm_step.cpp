#include "longhand/kernels/lstm_step.h"

#include <algorithm>

#include "longhand/kernels/layer_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/lstm_step.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/layer_norm-inl.h"
#include "longhand/kernels/lstm_cell-inl.h"

#ifndef LONGHAND_KERNELS_LSTM_STEP_SHARED_
#define LONGHAND_KERNELS_LSTM_STEP_SHARED_
namespace longhand::kernels {

// Rows of one matrix, for packing.
struct RowSource {
  const float* w;  // [blocks * size, rows]
  int64_t rows;    // columns of w
  int64_t blocks;  // 4 gates, which are interleaved by vector, or 1
  int64_t size;    // outputs of a block
};

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Sums that are computed at a time. A multiply-add takes four cycles, and two begin in each: eight keep them busy.
constexpr int kMaxVectors = 8;
constexpr int kMaxPanels = kManyRegisters ? 4 : 3;  // of four gates

// Divides vectors into groups of at most `max`, as equal as they can be.
void make_groups(int64_t vectors, int64_t max, PackedRows& packed) {
  const int64_t count = (vectors + max - 1) / max;
  packed.groups.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    packed.groups[i] = static_cast<int32_t>(split(vectors, static_cast<int>(count), static_cast<int>(i)).size());
  }
}

// Where, in a row of all groups' vectors, output `u` of a block is; a row is [vector of a block][block][lane].
int64_t place(const RowSource& source, int64_t block, int64_t u) {
  return (u / lanes() * source.blocks + block) * lanes() + u % lanes();
}

// Writes the source's rows as rows `first` and following of the packed ones.
void pack_rows(const RowSource& source, int64_t first, PackedRows& packed) {
  int64_t begin = 0;  // vectors of a block before the group
  for (int64_t i = 0; i < packed.groups.size(); ++i) {
    const int64_t vectors = packed.groups[i], width = vectors * source.blocks * lanes();
    float* group = packed.weights.data() + begin * source.blocks * lanes() * packed.rows;
    for (int64_t block = 0; block < source.blocks; ++block) {
      for (int64_t u = begin * lanes(); u < std::min(source.size, (begin + vectors) * lanes()); ++u) {
        const float* from = source.w + (block * source.size + u) * source.rows;
        float* to = group + first * width + place(source, block, u) - begin * source.blocks * lanes();
        for (int64_t k = 0; k < source.rows; ++k) to[k * width] = from[k];
      }
    }
    begin += vectors;
  }
}

void pack_linear_target(const RowSource& source, const float* bias, PackedLinearStep& packed) {
  packed.w.rows = source.rows;
  packed.w.outputs = source.size;
  const int64_t vectors = (source.size + lanes() - 1) / lanes();
  make_groups(vectors, kMaxVectors, packed.w);
  packed.w.weights.resize(source.rows * vectors * lanes());
  packed.w.weights.fill(0.0F);
  pack_rows(source, 0, packed.w);
  packed.bias.resize(vectors * lanes());
  packed.bias.fill(0.0F);
  if (bias != nullptr) std::copy_n(bias, source.size, packed.bias.data());
}

void pack_lstm_target(const LstmShape& shape, const LstmWeights<float>& weights, PackedLstmStep& packed) {
  const int64_t I = shape.inputs, H = shape.hidden, R = shape.outputs();
  const RowSource input{weights.w_ih, I, 4, H}, recurrent{weights.w_hh, R, 4, H};
  const int64_t dense_rows = packed.dense ? I : 0;
  packed.w.rows = dense_rows + R;
  packed.w.outputs = 4 * H;
  const int64_t panels = (H + lanes() - 1) / lanes(), width = panels * 4 * lanes();
  make_groups(panels, kMaxPanels, packed.w);
  packed.w.weights.resize(packed.w.rows * width);
  packed.w.weights.fill(0.0F);
  if (packed.dense) pack_rows(input, 0, packed.w);
  pack_rows(recurrent, dense_rows, packed.w);
  if (packed.normalised) return;
  packed.bias.resize(width);
  packed.bias.fill(0.0F);
  for (int64_t k = 0; k < 4 * H; ++k) packed.bias[place(input, k / H, k % H)] = weights.bias[k];
  packed.columns.resize(packed.dense ? 0 : I * width);
  packed.columns.fill(0.0F);
  for (int64_t s = 0; !packed.dense && s < I; ++s) {
    for (int64_t k = 0; k < 4 * H; ++k) {
      packed.columns[s * width + place(input, k / H, k % H)] = weights.w_ih[k * I + s] + weights.bias[k];
    }
  }
}

// sums += x' W for `n` rows of W, which stand at `w`; moves `w` behind them.
template <int kVectors>
HWY_INLINE void add_rows(const float* HWY_RESTRICT& w, const float* HWY_RESTRICT x, int64_t n, V (&sums)[kVectors]) {
  const D d;
  const int64_t lane_count = lanes();
  for (int64_t k = 0; k < n; ++k) {
    const V operand = hn::Set(d, x[k]);
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) sums[v] = hn::MulAdd(operand, hn::Load(d, w + v * lane_count), sums[v]);
    w += kVectors * lane_count;
  }
}

template <int kVectors>
HWY_INLINE void linear_group(const PackedLinearStep& packed, int64_t begin, const float* x, float* y) {
  const D d;
  const int64_t first = begin * lanes(), left = packed.w.outputs - first;
  V sums[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Load(d, packed.bias.data() + first + v * lanes());
  const float* w = packed.w.weights.data() + first * packed.w.rows;
  add_rows<kVectors>(w, x, packed.w.rows, sums);
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) store_n(sums[v], y + first + v * lanes(), left - v * lanes());
}

void linear_step_target(const PackedLinearStep& packed, const float* x, float* y) {
  int64_t begin = 0;
  for (int64_t i = 0; i < packed.w.groups.size(); ++i) {
    const int32_t vectors = packed.w.groups[i];
    switch (vectors) {
      case 1: linear_group<1>(packed, begin, x, y); break;
      case 2: linear_group<2>(packed, begin, x, y); break;
      case 3: linear_group<3>(packed, begin, x, y); break;
      case 4: linear_group<4>(packed, begin, x, y); break;
      case 5: linear_group<5>(packed, begin, x, y); break;
      case 6: linear_group<6>(packed, begin, x, y); break;
      case 7: linear_group<7>(packed, begin, x, y); break;
      default: linear_group<8>(packed, begin, x, y); break;
    }
    begin += vectors;
  }
}

// (1) to (4) for a group of panels that begins at the given one. `start` is a row of pre-activations to begin with.
template <int kPanels>
HWY_INLINE void cell_group(const PackedLstmStep& packed, const LstmStep& step, const float* start, float* m,
                           const float* zone_h, int64_t begin) {
  const D d;
  const int64_t lane_count = lanes(), first = begin * 4 * lane_count;
  V a[4 * kPanels];
#pragma GCC unroll 16
  for (int v = 0; v < 4 * kPanels; ++v) a[v] = hn::Load(d, start + first + v * lane_count);
  const float* w = packed.w.weights.data() + first * packed.w.rows;
  if (packed.dense) add_rows<4 * kPanels>(w, step.x, packed.inputs, a);
  add_rows<4 * kPanels>(w, step.h_prev, packed.w.rows - (packed.dense ? packed.inputs : 0), a);
#pragma GCC unroll 4
  for (int p = 0; p < kPanels; ++p) {
    const int64_t u = (begin + p) * lane_count;
    const Gates gates = activate(a[4 * p], a[4 * p + 1], a[4 * p + 2], a[4 * p + 3]);
    const V c = new_cell(gates, hn::Load(d, step.c + u));
    const V now = hn::Mul(gates.o, tanh(c));
    hn::Store(zoned(c, step.zone_c == nullptr ? nullptr : step.zone_c + u, step.c + u), d, step.c + u);
    hn::Store(zoned(now, zone_h == nullptr ? nullptr : zone_h + u, step.h_prev + u), d, m + u);
  }
}

void cell_groups(const PackedLstmStep& packed, const LstmStep& step, float* m, const float* zone_h) {
  const float* start = packed.dense ? packed.bias.data() : packed.columns.data() + step.symbol * packed.bias.size();
  int64_t begin = 0;
  for (int64_t i = 0; i < packed.w.groups.size(); ++i) {
    const int32_t panels = packed.w.groups[i];
    switch (panels) {
      case 1: cell_group<1>(packed, step, start, m, zone_h, begin); break;
      case 2: cell_group<2>(packed, step, start, m, zone_h, begin); break;
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM
      case 4: cell_group<4>(packed, step, start, m, zone_h, begin); break;
#endif
      default: cell_group<3>(packed, step, start, m, zone_h, begin); break;
    }
    begin += panels;
  }
}

// W x for rows [first, first + n) of the packed ones, as [4, Hp].
void multiply(const PackedLstmStep& packed, int64_t first, const float* x, int64_t n, float* product) {
  const D d;
  const int64_t Hp = padded(packed.hidden);
  int64_t begin = 0;
  for (int64_t i = 0; i < packed.w.groups.size(); ++i) {
    const int64_t panels = packed.w.groups[i], width = panels * 4 * lanes();
    const float* group = packed.w.weights.data() + begin * 4 * lanes() * packed.w.rows + first * width;
    for (int64_t p = 0; p < panels; ++p) {
      V a[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
      const float* w = group + p * 4 * lanes();
      for (int64_t k = 0; k < n; ++k, w += width) {
        const V operand = hn::Set(d, x[k]);
        for (int gate = 0; gate < 4; ++gate) a[gate] = hn::MulAdd(operand, hn::Load(d, w + gate * lanes()), a[gate]);
      }
      for (int gate = 0; gate < 4; ++gate) hn::Store(a[gate], d, product + gate * Hp + (begin + p) * lanes());
    }
    begin += panels;
  }
}

// (38) (40) (41): a normalised cell.
void normalised_cell(const PackedLstmStep& packed, const LstmStep& step, float* m, const float* zone_h,
                     float* scratch) {
  const D d;
  const int64_t H = packed.hidden, Hp = padded(H), dense_rows = packed.dense ? packed.inputs : 0;
  float* pre = scratch;
  float* product = pre + 4 * Hp;
  float* cell = product + 4 * Hp;
  float* out = cell + Hp;
  std::fill_n(scratch, 10 * Hp, 0.0F);
  const float* input = pre;
  if (packed.dense) {
    multiply(packed, 0, step.x, dense_rows, pre);
    normalise_row(pre, 4, H, pre);
    for (int64_t k = 0; k < 4 * Hp; k += lanes()) {
      hn::Store(
          hn::MulAdd(hn::Load(d, packed.gain_ih.data() + k), hn::Load(d, pre + k), hn::Load(d, packed.bias.data() + k)),
          d, pre + k);
    }
  } else {
    input = packed.columns.data() + step.symbol * 4 * Hp;
  }
  multiply(packed, dense_rows, step.h_prev, packed.w.rows - dense_rows, product);
  normalise_row(product, 4, H, product);
  for (int64_t u = 0; u < Hp; u += lanes()) {
    V a[4];
    for (int64_t gate = 0; gate < 4; ++gate) {
      const int64_t at = gate * Hp + u;
      a[gate] = hn::MulAdd(hn::Load(d, packed.gain_hh.data() + at), hn::Load(d, product + at), hn::Load(d, input + at));
    }
    const Gates gates = activate(a[0], a[1], a[2], a[3]);
    const V c = new_cell(gates, hn::Load(d, step.c + u));
    hn::Store(gates.o, d, out + u);
    hn::Store(c, d, cell + u);
    hn::Store(zoned(c, step.zone_c == nullptr ? nullptr : step.zone_c + u, step.c + u), d, step.c + u);
  }
  normalise_row(cell, 1, H, cell);
  for (int64_t u = 0; u < Hp; u += lanes()) {
    const V s =
        hn::MulAdd(hn::Load(d, packed.gain_c.data() + u), hn::Load(d, cell + u), hn::Load(d, packed.bias_c.data() + u));
    const V now = hn::Mul(hn::Load(d, out + u), tanh(s));
    hn::Store(zoned(now, zone_h == nullptr ? nullptr : zone_h + u, step.h_prev + u), d, m + u);
  }
}

void lstm_step_target(const PackedLstmStep& packed, const LstmStep& step) {
  const bool projected = packed.projection > 0;
  float* m = projected ? step.scratch : step.h;
  const float* zone_h = projected ? nullptr : step.zone_h;
  if (packed.normalised) {
    normalised_cell(packed, step, m, zone_h, step.scratch + (projected ? padded(packed.hidden) : 0));
  } else {
    cell_groups(packed, step, m, zone_h);
  }
  if (!projected) return;
  linear_step_target(packed.w_hr, m, step.h);  // (33), then (36)
  const D d;
  for (int64_t j = 0; step.zone_h != nullptr && j < padded(packed.projection); j += lanes()) {
    hn::Store(zoned(hn::Load(d, step.h + j), step.zone_h + j, step.h_prev + j), d, step.h + j);
  }
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(pack_linear_target);
HWY_EXPORT(pack_lstm_target);
HWY_EXPORT(linear_step_target);
HWY_EXPORT(lstm_step_target);

void pack_linear_step(const float* w, const float* bias, int64_t outputs, int64_t inputs, PackedLinearStep& packed) {
  HWY_DYNAMIC_DISPATCH(pack_linear_target)({w, inputs, 1, outputs}, bias, packed);
}

void linear_step(const PackedLinearStep& packed, const float* x, float* y) noexcept {
  HWY_DYNAMIC_DISPATCH(linear_step_target)(packed, x, y);
}

namespace {

// Groups of H values as groups of Hp, the rest zero.
void pad_groups(const float* values, int64_t groups, int64_t H, float* out) {
  std::fill_n(out, groups * padded(H), 0.0F);
  for (int64_t k = 0; k < groups; ++k) std::copy_n(values + k * H, H, out + k * padded(H));
}

void pack_norm(const LstmShape& shape, const LstmWeights<float>& weights, PackedLstmStep& packed, Context& context) {
  const int64_t H = shape.hidden, Hp = padded(H), I = shape.inputs;
  const auto take = [&](const float* values, int64_t groups, Buffer<float>& out) {
    out.resize(groups * Hp);
    pad_groups(values, groups, H, out.data());
  };
  take(weights.bias, 4, packed.bias);
  take(weights.gain_ih, 4, packed.gain_ih);
  take(weights.gain_hh, 4, packed.gain_hh);
  take(weights.gain_c, 1, packed.gain_c);
  take(weights.bias_c, 1, packed.bias_c);
  packed.columns.resize(packed.dense ? 0 : I * 4 * Hp);
  if (packed.dense) return;
  packed.columns.fill(0.0F);
  for (int64_t s = 0; s < I; ++s) {
    for (int64_t k = 0; k < 4 * H; ++k) packed.columns[s * 4 * Hp + k / H * Hp + k % H] = weights.w_ih[k * I + s];
  }
  normalise_rows({.hidden = H,
                  .n = I,
                  .v = packed.columns.data(),
                  .gain = packed.gain_ih.data(),
                  .bias = packed.bias.data(),
                  .y = packed.columns.data()},
                 context);
}

}  // namespace

void pack_lstm_step(const LstmShape& shape, const LstmWeights<float>& weights, bool dense, PackedLstmStep& packed,
                    Context& context) {
  packed.inputs = shape.inputs;
  packed.hidden = shape.hidden;
  packed.projection = shape.projection;
  packed.dense = dense;
  packed.normalised = weights.gain_ih != nullptr;
  HWY_DYNAMIC_DISPATCH(pack_lstm_target)(shape, weights, packed);
  if (packed.normalised) pack_norm(shape, weights, packed, context);
  if (shape.projection > 0) pack_linear_step(weights.w_hr, nullptr, shape.projection, shape.hidden, packed.w_hr);
}

int64_t step_scratch(const PackedLstmStep& packed) {
  return padded(packed.hidden) * ((packed.projection > 0 ? 1 : 0) + (packed.normalised ? 10 : 0));
}

void lstm_step(const PackedLstmStep& packed, const LstmStep& step) noexcept {
  HWY_DYNAMIC_DISPATCH(lstm_step_target)(packed, step);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
