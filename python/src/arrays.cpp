#include "arrays.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstring>

namespace longhand::python {
namespace {

std::string extents_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (const int64_t n : shape)
    out += fmt::format("{}{}", out.size() > 1 ? ", " : "", n < 0 ? "n" : fmt::format("{}", n));
  return out + "]";
}

[[noreturn]] void throw_type(const char* name, const std::string& expected, nb::handle found) {
  throw nb::type_error(fmt::format("{}: expected {}, found {}", name, expected, described(found)).c_str());
}

[[noreturn]] void throw_value(const char* name, const std::string& expected, const std::string& found) {
  throw nb::value_error(fmt::format("{}: expected {}, found {}", name, expected, found).c_str());
}

template <class Array>
std::vector<int64_t> shape_of(const Array& array) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < array.ndim(); ++i) out.push_back(static_cast<int64_t>(array.shape(i)));
  return out;
}

template <class Array>
bool is_contiguous(const Array& array) {
  int64_t stride = 1;
  for (size_t i = array.ndim(); i-- > 0;) {
    if (array.shape(i) == 0) return true;
    if (array.shape(i) > 1 && array.stride(i) != stride) return false;
    stride *= static_cast<int64_t>(array.shape(i));
  }
  return true;
}

bool fits(const std::vector<int64_t>& shape, const std::vector<int64_t>& expected) {
  if (shape.size() != expected.size()) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (expected[i] >= 0 && shape[i] != expected[i]) return false;
  }
  return true;
}

// Checks type, shape, strides and device, but not the values.
template <class T, class Array>
View<T> view_of(nb::handle argument, const Array& array, const char* name, const char* type,
                const std::vector<int64_t>& expected) {
  const std::string wanted = fmt::format("an array of {} {}", type, extents_text(expected));
  if (array.device_type() != nb::device::cpu::value) throw_type(name, wanted + " in the processor's memory", argument);
  if (array.dtype() != nb::dtype<std::remove_const_t<T>>()) throw_type(name, wanted, argument);
  View<T> out;
  out.shape = shape_of(array);
  if (!fits(out.shape, expected)) throw_value(name, wanted, described(argument));
  if (!is_contiguous(array)) {
    throw_value(name, wanted + ", C-contiguous", "other strides; numpy.ascontiguousarray copies it so");
  }
  out.data = static_cast<T*>(array.data());
  return out;
}

template <class T>
View<const T> read_view(nb::handle argument, const char* name, const char* type, std::initializer_list<int64_t> shape) {
  nb::ndarray<nb::ro> array;
  if (!nb::try_cast(argument, array, false)) {
    throw_type(name, fmt::format("an array of {} {}", type, extents_text(shape)), argument);
  }
  View<const T> out = view_of<const T>(argument, array, name, type, shape);
  out.keep_read = array;
  return out;
}

template <class T>
View<const T> finite_view(nb::handle argument, const char* name, const char* type,
                          std::initializer_list<int64_t> shape) {
  View<const T> out = read_view<T>(argument, name, type, shape);
  const size_t count = out.size();
  for (size_t i = 0; i < count; ++i) {
    if (std::isfinite(out.data[i])) continue;
    throw_value(name, "finite numbers",
                fmt::format("{} at {}", out.data[i], io::position_of(out.shape, static_cast<int64_t>(i))));
  }
  return out;
}

template <class From>
void append(io::Array& out, const From* values, size_t count) {
  out.bytes.assign(reinterpret_cast<const char*>(values), count * sizeof(From));
}

}  // namespace

std::string described(nb::handle argument) {
  if (!nb::hasattr(argument, "dtype") || !nb::hasattr(argument, "shape")) {
    return nb::cast<std::string>(nb::handle(argument.type()).attr("__name__"));
  }
  std::string shape = nb::cast<std::string>(nb::str(nb::handle(nb::list(nb::handle(argument.attr("shape"))))));
  return nb::cast<std::string>(nb::str(nb::handle(argument.attr("dtype")))) + " " + shape;
}

template <class T>
size_t View<T>::size() const {
  size_t out = 1;
  for (const int64_t n : shape) out *= static_cast<size_t>(n);
  return out;
}
template struct View<float>;
template struct View<const float>;
template struct View<const double>;
template struct View<const int32_t>;
template struct View<const int64_t>;

View<const float> floats_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape) {
  return finite_view<float>(argument, name, "float32", shape);
}
View<const double> doubles_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape) {
  return finite_view<double>(argument, name, "float64", shape);
}
View<const int32_t> symbols_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape) {
  return read_view<int32_t>(argument, name, "int32", shape);
}
View<const int64_t> integers_of(nb::handle argument, const char* name, std::initializer_list<int64_t> shape) {
  return read_view<int64_t>(argument, name, "int64", shape);
}

View<float> written_floats(nb::handle argument, const char* name, std::initializer_list<int64_t> shape) {
  nb::ndarray<> array;
  if (!nb::try_cast(argument, array, false)) {
    throw_type(name, fmt::format("a writable array of float32 {}", extents_text(shape)), argument);
  }
  View<float> out = view_of<float>(argument, array, name, "float32", shape);
  out.keep_written = array;
  return out;
}

void check_apart(const View<const float>& read, const View<float>& written) {
  const float *a = read.data, *b = written.data;
  if (a + read.size() <= b || b + written.size() <= a) return;
  throw nb::value_error("out: expected memory apart from the input's, found some that both share");
}

io::Array copy_of(nb::handle argument, const std::string& name) {
  nb::ndarray<nb::ro> array;
  if (!nb::try_cast(argument, array, false)) throw_type(name.c_str(), "an array of numbers", argument);
  if (array.device_type() != nb::device::cpu::value || !is_contiguous(array)) {
    throw_value(name.c_str(), "a C-contiguous array in the processor's memory", described(argument));
  }
  io::Array out;
  out.shape = shape_of(array);
  const auto is = [&](auto zero) { return array.dtype() == nb::dtype<decltype(zero)>(); };
  const auto take = [&](io::DType type) {
    out.dtype = type;
    append(out, static_cast<const char*>(array.data()), array.nbytes());
  };
  if (is(float())) {
    take(io::DType::kF32);
  } else if (is(double())) {
    take(io::DType::kF64);
  } else if (is(int64_t())) {
    take(io::DType::kI64);
  } else if (is(int32_t())) {
    take(io::DType::kI32);
  } else if (is(int16_t())) {
    take(io::DType::kI16);
  } else if (is(int8_t())) {
    take(io::DType::kI8);
  } else if (is(uint8_t())) {
    take(io::DType::kU8);
  } else if (is(bool())) {
    take(io::DType::kBool);
  } else {
    throw_type(name.c_str(), "an array of float32, float64, bool or integers", argument);
  }
  return out;
}

}  // namespace longhand::python
