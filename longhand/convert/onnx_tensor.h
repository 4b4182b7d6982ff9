// Tensors of ONNX: the part of onnx_file.cpp that makes arrays.
#pragma once

#include <string>
#include <string_view>

#include "longhand/convert/onnx_file.h"

namespace longhand::convert {

/// What the parts of a file share while it is read.
struct OnnxContext {
  const std::string& name;  ///< for errors
  std::string folder;       ///< where arrays in other files are; empty: nowhere
  int64_t things_left = 200'000;

  /// Counts a struct that is made for a few bytes of the file.
  void count();
};

/// The type of elements by ONNX's number; nothing for one that is no plain number.
std::optional<io::DType> onnx_dtype(int64_t number);
/// Returns ONNX's number of an element type (TensorProto.DataType); 0 if ONNX has none.
int64_t onnx_number(io::DType dtype);

/// A message TensorProto.
OnnxTensor parse_onnx_tensor(std::string_view message, OnnxContext& context);

}  // namespace longhand::convert
