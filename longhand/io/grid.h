// Files that give options several values: for comparisons of all combinations, and for searches among them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longhand/base/options.h"

namespace longhand::io {

/// Numbers from `min` to `max`, both included.
struct GridRange {
  double min = 0.0;
  double max = 0.0;
  bool logarithmic = false;  ///< drawn evenly by their logarithms
  bool whole = false;        ///< integers alone
  double step = 0.0;         ///< only `min` plus multiples of it; 0: any

  /// How many numbers it has, at most `kMany`.
  int64_t count() const;
  /// Number `index` of them, for a range with steps or of integers.
  std::string value(int64_t index) const;
  /// The number at a place from 0 to 1, with about four digits.
  std::string at(double place) const;
  static constexpr int64_t kMany = int64_t{1} << 40;
};

/// An option that takes several values in turn: those of a list, or of a range.
struct GridAxis {
  std::string option;
  std::vector<std::string> values;
  std::optional<GridRange> range{};
};

/// Reads a TOML file of options as `read_toml` does, but a value may be a list, or a table with a range: `{min = 1e-4,
/// max = 1e-2, scale = "log"}`, `{min = 32, max = 256, step = 32}`. Those options are not set, and returned in the
/// order of the file. Throws a usage error with file and line, for a value of a list, too, and for a range that is
/// none.
std::vector<GridAxis> read_grid(const std::string& path, OptionTable& table);

}  // namespace longhand::io
