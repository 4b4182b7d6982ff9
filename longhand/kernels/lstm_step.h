// One time step of one sequence, or a few: the LSTM layer and the fully connected layer of a model that runs in real
// time. With exact activations, and weights as floats or as bf16, the results have the same bits as those of
// lstm_forward and linear_forward. Nothing here allocates, locks, or throws, except where weights are packed.
//
// I inputs, H units, R = P or H outputs, Hp = padded(H), Rp = padded(R), as in lstm.h.
#pragma once

#include <cstdint>

#include "longhand/kernels/lstm.h"
#include "longhand/kernels/weight_type.h"

namespace longhand::kernels {

/// Several matrices [rows, K], transposed and one after the other, as a step reads them: by groups of a few vectors of
/// K, each group contiguous. Private to the kernels.
struct PackedRows {
  WeightType type = WeightType::kFloat;
  int64_t rows = 0;        ///< of all matrices together
  int64_t outputs = 0;     ///< K
  Buffer<int32_t> groups;  ///< vectors in each group
  Buffer<float> weights;   ///< by group: [rows, vectors of the group, lanes]; 2 or 4 vectors in the bytes of one
  Buffer<float> scales;    ///< of int8: for each matrix, in the order of a row; times 2^-24
};

/// y = W x + b for one row.
struct PackedLinearStep {
  PackedRows w;
  Buffer<float> bias;  ///< [K] padded to whole vectors
};

/// `bias` may be null: zeros.
void pack_linear_step(const float* w, const float* bias, int64_t outputs, int64_t inputs, WeightType type,
                      PackedLinearStep& packed);
/// Reads x [steps, inputs], writes y [steps, outputs]; rows are `x_stride` and `y_stride` apart.
void linear_step(const PackedLinearStep& packed, int64_t steps, const float* x, int64_t x_stride, float* y,
                 int64_t y_stride) noexcept;

/// One layer in one direction.
struct PackedLstmStep {
  int64_t inputs = 0, hidden = 0, projection = 0;
  bool dense = true;
  bool normalised = false;
  PackedRows w;           ///< W_ih (of dense input) and W_hh, with the four gates of a vector of units side by side
  Buffer<float> bias;     ///< in the order of a row of w; of a normalised layer [4, Hp]
  Buffer<float> columns;  ///< of each symbol: its column of W_ih + bias, likewise; normalised where that is done
  Buffer<float> gain_ih;  ///< [4, Hp]
  Buffer<float> gain_hh;  ///< [4, Hp]
  Buffer<float> gain_c;   ///< [Hp]
  Buffer<float> bias_c;   ///< [Hp]
  PackedLinearStep w_hr;  ///< of a projected layer
  LstmCell cell;
  Buffer<float> peepholes;  ///< [3, Hp]; empty: none
  bool is_variant = false;  ///< anything but the standard cell
};

/// Packs the weights of a layer; repeat it when they, or the SIMD target, have changed.
void pack_lstm_step(const LstmShape& shape, const LstmCell& cell, const LstmWeights<float>& weights, bool dense,
                    WeightType type, PackedLstmStep& packed, Context& context);

struct LstmStep {
  int64_t steps = 1;
  const float* x = nullptr;  ///< [steps, I] read, rows `x_stride` apart; or
  int64_t x_stride = 0;
  const int32_t* symbols = nullptr;  ///< [steps] 0 .. I-1
  float* h = nullptr;                ///< [steps + 1, Rp] row 0 is read, and zero in the padding; the others are written
  float* c = nullptr;                ///< [Hp] read and overwritten
  const float* zone_h = nullptr;     ///< [Rp] the part of h that stays; null: none
  const float* zone_c = nullptr;     ///< [Hp] the part of c that stays; null: none
  float* scratch = nullptr;          ///< step_scratch() floats on a cache line
  bool fast = false;                 ///< activations with errors of at most 8e-6 (sigmoid) and 1.6e-5 (tanh)
};

/// Floats of scratch that so many steps of this layer need.
int64_t step_scratch(const PackedLstmStep& packed, int64_t steps);
void lstm_step(const PackedLstmStep& packed, const LstmStep& step) noexcept;

}  // namespace longhand::kernels
