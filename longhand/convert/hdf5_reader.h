// The side of the HDF5 library: called in a child process by hdf5_file.cpp.
#pragma once

#include <string>
#include <string_view>

#include "longhand/convert/child_process.h"
#include "longhand/convert/hdf5_file.h"

namespace longhand::convert {

/// Codes in the message that send_hdf5 writes: a node is its kind, name, attributes (number; name and data of each),
/// data, and children (number; nodes). Data are their kind, then the element type, shape and bytes; or shape and texts;
/// or a text.
enum class Hdf5Code : uint64_t { kGroup = 1, kDataset = 2 };

/// Writes the tree of a file. Throws an input error as read_hdf5 does.
void send_hdf5(std::string_view bytes, const std::string& name, MessageWriter& out);

}  // namespace longhand::convert
