#include "longhand/kernels/lstm_step.h"

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/lstm_step.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/layer_norm-inl.h"
#include "longhand/kernels/lstm_cell-inl.h"
#include "longhand/kernels/lstm_step-inl.h"

#ifndef LONGHAND_KERNELS_LSTM_STEP_SHARED_
#define LONGHAND_KERNELS_LSTM_STEP_SHARED_
namespace longhand::kernels {

struct LinearSteps {
  int64_t steps;
  const float* x;
  int64_t x_stride;
  float* y;
  int64_t y_stride;
};

// One step of an LSTM layer.
struct OneStep {
  const float* start;  // pre-activations to begin with, in the order of a row of weights
  const float* x;      // null: `start` has its part
  const float* h_prev;
  float* m;  // [Hp] written: h before its projection
  float* c;
  const float* zone_h;  // of m
  const float* zone_c;
  float* sums;  // takes the pre-activations, in the order of a row of weights, where a variant of the cell follows
};

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Weights that fit into the first-level cache are found there again by the next step. Others are asked for this many
// floats ahead: the processor's own prefetch falls behind while a group's cells are computed.
constexpr int64_t kResidentFloats = 7 << 10;
constexpr int64_t kPrefetchFloats = 512;

// sums += the weights in a word times x; of int8 2^24 times that.
template <WeightType kType>
HWY_INLINE void add_word(const float* word, V x, V* sums) {
  const D d;
  const hn::RebindToSigned<D> di;
  const V w = hn::Load(d, word);
  if constexpr (kType == WeightType::kFloat) {
    sums[0] = hn::MulAdd(x, w, sums[0]);
  } else if constexpr (kType == WeightType::kBf16) {
    const auto bits = hn::BitCast(di, w);
    sums[0] = hn::MulAdd(x, hn::BitCast(d, hn::ShiftLeft<16>(bits)), sums[0]);
    sums[1] = hn::MulAdd(x, hn::BitCast(d, hn::And(bits, hn::Set(di, -65536))), sums[1]);
  } else {
    const auto bits = hn::BitCast(di, w);
    const auto top = hn::Set(di, -(1 << 24));
    sums[0] = hn::MulAdd(x, hn::ConvertTo(d, hn::ShiftLeft<24>(bits)), sums[0]);
    sums[1] = hn::MulAdd(x, hn::ConvertTo(d, hn::And(hn::ShiftLeft<16>(bits), top)), sums[1]);
    sums[2] = hn::MulAdd(x, hn::ConvertTo(d, hn::And(hn::ShiftLeft<8>(bits), top)), sums[2]);
    sums[3] = hn::MulAdd(x, hn::ConvertTo(d, hn::And(bits, top)), sums[3]);
  }
}

// sums += x' W for `n` rows of W, which stand at `w`; moves `w` behind them.
template <WeightType kType, bool kStreams, int kVectors>
HWY_INLINE void add_rows(const float* HWY_RESTRICT& w, const float* HWY_RESTRICT x, int64_t n, V (&sums)[kVectors]) {
  constexpr int kPer = per_word(kType), kWords = kVectors / kPer;
  const int64_t lane_count = lanes();
  for (int64_t k = 0; k < n; ++k) {
    if constexpr (kStreams) {
#pragma GCC unroll 16
      for (int i = 0; i < kWords; ++i) {
        if (i * lane_count % kLineFloats == 0) hwy::Prefetch(w + kPrefetchFloats + i * lane_count);
      }
    }
    const V operand = hn::Set(D(), x[k]);
#pragma GCC unroll 16
    for (int i = 0; i < kWords; ++i) add_word<kType>(w + i * lane_count, operand, sums + i * kPer);
    w += kWords * lane_count;
  }
}

// sums += W x for one of the matrices, whose scales (of int8) are at `scales`.
template <WeightType kType, bool kStreams, int kVectors>
HWY_INLINE void add_product(const float* HWY_RESTRICT& w, const float* HWY_RESTRICT x, int64_t n, const float* scales,
                            V (&sums)[kVectors]) {
  if constexpr (kType != WeightType::kInt8) {
    add_rows<kType, kStreams>(w, x, n, sums);
  } else {
    const D d;
    V whole[kVectors];
#pragma GCC unroll 16
    for (V& sum : whole) sum = hn::Zero(d);
    add_rows<kType, kStreams>(w, x, n, whole);
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) sums[v] = hn::MulAdd(whole[v], hn::Load(d, scales + v * lanes()), sums[v]);
  }
}

