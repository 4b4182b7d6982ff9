// Layer normalisation (Ba et al. 2016) of many rows at once, as the LSTM layer needs it for its input's part of the
// gates. A row is the four gates together: [4, Hp], H of each counted, the padding kept zero.
#pragma once

#include <cstdint>

#include "longhand/kernels/context.h"

namespace longhand::kernels {

struct NormaliseRows {
  int64_t hidden = 0;             ///< H
  int64_t n = 0;                  ///< rows to normalise
  const int32_t* rows = nullptr;  ///< [n] or null: which rows of the arrays below they are
  float* v = nullptr;             ///< [*, 4, Hp] read, then overwritten by N(v)
  float* rstd = nullptr;          ///< [*] written: 1 / sqrt(variance + epsilon), `rstd_stride` apart; may be null
  int64_t rstd_stride = 0;
  const float* gain = nullptr;  ///< [4, Hp]
  const float* bias = nullptr;  ///< [4, Hp]
  float* y = nullptr;           ///< [*, 4, Hp] written: gain * N(v) + bias; may be v; null: not wanted
};

struct NormaliseRowsBackward {
  int64_t hidden = 0;
  int64_t n = 0;
  const int32_t* rows = nullptr;
  const float* dy = nullptr;    ///< [*, 4, Hp] read
  float* normalised = nullptr;  ///< [*, 4, Hp] N(v) read, then overwritten by the gradient of v
  const float* rstd = nullptr;  ///< [*]
  int64_t rstd_stride = 0;
  const float* gain = nullptr;  ///< [4, Hp]
};

void normalise_rows(const NormaliseRows& args, Context& context);
void normalise_rows_backward(const NormaliseRowsBackward& args, Context& context);

}  // namespace longhand::kernels
