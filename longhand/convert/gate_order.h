// The gate orders of all formats, in one table, and the conversion to Longhand's order.
//
// Longhand's order is PyTorch's: input gate, forget gate, candidate, output gate (i f g o) for an LSTM, and reset gate,
// update gate, candidate (r z n) for a GRU. Weights are permuted once, when they are imported.
#pragma once

#include <string_view>
#include <vector>

#include "longhand/graph/array.h"

namespace longhand::convert {

enum class GateOrder {
  kTorchLstm,  ///< i f g o
  kKerasLstm,  ///< i f c o, the same under other names
  kOnnxLstm,   ///< i o f c
  kBasicLstm,  ///< TensorFlow's BasicLSTMCell: i j f o
  kTorchGru,   ///< r z n
  kKerasGru,   ///< z r h
  kOnnxGru,    ///< z r h
  kPlain       ///< one block
};

/// What each block is, as a letter of "ifgo" or "rzn".
std::string_view gates_of(GateOrder order);

/// Blocks of rows, [G H, ...], in the order here.
graph::Array from_order(GateOrder order, const graph::Array& rows);
/// The other way, into an order of another format.
graph::Array to_order(GateOrder order, const graph::Array& rows);
/// Blocks of rows, where block k of the result is block `from[k]`.
graph::Array permuted(const graph::Array& rows, const std::vector<size_t>& from);

/// [A, B] -> [B, A]
graph::Array transposed(const graph::Array& matrix);
/// The rows from `begin` to before `end` of the first axis.
graph::Array rows_of(const graph::Array& array, int64_t begin, int64_t end);

}  // namespace longhand::convert
