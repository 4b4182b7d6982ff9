// Zip archives and .npz files.
#include "longhand/convert/npz.h"
#include "longhand/base/error.h"
#include "longhand/convert/zip_file.h"
#include "longhand/io/npy.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  const io::Array array = io::make_array({2}, std::vector<float>{1, 2});
  return {convert::zip_bytes({{"a.npy", io::npy_bytes(array)}, {"b.npy", io::npy_bytes(array)}}),
          convert::zip_bytes({{"a", "1"}})};
}

void read(std::string_view bytes) {
  try {
    const convert::ZipFile zip("input", std::string(bytes));
    for (const auto& [name, size] : zip.entries()) zip.read(name);
  } catch (const Error&) {
  }
  convert::read_npz("input", std::string(bytes));
}

}  // namespace longhand::fuzz
