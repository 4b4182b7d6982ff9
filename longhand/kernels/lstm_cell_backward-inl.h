// The pointwise part of the cell on one vector of units, backward: the standard one, and one with all variants. Every
// path goes through them. Included once for every SIMD target. The equations' numbers are those of docs/derivatives.md.

// NOLINTBEGIN(llvm-header-guard): this guard toggles, so that every target gets its own copy.
#if defined(LONGHAND_KERNELS_LSTM_CELL_BACKWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LONGHAND_KERNELS_LSTM_CELL_BACKWARD_INL_H_
#undef LONGHAND_KERNELS_LSTM_CELL_BACKWARD_INL_H_
#else
#define LONGHAND_KERNELS_LSTM_CELL_BACKWARD_INL_H_
#endif
// NOLINTEND(llvm-header-guard)

#include "longhand/kernels/activation-inl.h"
#include "longhand/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Where one row of the batch has its operands and results in one step of the way back.
struct CellGradientRow {
  const float* c_prev;
  const float* zone_c;
  const float* dm;
  float* gates;  // [4, Hp] activations; then the gradients of the pre-activations
  float* dc;
  const float* sums;   // [4, Hp] what the activations were applied to; null: not kept
  float* d_peepholes;  // [3, Hp] written: the row's part of the gradient of peepholes; null: there are none
};

// (4): what dm is for the output gate (25) and for s (21).
HWY_INLINE V output_backward(V dm, V o, V s, V& da_o) {
  const V one = hn::Set(D(), 1.0F);
  const V tanh_s = tanh(s);
  const V dm_o = hn::Mul(dm, o);
  da_o = hn::Mul(hn::Mul(dm_o, tanh_s), hn::Sub(one, o));
  return hn::Mul(dm_o, hn::NegMulAdd(tanh_s, tanh_s, one));
}

struct StandardGradient {
  // c~, which zoneout may have passed over.
  HWY_INLINE V new_cell(const CellGradientRow& row, int64_t u, int64_t Hp) const {
    const D d;
    const V i = hn::Load(d, row.gates + u), f = hn::Load(d, row.gates + Hp + u),
            g = hn::Load(d, row.gates + 2 * Hp + u);
    return hn::MulAdd(f, hn::Load(d, row.c_prev + u), hn::Mul(i, g));
  }
  // Writes da_o in the place of o, and returns the gradient of s.
  HWY_INLINE V output(const CellGradientRow& row, int64_t u, int64_t Hp, V s) const {
    const D d;
    V da_o;
    const V ds = output_backward(hn::Load(d, row.dm + u), hn::Load(d, row.gates + 3 * Hp + u), s, da_o);
    hn::Store(da_o, d, row.gates + 3 * Hp + u);
    return ds;
  }
  // (3): what the gradient `dc_now` of c~ is for the gates, in whose place it is written, and for the cell before.
  HWY_INLINE V cell(const CellGradientRow& row, int64_t u, int64_t Hp, V dc_now) const {
    const D d;
    const V one = hn::Set(d, 1.0F);
    float* gates = row.gates + u;
    const V i = hn::Load(d, gates), f = hn::Load(d, gates + Hp), g = hn::Load(d, gates + 2 * Hp);
    const V dc_i = hn::Mul(dc_now, i);
    const V dc_f = hn::Mul(dc_now, f);
    hn::Store(hn::Mul(hn::Mul(dc_i, g), hn::Sub(one, i)), d, gates);                                 // (22)
    hn::Store(hn::Mul(hn::Mul(dc_f, hn::Load(d, row.c_prev + u)), hn::Sub(one, f)), d, gates + Hp);  // (23)
    hn::Store(hn::Mul(dc_i, hn::NegMulAdd(g, g, one)), d, gates + 2 * Hp);                           // (24)
    return dc_f;
  }
};

// The same with (78) and (80) to (83).
struct VariantGradient {
  const LstmCell& options;
  const float* peepholes;  // [3, Hp] or null

