// The operands of matrix products, as floats or rounded to bf16, and how they are multiplied. Included once for every
// SIMD target by the sources of this room alone.
//
// bf16 is the upper half of a float. Two of them share a word, the bits of one float: elements 2j and 2j + 1 of a sum,
// the first in the lower half. So operands in bf16 are arrays of floats, like the others, of half the depth.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_PRODUCT_INL_H_
#undef LONGHAND_KERNELS_PRODUCT_INL_H_
#else
#define LONGHAND_KERNELS_PRODUCT_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include "longhand/kernels/context.h"
#include "longhand/kernels/simd-inl.h"
#include "longhand/kernels/target.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

using Bits = hn::RebindToUnsigned<D>;

// The nearest bf16, with 16 zeros below; of two, the one whose last bit is 0. What is no number stays so.
HWY_INLINE V round_to_bf16(V x) {
  const D d;
  const Bits bits_of;
  const auto bits = hn::BitCast(bits_of, x);
  const auto last = hn::And(hn::ShiftRight<16>(bits), hn::Set(bits_of, 1U));
  const auto rounded = hn::Add(bits, hn::Add(last, hn::Set(bits_of, 0x7FFFU)));
  const V quiet = hn::BitCast(d, hn::Or(bits, hn::Set(bits_of, 0x400000U)));
  return hn::And(hn::IfThenElse(hn::Eq(x, x), hn::BitCast(d, rounded), quiet),
                 hn::BitCast(d, hn::Set(bits_of, 0xFFFF0000U)));
}

HWY_INLINE V word_of(V even, V odd) {
  const D d;
  const V lower = hn::BitCast(d, hn::ShiftRight<16>(hn::BitCast(Bits(), round_to_bf16(even))));
  return hn::Or(lower, round_to_bf16(odd));
}

// words[j] has even[j] and odd[j], or 0 where there is no odd row.
HWY_INLINE void words_of_rows(const float* even, const float* odd, int64_t n, float* words) {
  const D d;
  for (int64_t j = 0; j < n; j += lanes()) {
    const V upper = odd == nullptr ? hn::Zero(d) : load_n(odd + j, n - j);
    store_n(word_of(load_n(even + j, n - j), upper), words + j, n - j);
  }
}

// words[j] has elements 2j and 2j + 1 of a row of n, or 0 where that is its end.
HWY_INLINE void words_of_row(const float* row, int64_t n, float* words) {
  const D d;
  int64_t k = 0;
  for (; k + 2 * lanes() <= n; k += 2 * lanes()) {
    V even, odd;
    hn::LoadInterleaved2(d, row + k, even, odd);
    hn::StoreU(word_of(even, odd), d, words + k / 2);
  }
  for (; k < n; k += 2) words_of_rows(row + k, k + 1 < n ? row + k + 1 : nullptr, 1, words + k / 2);
}

// Number of words, or of floats, that hold k elements of a sum.
inline int64_t depth_of(int64_t k, Precision precision) { return precision == Precision::kBf16 ? (k + 1) / 2 : k; }

// to[j * stride + i] = word, or float, j of row i of `count` rows of k elements, at most four; a row that is null is
// zeros. `part` says which j, at most kPackedPart.
constexpr int64_t kPackedPart = 64;
HWY_INLINE void pack_columns(const float* const* rows, int64_t count, int64_t k, Range part, Precision precision,
                             float* to, int64_t stride) {
  if (precision == Precision::kFloat) return transpose_rows(rows, count, part, to, stride);
  HWY_ALIGN float words[4][kPackedPart];
  const float* starts[4];
  for (int64_t i = 0; i < count; ++i) {
    starts[i] = rows[i] == nullptr ? nullptr : words[i];
    if (rows[i] == nullptr) continue;
    words_of_row(rows[i] + 2 * part.begin, std::min(k, 2 * part.end) - 2 * part.begin, words[i]);
  }
  transpose_rows(starts, count, {0, part.size()}, to + part.begin * stride, stride);
}

// How sums of products are made of words: in how many parts of each, what a part is, and what is added for it.
struct FloatProduct {
  static constexpr int kParts = 1;
  template <int kPart>
  static HWY_INLINE V part(V word) {
    return word;
  }
  static HWY_INLINE V add(V a, V b, V sum) { return hn::MulAdd(a, b, sum); }
};

// Products of two bf16 are exact in a float, as far as it reaches. The order is that of the instruction below: odd
// elements come first.
struct Bf16Product {
  static constexpr int kParts = 2;
  template <int kPart>
  static HWY_INLINE V part(V word) {
    const D d;
    if constexpr (kPart == 0) return hn::And(word, hn::BitCast(d, hn::Set(Bits(), 0xFFFF0000U)));
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::BitCast(Bits(), word)));
  }
  static HWY_INLINE V add(V a, V b, V sum) { return hn::MulAdd(a, b, sum); }
};

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
// AVX512-BF16, which Highway has no operation for. In assembly, since an intrinsic would need functions compiled for
// processors with it alone.
struct NativeBf16Product {
  static constexpr int kParts = 1;
  template <int kPart>
  static HWY_INLINE V part(V word) {
    return word;
  }
  static HWY_INLINE V add(V a, V b, V sum) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
    return sum;
  }
};
#else
using NativeBf16Product = Bf16Product;
#endif

// Calls visit(product) with the product of operands in this precision.
template <class Visit>
HWY_INLINE void with_product(Precision precision, Visit visit) {
  if (precision == Precision::kFloat) return visit(FloatProduct());
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if (bf16_is_native()) return visit(NativeBf16Product());
#endif
  visit(Bf16Product());
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
