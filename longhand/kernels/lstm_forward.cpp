#include <algorithm>
#include <span>

#include "longhand/kernels/layer_norm.h"
#include "longhand/kernels/lstm.h"
#include "longhand/kernels/lstm_rows.h"
#include "longhand/kernels/lstm_symbols.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/lstm_forward.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/gemm-inl.h"
#include "longhand/kernels/layer_norm-inl.h"
#include "longhand/kernels/lstm_cell-inl.h"

#ifndef LONGHAND_KERNELS_LSTM_FORWARD_SHARED_
#define LONGHAND_KERNELS_LSTM_FORWARD_SHARED_
namespace longhand::kernels {

// Some steps of the forward pass as the time loop sees them.
struct ForwardPass {
  const LstmForward<float>& args;
  const PackedLstm& packed;
  LstmPiece piece;
  LstmCache<float> cache;  // the caller's arrays; in inference, scratch with one step's rows
  // The input's part of the gates: row t * B + b is at `pre` + 4 Hp * its slot, or, without slots, counted from step
  // `earliest`.
  const float* pre;
  const int32_t* slots;
  int64_t earliest;

  int64_t kept_row(int64_t t, int64_t b) const { return args.keeps() ? t * args.shape.batch + b : b; }
};

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Where one row of the batch has its operands and results in one step.
struct CellRow {
  float* product;       // [4, Hp] takes W_hh r where it must be normalised first; otherwise null
  const float* pre;     // [4, Hp] the input's part of the gates
  const float* h_prev;  // of the previous step, for zoneout; with a projection it comes later, and zone_h is null
  const float* c_prev;
  const float* zone_h;
  const float* zone_c;
  float* gates;  // [4, Hp] the sums (1), then their activations
  float* sums;   // [4, Hp] takes what the activations are applied to; null: not kept
  float* c;
  float* m;  // h itself, without a projection
};

HWY_INLINE void store_gates(const Gates& gates, float* to, int64_t stride) {
  const D d;
  hn::Store(gates.i, d, to);
  hn::Store(gates.f, d, to + stride);
  hn::Store(gates.g, d, to + 2 * stride);
  hn::Store(gates.o, d, to + 3 * stride);
}

// (2) (3) (4) (36) (37): the pointwise part of the cell, from the sums in `gates`. Gate by gate, so that the processor
// has independent functions to work on at the same time.
void plain_cell(const StandardCell<>& cell, const CellRow& row, Range units, int64_t Hp) {
  const D d;
  const auto activate_all = [&](int gate) HWY_ATTR {
    float* a = row.gates + gate * Hp;
    for (int64_t u = units.begin; u < units.end; u += lanes())
      hn::Store(StandardCell<>::activate(gate, hn::Load(d, a + u)), d, a + u);
  };
  for (int gate = 0; gate < 4; ++gate) activate_all(gate);
  for (int64_t u = units.begin; u < units.end; u += lanes()) {
    const float* a = row.gates + u;
    const Gates gates{hn::Load(d, a), hn::Load(d, a + Hp), hn::Load(d, a + 2 * Hp), hn::Load(d, a + 3 * Hp)};
    const V c = new_cell(gates, hn::Load(d, row.c_prev + u));
    const V m = cell.output(gates.o, c, u);
    hn::Store(zoned(c, mask_at(row.zone_c, u), row.c_prev + u), d, row.c + u);
    hn::Store(zoned(m, mask_at(row.zone_h, u), row.h_prev + u), d, row.m + u);
  }
}

// Another cell's, whose functions are not known beforehand.
void plain_cell(const VariantCell& cell, const CellRow& row, Range units, int64_t Hp) {
  const D d;
  for (int64_t u = units.begin; u < units.end; u += lanes()) {
    const float* from = row.gates + u;
    V a[4] = {hn::Load(d, from), hn::Load(d, from + Hp), hn::Load(d, from + 2 * Hp), hn::Load(d, from + 3 * Hp)};
    const NewCell now = cell.step(a, hn::Load(d, row.c_prev + u), u);
    if (row.sums != nullptr) store_gates({a[0], a[1], a[2], a[3]}, row.sums + u, Hp);
    store_gates(now.gates, row.gates + u, Hp);
    const V m = cell.output(now.gates.o, now.c, u);
    hn::Store(zoned(now.c, mask_at(row.zone_c, u), row.c_prev + u), d, row.c + u);
    hn::Store(zoned(m, mask_at(row.zone_h, u), row.h_prev + u), d, row.m + u);
  }
}

CellRow cell_row(const ForwardPass& pass, int64_t t, int64_t b) {
  const LstmForward<float>& args = pass.args;
  const LstmShape& shape = args.shape;
  const int64_t B = shape.batch, Hp = padded(shape.hidden), Rp = padded(shape.outputs());
  const int64_t row = t * B + b, prev = shape.prev_slot(t, b) * B + b, next = shape.next_slot(t) * B + b;
  const int64_t kept = pass.kept_row(t, b);
  const int64_t slot = pass.slots != nullptr ? pass.slots[row] : row - pass.earliest * B;
  const bool projected = shape.projection > 0;
  return {.product = pass.cache.norm_hh != nullptr ? pass.cache.norm_hh + kept * 4 * Hp : nullptr,
          .pre = pass.pre + slot * 4 * Hp,
          .h_prev = projected ? nullptr : args.h + prev * Rp,
          .c_prev = args.c + (args.keeps() ? prev : b) * Hp,
          .zone_h = projected ? nullptr : args.masks.zone_h_row(row),
          .zone_c = args.masks.zone_c_row(row),
          .gates = pass.cache.gates + kept * 4 * Hp,
          .sums = pass.cache.sums != nullptr ? pass.cache.sums + kept * 4 * Hp : nullptr,
          .c = args.c + (args.keeps() ? next : b) * Hp,
          .m = projected ? pass.cache.m + kept * Hp : args.h + next * Rp};
}

// (34)
void mask_states(const ForwardPass& pass, int64_t t, const int32_t* rows, int64_t count) {
  const D d;
  const LstmShape& shape = pass.args.shape;
  const int64_t Rp = padded(shape.outputs());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t b = rows[i];
    const float* h = pass.args.h + (shape.prev_slot(t, b) * shape.batch + b) * Rp;
    const float* mask = pass.args.masks.recurrent + b * Rp;
    float* r = pass.cache.masked_h + pass.kept_row(t, b) * Rp;
    for (int64_t j = 0; j < Rp; j += lanes()) hn::Store(hn::Mul(hn::Load(d, mask + j), hn::Load(d, h + j)), d, r + j);
  }
}

