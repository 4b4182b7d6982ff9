// Writes HDF5 files in memory: groups and datasets of float32.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/graph/array.h"

namespace longhand::convert {

/// Returns the bytes of an HDF5 file. Each pair is a dataset's path ("layers/lstm/cell/vars/0") and its floats. Missing
/// groups are created; a path that ends in a slash creates an empty group. Equal arrays give equal bytes. Throws an
/// input error if the HDF5 library fails.
std::string hdf5_bytes(const std::vector<std::pair<std::string, graph::Array>>& arrays);

}  // namespace longhand::convert
