// The pointwise part of the cell on one vector of units, forward: the standard one, and one with all variants. Every
// path goes through them. Included once for every SIMD target. The equations' numbers are those of docs/derivatives.md.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_LSTM_CELL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_LSTM_CELL_INL_H_
#undef LONGHAND_KERNELS_LSTM_CELL_INL_H_
#else
#define LONGHAND_KERNELS_LSTM_CELL_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include "longhand/kernels/activation-inl.h"
#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

struct Gates {
  V i, f, g, o;
};

// Gates, and c~.
struct NewCell {
  Gates gates;
  V c;
};

// (3)
HWY_INLINE V new_cell(const Gates& gates, V c_prev) { return hn::MulAdd(gates.f, c_prev, hn::Mul(gates.i, gates.g)); }

// (2) to (4), as exact as floats are, or fast.
template <bool kFast = false>
struct StandardCell {
  // (2) for gate 0 to 3: i f g o
  static HWY_INLINE V activate(int gate, V a) {
    if constexpr (kFast) return gate == 2 ? fast_tanh(a) : fast_sigmoid(a);
    return gate == 2 ? tanh(a) : sigmoid(a);
  }
  // From the sums (1) of unit u and those after it.
  HWY_INLINE NewCell step(const V (&a)[4], V c_prev, int64_t /*u*/) const {
    const Gates gates{activate(0, a[0]), activate(1, a[1]), activate(2, a[2]), activate(3, a[3])};
    return {gates, new_cell(gates, c_prev)};
  }
  // m from o and s, which is c~, or that normalised.
  HWY_INLINE V output(V o, V s, int64_t /*u*/) const { return hn::Mul(o, kFast ? fast_tanh(s) : tanh(s)); }
};

// The same with (77) and (79) to (83). Activations of zero may be other than zero: so that what is beyond the units is
// set to zero.
struct VariantCell {
  const LstmCell& cell;
  const float* peepholes;  // [3, Hp] or null
  int64_t hidden;
  bool fast = false;

  HWY_INLINE V activate(int gate, V a) const {
    if (cell.gate_clip > 0.0) a = clip_to(a, hn::Set(D(), static_cast<float>(cell.gate_clip)));  // (82)
    return activation(cell.of(gate), a, fast);
  }
  // (79), for i f o as 0 1 2.
  HWY_INLINE V see(int which, int64_t u, V c, V a) const {
    if (peepholes == nullptr) return a;
    return hn::MulAdd(hn::Load(D(), peepholes + which * padded(hidden) + u), c, a);
  }
  // Adds to the sums what peepholes see.
  HWY_INLINE NewCell step(V (&a)[4], V c_prev, int64_t u) const {
    const D d;
    a[0] = see(0, u, c_prev, a[0]);
    a[1] = see(1, u, c_prev, a[1]);
    Gates gates;
    gates.i = activate(0, a[0]);
    gates.f = cell.coupled ? hn::Sub(hn::Set(d, 1.0F), gates.i) : activate(1, a[1]);  // (81)
    gates.g = activate(2, a[2]);
    V c = new_cell(gates, c_prev);
    if (cell.cell_clip > 0.0) c = clip_to(c, hn::Set(d, static_cast<float>(cell.cell_clip)));  // (83)
    c = real_lanes(c, hidden - u);
    a[3] = see(2, u, c, a[3]);
    gates.o = activate(3, a[3]);
    return {gates, c};
  }
  HWY_INLINE V output(V o, V s, int64_t u) const {
    return real_lanes(hn::Mul(o, activation(cell.output, s, fast)), hidden - u);
  }
};

// (36) (37): the part `zone` of a state stays what it was. Exact where it is 0 or 1.
HWY_INLINE V zoned(V now, const float* zone, const float* prev) {
  if (zone == nullptr) return now;
  const D d;
  const V z = hn::Load(d, zone);
  return hn::MulAdd(z, hn::Load(d, prev), hn::Mul(hn::Sub(hn::Set(d, 1.0F), z), now));
}

// A place in a row of masks that there may be.
HWY_INLINE const float* mask_at(const float* mask, int64_t u) { return mask == nullptr ? nullptr : mask + u; }

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
