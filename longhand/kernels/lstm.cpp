#include "longhand/kernels/lstm.h"

#include <algorithm>

#include "longhand/base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "longhand/kernels/lstm.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "longhand/kernels/gemm-inl.h"

#ifndef LONGHAND_KERNELS_LSTM_SHARED_
#define LONGHAND_KERNELS_LSTM_SHARED_
namespace longhand::kernels {

// Where the forward pass finds a row's pre-activations: `base` + 4 Hp * slot.
struct PreActivations {
  const float* base;
  const int32_t* slots;  // [T, B] for symbols; null: the slot is the row itself
};

}  // namespace longhand::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace longhand::kernels::HWY_NAMESPACE {

// Rows of the batch whose four gate vectors are held in registers while the recurrent product runs.
constexpr int kGateRows = kManyRegisters ? 6 : 3;

// Some rows of one step, and one vector of hidden units.
struct CellTile {
  const float* pre[kGateRows];     // [4, Hp] the input's part of the pre-activations
  const float* h_prev[kGateRows];  // [H] all units: the operand of the product
  const float* c_prev[kGateRows];  // from here on only the tile's units
  float* gates[kGateRows];         // [4, Hp] or null
  float* c[kGateRows];
  float* h[kGateRows];
  const float* w_hh;  // panel [H, 4, lanes]
  int64_t hidden;
  int64_t gate_stride;  // Hp
};

// The pointwise part of the cell, on the pre-activations of one vector of units.
HWY_INLINE void cell(V a_i, V a_f, V a_g, V a_o, const float* c_prev, float* gates, int64_t gate_stride, float* c,
                     float* h) {
  const D d;
  const V i = sigmoid(a_i);
  const V f = sigmoid(a_f);
  const V g = tanh(a_g);
  const V o = sigmoid(a_o);
  const V c_now = hn::MulAdd(f, hn::Load(d, c_prev), hn::Mul(i, g));
  hn::Store(c_now, d, c);
  hn::Store(hn::Mul(o, tanh(c_now)), d, h);
  if (gates == nullptr) return;
  hn::Store(i, d, gates);
  hn::Store(f, d, gates + gate_stride);
  hn::Store(g, d, gates + 2 * gate_stride);
  hn::Store(o, d, gates + 3 * gate_stride);
}

template <int kRows>
HWY_INLINE void cell_tile(const CellTile& t) {
  const D d;
  const int64_t lane_count = lanes();
  V a[kRows][4];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int gate = 0; gate < 4; ++gate) a[r][gate] = hn::Load(d, t.pre[r] + gate * t.gate_stride);
  }
  const float* HWY_RESTRICT w = t.w_hh;
  for (int64_t k = 0; k < t.hidden; ++k) {
    V w_vector[4];
#pragma GCC unroll 4
    for (int gate = 0; gate < 4; ++gate) w_vector[gate] = hn::Load(d, w + gate * lane_count);
    w += 4 * lane_count;
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const V h = hn::Set(d, t.h_prev[r][k]);
#pragma GCC unroll 4
      for (int gate = 0; gate < 4; ++gate) a[r][gate] = hn::MulAdd(h, w_vector[gate], a[r][gate]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    cell(a[r][0], a[r][1], a[r][2], a[r][3], t.c_prev[r], t.gates[r], t.gate_stride, t.c[r], t.h[r]);
  }
}

void cell_rows(const CellTile& t, int rows) {
  switch (rows) {
    case 1: return cell_tile<1>(t);
    case 2: return cell_tile<2>(t);
    case 3: return cell_tile<3>(t);
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM
    case 4: return cell_tile<4>(t);
    case 5: return cell_tile<5>(t);
    case 6: return cell_tile<6>(t);
#endif
    default: return;
  }
}

// Rows of `range` that are still running at step t.
int64_t active_rows(const LstmShape& shape, Range range, int64_t t, int32_t* out) {
  int64_t count = 0;
  for (int64_t b = range.begin; b < range.end; ++b) {
    if (shape.lengths == nullptr || shape.lengths[b] > t) out[count++] = static_cast<int32_t>(b);
  }
  return count;
}

