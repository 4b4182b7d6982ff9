// Public data sets by name: where they are, what they are checked against, and under which licence they stand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longhand::data {

struct DataFile {
  std::string part;  ///< train, valid, test; or the name of a class
  std::string path;  ///< in the repository
  int64_t bytes = 0;
  std::string sha256;

  std::string file_name() const { return path.substr(path.rfind('/') + 1); }
};

struct DataSet {
  std::string name;
  std::string description;
  std::string license;  ///< of the data
  std::string task;     ///< the verb of `longhand train`
  std::string repository, commit;
  std::vector<DataFile> files;

  int64_t bytes() const;
  /// `base` is where repositories are served raw.
  std::string url(const DataFile& file, const std::string& base) const;
};

inline constexpr std::string_view kRawFiles = "https://raw.githubusercontent.com";

const std::vector<DataSet>& data_sets();
/// The set of that name, or null.
const DataSet* find_data_set(std::string_view name);

}  // namespace longhand::data
