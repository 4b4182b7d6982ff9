// What packing the weights of single steps and running the steps must agree on. Included once for every SIMD target.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_LSTM_STEP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_LSTM_STEP_INL_H_
#undef LONGHAND_KERNELS_LSTM_STEP_INL_H_
#else
#define LONGHAND_KERNELS_LSTM_STEP_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include "longhand/kernels/lstm_step.h"
#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Vectors of weights in the bytes of a vector of floats.
constexpr int per_word(WeightType type) { return type == WeightType::kFloat ? 1 : type == WeightType::kBf16 ? 2 : 4; }

// Sums that are computed at a time. A multiply-add takes four cycles, and two begin in each: eight keep them busy.
constexpr int kMaxVectors = 8;
constexpr int kMaxPanels = kManyRegisters ? 4 : 3;  // of four gates

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