void clear_finished_rows(const LstmForward<float>& args, Range range, int64_t t) {
  const int64_t Hp = padded(args.shape.hidden);
  if (args.shape.lengths == nullptr) return;
  for (int64_t b = range.begin; b < range.end; ++b) {
    if (args.shape.lengths[b] > t) continue;
    const int64_t next = ((t + 1) * args.shape.batch + b) * Hp;
    std::fill_n(args.h + next, Hp, 0.0F);
    if (args.gates != nullptr) std::fill_n(args.c + next, Hp, 0.0F);
  }
}

// One step for the given rows of the batch. `t0` is the step at which the block of pre-activations begins.
void forward_step(const LstmForward<float>& args, const PackedLstm& packed, const PreActivations& pre, int64_t t0,
                  int64_t t, const int32_t* rows, int64_t count) {
  const int64_t B = args.shape.batch, H = args.shape.hidden, Hp = padded(H);
  const bool training = args.gates != nullptr;
  const int64_t tiles = (count + kGateRows - 1) / kGateRows;
  CellTile tile{};
  tile.hidden = H;
  tile.gate_stride = Hp;
  for (int64_t u = 0; u < H; u += lanes()) {
    tile.w_hh = packed.recurrent.data.data() + u * 4 * H;
    for (int64_t i = 0; i < tiles; ++i) {
      const Range part = split(count, static_cast<int>(tiles), static_cast<int>(i));
      for (int64_t r = 0; r < part.size(); ++r) {
        const int64_t b = rows[part.begin + r];
        const int64_t row = t * B + b;
        const int64_t slot = pre.slots != nullptr ? pre.slots[row] : row - t0 * B;
        tile.pre[r] = pre.base + slot * 4 * Hp + u;
        tile.h_prev[r] = args.h + row * Hp;
        tile.h[r] = args.h + (row + B) * Hp + u;
        tile.c_prev[r] = args.c + (training ? row : b) * Hp + u;
        tile.c[r] = args.c + (training ? row + B : b) * Hp + u;
        tile.gates[r] = training ? args.gates + row * 4 * Hp + u : nullptr;
      }
      cell_rows(tile, static_cast<int>(part.size()));
    }
  }
}

// Threads take rows of the batch, each through all steps: they never wait for one another inside a sequence.
int64_t useful_parts(const LstmShape& shape, int64_t steps) {
  constexpr int64_t kWorthAThread = 1 << 16;  // multiply-adds
  return std::min(shape.batch, shape.batch * steps * 4 * shape.hidden * shape.hidden / kWorthAThread);
}

void forward_steps(const LstmForward<float>& args, const PackedLstm& packed, const PreActivations& pre, Range steps,
                   Context& context) {
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(args.shape.batch, parts, part);
        Buffer<int32_t>& rows = context.active[static_cast<size_t>(part)];
        rows.resize(range.size());
        for (int64_t t = steps.begin; t < steps.end; ++t) {
          const int64_t count = active_rows(args.shape, range, t, rows.data());
          forward_step(args, packed, pre, steps.begin, t, rows.data(), count);
          clear_finished_rows(args, range, t);
        }
      },
      useful_parts(args.shape, steps.size()));
}

