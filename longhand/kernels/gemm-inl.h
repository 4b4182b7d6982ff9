// The matrix product of one thread, for the time loops of the LSTM. Included once for every SIMD target; gemm.cpp has
// the loops, once for each.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_GEMM_INL_H_
#undef LONGHAND_KERNELS_GEMM_INL_H_
#else
#define LONGHAND_KERNELS_GEMM_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include "longhand/kernels/gemm.h"
#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Number of vectors that cover this many columns.
inline int64_t vectors_of(int64_t columns) { return (columns + lanes() - 1) / lanes(); }

// Member `member` of `members`' share of so many vectors of columns: whole panels, as even as these allow.
Range panel_range(int64_t total, int members, int member);

// The part of products of one A (see gemm) with these rows of C and these vectors of its columns, which begin on a
// panel; of each product as many as there are. Where A is transposed or rounded, that is done once, in `strips`.
void gemm_part(std::span<const Gemm<float>> products, Range rows, Range vectors, Buffer<float>& strips);
inline void gemm_part(const Gemm<float>& product, Range rows, Range vectors, Buffer<float>& strips) {
  gemm_part(std::span(&product, 1), rows, vectors, strips);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