// (40) (41): the pointwise part of a normalised cell, for one row, once its whole product is there.
template <class Cell>
void normalised_cell(const Cell& cell, const ForwardPass& pass, int64_t t, int64_t b) {
  const D d;
  const int64_t H = pass.args.shape.hidden, Hp = padded(H), kept = pass.kept_row(t, b);
  const CellRow row = cell_row(pass, t, b);
  float* norm_c = pass.cache.norm_c + kept * Hp;
  float* rstd = pass.cache.rstd + kept * 3;
  for (int64_t gate = 0; gate < 4; ++gate) std::fill_n(row.product + gate * Hp + H, Hp - H, 0.0F);
  rstd[1] = normalise_row(row.product, 4, H, row.product);
  for (int64_t u = 0; u < Hp; u += lanes()) {
    V a[4];
    for (int64_t gate = 0; gate < 4; ++gate) {
      const int64_t at = gate * Hp + u;
      const V gain = hn::Load(d, pass.packed.gain_hh.data() + at);
      a[gate] = hn::MulAdd(gain, hn::Load(d, row.product + at), hn::Load(d, row.pre + at));
    }
    const NewCell now = cell.step(a, hn::Load(d, row.c_prev + u), u);
    if (row.sums != nullptr) store_gates({a[0], a[1], a[2], a[3]}, row.sums + u, Hp);
    store_gates(now.gates, row.gates + u, Hp);
    hn::Store(now.c, d, norm_c + u);
    hn::Store(zoned(now.c, mask_at(row.zone_c, u), row.c_prev + u), d, row.c + u);
  }
  rstd[2] = normalise_row(norm_c, 1, H, norm_c);
  for (int64_t u = 0; u < Hp; u += lanes()) {
    const V gain = hn::Load(d, pass.packed.gain_c.data() + u), bias = hn::Load(d, pass.packed.bias_c.data() + u);
    const V s = hn::MulAdd(gain, hn::Load(d, norm_c + u), bias);
    const V m = cell.output(hn::Load(d, row.gates + 3 * Hp + u), s, u);
    hn::Store(zoned(m, mask_at(row.zone_h, u), row.h_prev + u), d, row.m + u);
  }
}

