// A safetensors file in memory, for files that are written together with others.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "longhand/io/safetensors.h"

namespace longhand::io {

/// What write_safetensors writes.
std::string safetensors_bytes(const std::map<std::string, std::string>& metadata,
                              const std::vector<TensorToWrite>& tensors);

}  // namespace longhand::io