void backward_cell(const LstmBackward<float>& args, int64_t t, int64_t b, float* dh_carry, float* dc_carry) {
  const D d;
  const int64_t B = args.shape.batch, Hp = padded(args.shape.hidden), row = t * B + b;
  const V one = hn::Set(d, 1.0F);
  float* gates = args.gates + row * 4 * Hp;
  for (int64_t u = 0; u < Hp; u += lanes()) {
    const V i = hn::Load(d, gates + u);
    const V f = hn::Load(d, gates + Hp + u);
    const V g = hn::Load(d, gates + 2 * Hp + u);
    const V o = hn::Load(d, gates + 3 * Hp + u);
    const V tanh_c = tanh(hn::Load(d, args.c + (row + B) * Hp + u));
    const V dh = hn::Add(hn::Load(d, args.dh + row * Hp + u), hn::Load(d, dh_carry + u));
    const V dh_o = hn::Mul(dh, o);
    const V dc = hn::MulAdd(dh_o, hn::NegMulAdd(tanh_c, tanh_c, one), hn::Load(d, dc_carry + u));
    const V dc_i = hn::Mul(dc, i);
    const V dc_f = hn::Mul(dc, f);
    hn::Store(hn::Mul(hn::Mul(dc_i, g), hn::Sub(one, i)), d, gates + u);
    hn::Store(hn::Mul(hn::Mul(dc_f, hn::Load(d, args.c + row * Hp + u)), hn::Sub(one, f)), d, gates + Hp + u);
    hn::Store(hn::Mul(dc_i, hn::NegMulAdd(g, g, one)), d, gates + 2 * Hp + u);
    hn::Store(hn::Mul(hn::Mul(dh_o, tanh_c), hn::Sub(one, o)), d, gates + 3 * Hp + u);
    hn::Store(dc_f, d, dc_carry + u);
  }
}

// Back through time for some rows of the batch: gates become the gradients of the pre-activations.
void backward_steps(const LstmBackward<float>& args, const PackedLstm& packed, Range range, Buffer<int32_t>& active,
                    Context& context, Buffer<float>& strips) {
  const int64_t B = args.shape.batch, H = args.shape.hidden, Hp = padded(H);
  float* dh_carry = context.carry.data();
  float* dc_carry = dh_carry + B * Hp;
  active.resize(range.size());
  for (int64_t b = range.begin; b < range.end; ++b) {
    std::fill_n(dh_carry + b * Hp, Hp, 0.0F);
    std::fill_n(dc_carry + b * Hp, Hp, 0.0F);
    if (args.dh_last != nullptr) std::copy_n(args.dh_last + b * Hp, H, dh_carry + b * Hp);
    if (args.dc_last != nullptr) std::copy_n(args.dc_last + b * Hp, H, dc_carry + b * Hp);
  }
  for (int64_t t = args.shape.steps - 1; t >= 0; --t) {
    const int64_t count = active_rows(args.shape, range, t, active.data());
    for (int64_t i = 0; i < count; ++i) {
      backward_cell(args, t, active[i], dh_carry + active[i] * Hp, dc_carry + active[i] * Hp);
    }
    if (t == 0 && args.dh_first == nullptr) break;
    const Gemm<float> product{.a = args.gates + t * B * 4 * Hp,
                              .a_stride = 4 * Hp,
                              .a_rows = active.data(),
                              .c_rows = active.data(),
                              .m = count,
                              .b = &packed.recurrent_back,
                              .c = dh_carry,
                              .c_stride = Hp};
    gemm_part(product, {0, count}, {0, vectors_of(H)}, strips);
  }
  for (int64_t b = range.begin; b < range.end; ++b) {
    if (args.dh_first != nullptr) std::copy_n(dh_carry + b * Hp, Hp, args.dh_first + b * Hp);
    if (args.dc_first != nullptr) std::copy_n(dc_carry + b * Hp, Hp, args.dc_first + b * Hp);
  }
}

void backward_all_steps(const LstmBackward<float>& args, const PackedLstm& packed, Context& context) {
  context.carry.resize(2 * args.shape.batch * padded(args.shape.hidden));
  context.pool.run(
      [&](int part, int parts) {
        const auto index = static_cast<size_t>(part);
        backward_steps(args, packed, split(args.shape.batch, parts, part), context.active[index], context,
                       context.strips[index]);
      },
      useful_parts(args.shape, args.shape.steps));
}

// Sums [4, Hp] rows of `da` into one row each: sums[slot of row] += da[row], in the order of the rows. Threads take
// columns. Without slots all rows go to one sum.
void sum_rows(const float* da, int64_t columns, const int32_t* rows, int64_t count, const int32_t* slots, float* sums,
              Context& context) {
  const D d;
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(columns, parts, part, kLineFloats);
        for (int64_t n = 0; n < count; ++n) {
          const int64_t row = rows != nullptr ? rows[n] : n;
          const float* from = da + row * columns;
          float* to = sums + (slots != nullptr ? slots[row] * columns : 0);
          for (int64_t j = range.begin; j < range.end; j += lanes()) {
            hn::Store(hn::Add(hn::Load(d, to + j), hn::Load(d, from + j)), d, to + j);
          }
        }
      },
      columns * count / 16384);
}

