#include "longhand/io/array.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "longhand/base/error.h"

namespace longhand::io {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays hold little-endian numbers");

constexpr size_t kMaxDimensions = 32;  // NumPy's limit
constexpr uint64_t kMaxArrayBytes = uint64_t{1} << 62;

struct TypeRow {
  DType dtype;
  const char* name;
  size_t size;
};
// In the order of DType.
constexpr std::array<TypeRow, 13> kTypeRows = {{{DType::kF16, "float16", 2},
                                                {DType::kBf16, "bfloat16", 2},
                                                {DType::kF32, "float32", 4},
                                                {DType::kF64, "float64", 8},
                                                {DType::kI8, "int8", 1},
                                                {DType::kI16, "int16", 2},
                                                {DType::kI32, "int32", 4},
                                                {DType::kI64, "int64", 8},
                                                {DType::kU8, "uint8", 1},
                                                {DType::kU16, "uint16", 2},
                                                {DType::kU32, "uint32", 4},
                                                {DType::kU64, "uint64", 8},
                                                {DType::kBool, "bool", 1}}};

const TypeRow& row_of(DType dtype) { return kTypeRows[static_cast<size_t>(dtype)]; }

template <class T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

// IEEE 754 binary16. Every value is exact as a float.
float from_half(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000U) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1FU;
  const uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// Calls use(index, value) for every element, with the value as float, double, int64_t or uint64_t.
template <class Use>
void for_each_element(const Array& array, const Use& use) {
  const char* at = array.bytes.data();
  const int64_t count = array.count();
  const auto loop = [&](auto read) {
    const size_t size = size_of(array.dtype);
    for (int64_t i = 0; i < count; ++i) use(i, read(at + static_cast<size_t>(i) * size));
  };
  switch (array.dtype) {
    case DType::kF16: return loop([](const char* p) { return from_half(load<uint16_t>(p)); });
    case DType::kBf16: return loop([](const char* p) { return from_bf16(load<uint16_t>(p)); });
    case DType::kF32: return loop([](const char* p) { return load<float>(p); });
    case DType::kF64: return loop([](const char* p) { return load<double>(p); });
    case DType::kI8: return loop([](const char* p) { return int64_t{load<int8_t>(p)}; });
    case DType::kI16: return loop([](const char* p) { return int64_t{load<int16_t>(p)}; });
    case DType::kI32: return loop([](const char* p) { return int64_t{load<int32_t>(p)}; });
    case DType::kI64: return loop([](const char* p) { return load<int64_t>(p); });
    case DType::kU8: return loop([](const char* p) { return int64_t{load<uint8_t>(p)}; });
    case DType::kU16: return loop([](const char* p) { return int64_t{load<uint16_t>(p)}; });
    case DType::kU32: return loop([](const char* p) { return int64_t{load<uint32_t>(p)}; });
    case DType::kU64: return loop([](const char* p) { return load<uint64_t>(p); });
    case DType::kBool: return loop([](const char* p) { return int64_t{*p != 0}; });
  }
}

// Whether `value` is `out` as a T, but for the rounding of fractions.
template <class T, class V>
bool convert(V value, T& out) {
  if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_floating_point_v<V>) {
      constexpr auto kLimit = static_cast<V>(9223372036854775808.0);
      if (!(value >= -kLimit && value < kLimit) || value != std::trunc(value)) return false;
      out = static_cast<T>(value);
      return true;
    } else {
      out = static_cast<T>(value);
      return value <= static_cast<V>(std::numeric_limits<T>::max());
    }
  } else if constexpr (std::is_integral_v<V>) {
    out = static_cast<T>(value);
    // 2^64 and 2^63 are floats that their integers do not reach.
    constexpr T kLimit =
        std::is_signed_v<V> ? static_cast<T>(9223372036854775808.0) : static_cast<T>(18446744073709551616.0);
    return out < kLimit && static_cast<V>(out) == value;
  } else {
    if (std::isfinite(value) && std::abs(value) > static_cast<V>(std::numeric_limits<T>::max())) return false;
    out = static_cast<T>(value);
    return true;
  }
}

