// The vector type of the running target, partial loads and stores, and the activation functions. Included once for
// every SIMD target by the sources of this room alone.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_SIMD_INL_H_
#undef LONGHAND_KERNELS_SIMD_INL_H_
#else
#define LONGHAND_KERNELS_SIMD_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "longhand/base/buffer.h"
#include "longhand/base/threads.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// At most sixteen floats: rows are padded to a cache line, so a vector never reaches past one.
using D = hn::CappedTag<float, kLineFloats>;
using V = hn::Vec<D>;

// AVX-512 and Arm have 32 vector registers, the older x86 sets 16.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM
inline constexpr bool kManyRegisters = true;
#else
inline constexpr bool kManyRegisters = false;
#endif

HWY_INLINE int64_t lanes() { return static_cast<int64_t>(hn::Lanes(D())); }

// The first n lanes of a vector, and zeros; n may exceed the lanes, and may be negative.
HWY_INLINE V real_lanes(V value, int64_t n) {
  const D d;
  if (n >= lanes()) return value;
  return hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(std::max<int64_t>(n, 0))), value);
}

// The first n floats at p, and zeros; n may exceed the lanes, and p needs no alignment. Nothing beyond is touched.
HWY_INLINE V load_n(const float* p, int64_t n) {
  const D d;
  if (n >= lanes()) return hn::LoadU(d, p);
  HWY_ALIGN float copy[kLineFloats] = {};
  std::copy_n(p, n, copy);
  return hn::Load(d, copy);
}

HWY_INLINE void store_n(V value, float* p, int64_t n) {
  const D d;
  if (n >= lanes()) return hn::StoreU(value, d, p);
  HWY_ALIGN float copy[kLineFloats];
  hn::Store(value, d, copy);
  std::copy_n(copy, n, p);
}

// to[k * stride + j] = rows[j][k] for columns k of `count` rows j, at most four; a row that is null is zeros.
HWY_INLINE void transpose_rows(const float* const* rows, int64_t count, Range k, float* to, int64_t stride) {
  int64_t i = k.begin;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;
  if (count == 4 && rows[0] != nullptr && rows[1] != nullptr && rows[2] != nullptr && rows[3] != nullptr) {
    for (; i + 4 <= k.end; i += 4) {
      const auto a = hn::LoadU(d, rows[0] + i), b = hn::LoadU(d, rows[1] + i);
      const auto c = hn::LoadU(d, rows[2] + i), e = hn::LoadU(d, rows[3] + i);
      const auto ac0 = hn::InterleaveLower(d, a, c), ac2 = hn::InterleaveUpper(d, a, c);
      const auto be0 = hn::InterleaveLower(d, b, e), be2 = hn::InterleaveUpper(d, b, e);
      hn::StoreU(hn::InterleaveLower(d, ac0, be0), d, to + i * stride);
      hn::StoreU(hn::InterleaveUpper(d, ac0, be0), d, to + (i + 1) * stride);
      hn::StoreU(hn::InterleaveLower(d, ac2, be2), d, to + (i + 2) * stride);
      hn::StoreU(hn::InterleaveUpper(d, ac2, be2), d, to + (i + 3) * stride);
    }
  }
#endif
  for (; i < k.end; ++i) {
    for (int64_t j = 0; j < count; ++j) to[i * stride + j] = rows[j] == nullptr ? 0.0F : rows[j][i];
  }
}

// e^x - 1 = 2^n (e^r - 1) + (2^n - 1) with x = n ln 2 + r and |r| <= ln 2 / 2; returns 2^n and e^r - 1.
// r is exact to twice the precision of a float, as ln 2 is subtracted in two parts, the first with so few bits that n
// times it is exact. e^r - 1 is its Taylor polynomial of degree 7, whose remainder at |r| = 0.3466 is below 6e-9.
struct ExpParts {
  V power;
  V expm1_r;
};

HWY_INLINE ExpParts exp_parts(V x) {
  const D d;
  const hn::RebindToSigned<D> di;
  // Beyond these, e^x is no longer a normal float; activations have long been 0 or 1 there. Minimum and maximum may
  // make a number of what is none, which must not pass for a result: r, below, is computed from x itself then.
  const V clamped = hn::Min(hn::Max(x, hn::Set(d, -87.0F)), hn::Set(d, 88.0F));
  x = hn::IfThenElse(hn::Eq(x, x), clamped, x);
  // Adding 1.5 * 2^23 rounds to the nearest integer, and leaves that in the low bits.
  const V magic = hn::Set(d, 12582912.0F);
  const V shifted = hn::Add(hn::Mul(clamped, hn::Set(d, 1.44269504F)), magic);
  const V n_float = hn::Sub(shifted, magic);
  V r = hn::NegMulAdd(n_float, hn::Set(d, 0.693359375F), x);
  r = hn::NegMulAdd(n_float, hn::Set(d, -2.12194440e-4F), r);
  V p = hn::Set(d, 1.0F / 5040);
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F / 720));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F / 120));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F / 24));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F / 6));
  p = hn::MulAdd(p, r, hn::Set(d, 0.5F));
  p = hn::MulAdd(hn::Mul(p, r), r, r);
  const V power = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::BitCast(di, shifted), hn::Set(di, 127))));
  return {power, p};
}

HWY_INLINE V exp(V x) {
  const ExpParts e = exp_parts(x);
  return hn::MulAdd(e.power, e.expm1_r, e.power);
}

// e^x - 1, which loses no digits where x is small.
HWY_INLINE V expm1(V x) {
  const ExpParts e = exp_parts(x);
  return hn::MulAdd(e.power, e.expm1_r, hn::Sub(e.power, hn::Set(D(), 1.0F)));
}

HWY_INLINE V sigmoid(V x) {
  const V one = hn::Set(D(), 1.0F);
  return hn::Div(one, hn::Add(one, exp(hn::Neg(x))));
}

// tanh |x| = -m / (2 + m) with m = e^{-2|x|} - 1, which loses no digits where x is small.
HWY_INLINE V tanh(V x) {
  const D d;
  const V m = expm1(hn::Mul(hn::Abs(x), hn::Set(d, -2.0F)));
  return hn::CopySign(hn::Div(hn::Neg(m), hn::Add(hn::Set(d, 2.0F), m)), x);
}

// tanh with an error of at most 1.6e-5: the rational function of degrees 5 and 6 that is nearest to it on [-6.4, 6.4]
// (weighted least squares, iterated to the smallest largest error), and constant beyond. It is odd, and nowhere beyond
// 1, so that a forget gate cannot make a state grow.
HWY_INLINE V fast_tanh(V x) {
  const D d;
  const V clamped = hn::Min(hn::Max(x, hn::Set(d, -6.4F)), hn::Set(d, 6.4F));
  x = hn::IfThenElse(hn::Eq(x, x), clamped, x);  // what is no number stays so
  const V x2 = hn::Mul(x, x);
  V p = hn::MulAdd(x2, hn::Set(d, 0.0014453678F), hn::Set(d, 0.11365548F));
  p = hn::MulAdd(p, x2, hn::Set(d, 0.99995682F));
  V q = hn::MulAdd(x2, hn::Set(d, 5.2088055e-5F), hn::Set(d, 0.017184857F));
  q = hn::MulAdd(q, x2, hn::Set(d, 0.44685675F));
  q = hn::MulAdd(q, x2, hn::Set(d, 1.0F));
  return hn::Div(hn::Mul(x, p), q);
}

HWY_INLINE V fast_sigmoid(V x) {
  const V half = hn::Set(D(), 0.5F);
  return hn::MulAdd(half, fast_tanh(hn::Mul(half, x)), half);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
