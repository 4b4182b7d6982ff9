#include <algorithm>

#include "longhand/kernels/gemm.h"
#include "longhand/kernels/layer_norm.h"
#include "longhand/kernels/lstm.h"
#include "longhand/kernels/lstm_rows.h"
#include "longhand/kernels/lstm_symbols.h"
#include "longhand/kernels/weight_gradients.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/lstm_backward.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/gemm-inl.h"
#include "longhand/kernels/layer_norm-inl.h"
#include "longhand/kernels/lstm_cell_backward-inl.h"

#ifndef LONGHAND_KERNELS_LSTM_BACKWARD_SHARED_
#define LONGHAND_KERNELS_LSTM_BACKWARD_SHARED_
namespace longhand::kernels {

// The way back through time, with the gradients on it.
struct BackwardPass {
  const LstmBackward<float>& args;
  const PackedLstm& packed;
  LstmPiece piece;
  float* dh;           // [B, Rp] what later steps send to h
  float* dh_kept;      // [B, Rp] the part of h's gradient that zoneout hands on to the step before
  float* dc;           // [B, Hp] what later steps send to c
  float* dm;           // [B, Hp] gradient of m
  float* d_hh;         // [T, B, 4, Hp] gradient of W_hh r: the gates', unless the layer is normalised
  float* d_cell;       // [T, B, Hp] gradient of s in a normalised layer
  float* d_output;     // [T, B, Rp] gradient of h~ in a projected layer
  float* d_peepholes;  // [T, B, 3, Hp] each row's part of the gradient of the peepholes
};

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

CellGradientRow gradient_row(const BackwardPass& pass, int64_t t, int64_t b) {
  const LstmBackward<float>& args = pass.args;
  const int64_t B = args.shape.batch, Hp = padded(args.shape.hidden), row = t * B + b;
  return {.c_prev = args.c + (args.shape.prev_slot(t, b) * B + b) * Hp,
          .zone_c = args.masks.zone_c_row(row),
          .dm = pass.dm + b * Hp,
          .gates = args.cache.gates + row * 4 * Hp,
          .dc = pass.dc + b * Hp,
          .sums = args.cache.sums != nullptr ? args.cache.sums + row * 4 * Hp : nullptr,
          .d_peepholes = args.weights.peepholes != nullptr ? pass.d_peepholes + row * 3 * Hp : nullptr};
}

template <class Gradient>
void plain_cell_backward(const Gradient& gradient, const BackwardPass& pass, int64_t t, int64_t b, Range units) {
  const int64_t Hp = padded(pass.args.shape.hidden);
  const CellGradientRow row = gradient_row(pass, t, b);
  for (int64_t u = units.begin; u < units.end; u += lanes()) {
    const V ds = gradient.output(row, u, Hp, gradient.new_cell(row, u, Hp));
    cell_step_backward(gradient, row, u, Hp, ds);
  }
}

template <class Gradient>
void normalised_cell_backward(const Gradient& gradient, const BackwardPass& pass, int64_t t, int64_t b) {
  const D d;
  const LstmBackward<float>& args = pass.args;
  const int64_t H = args.shape.hidden, Hp = padded(H), at = t * args.shape.batch + b;
  const CellGradientRow row = gradient_row(pass, t, b);
  const float* norm_c = args.cache.norm_c + at * Hp;
  const float* rstd = args.cache.rstd + at * 3;
  float* ds = pass.d_cell + at * Hp;
  for (int64_t u = 0; u < Hp; u += lanes()) {
    const V gain = hn::Load(d, pass.packed.gain_c.data() + u), bias = hn::Load(d, pass.packed.bias_c.data() + u);
    const V s = hn::MulAdd(gain, hn::Load(d, norm_c + u), bias);
    hn::Store(gradient.output(row, u, Hp, s), d, ds + u);
  }
  // (41), (39); dm has been used up, and holds the part of the gradient of c~ that comes through the output.
  float* dc_now = pass.dm + b * Hp;
  normalise_row_backward(ds, norm_c, pass.packed.gain_c.data(), rstd[2], 1, H, dc_now);
  for (int64_t u = 0; u < Hp; u += lanes()) cell_step_backward(gradient, row, u, Hp, hn::Load(d, dc_now + u));
  normalise_row_backward(row.gates, args.cache.norm_hh + at * 4 * Hp, pass.packed.gain_hh.data(), rstd[1], 4, H,
                         pass.d_hh + at * 4 * Hp);  // (40), (39)
}

// (20) (36): the gradient of h~ for one row, from above and from later steps; the rest of it zoneout hands on.
void arrive(const BackwardPass& pass, int64_t t, int64_t b, Range units, float* dh_now) {
  const D d;
  const LstmBackward<float>& args = pass.args;
  const int64_t Rp = padded(args.shape.outputs()), row = t * args.shape.batch + b;
  const float* above = args.dh + row * Rp;
  const float* later = pass.dh + b * Rp;
  const float* zone = args.masks.zone_h_row(row);
  float* kept = pass.dh_kept + b * Rp;
  for (int64_t j = units.begin; j < units.end; j += lanes()) {
    const V dh = hn::Add(hn::Load(d, above + j), hn::Load(d, later + j));
    if (zone == nullptr) {
      hn::Store(dh, d, dh_now + j);
      continue;
    }
    const V z = hn::Load(d, zone + j);
    hn::Store(hn::Mul(z, dh), d, kept + j);
    hn::Store(hn::Mul(hn::Sub(hn::Set(d, 1.0F), z), dh), d, dh_now + j);
  }
}

// (34) (36): what the product with W_hh' has brought back to r goes through the mask, and joins what zoneout kept.
void leave(const BackwardPass& pass, int64_t b) {
  const D d;
  const LstmMasks<float>& masks = pass.args.masks;
  const int64_t Rp = padded(pass.args.shape.outputs());
  float* dh = pass.dh + b * Rp;
  for (int64_t j = 0; masks.recurrent != nullptr && j < Rp; j += lanes()) {
    hn::Store(hn::Mul(hn::Load(d, masks.recurrent + b * Rp + j), hn::Load(d, dh + j)), d, dh + j);
  }
  for (int64_t j = 0; masks.zone_h != nullptr && j < Rp; j += lanes()) {
    hn::Store(hn::Add(hn::Load(d, pass.dh_kept + b * Rp + j), hn::Load(d, dh + j)), d, dh + j);
  }
}

// Which vectors of h, and which units, a piece's member has; the last has the padding, too.
struct Share {
  Range vectors, units;
};
Share share_of(const BackwardPass& pass) {
  const LstmShape& shape = pass.args.shape;
  const LstmPiece& piece = pass.piece;
  const int64_t R = shape.outputs(), total = vectors_of(R);
  const Range vectors = panel_range(total, piece.members, piece.member);
  if (piece.members == 1) return {vectors, {0, padded(R)}};
  const bool last = vectors.size() > 0 && vectors.end == total;
  return {vectors, {vectors.begin * lanes(), last ? padded(R) : vectors.end * lanes()}};
}

// What step t sends back to the one before it: (20), then (34) (36).
void send_back(const BackwardPass& pass, int64_t t, const int32_t* rows, int64_t count, const Share& share,
               Buffer<float>& strips) {
  const int64_t B = pass.args.shape.batch, Hp = padded(pass.args.shape.hidden), Rp = padded(pass.args.shape.outputs());
  const Gemm<float> product{.a = pass.d_hh + t * B * 4 * Hp,
                            .a_stride = 4 * Hp,
                            .a_rows = rows,
                            .c_rows = rows,
                            .m = count,
                            .b = &pass.packed.recurrent_back,
                            .c = pass.dh,
                            .c_stride = Rp};
  if (share.vectors.size() > 0) gemm_part(product, {0, count}, share.vectors, strips);
  for (int64_t i = 0; i < count; ++i) leave(pass, rows[i]);
}

// Step t's gradients of the gates, and of the cell before.
template <class Gradient>
void cells_backward(const Gradient& gradient, const BackwardPass& pass, int64_t t, const int32_t* rows, int64_t count,
                    const Share& share, Buffer<float>& strips) {
  const LstmBackward<float>& args = pass.args;
  const LstmShape& shape = args.shape;
  const int64_t B = shape.batch, Hp = padded(shape.hidden), Rp = padded(shape.outputs());
  const bool projected = shape.projection > 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t b = rows[i];
    arrive(pass, t, b, share.units, projected ? pass.d_output + (t * B + b) * Rp : pass.dm + b * Hp);
  }
  if (projected) {  // (33)
    const Gemm<float> product{.a = pass.d_output + t * B * Rp,
                              .a_stride = Rp,
                              .a_rows = rows,
                              .c_rows = rows,
                              .m = count,
                              .b = &pass.packed.projection_back,
                              .c = pass.dm,
                              .c_stride = Hp};
    gemm_part(product, {0, count}, {0, vectors_of(shape.hidden)}, strips);
  }
  for (int64_t i = 0; i < count; ++i) {
    if (args.weights.gain_ih != nullptr) {
      normalised_cell_backward(gradient, pass, t, rows[i]);
    } else {
      plain_cell_backward(gradient, pass, t, rows[i], projected ? Range{0, Hp} : share.units);
    }
  }
}