template <WeightType kType, int kVectors>
HWY_INLINE void linear_group(const PackedLinearStep& packed, int64_t begin, const float* x, float* y) {
  const D d;
  const int64_t first = begin * lanes(), left = packed.w.outputs - first;
  V sums[kVectors];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Load(d, packed.bias.data() + first + v * lanes());
  const float* w = packed.w.weights.data() + first * packed.w.rows / per_word(kType);
  add_product<kType, false>(w, x, packed.w.rows, packed.w.scales.data() + first, sums);
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) store_n(sums[v], y + first + v * lanes(), left - v * lanes());
}

// A group of so many vectors, which are a multiple of those in a word.
template <WeightType kType, int kVectors = kMaxVectors>
HWY_INLINE void linear_vectors(const PackedLinearStep& packed, int64_t vectors, int64_t begin, const float* x,
                               float* y) {
  if constexpr (kVectors > per_word(kType)) {
    if (vectors < kVectors) return linear_vectors<kType, kVectors - per_word(kType)>(packed, vectors, begin, x, y);
  }
  linear_group<kType, kVectors>(packed, begin, x, y);
}

// The rows of a group are read for all steps before those of the next.
template <WeightType kType>
void linear_of(const PackedLinearStep& packed, const LinearSteps& at) {
  int64_t begin = 0;
  for (int64_t i = 0; i < packed.w.groups.size(); ++i) {
    for (int64_t t = 0; t < at.steps; ++t) {
      linear_vectors<kType>(packed, packed.w.groups[i], begin, at.x + t * at.x_stride, at.y + t * at.y_stride);
    }
    begin += packed.w.groups[i];
  }
}

void linear_step_target(const PackedLinearStep& packed, const LinearSteps& at) {
  switch (packed.w.type) {
    case WeightType::kFloat: return linear_of<WeightType::kFloat>(packed, at);
    case WeightType::kBf16: return linear_of<WeightType::kBf16>(packed, at);
    case WeightType::kInt8: return linear_of<WeightType::kInt8>(packed, at);
  }
}

// (1) for a group of panels that begins at the given one: the part of the input, for all steps, into `pre`
// [steps, width]. The weights of a group are in the first-level cache after the first step.
template <WeightType kType, int kPanels>
HWY_INLINE void input_group(const PackedLstmStep& packed, const LstmStep& args, int64_t begin, float* pre) {
  const D d;
  const int64_t first = begin * 4 * lanes(), width = packed.bias.size();
  for (int64_t t = 0; t < args.steps; ++t) {
    V a[4 * kPanels];
#pragma GCC unroll 16
    for (int v = 0; v < 4 * kPanels; ++v) a[v] = hn::Load(d, packed.bias.data() + first + v * lanes());
    const float* w = packed.w.weights.data() + first * packed.w.rows / per_word(kType);
    add_product<kType, false>(w, args.x + t * args.x_stride, packed.inputs, packed.w.scales.data() + first, a);
#pragma GCC unroll 16
    for (int v = 0; v < 4 * kPanels; ++v) hn::Store(a[v], d, pre + t * width + first + v * lanes());
  }
}

// What a cell makes of the sums of units u and following: the states (3) (4) (36) (37).
template <class Cell>
HWY_INLINE void finish_cell(const Cell& cell, const OneStep& step, V (&a)[4], int64_t u) {
  const D d;
  const NewCell now = cell.step(a, hn::Load(d, step.c + u), u);
  const V m = cell.output(now.gates.o, now.c, u);
  hn::Store(zoned(now.c, mask_at(step.zone_c, u), step.c + u), d, step.c + u);
  hn::Store(zoned(m, mask_at(step.zone_h, u), step.h_prev + u), d, step.m + u);
}

