// Converts the weights of ONNX's recurrent nodes to PyTorch's layout, and back.
#pragma once

#include <string>
#include <vector>

#include "longhand/graph/array.h"

namespace longhand::convert {

/// Splits an ONNX weight by direction and reorders its gates. `how` says which weight: "onnx": W or R [D, G H, ...],
/// one matrix per direction; "onnx-bias": B [D, 2 G H], two biases per direction; "onnx-peephole": P [D, 3 H], [3, H]
/// per direction. `type` is LSTM, GRU or RNN.
std::vector<graph::Array> from_onnx_blocks(const std::string& how, const std::string& type, const graph::Array& array);
/// The inverse of `from_onnx_blocks`.
graph::Array to_onnx_blocks(const std::string& how, const std::string& type, const std::vector<graph::Array>& parts);

}  // namespace longhand::convert
