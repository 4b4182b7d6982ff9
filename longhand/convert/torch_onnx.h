// The arrays of ONNX's recurrent nodes as PyTorch's, and back.
#pragma once

#include <string>
#include <vector>

#include "longhand/graph/array.h"

namespace longhand::convert {

/// W or R [D, G H, ...] ("onnx") as a matrix for each direction; B [D, 2 G H] ("onnx-bias") as two biases for each; P
/// [D, 3 H] ("onnx-peephole") as [3, H] for each. `type` is LSTM, GRU or RNN.
std::vector<graph::Array> from_onnx_blocks(const std::string& how, const std::string& type, const graph::Array& array);
/// The other way.
graph::Array to_onnx_blocks(const std::string& how, const std::string& type, const std::vector<graph::Array>& parts);

}  // namespace longhand::convert
