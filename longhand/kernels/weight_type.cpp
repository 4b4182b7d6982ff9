#include "longhand/kernels/weight_type.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "longhand/base/error.h"

namespace longhand::kernels {

const char* name_of(WeightType type) {
  switch (type) {
    case WeightType::kFloat: return "float32";
    case WeightType::kBf16: return "bf16";
    case WeightType::kInt8: break;
  }
  return "int8";
}

WeightType parse_weight_type(const std::string& name) {
  for (const WeightType type : {WeightType::kFloat, WeightType::kBf16, WeightType::kInt8}) {
    if (name == name_of(type)) return type;
  }
  throw usage_error("weights: expected float32, bf16 or int8, found '" + name + "'", "give one of these");
}

uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16U | 0x40U);
  return static_cast<uint16_t>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U);
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16U); }

float int8_scale(const float* row, int64_t n) {
  float largest = 0.0F;
  for (int64_t k = 0; k < n; ++k) largest = std::max(largest, std::abs(row[k]));
  const float scale = largest / 127.0F;
  return scale >= std::numeric_limits<float>::min() ? scale : 1.0F;
}

int8_t to_int8(float value, float scale) {
  return static_cast<int8_t>(std::clamp(std::nearbyint(value / scale), -127.0F, 127.0F));
}

}  // namespace longhand::kernels