// The gradients that come from beyond the last step.
void begin_rows(const BackwardPass& pass, Range units) {
  const LstmBackward<float>& args = pass.args;
  const int64_t Hp = padded(args.shape.hidden), Rp = padded(args.shape.outputs());
  const Range all = pass.piece.rows;
  const auto copy_rows = [&](const float* from, int64_t width, float* to) {
    const int64_t end = pass.piece.members == 1 ? width : units.end;
    for (int64_t b = all.begin; b < all.end; ++b) {
      float* row = to + b * width;
      if (from == nullptr) {
        std::fill(row + units.begin, row + end, 0.0F);
      } else {
        std::copy(from + b * width + units.begin, from + b * width + end, row + units.begin);
      }
    }
  };
  copy_rows(args.dh_last, Rp, pass.dh);
  copy_rows(args.dc_last, Hp, pass.dc);
  copy_rows(nullptr, Hp, pass.dm);
}

// Back through some steps. Each begins with what the one after it sends back, which needs the gates of all units: so
// that members wait for one another once a step.
template <class Gradient>
void backward_steps_of(const Gradient& gradient, const BackwardPass& pass, Context& context) {
  const LstmBackward<float>& args = pass.args;
  const LstmShape& shape = args.shape;
  const Range all = pass.piece.rows, steps = pass.piece.steps;
  const int64_t Hp = padded(shape.hidden), Rp = padded(shape.outputs());
  const Share share = share_of(pass);
  context.active.resize(all.size());
  int32_t* rows = context.active.data();
  if (steps.begin == 0) begin_rows(pass, share.units);
  for (int64_t s = steps.begin; s < steps.end; ++s) {
    const int64_t t = shape.time(shape.steps - 1 - s);
    if (s > 0) {
      const int64_t later = shape.time(shape.steps - s);
      send_back(pass, later, rows, active_rows(shape, all, later, rows), share, context.strips[0]);
    }
    cells_backward(gradient, pass, t, rows, active_rows(shape, all, t, rows), share, context.strips[0]);
  }
  if (steps.end < shape.steps) return;
  const auto copy_rows = [&](const float* from, int64_t width, float* to) {
    std::copy_n(from + all.begin * width, all.size() * width, to + all.begin * width);
  };
  if (args.dh_first != nullptr) {
    const int64_t first = shape.time(0);
    if (shape.steps > 0) send_back(pass, first, rows, active_rows(shape, all, first, rows), share, context.strips[0]);
    copy_rows(pass.dh, Rp, args.dh_first);  // (30)
  }
  if (args.dc_first != nullptr) copy_rows(pass.dc, Hp, args.dc_first);
}

