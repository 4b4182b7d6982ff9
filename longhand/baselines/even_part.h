// Which of many items a baseline is fitted on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace longhand::baselines {

/// As many of `count` items, evenly spread (a file may be sorted), as have about `most_words` of the `words` that all
/// have together; the places of these, in order.
inline std::vector<size_t> even_part(size_t count, double words, double most_words) {
  const double share = std::min(1.0, most_words / std::max(words, 1.0));
  std::vector<size_t> out;
  for (size_t i = 0; i < count; ++i) {
    if (out.size() < static_cast<size_t>(std::ceil(share * static_cast<double>(i + 1)))) out.push_back(i);
  }
  return out;
}

}  // namespace longhand::baselines
