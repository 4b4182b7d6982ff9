// The layer's weights, rearranged for the kernels.
#include <algorithm>

#include "longhand/kernels/gemm.h"
#include "longhand/kernels/lstm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/lstm_pack.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// W_hh' by vectors of units: panel [R, 4, lanes] for each, or [(R + 1) / 2, 4, lanes] of words.
void pack_recurrent(const LstmShape& shape, const float* w_hh, Precision precision, PackedMatrix& packed,
                    Context& context) {
  const int64_t H = shape.hidden, R = shape.outputs(), depth = depth_of(R, precision);
  packed.k = R;
  packed.n = 4 * padded(H);
  packed.precision = precision;
  packed.data.resize(depth * packed.n);
  const int64_t lane_count = lanes();
  const int64_t panels = (H + lane_count - 1) / lane_count;
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(panels, parts, part);
        for (int64_t p = range.begin; p < range.end; ++p) {
          // In parts of k short enough for the panel's lines to stay in the first-level cache.
          for (int64_t k0 = 0; k0 < depth; k0 += kPackedPart) {
            for (int64_t j = 0; j < 4 * lane_count; j += 4) {
              const float* rows[4];
              for (int64_t r = 0; r < 4; ++r) {
                const int64_t gate = (j + r) / lane_count, u = p * lane_count + (j + r) % lane_count;
                rows[r] = u < H ? w_hh + (gate * H + u) * R : nullptr;
              }
              float* panel = packed.data.data() + p * lane_count * 4 * depth + j;
              pack_columns(rows, 4, R, {k0, std::min(depth, k0 + kPackedPart)}, precision, panel, 4 * lane_count);
            }
          }
        }
      },
      std::min(panels, H * R / 4096));
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(pack_recurrent);

namespace {

// Copies groups of H values to groups of Hp, the rest zero.
void pack_vector(const float* values, int64_t groups, int64_t H, Buffer<float>& packed) {
  const int64_t Hp = padded(H);
  packed.resize(groups * Hp);
  packed.fill(0.0F);
  for (int64_t k = 0; k < groups; ++k) std::copy_n(values + k * H, H, packed.data() + k * Hp);
}

}  // namespace

void pack_lstm(const LstmShape& shape, const LstmWeights<float>& weights, bool dense, PackFor purpose,
               PackedLstm& packed, Context& context) {
  const int64_t H = shape.hidden, Hp = padded(H), I = shape.inputs, P = shape.projection;
  const bool training = purpose == PackFor::kTraining;
  const Precision precision = training ? context.precision : Precision::kFloat;
  HWY_DYNAMIC_DISPATCH(pack_recurrent)(shape, weights.w_hh, precision, packed.recurrent, context);
  const auto pack_one = [&](PackSource<float> source, PackedMatrix& to) {
    source.precision = precision;
    pack(source, to, context);
  };
  pack_vector(weights.bias, 4, H, packed.bias);
  if (weights.gain_ih != nullptr) {
    pack_vector(weights.gain_ih, 4, H, packed.gain_ih);
    pack_vector(weights.gain_hh, 4, H, packed.gain_hh);
    pack_vector(weights.gain_c, 1, H, packed.gain_c);
    pack_vector(weights.bias_c, 1, H, packed.bias_c);
  }
  if (training) {
    pack_one({.b = weights.w_hh, .stride = shape.outputs(), .k = 4 * Hp, .n = shape.outputs(), .group = H},
             packed.recurrent_back);
  }
  if (dense) {
    pack_one({.b = weights.w_ih, .stride = I, .k = I, .n = 4 * Hp, .transposed = true, .group = H}, packed.input);
    if (training) pack_one({.b = weights.w_ih, .stride = I, .k = 4 * Hp, .n = I, .group = H}, packed.input_back);
  }
  packed.columns.resize(0);
  if (!dense && !training) {  // steps of one symbol would read a column each, a cache line for every element
    packed.columns.resize(I * 4 * Hp);
    packed.columns.fill(0.0F);
    for (int64_t k = 0; k < 4 * H; ++k) {
      float* to = packed.columns.data() + k / H * Hp + k % H;
      for (int64_t s = 0; s < I; ++s) to[s * 4 * Hp] = weights.w_ih[k * I + s];
    }
  }
  if (P > 0) {
    pack_one({.b = weights.w_hr, .stride = H, .k = H, .n = P, .transposed = true}, packed.projection);
    if (training) pack_one({.b = weights.w_hr, .stride = H, .k = P, .n = H}, packed.projection_back);
  }
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
