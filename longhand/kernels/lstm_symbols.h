// One-hot input of a layer: a product with a one-hot row picks a column of W_ih, so each distinct symbol of a batch is
// worked on once. For the sources of layers alone.
#pragma once

#include "longhand/kernels/lstm.h"

namespace longhand::kernels {

/// Numbers the distinct symbols of the unpadded rows. Throws where one is not below I. Returns each row's number, [T,
/// B].
const int32_t* number_symbols(const LstmShape& shape, const int32_t* symbols, DistinctSymbols& distinct);

/// The columns of W_ih [groups * H, I] that are picked.
struct SymbolColumns {
  const LstmShape& shape;
  int64_t groups = 4;  ///< blocks of H rows
  const DistinctSymbols& distinct;
};
/// Writes them as rows [distinct, groups, Hp]; `packed` is such a copy of all columns, or empty.
void copy_columns(const SymbolColumns& picked, const float* w_ih, const Buffer<float>& packed, Buffer<float>& columns,
                  Context& context);
/// Adds rows [distinct, groups, Hp], which are `stride` apart, to them.
void add_to_columns(const SymbolColumns& picked, const float* rows, int64_t stride, float* w_ih, Context& context);
/// Adds the bias [columns] to each of `count` rows.
void add_bias(const Buffer<float>& bias, int64_t count, float* rows);

/// Sums the rows [*, columns] of `count` rows of a batch by their symbols, to [distinct, columns] in context.columns;
/// the symbols are numbered in context.symbols.
void sum_by_symbol(const LstmShape& shape, const int32_t* symbols, const float* values, int64_t columns,
                   const int32_t* rows, int64_t count, Context& context);

/// Writes the input's part of the gates for each distinct symbol, [distinct, 4, Hp]: its column of W_ih, normalised
/// where the layer is, plus the bias.
void gather_columns(const LstmShape& shape, const LstmWeights<float>& weights, const PackedLstm& packed,
                    const DistinctSymbols& distinct, Buffer<float>& columns, Context& context);

/// Adds the gradients of W_ih, and of gain_ih, from those of the gates of `count` rows.
void scatter_columns(const LstmBackward<float>& args, const PackedLstm& packed, const int32_t* rows, int64_t count,
                     Context& context);

}  // namespace longhand::kernels
