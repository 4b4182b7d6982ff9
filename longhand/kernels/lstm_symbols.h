// One-hot input of the LSTM layer: a product with a one-hot row picks a column of W_ih, so each distinct symbol of a
// batch is worked on once. For the sources of the LSTM layer alone.
#pragma once

#include "longhand/kernels/lstm.h"

namespace longhand::kernels {

/// Numbers the distinct symbols of the unpadded rows. Throws where one is not below I. Returns each row's number, [T,
/// B].
const int32_t* number_symbols(const LstmShape& shape, const int32_t* symbols, DistinctSymbols& distinct);

/// Writes the input's part of the gates for each distinct symbol, [distinct, 4, Hp]: its column of W_ih, normalised
/// where the layer is, plus the bias.
void gather_columns(const LstmShape& shape, const LstmWeights<float>& weights, const PackedLstm& packed,
                    const DistinctSymbols& distinct, Buffer<float>& columns, Context& context);

/// Adds the gradients of W_ih, and of gain_ih, from those of the gates of `count` rows.
void scatter_columns(const LstmBackward<float>& args, const PackedLstm& packed, const int32_t* rows, int64_t count,
                     Context& context);

}  // namespace longhand::kernels
