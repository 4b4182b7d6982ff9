// How the weights of a model that is only used are kept: as floats, in half of that, or in a quarter.
#pragma once

#include <cstdint>
#include <string>

namespace longhand::kernels {

enum class WeightType {
  kFloat,
  kBf16,  ///< the upper half of a float: 8 bits of precision
  kInt8,  ///< whole numbers from -127 to 127, times a scale for each row
};

/// "float32", "bf16", "int8"
const char* name_of(WeightType type);
/// Throws a usage error for another name.
WeightType parse_weight_type(const std::string& name);

/// The nearest; of two, the one whose last bit is 0. What is no number stays so.
uint16_t to_bf16(float value);
float from_bf16(uint16_t bits);

/// The scale of a row [n] of finite weights: its largest magnitude / 127; 1 where that is no
/// normal number, so that all become 0.
float int8_scale(const float* row, int64_t n);
/// The nearest whole number to value / scale.
int8_t to_int8(float value, float scale);

}  // namespace longhand::kernels