void backward_steps(const BackwardPass& pass, Context& context) {
  const LstmBackward<float>& args = pass.args;
  if (!is_variant(args)) return backward_steps_of(StandardGradient(), pass, context);
  const float* peepholes = args.weights.peepholes != nullptr ? pass.packed.peepholes.data() : nullptr;
  backward_steps_of(VariantGradient{args.cell, peepholes}, pass, context);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(backward_steps);

namespace {

BackwardPass make_pass(const LstmBackward<float>& args, const PackedLstm& packed, const LstmPiece& piece,
                       LstmMemory& memory) {
  const int64_t B = args.shape.batch, Hp = padded(args.shape.hidden), Rp = padded(args.shape.outputs());
  float* dh = memory.carry.data();
  return {.args = args,
          .packed = packed,
          .piece = piece,
          .dh = dh,
          .dh_kept = dh + B * Rp,
          .dc = dh + 2 * B * Rp,
          .dm = dh + 2 * B * Rp + B * Hp,
          .d_hh = args.weights.gain_ih != nullptr ? memory.d_gates.data() : args.cache.gates,
          .d_cell = memory.d_cell.data(),
          .d_output = memory.d_output.data(),
          .d_peepholes = memory.d_peepholes.data()};
}

// (39) (40) (41): the gains' gradients, and that of W_ih x from the gates'. Returns the latter.
float* normalisation_backward(const BackwardPass& pass, const StepRows& rows, Context& context) {
  const LstmBackward<float>& args = pass.args;
  const int64_t H = args.shape.hidden;
  float* da = args.cache.gates;
  if (args.weights.gain_ih == nullptr) return da;
  add_sum(da, args.cache.norm_hh, 4, H, rows, args.gradients.gain_hh, context);
  add_sum(pass.d_cell, args.cache.norm_c, 1, H, rows, args.gradients.gain_c, context);
  add_sum(pass.d_cell, nullptr, 1, H, rows, args.gradients.bias_c, context);
  if (args.input.x == nullptr) return da;  // scatter_columns does it by symbol
  add_sum(da, args.cache.norm_ih, 4, H, rows, args.gradients.gain_ih, context);
  normalise_rows_backward({.hidden = H,
                           .n = rows.count,
                           .rows = rows.rows,
                           .dy = da,
                           .normalised = args.cache.norm_ih,
                           .rstd = args.cache.rstd,
                           .rstd_stride = 3,
                           .gain = pass.packed.gain_ih.data()},
                          context);
  return args.cache.norm_ih;
}

}  // namespace

void lstm_backward_begin(const LstmBackward<float>& args, LstmMemory& memory) {
  const LstmShape& shape = args.shape;
  check_shape(shape);
  const int64_t B = shape.batch, Hp = padded(shape.hidden), Rp = padded(shape.outputs()), rows = shape.steps * B;
  memory.carry.resize(2 * B * (Rp + Hp));
  if (args.weights.gain_ih != nullptr) {
    memory.d_gates.resize(rows * 4 * Hp);
    memory.d_cell.resize(rows * Hp);
  }
  if (shape.projection > 0) memory.d_output.resize(rows * Rp);
  if (args.weights.peepholes != nullptr) memory.d_peepholes.resize(rows * 3 * Hp);
}

void lstm_backward_steps(const LstmBackward<float>& args, const PackedLstm& packed, const LstmPiece& piece,
                         LstmMemory& memory, Context& context) {
  HWY_DYNAMIC_DISPATCH(backward_steps)(make_pass(args, packed, piece, memory), context);
}

namespace {

InputGradient input_gradient_of(const LstmBackward<float>& args, const PackedLstm& packed, const float* d_ih) {
  return {.shape = args.shape,
          .d_ih = d_ih,
          .d_stride = 4 * padded(args.shape.hidden),
          .input_back = &packed.input_back,
          .dx = args.dx,
          .dx_stride = args.dx_stride,
          .add_to_dx = args.add_to_dx};
}

}  // namespace

void lstm_backward_inputs(const LstmBackward<float>& args, const PackedLstm& packed, const LstmPiece& piece,
                          Context& context) {
  LONGHAND_CHECK(args.weights.gain_ih == nullptr);
  if (args.dx == nullptr) return;
  const InputGradient gradient = input_gradient_of(args, packed, args.cache.gates);
  input_gradient(gradient, args.shape.times_back(piece.steps), piece, context);
}

void lstm_backward_weights(const LstmBackward<float>& args, const PackedLstm& packed, bool inputs, LstmMemory& memory,
                           Context& context) {
  const LstmShape& shape = args.shape;
  const int64_t H = shape.hidden, Hp = padded(H), R = shape.outputs(), Rp = padded(R), I = shape.inputs;
  const LstmPiece all{{0, shape.steps}, {0, shape.batch}};
  const BackwardPass pass = make_pass(args, packed, all, memory);
  const StepRows rows = step_rows(shape, context);
  add_sum(args.cache.gates, nullptr, 4, H, rows, args.gradients.bias, context);  // (29)
  if (args.weights.peepholes != nullptr) {                                       // (80)
    add_sum(pass.d_peepholes, nullptr, 3, H, rows, args.gradients.peepholes, context);
  }
  const float* d_ih = normalisation_backward(pass, rows, context);
  if (shape.projection > 0) {  // (33)
    add_weight_gradients({pass.d_output, 1, R, Rp, rows.rows},
                         {{{args.cache.m, 1, H, Hp, rows.rows}, args.gradients.w_hr}}, rows.count, context);
  }
  const bool masked = args.masks.recurrent != nullptr;
  const StepOperand r =
      masked ? StepOperand{args.cache.masked_h, 1, R, Rp, rows.rows} : StepOperand{args.h, 1, R, Rp, rows.prev};
  const StepOperand x{args.input.x, 1, I, args.input.x_stride, rows.rows};
  const StepOperand d_hh{pass.d_hh, 4, H, 4 * Hp, rows.rows}, d_x{d_ih, 4, H, 4 * Hp, rows.rows};
  const WeightGradient w_hh{r, args.gradients.w_hh}, w_ih{x, args.gradients.w_ih};
  if (x.data != nullptr && d_x.data == d_hh.data) {  // (27) (28)
    add_weight_gradients(d_hh, {w_hh, w_ih}, rows.count, context);
  } else {
    add_weight_gradients(d_hh, {w_hh}, rows.count, context);
    if (x.data == nullptr) return scatter_columns(args, packed, rows.rows, rows.count, context);
    add_weight_gradients(d_x, {w_ih}, rows.count, context);
  }
  if (inputs && args.dx != nullptr) input_gradient(input_gradient_of(args, packed, d_ih), context);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