// (33), then (36).
void project(const ForwardPass& pass, int64_t t, const int32_t* rows, int64_t count, Buffer<float>& strips) {
  const D d;
  const LstmForward<float>& args = pass.args;
  const LstmShape& shape = args.shape;
  const int64_t B = shape.batch, Hp = padded(shape.hidden), Rp = padded(shape.outputs());
  const Gemm<float> product{.a = pass.cache.m + pass.kept_row(t, 0) * Hp,
                            .a_stride = Hp,
                            .a_rows = rows,
                            .c_rows = rows,
                            .m = count,
                            .b = &pass.packed.projection,
                            .c = args.h + shape.next_slot(t) * B * Rp,
                            .c_stride = Rp};
  gemm_part(product, {0, count}, {0, vectors_of(shape.projection)}, strips);
  for (int64_t i = 0; args.masks.zone_h != nullptr && i < count; ++i) {
    const int64_t b = rows[i];
    const float* zone = args.masks.zone_h_row(t * B + b);
    const float* h_prev = args.h + (shape.prev_slot(t, b) * B + b) * Rp;
    float* h = args.h + (shape.next_slot(t) * B + b) * Rp;
    for (int64_t j = 0; j < Rp; j += lanes()) hn::Store(zoned(hn::Load(d, h + j), zone + j, h_prev + j), d, h + j);
  }
}

// Of an array's row, `width` wide, what belongs to these units: the last of them have the padding, too.
Range with_padding(const LstmShape& shape, Range units, int64_t width) {
  const bool last = units.size() > 0 && units.end == vectors_of(shape.hidden) * lanes();
  return {std::min(units.begin, width), last ? width : std::min(units.end, width)};
}

void clear_finished_rows(const LstmForward<float>& args, Range range, Range units, int64_t t) {
  const LstmShape& shape = args.shape;
  const int64_t Hp = padded(shape.hidden), Rp = padded(shape.outputs());
  const Range h = with_padding(shape, units, Rp), c = with_padding(shape, units, Hp);
  for (int64_t b = range.begin; shape.lengths != nullptr && b < range.end; ++b) {
    if (t < shape.length(b)) continue;
    const int64_t next = shape.next_slot(t) * shape.batch + b;
    std::fill_n(args.h + next * Rp + h.begin, h.size(), 0.0F);
    if (args.keeps()) std::fill_n(args.c + next * Hp + c.begin, c.size(), 0.0F);
  }
}

// (1), on top of the input's part: W_hh r for the given rows of the batch. Of a normalised layer it is left apart.
// Coupled gates have no use for that of f.
void recurrent_product(const ForwardPass& pass, int64_t t, const int32_t* rows, int64_t count, Range units,
                       Context& context) {
  const LstmShape& shape = pass.args.shape;
  const int64_t B = shape.batch, Hp = padded(shape.hidden), Rp = padded(shape.outputs());
  const bool normalised = pass.cache.norm_hh != nullptr, masked = pass.cache.masked_h != nullptr;
  float* sums = (normalised ? pass.cache.norm_hh : pass.cache.gates) + pass.kept_row(t, 0) * 4 * Hp;
  context.prev.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    context.prev[i] = static_cast<int32_t>(shape.prev_slot(t, rows[i]) * B + rows[i]);
    const CellRow row = cell_row(pass, t, rows[i]);
    for (int64_t gate = 0; !normalised && row.pre != row.gates && gate < 4; ++gate) {
      std::copy_n(row.pre + gate * Hp + units.begin, units.size(), row.gates + gate * Hp + units.begin);
    }
  }
  Gemm<float> products[4];
  size_t gates = 0;
  for (int64_t gate = 0; gate < 4; ++gate) {
    if (gate == 1 && pass.args.cell.coupled) continue;
    products[gates++] = {.a = masked ? pass.cache.masked_h + pass.kept_row(t, 0) * Rp : pass.args.h,
                         .a_stride = Rp,
                         .a_rows = masked ? rows : context.prev.data(),
                         .c_rows = rows,
                         .m = count,
                         .b = &pass.packed.recurrent[gate],
                         .accumulate = !normalised,
                         .c = sums + gate * Hp,
                         .c_stride = 4 * Hp};
  }
  gemm_part(std::span(products).first(gates), {0, count}, {units.begin / lanes(), units.end / lanes()},
            context.strips[0]);
}

