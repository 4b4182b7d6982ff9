// The activation functions that cells can have besides sigmoid and tanh, and their derivatives, on one vector. Included
// once for every SIMD target. The equations' numbers are those of docs/derivatives.md.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_ACTIVATION_INL_H_
#undef LONGHAND_KERNELS_ACTIVATION_INL_H_
#else
#define LONGHAND_KERNELS_ACTIVATION_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include "longhand/kernels/lstm_cell.h"
#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// None of these makes a number of what is none: comparisons with it are false, and then it is what is chosen.

// Holds x within [-most, most].
HWY_INLINE V clip_to(V x, V most) {
  x = hn::IfThenElse(hn::Gt(x, most), most, x);
  return hn::IfThenElse(hn::Lt(x, hn::Neg(most)), hn::Neg(most), x);
}

// log(1 + e^x) = max(x, 0) + log(1 + z) with z = e^-|x|. The logarithm is 2 artanh(w), w = z / (2 + z) <= 1/3, as its
// series to w^15, whose remainder is below 1e-9.
HWY_INLINE V softplus(V x) {
  const D d;
  const V z = exp(hn::Neg(hn::Abs(x)));
  const V w = hn::Div(z, hn::Add(hn::Set(d, 2.0F), z)), w2 = hn::Mul(w, w);
  V p = hn::Set(d, 1.0F / 15);
  for (const float term : {1.0F / 13, 1.0F / 11, 1.0F / 9, 1.0F / 7, 1.0F / 5, 1.0F / 3, 1.0F}) {
    p = hn::MulAdd(p, w2, hn::Set(d, term));
  }
  const V positive = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
  return hn::MulAdd(hn::Add(w, w), p, positive);
}

// `fast`: sigmoid and tanh with the errors of fast_sigmoid and fast_tanh.
HWY_INLINE V activation(const Activation& f, V x, bool fast = false) {
  const D d;
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0F);
  const V alpha = hn::Set(d, static_cast<float>(f.alpha)), beta = hn::Set(d, static_cast<float>(f.beta));
  switch (f.kind) {
    case ActivationKind::kSigmoid: return fast ? fast_sigmoid(x) : sigmoid(x);
    case ActivationKind::kTanh: return fast ? fast_tanh(x) : tanh(x);
    case ActivationKind::kRelu: return hn::IfThenZeroElse(hn::Lt(x, zero), x);
    case ActivationKind::kAffine: return hn::MulAdd(alpha, x, beta);
    case ActivationKind::kLeakyRelu: return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(alpha, x), x);
    case ActivationKind::kThresholdedRelu: return hn::IfThenZeroElse(hn::Lt(x, alpha), x);
    case ActivationKind::kScaledTanh: {
      const V scaled = hn::Mul(beta, x);
      return hn::Mul(alpha, fast ? fast_tanh(scaled) : tanh(scaled));
    }
    case ActivationKind::kHardSigmoid: {
      const V y = hn::MulAdd(alpha, x, beta);
      return hn::IfThenElse(hn::Gt(y, one), one, hn::IfThenZeroElse(hn::Lt(y, zero), y));
    }
    case ActivationKind::kElu: return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(alpha, expm1(x)), x);
    case ActivationKind::kSoftsign: return hn::Div(x, hn::Add(one, hn::Abs(x)));
    case ActivationKind::kSoftplus: return softplus(x);
  }
  return x;
}

// (78) dy times the derivative at x, where the function is y. Sigmoid and tanh do not read x.
HWY_INLINE V activation_backward(const Activation& f, V x, V y, V dy) {
  const D d;
  const V zero = hn::Zero(d), one = hn::Set(d, 1.0F);
  const V alpha = hn::Set(d, static_cast<float>(f.alpha)), beta = hn::Set(d, static_cast<float>(f.beta));
  switch (f.kind) {
    case ActivationKind::kSigmoid: return hn::Mul(hn::Mul(dy, y), hn::Sub(one, y));
    case ActivationKind::kTanh: return hn::Mul(dy, hn::NegMulAdd(y, y, one));
    case ActivationKind::kRelu: return hn::IfThenElseZero(hn::Gt(x, zero), dy);
    case ActivationKind::kAffine: return hn::Mul(dy, alpha);
    case ActivationKind::kLeakyRelu: return hn::IfThenElse(hn::Gt(x, zero), dy, hn::Mul(dy, alpha));
    case ActivationKind::kThresholdedRelu: return hn::IfThenZeroElse(hn::Lt(x, alpha), dy);
    case ActivationKind::kScaledTanh: {
      const V t = tanh(hn::Mul(beta, x));
      return hn::Mul(hn::Mul(dy, hn::Mul(alpha, beta)), hn::NegMulAdd(t, t, one));
    }
    case ActivationKind::kHardSigmoid:
      return hn::IfThenElseZero(hn::And(hn::Gt(y, zero), hn::Lt(y, one)), hn::Mul(dy, alpha));
    case ActivationKind::kElu: return hn::IfThenElse(hn::Gt(x, zero), dy, hn::Mul(dy, hn::Add(y, alpha)));
    case ActivationKind::kSoftsign: {
      const V denominator = hn::Add(one, hn::Abs(x));
      return hn::Div(dy, hn::Mul(denominator, denominator));
    }
    case ActivationKind::kSoftplus: return hn::Mul(dy, sigmoid(x));
  }
  return dy;
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