// W_hh' by vectors of units: panel [H, 4, lanes] for each.
void pack_recurrent(const LstmShape& shape, const float* w_hh, PackedMatrix& packed, Context& context) {
  const int64_t H = shape.hidden;
  packed.k = H;
  packed.n = 4 * padded(H);
  packed.data.resize(packed.k * packed.n);
  const int64_t lane_count = lanes();
  const int64_t panels = (H + lane_count - 1) / lane_count;
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(panels, parts, part);
        for (int64_t p = range.begin; p < range.end; ++p) {
          // In parts of k short enough for the panel's lines to stay in the first-level cache.
          constexpr int64_t kPart = 64;
          for (int64_t k0 = 0; k0 < H; k0 += kPart) {
            for (int64_t j = 0; j < 4 * lane_count; ++j) {
              float* to = packed.data.data() + p * lane_count * 4 * H + j;
              const int64_t u = p * lane_count + j % lane_count;
              const float* from = w_hh + (j / lane_count * H + u) * H;
              for (int64_t k = k0; k < std::min(H, k0 + kPart); ++k) to[k * 4 * lane_count] = u < H ? from[k] : 0.0F;
            }
          }
        }
      },
      std::min(panels, H * H / 4096));
}

}  // namespace longhand::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace longhand::kernels {

HWY_EXPORT(forward_steps);
HWY_EXPORT(backward_all_steps);
HWY_EXPORT(sum_rows);
HWY_EXPORT(pack_recurrent);

namespace {

// Pre-activations that an inference pass holds at a time, in rows: enough to make the product efficient.
constexpr int64_t kInferenceRows = 128;

// Lists the unpadded rows t * B + b of steps begin .. end-1, counted from `begin`. Null if there is no padding.
const int32_t* unpadded_rows(const LstmShape& shape, Range steps, Context& context, int64_t& count) {
  count = steps.size() * shape.batch;
  if (shape.lengths == nullptr) return nullptr;
  context.rows.resize(count);
  count = 0;
  for (int64_t t = steps.begin; t < steps.end; ++t) {
    for (int64_t b = 0; b < shape.batch; ++b) {
      if (shape.lengths[b] > t) {
        context.rows[count++] = static_cast<int32_t>((t - steps.begin) * shape.batch + b);
      }
    }
  }
  return context.rows.data();
}

// Numbers the distinct symbols of the unpadded rows in order of appearance: context.symbols lists them, the result
// [T, B] holds each row's number.
const int32_t* number_symbols(const LstmShape& shape, const int32_t* symbols, Context& context, int64_t& distinct) {
  const int64_t rows = shape.steps * shape.batch;
  context.slots.resize(shape.inputs + rows);
  context.symbols.resize(std::min(shape.inputs, rows));
  int32_t* number = context.slots.data();
  int32_t* slots = number + shape.inputs;
  std::fill_n(number, shape.inputs, -1);
  distinct = 0;
  for (int64_t row = 0; row < rows; ++row) {
    slots[row] = 0;
    if (shape.lengths != nullptr && row / shape.batch >= shape.lengths[row % shape.batch]) continue;
    const int32_t symbol = symbols[row];
    LONGHAND_CHECK(symbol >= 0 && symbol < shape.inputs);
    if (number[symbol] < 0) {
      context.symbols[distinct] = symbol;
      number[symbol] = static_cast<int32_t>(distinct++);
    }
    slots[row] = number[symbol];
  }
  return slots;
}

// One row [4, Hp] for each distinct symbol: its column of W_ih, plus the bias.
void gather_columns(const LstmShape& shape, const LstmWeights<float>& weights, int64_t distinct, Context& context) {
  const int64_t H = shape.hidden, Hp = padded(H);
  context.columns.resize(distinct * 4 * Hp);
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(distinct, parts, part);
        for (int64_t s = range.begin; s < range.end; ++s) {
          const float* column = weights.w_ih + context.symbols[s];
          float* to = context.columns.data() + s * 4 * Hp;
          for (int64_t gate = 0; gate < 4; ++gate) {
            for (int64_t u = 0; u < H; ++u) {
              to[gate * Hp + u] = column[(gate * H + u) * shape.inputs] + weights.bias[gate * H + u];
            }
            std::fill(to + gate * Hp + H, to + (gate + 1) * Hp, 0.0F);
          }
        }
      },
      distinct * H / 4096);
}

