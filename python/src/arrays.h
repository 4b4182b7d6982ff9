// Checks NumPy arrays and gives access to their elements without copies; makes new NumPy arrays.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "longhand/io/array.h"

namespace longhand::python {

namespace nb = nanobind;

using FloatArray = nb::ndarray<nb::numpy, float>;
using DoubleArray = nb::ndarray<nb::numpy, double>;

/// The elements of an array argument. Keeps the array alive.
template <class T>
struct View {
  T* data = nullptr;
  std::vector<int64_t> shape{};
  nb::ndarray<nb::ro> keep_read{};
  nb::ndarray<> keep_written{};

  size_t size() const;
  std::span<T> span() const { return {data, size()}; }
};

/// Return the elements of a C-contiguous array in CPU memory. `shape` is the expected shape, -1 for any size; `name` is
/// the name of the argument in error messages. Throw a TypeError if the argument is not an array or has the wrong
/// element type, and a ValueError for a wrong shape, wrong strides, or NaN or infinity in floats and doubles.
View<const float> floats_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);
View<const double> doubles_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);
View<const int32_t> symbols_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);
View<const int64_t> integers_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);
/// The same for a writable array. Does not check its values.
View<float> written_floats(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);

/// Throws a ValueError if the two arrays overlap in memory.
void check_apart(const View<const float>& read, const View<float>& written);

/// Returns a new, uninitialised array that owns its memory. Writes the address of its first element to `data`.
template <class T>
nb::ndarray<nb::numpy, T> new_array(const std::vector<int64_t>& shape, T*& data) {
  size_t count = 1;
  std::vector<size_t> extents;
  for (const int64_t n : shape) {
    extents.push_back(static_cast<size_t>(n));
    count *= static_cast<size_t>(n);
  }
  auto memory = std::make_unique<T[]>(count);
  data = memory.get();
  nb::capsule owner(memory.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
  memory.release();
  return nb::ndarray<nb::numpy, T>(data, extents.size(), extents.data(), owner);
}

/// Returns a new array with `values` converted to T. The product of `shape` must be `values.size()`.
template <class T, class From>
nb::ndarray<nb::numpy, T> to_array(const std::vector<From>& values, const std::vector<int64_t>& shape) {
  T* data = nullptr;
  auto out = new_array<T>(shape, data);
  for (size_t i = 0; i < values.size(); ++i) data[i] = static_cast<T>(values[i]);
  return out;
}

/// Copies a numeric array of any element type. `name` is the name of the argument in error messages.
io::Array copy_of(nb::handle argument, const std::string& name);

/// Describes an argument for error messages: "float64 [2, 3]", "list".
std::string described(nb::handle argument);

}  // namespace longhand::python
