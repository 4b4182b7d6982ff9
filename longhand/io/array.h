// Arrays of numbers as files hold them: a type, a shape and the elements' bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longhand::io {

/// Types of elements. kBf16 is the upper half of a float32; kBool is one byte, 0 or 1.
enum class DType { kF16, kBf16, kF32, kF64, kI8, kI16, kI32, kI64, kU8, kU16, kU32, kU64, kBool };

/// Bytes an element.
size_t size_of(DType dtype);
/// As NumPy and PyTorch call it: "float32", "bfloat16", "uint8", "bool".
const char* name_of(DType dtype);
/// The type of that name; nothing for any other.
std::optional<DType> dtype_of(std::string_view name);
bool is_floating(DType dtype);

/// The elements in C order (the last index changes fastest), each little-endian, without gaps.
struct Array {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  ///< empty for a scalar
  std::string bytes;           ///< size_of(dtype) for each element

  int64_t count() const { return static_cast<int64_t>(bytes.size() / size_of(dtype)); }
};

/// The bytes that a shape takes; nothing for a negative extent, more than 32 dimensions, or more than 2^62 bytes.
std::optional<uint64_t> byte_size(DType dtype, std::span<const int64_t> shape);

/// Arrays of values that are at hand. The number of values must be the product of the shape.
Array make_array(std::vector<int64_t> shape, std::span<const float> values);
Array make_array(std::vector<int64_t> shape, std::span<const double> values);
Array make_array(std::vector<int64_t> shape, std::span<const int64_t> values);

/// "float32 [2, 3]"
std::string describe(const Array& array);
/// "[2, 3]"
std::string describe(std::span<const int64_t> shape);
/// The indices of element `index` of an array: "[1, 2]".
std::string position_of(std::span<const int64_t> shape, int64_t index);

/// The elements as another type. `name` stands for the array in errors. Throws an input error that names the first
/// element that the type cannot hold: as float32, an integer that it would round or a number beyond its range; as
/// float64, an integer that it would round; as int64, a fraction or a number beyond its range. Rounding of fractions
/// is no error, and neither is infinity or NaN where the type has them.
std::vector<float> floats(const Array& array, const std::string& name);
std::vector<double> doubles(const Array& array, const std::string& name);
std::vector<int64_t> integers(const Array& array, const std::string& name);

/// The index of the first element that is infinite or not a number; nothing if all are finite.
std::optional<int64_t> first_non_finite(const Array& array);

/// Reverses the bytes of each element of `size` bytes.
void swap_bytes(std::span<char> bytes, size_t size);
/// Copies elements of `size` bytes that lie in Fortran order (the first index changes fastest) into C order.
std::string from_fortran_order(std::string_view bytes, std::span<const int64_t> shape, size_t size);

}  // namespace longhand::io
