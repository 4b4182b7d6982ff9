#include "longhand/graph/mask.h"

#include <algorithm>
#include <cmath>

namespace longhand::graph {

bool is_mask(const Array& array) {
  return std::all_of(array.floats.begin(), array.floats.end(), [](float v) { return v == 0.0F || std::isinf(v); });
}

}  // namespace longhand::graph
