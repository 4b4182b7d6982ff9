#include "longhand/convert/npz.h"

#include <set>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"
#include "longhand/convert/zip_file.h"
#include "longhand/io/file.h"
#include "longhand/io/npy.h"

namespace longhand::convert {
namespace {

constexpr std::string_view kNpyEnding = ".npy";

}  // namespace

NamedArrays read_npz(const std::string& path) { return read_npz(path, io::read_file(path)); }

NamedArrays read_npz(const std::string& name, std::string bytes) {
  const ZipFile zip(name, std::move(bytes));
  NamedArrays out;
  for (const auto& [entry, size] : zip.entries()) {
    const std::string shown = name + ": " + visible(entry);
    if (!entry.ends_with(kNpyEnding)) {
      throw input_error(shown + ": expected a .npy file, found another", "use an archive that numpy.savez wrote");
    }
    out.emplace_back(entry.substr(0, entry.size() - kNpyEnding.size()), io::read_npy(shown, zip.read(entry)));
  }
  return out;
}

std::string npz_bytes(const std::string& path, const NamedArrays& arrays) {
  std::vector<std::pair<std::string, std::string>> entries;
  std::set<std::string> names;
  for (const auto& [name, array] : arrays) {
    if (name.empty() || !names.insert(name).second) {
      throw input_error(path + ": the name '" + visible(name) + "' is empty or twice",
                        "give each array a name of its own");
    }
    entries.emplace_back(name + std::string(kNpyEnding), io::npy_bytes(array));
  }
  return zip_bytes(entries, Compression::kNone);
}

void write_npz(const std::string& path, const NamedArrays& arrays) { io::write_file(path, npz_bytes(path, arrays)); }

}  // namespace longhand::convert
