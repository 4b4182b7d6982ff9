// NumPy's .npz files: several arrays by name, a zip archive of .npy files.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/io/array.h"

namespace longhand::convert {

/// Arrays by name, in the order of the names.
using NamedArrays = std::vector<std::pair<std::string, io::Array>>;

/// Throws an input error for what read_npy and ZipFile refuse, and for an entry that is no .npy file.
NamedArrays read_npz(const std::string& path);
/// The same for the contents of a file, which `name` stands for in errors.
NamedArrays read_npz(const std::string& name, std::string bytes);

/// Without compression, as numpy.savez writes them. Throws an input error for a name that is empty or twice.
void write_npz(const std::string& path, const NamedArrays& arrays);
/// The contents of such a file, which `name` stands for in errors.
std::string npz_bytes(const std::string& name, const NamedArrays& arrays);

}  // namespace longhand::convert
