// Weights as single steps read them (lstm_step.h).
#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/kernels/layer_norm.h"
#include "longhand/kernels/lstm_step.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/lstm_step_pack.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/lstm_step-inl.h"

#ifndef LONGHAND_KERNELS_LSTM_STEP_PACK_SHARED_
#define LONGHAND_KERNELS_LSTM_STEP_PACK_SHARED_
namespace longhand::kernels {

// Rows of one matrix, for packing.
struct RowSource {
  const float* w;  // [blocks * size, rows]
  int64_t rows;    // columns of w
  int64_t blocks;  // 4 gates, which are interleaved by vector, or 1
  int64_t size;    // outputs of a block

  // Of each output, for int8.
  std::vector<float> scales(WeightType type) const {
    std::vector<float> out;
    for (int64_t k = 0; type == WeightType::kInt8 && k < blocks * size; ++k)
      out.push_back(int8_scale(w + k * rows, rows));
    return out;
  }
};

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Divides vectors into groups of at most `max`, as equal as they can be in multiples of `grain`.
void make_groups(int64_t vectors, int64_t max, int64_t grain, PackedRows& packed) {
  const int64_t count = (vectors + max - 1) / max;
  packed.groups.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    packed.groups[i] = static_cast<int32_t>(split(vectors, static_cast<int>(count), static_cast<int>(i), grain).size());
  }
}

// Where, in a row of all groups' vectors, output `u` of a block is; a row is [vector of a block][block][lane].
int64_t place(const RowSource& source, int64_t block, int64_t u) {
  return (u / lanes() * source.blocks + block) * lanes() + u % lanes();
}

// Writes the source's rows as rows `first` and following of the packed ones: of int8 as whole numbers, whose scales
// become those of matrix `part`.
void pack_rows(const RowSource& source, int64_t first, int64_t part, PackedRows& packed) {
  const std::vector<float> scales = source.scales(packed.type);
  const int64_t all = packed.weights.size() / std::max<int64_t>(packed.rows, 1);
  for (size_t k = 0; k < scales.size(); ++k) {
    const auto at = static_cast<int64_t>(k);
    packed.scales[part * all + place(source, at / source.size, at % source.size)] = std::ldexp(scales[k], -24);
  }
  int64_t begin = 0;  // vectors of a block before the group
  for (int64_t i = 0; i < packed.groups.size(); ++i) {
    const int64_t vectors = packed.groups[i], width = vectors * source.blocks * lanes();
    float* group = packed.weights.data() + begin * source.blocks * lanes() * packed.rows;
    for (int64_t block = 0; block < source.blocks; ++block) {
      for (int64_t u = begin * lanes(); u < std::min(source.size, (begin + vectors) * lanes()); ++u) {
        const float* from = source.w + (block * source.size + u) * source.rows;
        float* to = group + first * width + place(source, block, u) - begin * source.blocks * lanes();
        for (int64_t k = 0; k < source.rows; ++k) {
          to[k * width] =
              scales.empty() ? from[k] : to_int8(from[k], scales[static_cast<size_t>(block * source.size + u)]);
        }
      }
    }
    begin += vectors;
  }
}

// Takes memory for rows of so many floats, and for the scales of `parts` matrices.
void make_rows(int64_t width, int64_t parts, PackedRows& packed) {
  packed.weights.resize(packed.rows * width);
  packed.weights.fill(0.0F);
  packed.scales.resize(packed.type == WeightType::kInt8 ? parts * width : 0);
  packed.scales.fill(0.0F);
}

// Puts 2 or 4 vectors into the bytes of one: the first lowest.
void compress(PackedRows& packed) {
  const int64_t per = per_word(packed.type), n = packed.weights.size() / per;
  if (per == 1) return;
  Buffer<float> words(n);
  for (int64_t i = 0; i < n; ++i) {
    uint32_t word = 0;
    for (int64_t j = 0; j < per; ++j) {
      const float value = packed.weights[(i / lanes() * per + j) * lanes() + i % lanes()];
      word |= per == 2 ? uint32_t{to_bf16(value)} << (16 * j)
                       : uint32_t{static_cast<uint8_t>(static_cast<int8_t>(value))} << (8 * j);
    }
    words[i] = std::bit_cast<float>(word);
  }
  packed.weights = std::move(words);
}

void pack_linear_target(const RowSource& source, const float* bias, PackedLinearStep& packed) {
  packed.w.rows = source.rows;
  packed.w.outputs = source.size;
  const int64_t grain = per_word(packed.w.type), grains = (source.size + grain * lanes() - 1) / (grain * lanes());
  const int64_t vectors = grains * grain;
  make_groups(vectors, kMaxVectors, grain, packed.w);
  make_rows(vectors * lanes(), 1, packed.w);
  pack_rows(source, 0, 0, packed.w);
  compress(packed.w);
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
  make_groups(panels, kMaxPanels, 1, packed.w);
  make_rows(width, 2, packed.w);
  if (packed.dense) pack_rows(input, 0, 0, packed.w);
  pack_rows(recurrent, dense_rows, 1, packed.w);
  compress(packed.w);
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

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(pack_linear_target);
HWY_EXPORT(pack_lstm_target);

void pack_linear_step(const float* w, const float* bias, int64_t outputs, int64_t inputs, WeightType type,
                      PackedLinearStep& packed) {
  packed.w.type = type;
  HWY_DYNAMIC_DISPATCH(pack_linear_target)({w, inputs, 1, outputs}, bias, packed);
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

void pack_lstm_step(const LstmShape& shape, const LstmCell& cell, const LstmWeights<float>& weights, bool dense,
                    WeightType type, PackedLstmStep& packed, Context& context) {
  LONGHAND_CHECK(!cell.coupled || weights.gain_ih == nullptr);
  packed.w.type = type;
  packed.inputs = shape.inputs;
  packed.hidden = shape.hidden;
  packed.projection = shape.projection;
  packed.dense = dense;
  packed.normalised = weights.gain_ih != nullptr;
  packed.cell = cell;
  packed.is_variant = !cell.is_standard() || weights.peepholes != nullptr;
  packed.peepholes.resize(weights.peepholes != nullptr ? 3 * padded(shape.hidden) : 0);
  if (weights.peepholes != nullptr) pad_groups(weights.peepholes, 3, shape.hidden, packed.peepholes.data());
  HWY_DYNAMIC_DISPATCH(pack_lstm_target)(shape, weights, packed);
  if (packed.normalised) pack_norm(shape, weights, packed, context);
  if (shape.projection > 0) pack_linear_step(weights.w_hr, nullptr, shape.projection, shape.hidden, type, packed.w_hr);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
