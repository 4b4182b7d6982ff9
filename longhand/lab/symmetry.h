// Whether the units of a layer have become different from one another: those that start equal stay equal, since they
// get the same gradients (docs/derivatives.md).
#pragma once

#include <cstdint>

#include "longhand/base/arena.h"

namespace longhand::lab {

struct UnitCount {
  int64_t units = 0;
  int64_t distinct = 0;  ///< with different weights and biases in some gate
};

/// Counts the units of the first recurrent layer, in its forward direction.
UnitCount distinct_units(const ParameterArena& parameters);

}  // namespace longhand::lab
