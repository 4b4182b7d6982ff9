// Writes ONNX files: the other way round of onnx_file.h.
#pragma once

#include <string>

#include "longhand/convert/onnx_file.h"

namespace longhand::convert {

/// A protobuf file cannot be larger.
inline constexpr size_t kMostOnnxBytes = (size_t{1} << 31) - 1;

/// The model as a file, which read_onnx reads as the same model (but for functions, which it has none of). Throws an
/// input error where it is larger than kMostOnnxBytes.
std::string onnx_bytes(const OnnxModel& model);

}  // namespace longhand::convert
