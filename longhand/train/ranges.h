// Stretches of the parameters, in order.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "longhand/base/threads.h"

namespace longhand::train {

/// What two lists of stretches have in common, each in order and without overlaps.
inline std::vector<Range> common(std::span<const Range> a, std::span<const Range> b) {
  std::vector<Range> out;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const Range both{std::max(a[i].begin, b[j].begin), std::min(a[i].end, b[j].end)};
    if (both.begin < both.end) out.push_back(both);
    (a[i].end < b[j].end ? i : j) += 1;
  }
  return out;
}

inline int64_t total(std::span<const Range> where) {
  int64_t sum = 0;
  for (const Range& range : where) sum += range.size();
  return sum;
}

}  // namespace longhand::train
