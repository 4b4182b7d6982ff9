#include "longhand/convert/imported.h"

#include "longhand/base/error.h"
#include "longhand/graph/mask.h"

namespace longhand::convert {

graph::Array to_graph_array(const io::Array& array, const std::string& name) {
  if (!io::is_floating(array.dtype)) return graph::array_of_ints(array.shape, io::integers(array, name));
  if (const auto at = io::first_non_finite(array)) {
    graph::Array mask = graph::array(array.shape, io::floats(array, name));
    if (graph::is_mask(mask)) return mask;
    throw input_error(name + " " + io::position_of(array.shape, *at) + ": expected finite numbers, found another",
                      "the file is damaged, or its training diverged; use an intact one");
  }
  return graph::array(array.shape, io::floats(array, name));
}

}  // namespace longhand::convert