template <class T>
std::vector<T> converted(const Array& array, const std::string& name, const char* type) {
  std::vector<T> out(static_cast<size_t>(array.count()));
  for_each_element(array, [&](int64_t i, auto value) {
    if (convert(value, out[static_cast<size_t>(i)])) return;
    throw input_error(fmt::format("{}: element {} of {} is {}: expected a number that {} can hold", name,
                                  position_of(array.shape, i), describe(array), value, type),
                      "store this array with numbers in the range of the type that is needed");
  });
  return out;
}

template <class T>
Array array_of(DType dtype, std::vector<int64_t> shape, std::span<const T> values) {
  Array out{dtype, std::move(shape), {}};
  const std::optional<uint64_t> bytes = byte_size(dtype, out.shape);
  LONGHAND_CHECK(bytes && *bytes == values.size_bytes());
  out.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return out;
}

}  // namespace

size_t size_of(DType dtype) { return row_of(dtype).size; }
const char* name_of(DType dtype) { return row_of(dtype).name; }

std::optional<DType> dtype_of(std::string_view name) {
  for (const TypeRow& row : kTypeRows) {
    if (name == row.name) return row.dtype;
  }
  return std::nullopt;
}

bool is_floating(DType dtype) { return dtype <= DType::kF64; }

std::optional<uint64_t> byte_size(DType dtype, std::span<const int64_t> shape) {
  if (shape.size() > kMaxDimensions) return std::nullopt;
  uint64_t bytes = size_of(dtype);
  bool empty = false;
  for (const int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    empty = empty || extent == 0;
    // An extent of 0 must not hide that the others overflow strides.
    if (extent > 0 && __builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes)) return std::nullopt;
    if (bytes > kMaxArrayBytes) return std::nullopt;
  }
  return empty ? 0 : bytes;
}

Array make_array(std::vector<int64_t> shape, std::span<const float> values) {
  return array_of(DType::kF32, std::move(shape), values);
}
Array make_array(std::vector<int64_t> shape, std::span<const double> values) {
  return array_of(DType::kF64, std::move(shape), values);
}
Array make_array(std::vector<int64_t> shape, std::span<const int64_t> values) {
  return array_of(DType::kI64, std::move(shape), values);
}

std::string describe(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }
std::string describe(const Array& array) { return std::string(name_of(array.dtype)) + " " + describe(array.shape); }

std::string position_of(std::span<const int64_t> shape, int64_t index) {
  std::vector<int64_t> indices(shape.size());
  for (size_t d = shape.size(); d-- > 0;) {
    const int64_t extent = std::max<int64_t>(shape[d], 1);
    indices[d] = index % extent;
    index /= extent;
  }
  return describe(indices);
}

std::vector<float> floats(const Array& array, const std::string& name) {
  return converted<float>(array, name, "float32");
}
std::vector<double> doubles(const Array& array, const std::string& name) {
  return converted<double>(array, name, "float64");
}
std::vector<int64_t> integers(const Array& array, const std::string& name) {
  return converted<int64_t>(array, name, "int64");
}

std::optional<int64_t> first_non_finite(const Array& array) {
  if (!is_floating(array.dtype)) return std::nullopt;
  std::optional<int64_t> found;
  for_each_element(array, [&](int64_t i, auto value) {
    if constexpr (std::is_floating_point_v<decltype(value)>) {
      if (!found && !std::isfinite(value)) found = i;
    }
  });
  return found;
}

void swap_bytes(std::span<char> bytes, size_t size) {
  for (size_t at = 0; size > 1 && at + size <= bytes.size(); at += size) {
    std::reverse(bytes.begin() + static_cast<int64_t>(at), bytes.begin() + static_cast<int64_t>(at + size));
  }
}

std::string from_fortran_order(std::string_view bytes, std::span<const int64_t> shape, size_t size) {
  std::string out(bytes.size(), '\0');
  std::vector<size_t> strides(shape.size());  // of each index, in elements of the source
  size_t stride = 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    strides[d] = stride;
    stride *= static_cast<size_t>(shape[d]);
  }
  std::vector<int64_t> index(shape.size(), 0);
  size_t from = 0;
  for (size_t to = 0; to < bytes.size(); to += size) {
    std::memcpy(out.data() + to, bytes.data() + from * size, size);
    for (size_t d = shape.size(); d-- > 0;) {
      from += strides[d];
      if (++index[d] < shape[d]) break;
      from -= strides[d] * static_cast<size_t>(shape[d]);
      index[d] = 0;
    }
  }
  return out;
}

}  // namespace longhand::io
