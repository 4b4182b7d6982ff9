#include <algorithm>

#include "longhand/kernels/lstm_lanes.h"
#include "longhand/kernels/lstm_rows.h"
#include "longhand/kernels/lstm_symbols.h"
#include "longhand/kernels/recurrent.h"
#include "longhand/kernels/weight_gradients.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/recurrent_backward.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/gemm-inl.h"

#ifndef LONGHAND_KERNELS_RECURRENT_BACKWARD_SHARED_
#define LONGHAND_KERNELS_RECURRENT_BACKWARD_SHARED_
namespace longhand::kernels {

// The way back through time, with the gradient on it.
struct RecurrentBackwardPass {
  const RecurrentBackward<float>& args;
  const PackedRecurrent& packed;
  LstmPiece piece;
  float* dh;  // [B, Hp] what later steps send to h
};

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// One row of the batch in one step of the way back.
struct RecurrentGradientRow {
  const float* h_prev;
  const float* h;
  const float* above;  // the gradient of the step's output
  float* kept;         // [cached, Hp] what the forward pass kept; then the gradients of that
  float* dh;           // from later steps; then what goes to the step before on other ways than W_hh
};

void gru_cell_backward(const RecurrentGradientRow& row, int64_t Hp) {
  const D d;
  const V one = hn::Set(d, 1.0F);
  for (int64_t u = 0; u < Hp; u += lanes()) {
    float* kept = row.kept + u;
    const V r = hn::Load(d, kept), z = hn::Load(d, kept + Hp), n = hn::Load(d, kept + 2 * Hp);
    const V dh = hn::Add(hn::Load(d, row.above + u), hn::Load(d, row.dh + u));  // (63)
    const V dh_z = hn::Mul(dh, z), one_z = hn::Sub(one, z);
    const V du_n = hn::Mul(hn::Mul(dh, one_z), hn::NegMulAdd(n, n, one));                   // (64)
    const V du_z = hn::Mul(hn::Mul(dh_z, one_z), hn::Sub(hn::Load(d, row.h_prev + u), n));  // (65)
    const V dv_n = hn::Mul(du_n, r);                                                        // (67)
    const V du_r = hn::Mul(hn::Mul(dv_n, hn::Load(d, kept + 3 * Hp)), hn::Sub(one, r));     // (66)
    hn::Store(du_r, d, kept);
    hn::Store(du_z, d, kept + Hp);
    hn::Store(du_n, d, kept + 2 * Hp);
    hn::Store(dv_n, d, kept + 3 * Hp);
    hn::Store(dh_z, d, row.dh + u);  // (63)
  }
}

// (74) (75)
void plain_recurrent_backward(RecurrentCell cell, const RecurrentGradientRow& row, int64_t Hp) {
  const D d;
  for (int64_t u = 0; u < Hp; u += lanes()) {
    const V h = hn::Load(d, row.h + u), dh = hn::Add(hn::Load(d, row.above + u), hn::Load(d, row.dh + u));
    const V da = cell == RecurrentCell::kTanh ? hn::Mul(dh, hn::NegMulAdd(h, h, hn::Set(d, 1.0F)))
                                              : hn::IfThenZeroElse(hn::Le(h, hn::Zero(d)), dh);
    hn::Store(da, d, row.kept + u);
  }
}

void recurrent_cells_backward(const RecurrentBackwardPass& pass, int64_t t, const int32_t* rows, int64_t count) {
  const RecurrentBackward<float>& args = pass.args;
  const LstmShape& shape = args.shape;
  const int64_t B = shape.batch, Hp = padded(shape.hidden);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t b = rows[i], at = t * B + b;
    const RecurrentGradientRow row{.h_prev = args.h + (shape.prev_slot(t, b) * B + b) * Hp,
                                   .h = args.h + (shape.next_slot(t) * B + b) * Hp,
                                   .above = args.dh + at * Hp,
                                   .kept = args.cache + at * cached_of(args.cell) * Hp,
                                   .dh = pass.dh + b * Hp};
    if (args.cell == RecurrentCell::kGru) {
      gru_cell_backward(row, Hp);
    } else {
      plain_recurrent_backward(args.cell, row, Hp);
    }
  }
}

// (63) (74): what step t sends to the one before it by way of W_hh; of a GRU, on top of z * dh.
void recurrent_send_back(const RecurrentBackwardPass& pass, int64_t t, const int32_t* rows, int64_t count,
                         Buffer<float>& strips) {
  const RecurrentBackward<float>& args = pass.args;
  const int64_t Hp = padded(args.shape.hidden), stride = cached_of(args.cell) * Hp;
  const bool gru = args.cell == RecurrentCell::kGru;
  Gemm<float> product{.a = args.cache + t * args.shape.batch * stride,
                      .a_stride = stride,
                      .a_rows = rows,
                      .c_rows = rows,
                      .m = count,
                      .b = &pass.packed.recurrent_back[0],
                      .accumulate = gru,
                      .c = pass.dh,
                      .c_stride = Hp};
  const Range vectors{0, vectors_of(args.shape.hidden)};
  gemm_part(product, {0, count}, vectors, strips);
  if (!gru) return;
  product.a += 3 * Hp;
  product.b = &pass.packed.recurrent_back[1];
  gemm_part(product, {0, count}, vectors, strips);
}