// (1) to (4) for a group of panels; of a variant of the cell (1) alone.
template <WeightType kType, bool kFast, bool kStreams, int kPanels>
HWY_INLINE void cell_group(const PackedLstmStep& packed, const OneStep& step, int64_t begin) {
  const D d;
  const int64_t lane_count = lanes(), first = begin * 4 * lane_count;
  V a[4 * kPanels];
#pragma GCC unroll 16
  for (int v = 0; v < 4 * kPanels; ++v) a[v] = hn::Load(d, step.start + first + v * lane_count);
  const float* w = packed.w.weights.data() + first * packed.w.rows / per_word(kType);
  const float* scales = packed.w.scales.data() + first;
  const int64_t inputs = packed.dense ? packed.inputs : 0;
  if (step.x != nullptr) {
    add_product<kType, kStreams>(w, step.x, inputs, scales, a);
  } else {
    w += inputs * 4 * kPanels / per_word(kType) * lane_count;
  }
  add_product<kType, kStreams>(w, step.h_prev, packed.w.rows - inputs, scales + packed.w.scales.size() / 2, a);
  if (step.sums != nullptr) {
#pragma GCC unroll 16
    for (int v = 0; v < 4 * kPanels; ++v) hn::Store(a[v], d, step.sums + first + v * lane_count);
    return;
  }
#pragma GCC unroll 4
  for (int p = 0; p < kPanels; ++p) {
    V sums[4] = {a[4 * p], a[4 * p + 1], a[4 * p + 2], a[4 * p + 3]};
    finish_cell(StandardCell<kFast>(), step, sums, (begin + p) * lane_count);
  }
}

VariantCell variant_cell(const PackedLstmStep& packed, bool fast) {
  return {packed.cell, packed.peepholes.size() > 0 ? packed.peepholes.data() : nullptr, packed.hidden, fast};
}

// (2) to (4) for all units of a variant of the cell.
void variant_cells(const PackedLstmStep& packed, const OneStep& step, bool fast) {
  const D d;
  const VariantCell cell = variant_cell(packed, fast);
  for (int64_t u = 0; u < packed.hidden; u += lanes()) {
    const float* from = step.sums + 4 * u;
    V sums[4] = {hn::Load(d, from), hn::Load(d, from + lanes()), hn::Load(d, from + 2 * lanes()),
                 hn::Load(d, from + 3 * lanes())};
    finish_cell(cell, step, sums, u);
  }
}

// Calls with each group's first panel and, as a constant, its number of panels.
template <class F>
HWY_INLINE void for_groups(const PackedRows& packed, const F& f) {
  int64_t begin = 0;
  for (int64_t i = 0; i < packed.groups.size(); ++i) {
    const int32_t panels = packed.groups[i];
    switch (panels) {
      case 1: f(begin, std::integral_constant<int, 1>()); break;
      case 2: f(begin, std::integral_constant<int, 2>()); break;
      case 3: f(begin, std::integral_constant<int, 3>()); break;
      default:  // make_groups makes no larger ones
        if constexpr (kMaxPanels == 4) f(begin, std::integral_constant<int, 4>());
        break;
    }
    begin += panels;
  }
}

template <WeightType kType, bool kFast, bool kStreams>
void cell_groups(const PackedLstmStep& packed, const OneStep& step) {
  for_groups(packed.w, [&](int64_t begin, auto panels) HWY_ATTR {
    cell_group<kType, kFast, kStreams, decltype(panels)::value>(packed, step, begin);
  });
  if (step.sums != nullptr) variant_cells(packed, step, kFast);
}

