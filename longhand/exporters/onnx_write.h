// Writes ONNX files (onnx_file.h reads them).
#pragma once

#include <string>

#include "longhand/convert/onnx_file.h"

namespace longhand::exporters {

/// Maximum size of a protobuf file in bytes.
inline constexpr size_t kMostOnnxBytes = (size_t{1} << 31) - 1;

/// Returns the model as the bytes of an ONNX file. `read_onnx` reads back an equal model, except for functions, which
/// are not written. Throws an input error if the file would be larger than kMostOnnxBytes.
std::string onnx_bytes(const convert::OnnxModel& model);

}  // namespace longhand::exporters
