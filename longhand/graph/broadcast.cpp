#include "longhand/graph/broadcast.h"

#include <algorithm>

namespace longhand::graph {

std::optional<Dims> broadcast(const Dims& a, const Dims& b) {
  Dims out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {  // from the last axis on
    const int64_t of_a = i < a.size() ? a[a.size() - 1 - i] : 1, of_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (of_a != of_b && of_a != 1 && of_b != 1) return std::nullopt;
    out[out.size() - 1 - i] = of_a == 1 ? of_b : of_a;
  }
  return out;
}

Dims broadcast_strides(const Dims& from, const Dims& to) {
  Dims out(to.size(), 0);
  int64_t stride = 1;
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t extent = from[from.size() - 1 - i];
    if (extent != 1) out[to.size() - 1 - i] = stride;
    stride *= extent;
  }
  return out;
}

BroadcastLoop::BroadcastLoop(const Dims& of_a, const Dims& of_b, const Dims& result) {
  const Dims all_a = broadcast_strides(of_a, result), all_b = broadcast_strides(of_b, result);
  for (size_t axis = 0; axis < result.size(); ++axis) {
    if (result[axis] == 1) continue;
    const bool joins =
        !dims.empty() && a.back() == all_a[axis] * result[axis] && b.back() == all_b[axis] * result[axis];
    if (joins) {
      dims.back() *= result[axis];
      a.back() = all_a[axis];
      b.back() = all_b[axis];
    } else {
      dims.push_back(result[axis]);
      a.push_back(all_a[axis]);
      b.push_back(all_b[axis]);
    }
  }
  if (dims.empty()) dims = {1}, a = {0}, b = {0};
}

}  // namespace longhand::graph
