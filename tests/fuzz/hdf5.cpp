// HDF5 files, and .keras archives. The library runs in a child process, so that a crash of it is an input error here.
#include "longhand/base/error.h"
#include "longhand/convert/hdf5_file.h"
#include "longhand/convert/keras_archive.h"
#include "longhand/convert/zip_file.h"
#include "tests/convert/compose_hdf5.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  return {testing::small_hdf5(), testing::strange_hdf5(), testing::cyclic_hdf5(), testing::huge_hdf5(1000),
          convert::zip_bytes({{"config.json", "{}"}, {"model.weights.h5", testing::cyclic_hdf5()}})};
}

void read(std::string_view bytes) {
  if (convert::looks_like_zip(bytes)) convert::read_keras_archive("input", std::string(bytes));
  convert::read_hdf5("input", bytes);
}

}  // namespace longhand::fuzz
