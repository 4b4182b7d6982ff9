// NumPy arrays as pointers, checked, without copies; and numbers of ours as NumPy arrays.
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

/// Elements of an argument, which it keeps alive. `shape` has its extents.
template <class T>
struct View {
  T* data = nullptr;
  std::vector<int64_t> shape{};
  nb::ndarray<nb::ro> keep_read{};
  nb::ndarray<> keep_written{};

  size_t size() const;
  std::span<T> span() const { return {data, size()}; }
};

/// The elements of an array that is C-contiguous and lies in the processor's memory. `shape` has the extents expected,
/// -1 where any will do; `name` stands for the argument in errors. Throws a TypeError for what is no array, or of
/// another element type, and a ValueError for another shape, other strides, and, of floats, NaN or infinity.
View<const float> floats_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);
View<const double> doubles_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);
View<const int32_t> symbols_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);
View<const int64_t> integers_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);
/// The same for floats that are written to; they need not be finite before.
View<float> written_floats(nb::handle argument, const char* name, std::initializer_list<int64_t> shape);

/// Throws a ValueError where the two share memory.
void check_apart(const View<const float>& read, const View<float>& written);

/// A new array, which owns its memory, and where it begins.
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

template <class T, class From>
nb::ndarray<nb::numpy, T> to_array(const std::vector<From>& values, const std::vector<int64_t>& shape) {
  T* data = nullptr;
  auto out = new_array<T>(shape, data);
  for (size_t i = 0; i < values.size(); ++i) data[i] = static_cast<T>(values[i]);
  return out;
}

/// Any array of numbers, copied as files have them. `name` stands for the argument in errors.
io::Array copy_of(nb::handle argument, const std::string& name);

/// "float64 [2, 3]", "list": for errors.
std::string described(nb::handle argument);

}  // namespace longhand::python
