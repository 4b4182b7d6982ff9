#include <algorithm>

#include "longhand/kernels/lstm_lanes.h"
#include "longhand/kernels/lstm_rows.h"
#include "longhand/kernels/lstm_symbols.h"
#include "longhand/kernels/recurrent.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/recurrent_forward.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/gemm-inl.h"

#ifndef LONGHAND_KERNELS_RECURRENT_FORWARD_SHARED_
#define LONGHAND_KERNELS_RECURRENT_FORWARD_SHARED_
namespace longhand::kernels {

// Some steps of the forward pass as the time loop sees them. Sums and activations of a step are where the backward pass
// finds them, or in inference in scratch memory.
struct RecurrentForwardPass {
  const RecurrentForward<float>& args;
  const PackedRecurrent& packed;
  LstmPiece piece;
  float* sums;       // [*, B, cached, Hp], from the rows of step `earliest` on
  int64_t earliest;  // of the time steps
  int64_t per_step;  // rows from one step's to the next's; 0: each step overwrites the one before
  // Of symbols, the input's part of the sums [distinct, G, Hp], and each row's place there; null: it is in the sums.
  const float* pre;
  const int32_t* slots;

  int64_t stride() const { return cached_of(args.cell) * padded(args.shape.hidden); }
  float* of_step(int64_t t) const { return sums + (t - earliest) * per_step * stride(); }
};

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// (61) (62) for one row, from the sums [4, Hp]. Gate by gate, so that the processor has independent functions to work
// on at the same time.
void gru_cell(float* sums, const float* h_prev, float* h, int64_t Hp) {
  const D d;
  for (int64_t u = 0; u < 2 * Hp; u += lanes()) hn::Store(sigmoid(hn::Load(d, sums + u)), d, sums + u);
  for (int64_t u = 0; u < Hp; u += lanes()) {
    const V r = hn::Load(d, sums + u), z = hn::Load(d, sums + Hp + u);
    const V n = tanh(hn::MulAdd(r, hn::Load(d, sums + 3 * Hp + u), hn::Load(d, sums + 2 * Hp + u)));
    hn::Store(n, d, sums + 2 * Hp + u);
    hn::Store(hn::MulAdd(z, hn::Sub(hn::Load(d, h_prev + u), n), n), d, h + u);
  }
}

// (73) for one row. What is no number stays so.
void plain_recurrent_cell(RecurrentCell cell, const float* sums, float* h, int64_t Hp) {
  const D d;
  for (int64_t u = 0; u < Hp; u += lanes()) {
    const V a = hn::Load(d, sums + u);
    hn::Store(cell == RecurrentCell::kTanh ? tanh(a) : hn::IfThenZeroElse(hn::Lt(a, hn::Zero(d)), a), d, h + u);
  }
}

// What W_hh h_{t-1} is added to: the input's part, and b_hn beside it.
void begin_sums(const RecurrentForwardPass& pass, int64_t t, int64_t b) {
  const int64_t Hp = padded(pass.args.shape.hidden), width = gates_of(pass.args.cell) * Hp;
  float* sums = pass.of_step(t) + b * pass.stride();
  if (pass.slots != nullptr) {
    std::copy_n(pass.pre + pass.slots[t * pass.args.shape.batch + b] * width, width, sums);
  }
  if (pass.args.cell == RecurrentCell::kGru) std::copy_n(pass.packed.bias_hn.data(), Hp, sums + 3 * Hp);
}

// One step for the given rows of the batch.
void recurrent_step(const RecurrentForwardPass& pass, int64_t t, const int32_t* rows, int64_t count, Context& context) {
  const RecurrentForward<float>& args = pass.args;
  const LstmShape& shape = args.shape;
  const int64_t B = shape.batch, Hp = padded(shape.hidden), G = gates_of(args.cell);
  context.prev.resize(count);
  for (int64_t i = 0; i < count; ++i) {
    context.prev[i] = static_cast<int32_t>(shape.prev_slot(t, rows[i]) * B + rows[i]);
    begin_sums(pass, t, rows[i]);
  }
  Gemm<float> products[3];  // (60) (73)
  for (int64_t gate = 0; gate < G; ++gate) {
    products[gate] = {.a = args.h,
                      .a_stride = Hp,
                      .a_rows = context.prev.data(),
                      .c_rows = rows,
                      .m = count,
                      .b = &pass.packed.recurrent[gate],
                      .accumulate = true,
                      .c = pass.of_step(t) + (gate == 2 ? 3 : gate) * Hp,
                      .c_stride = pass.stride()};
  }
  gemm_part(std::span<const Gemm<float>>(products, static_cast<size_t>(G)), {0, count}, {0, vectors_of(shape.hidden)},
            context.strips[0]);
  for (int64_t i = 0; i < count; ++i) {
    float* sums = pass.of_step(t) + rows[i] * pass.stride();
    float* h = args.h + (shape.next_slot(t) * B + rows[i]) * Hp;
    if (args.cell == RecurrentCell::kGru) {
      gru_cell(sums, args.h + context.prev[i] * Hp, h, Hp);
    } else {
      plain_recurrent_cell(args.cell, sums, h, Hp);
    }
  }
}

void recurrent_steps(const RecurrentForwardPass& pass, Context& context) {
  const RecurrentForward<float>& args = pass.args;
  const LstmShape& shape = args.shape;
  const Range rows = pass.piece.rows;
  const int64_t B = shape.batch, Hp = padded(shape.hidden);
  context.active.resize(rows.size());
  for (int64_t s = pass.piece.steps.begin; s < pass.piece.steps.end; ++s) {
    const int64_t t = shape.time(s);
    const int64_t count = active_rows(shape, rows, t, context.active.data());
    recurrent_step(pass, t, context.active.data(), count, context);
    for (int64_t b = rows.begin; count < rows.size() && b < rows.end; ++b) {
      if (t >= shape.length(b)) std::fill_n(args.h + (shape.next_slot(t) * B + b) * Hp, Hp, 0.0F);
    }
  }
  if (pass.piece.steps.end < shape.steps || args.h_last == nullptr) return;
  for (int64_t b = rows.begin; b < rows.end; ++b) {
    std::copy_n(args.h + (shape.last_slot(b) * B + b) * Hp, Hp, args.h_last + b * Hp);
  }
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(recurrent_steps);

namespace {

RecurrentForwardPass make_recurrent_pass(const RecurrentForward<float>& args, const PackedRecurrent& packed,
                                         const LstmPiece& piece, Context& context) {
  const int64_t B = args.shape.batch;
  RecurrentForwardPass pass{args, packed, piece, args.cache, 0, B, nullptr, nullptr};
  if (args.keeps()) return pass;
  if (args.input.x != nullptr) {
    context.block.resize(piece.steps.size() * B * pass.stride());
    pass.sums = context.block.data();
    pass.earliest = args.shape.times(piece.steps).begin;
  } else {
    context.step.resize(B * pass.stride());
    pass.sums = context.step.data();
    pass.per_step = 0;
  }
  return pass;
}

}  // namespace

void recurrent_forward_begin(const RecurrentForward<float>& args, const PackedRecurrent& packed, LstmMemory& memory,
                             Context& context) {
  check_shape(args.shape);
  LONGHAND_CHECK(args.shape.projection == 0);
  if (args.input.x != nullptr) return;
  number_symbols(args.shape, args.input.symbols, memory.distinct);
  copy_columns({.shape = args.shape, .groups = gates_of(args.cell), .distinct = memory.distinct}, args.weights.w_ih,
               packed.columns, memory.pre, context);
  add_bias(packed.bias, memory.distinct.count, memory.pre.data());
}

void recurrent_forward_inputs(const RecurrentForward<float>& args, const PackedRecurrent& packed,
                              const LstmPiece& piece, Context& context) {
  if (args.input.x == nullptr) return;  // `begin` did all symbols
  const RecurrentForwardPass pass = make_recurrent_pass(args, packed, piece, context);
  const Range times = args.shape.times(piece.steps);
  int64_t count = 0;
  const int32_t* rows = unpadded_rows(args.shape, times, piece.rows, context.rows, count);
  gemm_columns({.a = args.input.x + times.begin * args.shape.batch * args.input.x_stride,  // (60) (73)
                .a_stride = args.input.x_stride,
                .a_rows = rows,
                .c_rows = rows,
                .m = count,
                .b = &packed.input,
                .bias = packed.bias.data(),
                .c = pass.of_step(times.begin),
                .c_stride = pass.stride()},
               piece.member, piece.members, context);
}

void recurrent_forward_steps(const RecurrentForward<float>& args, const PackedRecurrent& packed, const LstmPiece& piece,
                             LstmMemory& memory, Context& context) {
  LONGHAND_CHECK(piece.members == 1);
  RecurrentForwardPass pass = make_recurrent_pass(args, packed, piece, context);
  if (args.input.x == nullptr) {
    pass.pre = memory.pre.data();
    pass.slots = memory.distinct.slots.data() + args.shape.inputs;
  }
  HWY_DYNAMIC_DISPATCH(recurrent_steps)(pass, context);
}

void recurrent_forward(const RecurrentForward<float>& args, const PackedRecurrent& packed, Context& context) {
  LstmPlan& plan = own_plan(context);
  plan.make({.shape = args.shape, .gates = gates_of(args.cell)}, false, context);
  recurrent_forward_begin(args, packed, context.layer, context);
  plan.run(context, [&](const LstmLane&, const LstmPiece& piece, Context& alone) {
    recurrent_forward_inputs(args, packed, piece, alone);
    recurrent_forward_steps(args, packed, piece, context.layer, alone);
  });
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
