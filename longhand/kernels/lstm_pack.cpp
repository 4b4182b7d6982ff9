// Layers' weights, rearranged for the kernels.
#include <algorithm>

#include "longhand/kernels/gemm.h"
#include "longhand/kernels/lstm.h"
#include "longhand/kernels/recurrent.h"

namespace longhand::kernels {
namespace {

// Copies groups of H values to groups of Hp, the rest zero.
void pack_vector(const float* values, int64_t groups, int64_t H, Buffer<float>& packed) {
  const int64_t Hp = padded(H);
  packed.resize(groups * Hp);
  packed.fill(0.0F);
  for (int64_t k = 0; k < groups; ++k) std::copy_n(values + k * H, H, packed.data() + k * Hp);
}

// The columns of W_ih [groups * H, I] as rows [I, groups, Hp]: in place, steps of one symbol would read a column each,
// a cache line for every element.
void transpose_columns(const float* w_ih, int64_t groups, int64_t H, int64_t I, Buffer<float>& columns) {
  const int64_t Hp = padded(H);
  columns.resize(I * groups * Hp);
  columns.fill(0.0F);
  for (int64_t k = 0; k < groups * H; ++k) {
    float* to = columns.data() + k / H * Hp + k % H;
    for (int64_t s = 0; s < I; ++s) to[s * groups * Hp] = w_ih[k * I + s];
  }
}

// Packs in the precision that the purpose calls for: inference computes in floats.
struct Packer {
  Context& context;
  Precision precision;

  Packer(Context& of, PackFor purpose)
      : context(of), precision(purpose == PackFor::kTraining ? of.precision : Precision::kFloat) {}
  void operator()(PackSource<float> source, PackedMatrix& to) const {
    source.precision = precision;
    pack(source, to, context);
  }
};

}  // namespace

void pack_lstm(const LstmShape& shape, const LstmWeights<float>& weights, bool dense, PackFor purpose,
               PackedLstm& packed, Context& context) {
  const int64_t H = shape.hidden, Hp = padded(H), I = shape.inputs, P = shape.projection;
  const bool training = purpose == PackFor::kTraining;
  const Packer pack_one(context, purpose);
  pack_vector(weights.bias, 4, H, packed.bias);
  if (weights.gain_ih != nullptr) {
    pack_vector(weights.gain_ih, 4, H, packed.gain_ih);
    pack_vector(weights.gain_hh, 4, H, packed.gain_hh);
    pack_vector(weights.gain_c, 1, H, packed.gain_c);
    pack_vector(weights.bias_c, 1, H, packed.bias_c);
  }
  if (weights.peepholes != nullptr) pack_vector(weights.peepholes, 3, H, packed.peepholes);
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
  if (!dense && !training) transpose_columns(weights.w_ih, 4, H, I, packed.columns);
  if (P > 0) {
    pack_one({.b = weights.w_hr, .stride = H, .k = H, .n = P, .transposed = true}, packed.projection);
    if (training) pack_one({.b = weights.w_hr, .stride = H, .k = P, .n = H}, packed.projection_back);
  }
}

void pack_recurrent(RecurrentCell cell, const LstmShape& shape, const RecurrentWeights<float>& weights, bool dense,
                    PackFor purpose, PackedRecurrent& packed, Context& context) {
  const int64_t H = shape.hidden, Hp = padded(H), I = shape.inputs, G = gates_of(cell);
  const bool training = purpose == PackFor::kTraining;
  const Packer pack_one(context, purpose);
  pack_vector(weights.bias_ih, G, H, packed.bias);
  if (cell == RecurrentCell::kGru) {
    for (int64_t k = 0; k < 2 * H; ++k) packed.bias[k / H * Hp + k % H] += weights.bias_hh[k];
    pack_vector(weights.bias_hh + 2 * H, 1, H, packed.bias_hn);
  }
  for (int64_t gate = 0; gate < G; ++gate) {
    pack_one({.b = weights.w_hh + gate * H * H, .stride = H, .k = H, .n = H, .transposed = true},
             packed.recurrent[gate]);
  }
  if (training) {  // of n apart, whose gradient is not beside those of r and z
    const int64_t together = G == 1 ? 1 : G - 1;
    pack_one({.b = weights.w_hh, .stride = H, .k = together * Hp, .n = H, .group = H}, packed.recurrent_back[0]);
    if (G > 1) {
      pack_one({.b = weights.w_hh + together * H * H, .stride = H, .k = Hp, .n = H, .group = H},
               packed.recurrent_back[1]);
    }
  }
  if (dense) {
    pack_one({.b = weights.w_ih, .stride = I, .k = I, .n = G * Hp, .transposed = true, .group = H}, packed.input);
    if (training) pack_one({.b = weights.w_ih, .stride = I, .k = G * Hp, .n = I, .group = H}, packed.input_back);
  }
  packed.columns.resize(0);
  if (!dense && !training) transpose_columns(weights.w_ih, G, H, I, packed.columns);
}

}  // namespace longhand::kernels