  HWY_INLINE V before_clip(const CellGradientRow& row, int64_t u, int64_t Hp) const {
    return StandardGradient().new_cell(row, u, Hp);
  }
  HWY_INLINE V clipped(V c) const {
    return options.cell_clip > 0.0 ? clip_to(c, hn::Set(D(), static_cast<float>(options.cell_clip))) : c;
  }
  HWY_INLINE V new_cell(const CellGradientRow& row, int64_t u, int64_t Hp) const {
    return clipped(before_clip(row, u, Hp));
  }
  // From the gradient of a gate, whose value is y, to that of its sum.
  HWY_INLINE V gate(const CellGradientRow& row, int64_t k, int64_t u, int64_t Hp, V y, V dy) const {
    const D d;
    const V x = row.sums == nullptr ? hn::Zero(d) : hn::Load(d, row.sums + k * Hp + u);
    if (options.gate_clip <= 0.0) return activation_backward(options.of(k), x, y, dy);
    const V most = hn::Set(d, static_cast<float>(options.gate_clip));  // (82)
    return hn::IfThenZeroElse(hn::Gt(hn::Abs(x), most), activation_backward(options.of(k), clip_to(x, most), y, dy));
  }
  HWY_INLINE V output(const CellGradientRow& row, int64_t u, int64_t Hp, V s) const {
    const D d;
    const V dm = hn::Load(d, row.dm + u), o = hn::Load(d, row.gates + 3 * Hp + u);
    const V y = activation(options.output, s);
    hn::Store(gate(row, 3, u, Hp, o, hn::Mul(dm, y)), d, row.gates + 3 * Hp + u);  // (25)
    return activation_backward(options.output, s, y, hn::Mul(dm, o));              // (21)
  }
  HWY_INLINE V cell(const CellGradientRow& row, int64_t u, int64_t Hp, V dc_now) const {
    const D d;
    float* gates = row.gates + u;
    const V i = hn::Load(d, gates), f = hn::Load(d, gates + Hp), g = hn::Load(d, gates + 2 * Hp);
    const V c_prev = hn::Load(d, row.c_prev + u), c = before_clip(row, u, Hp);
    if (peepholes != nullptr) {  // (80)
      const V da_o = hn::Load(d, gates + 3 * Hp);
      dc_now = hn::MulAdd(hn::Load(d, peepholes + 2 * Hp + u), da_o, dc_now);
      hn::Store(hn::Mul(da_o, clipped(c)), d, row.d_peepholes + 2 * Hp + u);
    }
    if (options.cell_clip > 0.0) {  // (83)
      dc_now = hn::IfThenZeroElse(hn::Gt(hn::Abs(c), hn::Set(d, static_cast<float>(options.cell_clip))), dc_now);
    }
    const V d_i = hn::Mul(dc_now, options.coupled ? hn::Sub(g, c_prev) : g);  // (81)
    const V da_i = gate(row, 0, u, Hp, i, d_i);
    const V da_f = options.coupled ? hn::Zero(d) : gate(row, 1, u, Hp, f, hn::Mul(dc_now, c_prev));
    hn::Store(gate(row, 2, u, Hp, g, hn::Mul(dc_now, i)), d, gates + 2 * Hp);
    hn::Store(da_i, d, gates);
    hn::Store(da_f, d, gates + Hp);
    const V dc_f = hn::Mul(dc_now, f);
    if (peepholes == nullptr) return dc_f;
    hn::Store(hn::Mul(da_i, c_prev), d, row.d_peepholes + u);
    hn::Store(hn::Mul(da_f, c_prev), d, row.d_peepholes + Hp + u);
    const V by_f = hn::MulAdd(hn::Load(d, peepholes + Hp + u), da_f, dc_f);  // (80)
    return hn::MulAdd(hn::Load(d, peepholes + u), da_i, by_f);
  }
};

// (21) (37): the new cell's gradient from the output's and from later steps', and on to the cell before.
template <class Gradient>
HWY_INLINE void cell_step_backward(const Gradient& gradient, const CellGradientRow& row, int64_t u, int64_t Hp, V ds) {
  const D d;
  const V dc = hn::Load(d, row.dc + u);
  if (row.zone_c == nullptr) {
    return hn::Store(gradient.cell(row, u, Hp, hn::Add(ds, dc)), d, row.dc + u);
  }
  const V z = hn::Load(d, row.zone_c + u);
  const V dc_prev = gradient.cell(row, u, Hp, hn::MulAdd(hn::Sub(hn::Set(d, 1.0F), z), dc, ds));
  hn::Store(hn::MulAdd(z, dc, dc_prev), d, row.dc + u);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
