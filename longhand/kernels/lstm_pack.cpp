// The layer's weights, rearranged for the kernels.
#include <algorithm>

#include "longhand/kernels/gemm.h"
#include "longhand/kernels/lstm.h"

namespace longhand::kernels {
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
  const int64_t R = shape.outputs();
  for (int64_t gate = 0; gate < 4; ++gate) {
    pack_one({.b = weights.w_hh + gate * H * R, .stride = R, .k = R, .n = H, .transposed = true},
             packed.recurrent[gate]);
  }
  if (training) {
    pack_one({.b = weights.w_hh, .stride = R, .k = 4 * Hp, .n = R, .group = H}, packed.recurrent_back);
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
