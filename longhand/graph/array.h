// Arrays of any rank, as the nodes of a graph pass them on: floats, or integers where these are indexes, lengths,
// shapes or truth values (0 and 1).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhand::graph {

enum class ElementType { kFloat, kInt };
/// "float" or "int".
const char* name_of(ElementType type);

/// Extents of the axes, the outermost first; empty: a single number.
using Dims = std::vector<int64_t>;

/// An array may not have more elements.
inline constexpr int64_t kMostElements = int64_t{1} << 40;
/// The product of the extents; -1 where one is negative or the product is above kMostElements.
int64_t count(const Dims& dims);
/// The product of those from `begin` to before `end`.
int64_t count(const Dims& dims, size_t begin, size_t end);
/// "[1, 5, 3]", with * for -1.
std::string shown(const Dims& dims);

/// How an axis lies in an array in memory: [outer, extent, inner].
struct AxisParts {
  int64_t outer = 1, extent = 1, inner = 1;
};
/// Of axis -1, which stands for none, an extent of 1 around everything.
AxisParts parts_of(const Dims& dims, int64_t axis);
/// The only axis in which two arrays of one rank differ; -1: none, or more than one.
int changed_axis(const Dims& a, const Dims& b);

/// Row-major.
struct Array {
  ElementType type = ElementType::kFloat;
  Dims dims;
  std::vector<float> floats;  ///< [count(dims)] of kFloat; otherwise empty
  std::vector<int64_t> ints;  ///< [count(dims)] of kInt; otherwise empty
};

Array array(Dims dims, std::vector<float> values);
Array array_of_ints(Dims dims, std::vector<int64_t> values);

}  // namespace longhand::graph
