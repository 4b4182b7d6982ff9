#include "longhand/kernels/lstm_symbols.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/kernels/layer_norm.h"
#include "longhand/kernels/row_sums.h"

namespace longhand::kernels {
namespace {

// Each distinct symbol's column of W_ih as a row [4, Hp].
void copy_columns(const LstmShape& shape, const float* w_ih, const DistinctSymbols& distinct, Buffer<float>& columns,
                  Context& context) {
  const int64_t H = shape.hidden, Hp = padded(H);
  columns.resize(distinct.count * 4 * Hp);
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(distinct.count, parts, part);
        for (int64_t s = range.begin; s < range.end; ++s) {
          const float* column = w_ih + distinct.symbols[s];
          float* to = columns.data() + s * 4 * Hp;
          for (int64_t gate = 0; gate < 4; ++gate) {
            for (int64_t u = 0; u < H; ++u) to[gate * Hp + u] = column[(gate * H + u) * shape.inputs];
            std::fill(to + gate * Hp + H, to + (gate + 1) * Hp, 0.0F);
          }
        }
      },
      distinct.count * H / 4096);
}

}  // namespace

const int32_t* number_symbols(const LstmShape& shape, const int32_t* symbols, DistinctSymbols& distinct) {
  const int64_t rows = shape.steps * shape.batch;
  distinct.slots.resize(shape.inputs + rows);
  distinct.symbols.resize(std::min(shape.inputs, rows));
  int32_t* number = distinct.slots.data();
  int32_t* slots = number + shape.inputs;
  std::fill_n(number, shape.inputs, -1);
  distinct.count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    slots[row] = 0;
    if (row / shape.batch >= shape.length(row % shape.batch)) continue;
    const int32_t symbol = symbols[row];
    LONGHAND_CHECK(symbol >= 0 && symbol < shape.inputs);
    if (number[symbol] < 0) {
      distinct.symbols[distinct.count] = symbol;
      number[symbol] = static_cast<int32_t>(distinct.count++);
    }
    slots[row] = number[symbol];
  }
  return slots;
}

void gather_columns(const LstmShape& shape, const LstmWeights<float>& weights, const PackedLstm& packed,
                    const DistinctSymbols& distinct, Buffer<float>& columns, Context& context) {
  const int64_t gates_size = 4 * padded(shape.hidden);
  if (packed.columns.size() > 0) {
    columns.resize(distinct.count * gates_size);
    for (int64_t s = 0; s < distinct.count; ++s) {
      std::copy_n(packed.columns.data() + distinct.symbols[s] * gates_size, gates_size,
                  columns.data() + s * gates_size);
    }
  } else {
    copy_columns(shape, weights.w_ih, distinct, columns, context);
  }
  if (weights.gain_ih != nullptr) {
    normalise_rows({.hidden = shape.hidden,
                    .n = distinct.count,
                    .v = columns.data(),
                    .gain = packed.gain_ih.data(),
                    .bias = packed.bias.data(),
                    .y = columns.data()},
                   context);
    return;
  }
  for (int64_t s = 0; s < distinct.count; ++s) {
    for (int64_t k = 0; k < gates_size; ++k) columns[s * gates_size + k] += packed.bias[k];
  }
}

void scatter_columns(const LstmBackward<float>& args, const PackedLstm& packed, const int32_t* rows, int64_t count,
                     Context& context) {
  const int64_t H = args.shape.hidden, Hp = padded(H), I = args.shape.inputs;
  const int32_t* slots = number_symbols(args.shape, args.input.symbols, context.symbols);
  const int64_t distinct = context.symbols.count;
  context.columns.resize(distinct * 4 * Hp);
  context.columns.fill(0.0F);
  sum_rows({.values = args.cache.gates,
            .columns = 4 * Hp,
            .n = count,
            .rows = rows,
            .slots = slots,
            .sums = context.columns.data()},
           context);
  const Buffer<float>* sums = &context.columns;
  if (args.weights.gain_ih != nullptr) {
    // What was normalised depends on the symbol alone, so the sums pass backward as one row would (39).
    Buffer<float>& normalised = context.normalised_columns;
    copy_columns(args.shape, args.weights.w_ih, context.symbols, normalised, context);
    context.block.resize(distinct);
    float* rstd = context.block.data();
    normalise_rows({.hidden = H, .n = distinct, .v = normalised.data(), .rstd = rstd, .rstd_stride = 1}, context);
    for (int64_t s = 0; s < distinct; ++s) {
      for (int64_t k = 0; k < 4 * H; ++k) {
        const int64_t at = s * 4 * Hp + k / H * Hp + k % H;
        args.gradients.gain_ih[k] += context.columns[at] * normalised[at];
      }
    }
    normalise_rows_backward({.hidden = H,
                             .n = distinct,
                             .dy = context.columns.data(),
                             .normalised = normalised.data(),
                             .rstd = rstd,
                             .rstd_stride = 1,
                             .gain = packed.gain_ih.data()},
                            context);
    sums = &normalised;
  }
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(4 * H, parts, part);
        for (int64_t k = range.begin; k < range.end; ++k) {
          for (int64_t s = 0; s < distinct; ++s) {
            args.gradients.w_ih[k * I + context.symbols.symbols[s]] += (*sums)[s * 4 * Hp + k / H * Hp + k % H];
          }
        }
      },
      distinct * H / 4096);
}

}  // namespace longhand::kernels
