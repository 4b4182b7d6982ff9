#include "longhand/kernels/lstm_symbols.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/kernels/layer_norm.h"
#include "longhand/kernels/row_sums.h"

namespace longhand::kernels {
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

void copy_columns(const SymbolColumns& picked, const float* w_ih, const Buffer<float>& packed, Buffer<float>& columns,
                  Context& context) {
  const int64_t H = picked.shape.hidden, Hp = padded(H), width = picked.groups * Hp, count = picked.distinct.count;
  columns.resize(count * width);
  if (packed.size() > 0) {
    for (int64_t s = 0; s < count; ++s) {
      std::copy_n(packed.data() + picked.distinct.symbols[s] * width, width, columns.data() + s * width);
    }
    return;
  }
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(count, parts, part);
        for (int64_t s = range.begin; s < range.end; ++s) {
          const float* column = w_ih + picked.distinct.symbols[s];
          float* to = columns.data() + s * width;
          for (int64_t gate = 0; gate < picked.groups; ++gate) {
            for (int64_t u = 0; u < H; ++u) to[gate * Hp + u] = column[(gate * H + u) * picked.shape.inputs];
            std::fill(to + gate * Hp + H, to + (gate + 1) * Hp, 0.0F);
          }
        }
      },
      count * H / 4096);
}

void add_to_columns(const SymbolColumns& picked, const float* rows, int64_t stride, float* w_ih, Context& context) {
  const int64_t H = picked.shape.hidden, Hp = padded(H), I = picked.shape.inputs, count = picked.distinct.count;
  context.pool.run(
      [&](int part, int parts) {
        const Range range = split(picked.groups * H, parts, part);
        for (int64_t k = range.begin; k < range.end; ++k) {
          const float* from = rows + k / H * Hp + k % H;
          for (int64_t s = 0; s < count; ++s) w_ih[k * I + picked.distinct.symbols[s]] += from[s * stride];
        }
      },
      count * H / 4096);
}

void add_bias(const Buffer<float>& bias, int64_t count, float* rows) {
  for (int64_t s = 0; s < count; ++s, rows += bias.size()) {
    for (int64_t k = 0; k < bias.size(); ++k) rows[k] += bias[k];
  }
}

void sum_by_symbol(const LstmShape& shape, const int32_t* symbols, const float* values, int64_t columns,
                   const int32_t* rows, int64_t count, Context& context) {
  const int32_t* slots = number_symbols(shape, symbols, context.symbols);
  context.columns.resize(context.symbols.count * columns);
  context.columns.fill(0.0F);
  sum_rows(
      {.values = values, .columns = columns, .n = count, .rows = rows, .slots = slots, .sums = context.columns.data()},
      context);
}

void gather_columns(const LstmShape& shape, const LstmWeights<float>& weights, const PackedLstm& packed,
                    const DistinctSymbols& distinct, Buffer<float>& columns, Context& context) {
  copy_columns({.shape = shape, .distinct = distinct}, weights.w_ih, packed.columns, columns, context);
  if (weights.gain_ih == nullptr) return add_bias(packed.bias, distinct.count, columns.data());
  normalise_rows({.hidden = shape.hidden,
                  .n = distinct.count,
                  .v = columns.data(),
                  .gain = packed.gain_ih.data(),
                  .bias = packed.bias.data(),
                  .y = columns.data()},
                 context);
}

void scatter_columns(const LstmBackward<float>& args, const PackedLstm& packed, const int32_t* rows, int64_t count,
                     Context& context) {
  const int64_t H = args.shape.hidden, Hp = padded(H);
  sum_by_symbol(args.shape, args.input.symbols, args.cache.gates, 4 * Hp, rows, count, context);
  const SymbolColumns picked{.shape = args.shape, .distinct = context.symbols};
  const int64_t distinct = context.symbols.count;
  const Buffer<float>* sums = &context.columns;
  if (args.weights.gain_ih != nullptr) {
    // What was normalised depends on the symbol alone, so the sums pass backward as one row would (39).
    Buffer<float>& normalised = context.normalised_columns;
    copy_columns(picked, args.weights.w_ih, {}, normalised, context);
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
  add_to_columns(picked, sums->data(), 4 * Hp, args.gradients.w_ih, context);
}

}  // namespace longhand::kernels