// One step for the given rows of the batch, and the piece's units.
template <class Cell>
void forward_step(const Cell& cell, const ForwardPass& pass, int64_t t, const int32_t* rows, int64_t count, Range units,
                  Context& context) {
  if (pass.args.masks.recurrent != nullptr) mask_states(pass, t, rows, count);
  recurrent_product(pass, t, rows, count, units, context);
  for (int64_t i = 0; i < count; ++i) {
    if (pass.cache.norm_hh != nullptr) {
      normalised_cell(cell, pass, t, rows[i]);
    } else {
      plain_cell(cell, cell_row(pass, t, rows[i]), units, padded(pass.args.shape.hidden));
    }
  }
  if (pass.args.shape.projection > 0) project(pass, t, rows, count, context.strips[0]);
}

// The last states of the rows that are done, or of these the units of one member.
void copy_last_states(const ForwardPass& pass, Range units) {
  const LstmForward<float>& args = pass.args;
  const LstmShape& shape = args.shape;
  const int64_t B = shape.batch, Hp = padded(shape.hidden), Rp = padded(shape.outputs());
  const auto copy = [&](const float* from, float* to, int64_t width) {
    const Range part = with_padding(shape, units, width);
    if (to != nullptr) std::copy(from + part.begin, from + part.end, to + part.begin);
  };
  for (int64_t b = pass.piece.rows.begin; b < pass.piece.rows.end; ++b) {
    const int64_t last = shape.last_slot(b) * B + b;
    copy(args.h + last * Rp, args.h_last == nullptr ? nullptr : args.h_last + b * Rp, Rp);
    copy(args.c + last * Hp, args.c_last == nullptr || !args.keeps() ? nullptr : args.c_last + b * Hp, Hp);
  }
}

template <class Cell>
void forward_steps_of(const Cell& cell, const ForwardPass& pass, Context& context) {
  const LstmShape& shape = pass.args.shape;
  const LstmPiece& piece = pass.piece;
  const Range vectors = panel_range(vectors_of(shape.hidden), piece.members, piece.member);
  const Range units{vectors.begin * lanes(), vectors.end * lanes()};
  context.active.resize(piece.rows.size());
  for (int64_t s = piece.steps.begin; s < piece.steps.end; ++s) {
    const int64_t t = shape.time(s);
    const int64_t count = active_rows(shape, piece.rows, t, context.active.data());
    forward_step(cell, pass, t, context.active.data(), count, units, context);
    clear_finished_rows(pass.args, piece.rows, units, t);
  }
  if (piece.steps.end == shape.steps) copy_last_states(pass, units);
}

