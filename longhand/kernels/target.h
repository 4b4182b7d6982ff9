// Which SIMD instruction set the kernels run on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhand::kernels {

/// The instruction sets that this build has kernels for and this processor can run, best first.
std::vector<std::string> simd_targets();

/// The one that is running.
std::string simd_target();

/// Makes one of `simd_targets()` run from now on; an empty name restores the best. Packed weights made under another
/// one must be packed again, and models loaded again. For tests and measurements.
void use_simd_target(const std::string& name);

/// Whether the running target multiplies bf16 with an instruction of its own (AVX512-BF16). Otherwise this is emulated
/// with products of floats.
bool bf16_is_native();
/// Makes it be emulated, or no longer. For tests.
void emulate_bf16(bool emulate);

/// Measures how many GFLOP/s (two per multiply-add) the running target reaches on one thread when nothing but
/// independent multiply-adds of registers runs. It is the ceiling that kernels are compared with.
double measure_peak_gflops();

/// Measures the seconds in which one thread reads `floats` floats that it has just read: from the cache that holds
/// them. It is the floor for one step of a layer with so many weights.
double measure_read_seconds(int64_t floats);

}  // namespace longhand::kernels
