// Layer normalisation of one row, for the time loops of the LSTM and for layer_norm.cpp. Included once for every SIMD
// target.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_LAYER_NORM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_LAYER_NORM_INL_H_
#undef LONGHAND_KERNELS_LAYER_NORM_INL_H_
#else
#define LONGHAND_KERNELS_LAYER_NORM_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include <cmath>

#include "longhand/kernels/lstm.h"
#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// A row is `groups` times H elements, padded(H) apart; the padding takes no part in the sums and comes out zero.

// (38) Normalises v to n (which may be v); returns 1 / sqrt(variance + epsilon).
HWY_INLINE float normalise_row(const float* v, int64_t groups, int64_t H, float* n) {
  const D d;
  const int64_t Hp = padded(H);
  const float count = static_cast<float>(groups * H);
  V sum = hn::Zero(d);
  for (int64_t k = 0; k < groups * Hp; k += Hp) {
    for (int64_t u = 0; u < H; u += lanes()) sum = hn::Add(sum, real_lanes(hn::Load(d, v + k + u), H - u));
  }
  const V mean = hn::Set(d, hn::GetLane(hn::SumOfLanes(d, sum)) / count);
  V squares = hn::Zero(d);
  for (int64_t k = 0; k < groups * Hp; k += Hp) {
    for (int64_t u = 0; u < H; u += lanes()) {
      const V centred = real_lanes(hn::Sub(hn::Load(d, v + k + u), mean), H - u);
      squares = hn::MulAdd(centred, centred, squares);
    }
  }
  const float variance = hn::GetLane(hn::SumOfLanes(d, squares)) / count;
  const float deviation = 1.0F / std::sqrt(variance + static_cast<float>(kNormEpsilon));
  const V scale = hn::Set(d, deviation);
  for (int64_t k = 0; k < groups * Hp; k += Hp) {
    for (int64_t u = 0; u < Hp; u += lanes()) {
      const V centred = hn::Sub(hn::Load(d, v + k + u), mean);
      hn::Store(real_lanes(hn::Mul(centred, scale), H - u), d, n + k + u);
    }
  }
  return deviation;
}

// (39) The gradient dv of v from that of y = gain * n. dv may be n or dy.
HWY_INLINE void normalise_row_backward(const float* dy, const float* n, const float* gain, float deviation,
                                       int64_t groups, int64_t H, float* dv) {
  const D d;
  const int64_t Hp = padded(H);
  const float count = static_cast<float>(groups * H);
  V sum = hn::Zero(d), sum_n = hn::Zero(d);
  for (int64_t k = 0; k < groups * Hp; k += lanes()) {  // gains are zero in the padding
    const V dn = hn::Mul(hn::Load(d, gain + k), hn::Load(d, dy + k));
    sum = hn::Add(sum, dn);
    sum_n = hn::MulAdd(dn, hn::Load(d, n + k), sum_n);
  }
  const V mean = hn::Set(d, hn::GetLane(hn::SumOfLanes(d, sum)) / count);
  const V mean_n = hn::Set(d, hn::GetLane(hn::SumOfLanes(d, sum_n)) / count);
  const V scale = hn::Set(d, deviation);
  for (int64_t k = 0; k < groups * Hp; k += Hp) {
    for (int64_t u = 0; u < Hp; u += lanes()) {
      const V dn = hn::Mul(hn::Load(d, gain + k + u), hn::Load(d, dy + k + u));
      const V centred = hn::NegMulAdd(hn::Load(d, n + k + u), mean_n, hn::Sub(dn, mean));
      hn::Store(real_lanes(hn::Mul(centred, scale), H - u), d, dv + k + u);
    }
  }
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
