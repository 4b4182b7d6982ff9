// An array made of another's elements, in another order: which of them go where is known before a run.
#pragma once

#include <functional>
#include <vector>

#include "longhand/graph/node_build.h"

namespace longhand::graph {

/// Adds an output of these dims whose element i, counted in its order, is element source(i) of x, or, where that is -1,
/// `fill`. Elements that follow one another in both are copied together.
Value& move_elements(NodeBuild& node, size_t output, const Value& x, const Dims& dims,
                     const std::function<int64_t(const Dims& at)>& source, double fill = 0.0);

/// The offset of an element of an array of these dims.
int64_t offset_of(const Dims& dims, const Dims& at);

}  // namespace longhand::graph
