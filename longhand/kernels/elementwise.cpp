#include "longhand/kernels/elementwise.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/elementwise.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

template <class F>
HWY_INLINE void for_vectors(const float* x, float* y, int64_t n, F&& f) {
  for (int64_t i = 0; i < n; i += lanes()) store_n(f(load_n(x + i, n - i)), y + i, n - i);
}

// The functions that models spend their time in. Whether it was one of them.
bool apply_target(Function f, float a, float b, const float* x, float* y, int64_t n) {
  const D d;
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0F), va = hn::Set(d, a), vb = hn::Set(d, b);
  // What is no number stays none: it is the second operand of no maximum.
  const auto clamp = [&](V v, V low, V high)
                         HWY_ATTR { return hn::IfThenElse(hn::Eq(v, v), hn::Min(hn::Max(v, low), high), v); };
  switch (f) {
    case Function::kRelu:
      for_vectors(x, y, n, [&](V v) HWY_ATTR { return hn::IfThenZeroElse(hn::Lt(v, zero), v); });
      break;
    case Function::kLeakyRelu:
      for_vectors(x, y, n, [&](V v) HWY_ATTR { return hn::IfThenElse(hn::Lt(v, zero), hn::Mul(va, v), v); });
      break;
    case Function::kSigmoid: for_vectors(x, y, n, [&](V v) HWY_ATTR { return sigmoid(v); }); break;
    case Function::kSilu: for_vectors(x, y, n, [&](V v) HWY_ATTR { return hn::Mul(v, sigmoid(v)); }); break;
    case Function::kTanh: for_vectors(x, y, n, [&](V v) HWY_ATTR { return tanh(v); }); break;
    case Function::kScaledTanh:
      for_vectors(x, y, n, [&](V v) HWY_ATTR { return hn::Mul(va, tanh(hn::Mul(vb, v))); });
      break;
    case Function::kHardSigmoid:
      for_vectors(x, y, n, [&](V v) HWY_ATTR { return clamp(hn::Add(hn::Mul(va, v), vb), zero, one); });
      break;
    case Function::kSoftsign:
      for_vectors(x, y, n, [&](V v) HWY_ATTR { return hn::Div(v, hn::Add(one, hn::Abs(v))); });
      break;
    case Function::kAffine: for_vectors(x, y, n, [&](V v) HWY_ATTR { return hn::Add(hn::Mul(va, v), vb); }); break;
    case Function::kClip: for_vectors(x, y, n, [&](V v) HWY_ATTR { return clamp(v, va, vb); }); break;
    case Function::kSqrt: for_vectors(x, y, n, [&](V v) HWY_ATTR { return hn::Sqrt(v); }); break;
    default: return false;
  }
  return true;
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(apply_target);

namespace {

float softplus(float x) { return std::max(x, 0.0F) + std::log1p(std::exp(-std::abs(x))); }

// Of those that are computed one by one.
float value_of(Function f, float a, float b, float x) {
  switch (f) {
    case Function::kThresholded: return x > a ? x : 0.0F;
    case Function::kElu: return x < 0.0F ? a * std::expm1(x) : x;
    case Function::kCelu: return x < 0.0F ? a * std::expm1(x / a) : x;
    case Function::kSelu: return b * (x > 0.0F ? x : a * std::expm1(x));
    case Function::kGelu: return 0.5F * x * (1.0F + std::erf(x * 0.70710678F));
    case Function::kGeluTanh: return 0.5F * x * (1.0F + std::tanh(0.79788456F * (x + 0.044715F * x * x * x)));
    case Function::kHardSwish: return x * std::max(0.0F, std::min(1.0F, x / 6.0F + 0.5F));
    case Function::kMish: return x * std::tanh(softplus(x));
    case Function::kSoftplus: return softplus(x);
    case Function::kExp: return std::exp(x);
    case Function::kLog: return std::log(x);
    case Function::kAbs: return std::abs(x);
    case Function::kNeg: return -x;
    case Function::kReciprocal: return 1.0F / x;
    case Function::kFloor: return std::floor(x);
    case Function::kCeil: return std::ceil(x);
    case Function::kRound: return std::nearbyint(x);
    case Function::kSign: return static_cast<float>((x > 0.0F) - (x < 0.0F));
    case Function::kSin: return std::sin(x);
    case Function::kCos: return std::cos(x);
    case Function::kErf: return std::erf(x);
    default: return x;
  }
}

}  // namespace

void apply(Function f, float a, float b, const float* x, float* y, int64_t n) noexcept {
  if (HWY_DYNAMIC_DISPATCH(apply_target)(f, a, b, x, y, n)) return;
  for (int64_t i = 0; i < n; ++i) y[i] = value_of(f, a, b, x[i]);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