void recurrent_back_through(const RecurrentBackwardPass& pass, Context& context) {
  const RecurrentBackward<float>& args = pass.args;
  const LstmShape& shape = args.shape;
  const Range all = pass.piece.rows, steps = pass.piece.steps;
  const int64_t Hp = padded(shape.hidden), begin = all.begin * Hp, size = all.size() * Hp;
  context.active.resize(all.size());
  int32_t* rows = context.active.data();
  if (steps.begin == 0 && args.dh_last == nullptr) std::fill_n(pass.dh + begin, size, 0.0F);
  if (steps.begin == 0 && args.dh_last != nullptr) std::copy_n(args.dh_last + begin, size, pass.dh + begin);
  for (int64_t s = steps.begin; s < steps.end; ++s) {
    const int64_t t = shape.time(shape.steps - 1 - s), count = active_rows(shape, all, t, rows);
    recurrent_cells_backward(pass, t, rows, count);
    if (s + 1 < shape.steps || args.dh_first != nullptr) recurrent_send_back(pass, t, rows, count, context.strips[0]);
  }
  if (steps.end == shape.steps && args.dh_first != nullptr) std::copy_n(pass.dh + begin, size, args.dh_first + begin);
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(recurrent_back_through);

namespace {

InputGradient recurrent_input_gradient(const RecurrentBackward<float>& args, const PackedRecurrent& packed) {
  return {.shape = args.shape,  // (68)
          .d_ih = args.cache,
          .d_stride = cached_of(args.cell) * padded(args.shape.hidden),
          .input_back = &packed.input_back,
          .dx = args.dx,
          .dx_stride = args.dx_stride,
          .add_to_dx = args.add_to_dx};
}

// (70): of a GRU, b_hh has the sums of b_ih, but for the last block.
void add_bias_gradients(const RecurrentBackward<float>& args, const StepRows& rows, Context& context) {
  const int64_t H = args.shape.hidden, Hp = padded(H), G = gates_of(args.cell);
  const float* sums = sum_steps(args.cache, nullptr, cached_of(args.cell), H, rows, context);
  for (int64_t k = 0; k < G * H; ++k) {
    const int64_t gate = k / H;
    args.gradients.bias_ih[k] += sums[gate * Hp + k % H];
    if (args.gradients.bias_hh != nullptr) args.gradients.bias_hh[k] += sums[(gate == 2 ? 3 : gate) * Hp + k % H];
  }
}

}  // namespace

void recurrent_backward_begin(const RecurrentBackward<float>& args, LstmMemory& memory) {
  check_shape(args.shape);
  memory.carry.resize(args.shape.batch * padded(args.shape.hidden));
}

void recurrent_backward_steps(const RecurrentBackward<float>& args, const PackedRecurrent& packed,
                              const LstmPiece& piece, LstmMemory& memory, Context& context) {
  LONGHAND_CHECK(piece.members == 1);
  HWY_DYNAMIC_DISPATCH(recurrent_back_through)({args, packed, piece, memory.carry.data()}, context);
}

void recurrent_backward_inputs(const RecurrentBackward<float>& args, const PackedRecurrent& packed,
                               const LstmPiece& piece, Context& context) {
  if (args.dx == nullptr) return;
  input_gradient(recurrent_input_gradient(args, packed), args.shape.times_back(piece.steps), piece, context);
}

void recurrent_backward_weights(const RecurrentBackward<float>& args, const PackedRecurrent& packed, bool inputs,
                                Context& context) {
  const LstmShape& shape = args.shape;
  const int64_t H = shape.hidden, Hp = padded(H), I = shape.inputs, G = gates_of(args.cell);
  const int64_t stride = cached_of(args.cell) * Hp;
  const StepRows rows = step_rows(shape, context);
  add_bias_gradients(args, rows, context);
  const WeightGradient w_hh{{args.h, 1, H, Hp, rows.prev}, args.gradients.w_hh};
  const WeightGradient w_ih{{args.input.x, 1, I, args.input.x_stride, rows.rows}, args.gradients.w_ih};
  const bool dense = args.input.x != nullptr, gru = args.cell == RecurrentCell::kGru;
  // (69): du is dv, but for n.
  const StepOperand same{args.cache, gru ? 2 : 1, H, stride, rows.rows};
  if (dense) {
    add_weight_gradients(same, {w_hh, w_ih}, rows.count, context);
  } else {
    add_weight_gradients(same, {w_hh}, rows.count, context);
  }
  if (gru) {
    const auto of_n = [&](int64_t block, WeightGradient weight) {
      weight.dw += 2 * H * weight.x.width;
      add_weight_gradients({args.cache + block * Hp, 1, H, stride, rows.rows}, {weight}, rows.count, context);
    };
    of_n(3, w_hh);
    if (dense) of_n(2, w_ih);
  }
  if (!dense) {
    sum_by_symbol(shape, args.input.symbols, args.cache, stride, rows.rows, rows.count, context);
    const SymbolColumns picked{.shape = shape, .groups = G, .distinct = context.symbols};
    add_to_columns(picked, context.columns.data(), stride, args.gradients.w_ih, context);
  } else if (inputs && args.dx != nullptr) {
    input_gradient(recurrent_input_gradient(args, packed), context);
  }
}

void recurrent_backward(const RecurrentBackward<float>& args, const PackedRecurrent& packed, Context& context) {
  LstmPlan& plan = own_plan(context);
  plan.make({.shape = args.shape, .gates = gates_of(args.cell)}, true, context);
  recurrent_backward_begin(args, context.layer);
  plan.run(context, [&](const LstmLane&, const LstmPiece& piece, Context& alone) {
    recurrent_backward_steps(args, packed, piece, context.layer, alone);
    recurrent_backward_inputs(args, packed, piece, alone);
  });
  recurrent_backward_weights(args, packed, false, context);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
