// Arrays of infinities, which masks before a softmax are; all others must be finite.
#pragma once

#include "longhand/graph/array.h"

namespace longhand::graph {

/// Whether all elements are infinities or zeros.
bool is_mask(const Array& array);

}  // namespace longhand::graph
