// Keras's .keras files: a zip archive of the configuration, in JSON, and the weights, in HDF5.
#pragma once

#include <string>

#include "longhand/convert/hdf5_file.h"

namespace longhand::convert {

struct KerasArchive {
  std::string config;    ///< config.json: the layers
  std::string metadata;  ///< metadata.json: the version of Keras; empty if there is none
  Hdf5Node weights;      ///< model.weights.h5
};

/// Throws an input error for what ZipFile and read_hdf5 refuse, and for an archive without configuration or weights.
KerasArchive read_keras_archive(const std::string& path);
/// The same for the contents of a file, which `name` stands for in errors.
KerasArchive read_keras_archive(const std::string& name, std::string bytes);

}  // namespace longhand::convert
