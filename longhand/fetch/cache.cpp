#include "longhand/fetch/cache.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "longhand/base/error.h"
#include "longhand/fetch/sha256.h"
#include "longhand/io/file.h"

namespace longhand::fetch {

std::string cache_folder(const data::DataSet& set) {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  std::string base = variable("XDG_CACHE_HOME");
  if (!base.starts_with('/')) {  // as its specification says, a relative one is to be ignored
    if (variable("HOME").empty()) {
      throw input_error("no cache folder for data sets: neither XDG_CACHE_HOME nor HOME is set", "set one of the two");
    }
    base = variable("HOME") + "/.cache";
  }
  return base + "/longhand/" + set.name;
}

std::string cached_path(const data::DataSet& set, const data::DataFile& file) {
  return cache_folder(set) + "/" + file.file_name();
}

bool is_cached(const data::DataSet& set) {
  return std::all_of(set.files.begin(), set.files.end(),
                     [&](const data::DataFile& file) { return io::exists(cached_path(set, file)); });
}

std::optional<std::string> find_in_cache(const std::string& source) {
  const size_t colon = source.find(':');
  const data::DataSet* set = data::find_data_set(source.substr(0, colon));
  if (set == nullptr) return std::nullopt;
  const std::string part = colon == std::string::npos ? set->files.front().part : source.substr(colon + 1);
  std::string parts;
  for (const data::DataFile& file : set->files) {
    parts += (parts.empty() ? "" : ", ") + file.part;
    if (file.part != part) continue;
    std::string path = cached_path(*set, file);
    if (io::exists(path)) {
      if (sha256_of_file(path) == file.sha256) return path;
      throw input_error(
          fmt::format("{}: its SHA-256 is not that of the data set", path),
          fmt::format("it was altered or damaged; download it again with `longhand data get {}`", set->name));
    }
    throw input_error(fmt::format("{}: this data set has not been downloaded", source),
                      fmt::format("download it with `longhand data get {}`", set->name));
  }
  throw input_error(fmt::format("{}: expected one of the parts {}, found '{}'", source, parts, part),
                    fmt::format("for instance {}:{}", set->name, set->files.front().part));
}

}  // namespace longhand::fetch
