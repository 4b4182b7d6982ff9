#include "longhand/convert/keras_archive.h"

#include "longhand/convert/zip_file.h"
#include "longhand/io/file.h"

namespace longhand::convert {

KerasArchive read_keras_archive(const std::string& path) { return read_keras_archive(path, io::read_file(path)); }

KerasArchive read_keras_archive(const std::string& name, std::string bytes) {
  const ZipFile zip(name, std::move(bytes));
  KerasArchive out;
  out.config = zip.read("config.json");
  if (zip.has("metadata.json")) out.metadata = zip.read("metadata.json");
  out.weights = read_hdf5(name + ": model.weights.h5", zip.read("model.weights.h5"));
  return out;
}

}  // namespace longhand::convert
