// The machine that figures were measured on, in words.
#pragma once

#include <string>

namespace longhand::cli {

/// "AMD EPYC 7763 64-Core Processor, AVX2": the processor and the kernels' SIMD target.
std::string machine();

}  // namespace longhand::cli