void forward_steps(const ForwardPass& pass, Context& context) {
  const LstmForward<float>& args = pass.args;
  if (!is_variant(args)) return forward_steps_of(StandardCell<>(), pass, context);
  const float* peepholes = args.weights.peepholes != nullptr ? pass.packed.peepholes.data() : nullptr;
  forward_steps_of(VariantCell{args.cell, peepholes, args.shape.hidden}, pass, context);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(forward_steps);

namespace {

// In inference, the arrays of which backward would need all steps have room for one.
LstmCache<float> one_step(const LstmForward<float>& args, Context& context) {
  const int64_t B = args.shape.batch, Hp = padded(args.shape.hidden), Rp = padded(args.shape.outputs());
  context.step.resize(B * (10 * Hp + Rp + kLineFloats));
  float* next = context.step.data();
  const auto take = [&next, B](int64_t width, bool wanted) {
    float* array = next;
    next += B * width;
    return wanted ? array : nullptr;
  };
  const bool normalised = args.weights.gain_ih != nullptr;
  return {.gates = take(4 * Hp, true),
          .masked_h = take(Rp, args.masks.recurrent != nullptr),
          .m = take(Hp, args.shape.projection > 0),
          .norm_hh = take(4 * Hp, normalised),
          .norm_c = take(Hp, normalised),
          .rstd = take(kLineFloats, normalised)};
}

// Where the input's part of the gates of dense input is: in place of the gates where these are kept, and otherwise for
// a whole pass, or for the steps of one piece.
struct InputsPart {
  float* pre;
  int64_t earliest;
};
InputsPart inputs_part(const LstmForward<float>& args, const LstmPiece& piece, LstmMemory& memory, Context& context) {
  if (args.keeps()) return {args.cache.gates, 0};
  if (piece.members > 1) return {memory.pre.data(), 0};
  context.block.resize(piece.steps.size() * args.shape.batch * 4 * padded(args.shape.hidden));
  return {context.block.data(), args.shape.times(piece.steps).begin};
}

}  // namespace

void lstm_forward_begin(const LstmForward<float>& args, const PackedLstm& packed, bool shared, LstmMemory& memory,
                        Context& context) {
  const LstmShape& shape = args.shape;
  check_shape(shape);
  LONGHAND_CHECK(!args.cell.coupled || args.weights.gain_ih == nullptr);
  LONGHAND_CHECK(!args.keeps() || args.cache.sums != nullptr || !args.cell.keeps_sums());
  if (args.input.x == nullptr) {
    number_symbols(shape, args.input.symbols, memory.distinct);
    gather_columns(shape, args.weights, packed, memory.distinct, memory.pre, context);
  } else if (shared && !args.keeps()) {
    memory.pre.resize(shape.steps * shape.batch * 4 * padded(shape.hidden));
  }
}

void lstm_forward_inputs(const LstmForward<float>& args, const PackedLstm& packed, const LstmPiece& piece,
                         LstmMemory& memory, Context& context) {
  if (args.input.x == nullptr) return;  // `begin` did all symbols
  const LstmShape& shape = args.shape;
  const int64_t B = shape.batch, Hp = padded(shape.hidden);
  const bool normalised = args.weights.gain_ih != nullptr;
  const Range time = shape.times(piece.steps);
  int64_t count = 0;
  const int32_t* rows = unpadded_rows(shape, time, piece.rows, context.rows, count);
  const InputsPart part = inputs_part(args, piece, memory, context);
  float* pre = part.pre + (time.begin - part.earliest) * B * 4 * Hp;
  float* product = normalised && args.keeps() ? args.cache.norm_ih + time.begin * B * 4 * Hp : pre;
  gemm_columns({.a = args.input.x + time.begin * B * args.input.x_stride,
                .a_stride = args.input.x_stride,
                .a_rows = rows,
                .c_rows = rows,
                .m = count,
                .b = &packed.input,
                .bias = normalised ? nullptr : packed.bias.data(),
                .c = product,
                .c_stride = 4 * Hp},
               piece.member, piece.members, context);
  if (normalised) {  // (40)
    normalise_rows({.hidden = shape.hidden,
                    .n = count,
                    .rows = rows,
                    .v = product,
                    .rstd = args.keeps() ? args.cache.rstd + time.begin * B * 3 : nullptr,
                    .rstd_stride = 3,
                    .gain = packed.gain_ih.data(),
                    .bias = packed.bias.data(),
                    .y = pre},
                   context);
  }
}

void lstm_forward_steps(const LstmForward<float>& args, const PackedLstm& packed, const LstmPiece& piece,
                        LstmMemory& memory, Context& context) {
  ForwardPass pass{.args = args,
                   .packed = packed,
                   .piece = piece,
                   .cache = args.keeps() ? args.cache : one_step(args, context),
                   .pre = memory.pre.data(),
                   .slots = nullptr,
                   .earliest = 0};
  if (args.input.x == nullptr) {
    pass.slots = memory.distinct.slots.data() + args.shape.inputs;
  } else {
    const InputsPart part = inputs_part(args, piece, memory, context);
    pass.pre = part.pre;
    pass.earliest = part.earliest;
  }
  HWY_DYNAMIC_DISPATCH(forward_steps)(pass, context);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
