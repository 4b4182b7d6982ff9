// HDF5 files in memory: groups with arrays of floats.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/graph/array.h"

namespace longhand::convert {

/// The bytes of a file with these arrays, by their paths ("layers/lstm/cell/vars/0"). Groups are made where a path
/// needs them; a path that ends in a slash is a group without arrays. The same arrays give the same bytes. Throws an
/// input error where the library cannot make the file.
std::string hdf5_bytes(const std::vector<std::pair<std::string, graph::Array>>& arrays);

}  // namespace longhand::convert