// dw_ih[:, symbol] += the sum of the gradients of the rows that picked that column.
void scatter_columns(const LstmBackward<float>& args, const int32_t* rows, int64_t count, Context& context) {
  const int64_t H = args.shape.hidden, Hp = padded(H), I = args.shape.inputs;
  int64_t distinct = 0;
  const int32_t* slots = number_symbols(args.shape, args.input.symbols, context, distinct);
  context.columns.resize(distinct * 4 * Hp);
  context.columns.fill(0.0F);
  HWY_DYNAMIC_DISPATCH(sum_rows)(args.gates, 4 * Hp, rows, count, slots, context.columns.data(), context);
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(4 * H, parts, part);
        for (int64_t k = range.begin; k < range.end; ++k) {
          for (int64_t s = 0; s < distinct; ++s) {
            args.dw_ih[k * I + context.symbols[s]] += context.columns[s * 4 * Hp + k / H * Hp + k % H];
          }
        }
      },
      distinct * H / 4096);
}

void add_bias_gradient(const LstmBackward<float>& args, const int32_t* rows, int64_t count, Context& context) {
  const int64_t H = args.shape.hidden, Hp = padded(H);
  context.columns.resize(4 * Hp);
  context.columns.fill(0.0F);
  HWY_DYNAMIC_DISPATCH(sum_rows)(args.gates, 4 * Hp, rows, count, nullptr, context.columns.data(), context);
  for (int64_t k = 0; k < 4 * H; ++k) args.dbias[k] += context.columns[k / H * Hp + k % H];
}

// dw [4H, n] += da' x, where da lies in the gates.
void add_weight_gradient(const LstmBackward<float>& args, const float* x, int64_t x_stride, int64_t n, float* dw,
                         const int32_t* rows, int64_t count, Context& context) {
  const int64_t H = args.shape.hidden, Hp = padded(H);
  pack({.b = x, .stride = x_stride, .k = count, .n = n, .rows = rows}, context.operand, context);
  // Without padding between them the four gates are one product.
  const int64_t products = H == Hp ? 1 : 4;
  for (int64_t p = 0; p < products; ++p) {
    gemm({.a = args.gates + p * Hp,
          .a_stride = 4 * Hp,
          .a_transposed = true,
          .a_rows = rows,
          .m = 4 * H / products,
          .b = &context.operand,
          .accumulate = true,
          .c = dw + p * H * n,
          .c_stride = n},
         context);
  }
}

void check_shape(const LstmShape& shape) {
  LONGHAND_CHECK(shape.steps >= 0 && shape.batch > 0 && shape.inputs > 0 && shape.hidden > 0);
  LONGHAND_CHECK(shape.steps * shape.batch <= INT32_MAX);
  for (int64_t b = 0; shape.lengths != nullptr && b < shape.batch; ++b) {
    LONGHAND_CHECK(shape.lengths[b] >= 0 && shape.lengths[b] <= shape.steps);
  }
}

}  // namespace

