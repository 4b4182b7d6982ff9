// The pointwise part of the cell on one vector of units, forward: what a variant of the cell changes. Included once for
// every SIMD target. The equations' numbers are those of docs/derivatives.md.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_LSTM_CELL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_LSTM_CELL_INL_H_
#undef LONGHAND_KERNELS_LSTM_CELL_INL_H_
#else
#define LONGHAND_KERNELS_LSTM_CELL_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

struct Gates {
  V i, f, g, o;
};

// (2) for gate 0 to 3: i f g o
HWY_INLINE V activate_gate(int gate, V a) { return gate == 2 ? tanh(a) : sigmoid(a); }
HWY_INLINE Gates activate(V a_i, V a_f, V a_g, V a_o) {
  return {activate_gate(0, a_i), activate_gate(1, a_f), activate_gate(2, a_g), activate_gate(3, a_o)};
}

// (3)
HWY_INLINE V new_cell(const Gates& gates, V c_prev) { return hn::MulAdd(gates.f, c_prev, hn::Mul(gates.i, gates.g)); }

// (36) (37): the part `zone` of a state stays what it was. Exact where it is 0 or 1.
HWY_INLINE V zoned(V now, const float* zone, const float* prev) {
  if (zone == nullptr) return now;
  const D d;
  const V z = hn::Load(d, zone);
  return hn::MulAdd(z, hn::Load(d, prev), hn::Mul(hn::Sub(hn::Set(d, 1.0F), z), now));
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