// W x for rows [first, first + n) of the packed ones, those of matrix `part`, as [4, Hp].
template <WeightType kType>
void multiply(const PackedLstmStep& packed, int64_t first, int64_t part, const float* x, int64_t n, float* product) {
  const D d;
  constexpr int kPer = per_word(kType);
  const int64_t Hp = padded(packed.hidden);
  const float* scales = packed.w.scales.data() + part * packed.w.scales.size() / 2;
  int64_t begin = 0;
  for (int64_t i = 0; i < packed.w.groups.size(); ++i) {
    const int64_t panels = packed.w.groups[i], width = panels * 4 / kPer * lanes();
    const float* group = packed.w.weights.data() + begin * 4 / kPer * lanes() * packed.w.rows + first * width;
    for (int64_t p = 0; p < panels; ++p) {
      V a[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
      const float* w = group + p * 4 / kPer * lanes();
      for (int64_t k = 0; k < n; ++k, w += width) {
        const V operand = hn::Set(d, x[k]);
        for (int word = 0; word < 4 / kPer; ++word) add_word<kType>(w + word * lanes(), operand, a + word * kPer);
      }
      for (int64_t gate = 0; gate < 4; ++gate) {
        if (kType == WeightType::kInt8)
          a[gate] = hn::Mul(a[gate], hn::Load(d, scales + ((begin + p) * 4 + gate) * lanes()));
        hn::Store(a[gate], d, product + gate * Hp + (begin + p) * lanes());
      }
    }
    begin += panels;
  }
}

// (38) (40) (41): a normalised cell.
template <WeightType kType, class Cell>
void normalised_cell(const Cell& which, const PackedLstmStep& packed, const OneStep& step, float* scratch) {
  const D d;
  const int64_t H = packed.hidden, Hp = padded(H), dense_rows = packed.dense ? packed.inputs : 0;
  float* pre = scratch;
  float* product = pre + 4 * Hp;
  float* cell = product + 4 * Hp;
  float* out = cell + Hp;
  std::fill_n(scratch, 10 * Hp, 0.0F);
  const float* input = pre;
  if (packed.dense) {
    multiply<kType>(packed, 0, 0, step.x, dense_rows, pre);
    normalise_row(pre, 4, H, pre);
    for (int64_t k = 0; k < 4 * Hp; k += lanes()) {
      hn::Store(
          hn::MulAdd(hn::Load(d, packed.gain_ih.data() + k), hn::Load(d, pre + k), hn::Load(d, packed.bias.data() + k)),
          d, pre + k);
    }
  } else {
    input = step.start;
  }
  multiply<kType>(packed, dense_rows, 1, step.h_prev, packed.w.rows - dense_rows, product);
  normalise_row(product, 4, H, product);
  for (int64_t u = 0; u < Hp; u += lanes()) {
    V a[4];
    for (int64_t gate = 0; gate < 4; ++gate) {
      const int64_t at = gate * Hp + u;
      a[gate] = hn::MulAdd(hn::Load(d, packed.gain_hh.data() + at), hn::Load(d, product + at), hn::Load(d, input + at));
    }
    const NewCell now = which.step(a, hn::Load(d, step.c + u), u);
    hn::Store(now.gates.o, d, out + u);
    hn::Store(now.c, d, cell + u);
    hn::Store(zoned(now.c, mask_at(step.zone_c, u), step.c + u), d, step.c + u);
  }
  normalise_row(cell, 1, H, cell);
  for (int64_t u = 0; u < Hp; u += lanes()) {
    const V s =
        hn::MulAdd(hn::Load(d, packed.gain_c.data() + u), hn::Load(d, cell + u), hn::Load(d, packed.bias_c.data() + u));
    const V m = which.output(hn::Load(d, out + u), s, u);
    hn::Store(zoned(m, mask_at(step.zone_h, u), step.h_prev + u), d, step.m + u);
  }
}

template <WeightType kType, bool kFast>
void lstm_step_of(const PackedLstmStep& packed, const LstmStep& args) {
  const D d;
  const int64_t width = packed.bias.size(), Hp = padded(packed.hidden);
  const bool projected = packed.projection > 0;
  const int64_t Rp = projected ? padded(packed.projection) : Hp;
  float* projects_from = args.scratch;
  float* sums = packed.is_variant && !packed.normalised ? args.scratch + (projected ? Hp : 0) : nullptr;
  float* scratch = args.scratch + (projected ? Hp : 0) + (sums != nullptr ? width : 0);
  // The types that are narrower than floats are for models that are larger than the first-level cache.
  const bool streams = kType != WeightType::kFloat || packed.w.weights.size() > kResidentFloats;
  const bool inputs_first = streams && packed.dense && !packed.normalised && args.steps > 1;
  if (inputs_first) {
    for_groups(packed.w, [&](int64_t begin, auto panels)
                             HWY_ATTR { input_group<kType, decltype(panels)::value>(packed, args, begin, scratch); });
  }
  for (int64_t t = 0; t < args.steps; ++t) {
    float* h_prev = args.h + t * Rp;
    float* h = h_prev + Rp;
    const OneStep step{.start = inputs_first   ? scratch + t * width
                                : packed.dense ? packed.bias.data()
                                               : packed.columns.data() + args.symbols[t] * width,
                       .x = packed.dense && !inputs_first ? args.x + t * args.x_stride : nullptr,
                       .h_prev = h_prev,
                       .m = projected ? projects_from : h,
                       .c = args.c,
                       .zone_h = projected ? nullptr : args.zone_h,
                       .zone_c = args.zone_c,
                       .sums = sums};
    if (packed.normalised && packed.is_variant) {
      normalised_cell<kType>(variant_cell(packed, kFast), packed, step, scratch);
    } else if (packed.normalised) {
      normalised_cell<kType>(StandardCell<kFast>(), packed, step, scratch);
    } else if (streams) {
      cell_groups<kType, kFast, true>(packed, step);
    } else {
      cell_groups<kType, kFast, kType != WeightType::kFloat>(packed, step);  // of floats alone
    }
    if (!projected) continue;
    linear_of<kType>(packed.w_hr, {1, projects_from, 0, h, 0});  // (33), then (36)
    for (int64_t j = 0; args.zone_h != nullptr && j < Rp; j += lanes()) {
      hn::Store(zoned(hn::Load(d, h + j), args.zone_h + j, h_prev + j), d, h + j);
    }
  }
}

template <bool kFast>
void lstm_step_as(const PackedLstmStep& packed, const LstmStep& step) {
  switch (packed.w.type) {
    case WeightType::kFloat: return lstm_step_of<WeightType::kFloat, kFast>(packed, step);
    case WeightType::kBf16: return lstm_step_of<WeightType::kBf16, kFast>(packed, step);
    case WeightType::kInt8: return lstm_step_of<WeightType::kInt8, kFast>(packed, step);
  }
}

void lstm_step_target(const PackedLstmStep& packed, const LstmStep& step) {
  step.fast ? lstm_step_as<true>(packed, step) : lstm_step_as<false>(packed, step);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(linear_step_target);
HWY_EXPORT(lstm_step_target);

void linear_step(const PackedLinearStep& packed, int64_t steps, const float* x, int64_t x_stride, float* y,
                 int64_t y_stride) noexcept {
  HWY_DYNAMIC_DISPATCH(linear_step_target)(packed, {steps, x, x_stride, y, y_stride});
}

int64_t step_scratch(const PackedLstmStep& packed, int64_t steps) {
  const int64_t Hp = padded(packed.hidden), inputs = steps > 1 && packed.dense ? steps * packed.bias.size() : 0;
  const int64_t sums = packed.is_variant && !packed.normalised ? packed.bias.size() : 0;
  return (packed.projection > 0 ? Hp : 0) + sums + (packed.normalised ? 10 * Hp : inputs);
}

void lstm_step(const PackedLstmStep& packed, const LstmStep& step) noexcept {
  HWY_DYNAMIC_DISPATCH(lstm_step_target)(packed, step);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
