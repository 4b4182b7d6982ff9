// HDF5 files, as Keras writes its weights: groups, attributes and arrays of numbers and texts.
//
// The files are read by the HDF Group's library, in a process of its own, since the library crashes on hostile files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "longhand/io/array.h"

namespace longhand::convert {

/// The contents of an attribute or of a dataset.
struct Hdf5Data {
  enum class Kind : uint8_t { kArray, kTexts, kOther };
  Kind kind = Kind::kOther;
  io::Array array;                  ///< kArray
  std::vector<std::string> texts;   ///< kTexts: of fixed or variable length; one for a scalar
  std::vector<int64_t> text_shape;  ///< kTexts: empty for a scalar
  std::string other;                ///< kOther: what it is instead, as in "a compound type"; it is not read
};

struct Hdf5Attribute {
  std::string name;
  Hdf5Data data;
};

/// A group or a dataset.
struct Hdf5Node {
  std::string name;  ///< "/" for the whole file
  bool is_group = true;
  Hdf5Data data;                          ///< of a dataset, or what a link is that is not followed (soft, external)
  std::vector<Hdf5Attribute> attributes;  ///< in the order of their names
  std::vector<Hdf5Node> children;         ///< of a group, in the order of their names

  /// The node of that path below this one ("lstm/lstm_cell/kernel:0"); null if there is none.
  const Hdf5Node* find(std::string_view path) const;
  const Hdf5Data* attribute(std::string_view name) const;
};

/// Reads a whole file. Numbers become arrays whatever their byte order, layout or compression (of the filters that the
/// library has); truth values of h5py are bool. Compound types, references, data in other files and links to other
/// places are kept as kOther, and never followed. Throws an input error for a file that is truncated or altered, a
/// group that is reached twice (a cycle), groups nested more than 64 deep, and arrays that together are larger than 64
/// times the file and 16 MiB.
Hdf5Node read_hdf5(const std::string& path);
/// The same for the contents of a file, which `name` stands for in errors.
Hdf5Node read_hdf5(const std::string& name, std::string_view bytes);

/// Whether bytes begin as an HDF5 file does.
bool looks_like_hdf5(std::string_view bytes);

}  // namespace longhand::convert