void pack_lstm(const LstmShape& shape, const LstmWeights<float>& weights, bool dense, PackFor purpose,
               PackedLstm& packed, Context& context) {
  const int64_t H = shape.hidden, Hp = padded(H), I = shape.inputs;
  HWY_DYNAMIC_DISPATCH(pack_recurrent)(shape, weights.w_hh, packed.recurrent, context);
  packed.bias.resize(4 * Hp);
  packed.bias.fill(0.0F);
  for (int64_t gate = 0; gate < 4; ++gate) std::copy_n(weights.bias + gate * H, H, packed.bias.data() + gate * Hp);
  if (dense) {
    pack({.b = weights.w_ih, .stride = I, .k = I, .n = 4 * Hp, .transposed = true, .group = H}, packed.input, context);
  }
  if (purpose == PackFor::kInference) return;
  pack({.b = weights.w_hh, .stride = H, .k = 4 * Hp, .n = H, .group = H}, packed.recurrent_back, context);
  if (dense) pack({.b = weights.w_ih, .stride = I, .k = 4 * Hp, .n = I, .group = H}, packed.input_back, context);
}

void lstm_forward(const LstmForward<float>& args, const PackedLstm& packed, Context& context) {
  const LstmShape& shape = args.shape;
  check_shape(shape);
  const int64_t B = shape.batch, Hp = padded(shape.hidden);
  if (args.input.x == nullptr) {
    int64_t distinct = 0;
    const int32_t* slots = number_symbols(shape, args.input.symbols, context, distinct);
    gather_columns(shape, args.weights, distinct, context);
    HWY_DYNAMIC_DISPATCH(forward_steps)(args, packed, {context.columns.data(), slots}, {0, shape.steps}, context);
  } else {
    const bool training = args.gates != nullptr;
    const int64_t block = training ? shape.steps : std::max<int64_t>(1, kInferenceRows / B);
    if (!training) context.block.resize(block * B * 4 * Hp);
    for (int64_t t0 = 0; t0 < shape.steps; t0 += block) {
      const Range steps{t0, std::min(shape.steps, t0 + block)};
      float* pre = training ? args.gates : context.block.data();
      int64_t count = 0;
      const int32_t* rows = unpadded_rows(shape, steps, context, count);
      gemm({.a = args.input.x + t0 * B * args.input.x_stride,
            .a_stride = args.input.x_stride,
            .a_rows = rows,
            .c_rows = rows,
            .m = count,
            .b = &packed.input,
            .bias = packed.bias.data(),
            .c = pre,
            .c_stride = 4 * Hp},
           context);
      HWY_DYNAMIC_DISPATCH(forward_steps)(args, packed, {pre, nullptr}, steps, context);
    }
  }
  for (int64_t b = 0; b < B; ++b) {
    const int64_t last = ((shape.lengths != nullptr ? shape.lengths[b] : shape.steps) * B + b) * Hp;
    if (args.h_last != nullptr) std::copy_n(args.h + last, Hp, args.h_last + b * Hp);
    if (args.c_last != nullptr && args.gates != nullptr) std::copy_n(args.c + last, Hp, args.c_last + b * Hp);
  }
}

void lstm_backward(const LstmBackward<float>& args, const PackedLstm& packed, Context& context) {
  const LstmShape& shape = args.shape;
  check_shape(shape);
  const int64_t B = shape.batch, H = shape.hidden, Hp = padded(H), I = shape.inputs;
  HWY_DYNAMIC_DISPATCH(backward_all_steps)(args, packed, context);

  int64_t count = 0;
  const int32_t* rows = unpadded_rows(shape, {0, shape.steps}, context, count);
  add_bias_gradient(args, rows, count, context);
  add_weight_gradient(args, args.h, Hp, H, args.dw_hh, rows, count, context);
  if (args.input.x == nullptr) return scatter_columns(args, rows, count, context);
  add_weight_gradient(args, args.input.x, args.input.x_stride, I, args.dw_ih, rows, count, context);
  if (args.dx == nullptr) return;
  if (rows != nullptr) {
    for (int64_t row = 0; row < shape.steps * B; ++row) std::fill_n(args.dx + row * args.dx_stride, I, 0.0F);
  }
  gemm({.a = args.gates,
        .a_stride = 4 * Hp,
        .a_rows = rows,
        .c_rows = rows,
        .m = count,
        .b = &packed.input_back,
        .c = args.dx,
        .c_stride = args.dx_stride},
       context);
}

}  // namespace longhand::kernels
#endif  // HWY_ONCE
