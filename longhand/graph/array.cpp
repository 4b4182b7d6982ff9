#include "longhand/graph/array.h"

#include "longhand/base/error.h"

namespace longhand::graph {

const char* name_of(ElementType type) { return type == ElementType::kFloat ? "float" : "int"; }

int64_t count(const Dims& dims) {
  bool empty = false;
  int64_t out = 1;
  for (const int64_t extent : dims) {
    if (extent < 0) return -1;
    empty = empty || extent == 0;
    if (extent > 0 && (__builtin_mul_overflow(out, extent, &out) || out > kMostElements)) return -1;
  }
  return empty ? 0 : out;
}

int64_t count(const Dims& dims, size_t begin, size_t end) {
  int64_t out = 1;
  for (size_t axis = begin; axis < end; ++axis) out *= dims[axis];
  return out;
}

AxisParts parts_of(const Dims& dims, int64_t axis) {
  if (axis < 0) return {.inner = count(dims)};
  const auto at = static_cast<size_t>(axis);
  return {count(dims, 0, at), dims[at], count(dims, at + 1, dims.size())};
}

int changed_axis(const Dims& a, const Dims& b) {
  int out = -1;
  for (size_t axis = 0; axis < a.size() && a.size() == b.size(); ++axis) {
    if (a[axis] == b[axis]) continue;
    if (out >= 0) return -1;
    out = static_cast<int>(axis);
  }
  return out;
}

std::string shown(const Dims& dims) {
  std::string out = "[";
  for (const int64_t extent : dims) {
    if (out.size() > 1) out += ", ";
    out += extent < 0 ? "*" : std::to_string(extent);
  }
  return out + "]";
}

Array array(Dims dims, std::vector<float> values) {
  LONGHAND_CHECK(count(dims) == static_cast<int64_t>(values.size()));
  return {ElementType::kFloat, std::move(dims), std::move(values), {}};
}

Array array_of_ints(Dims dims, std::vector<int64_t> values) {
  LONGHAND_CHECK(count(dims) == static_cast<int64_t>(values.size()));
  return {ElementType::kInt, std::move(dims), {}, std::move(values)};
}

}  // namespace longhand::graph
