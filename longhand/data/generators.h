// Tables that are computed, for study: the same numbers every time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace longhand::data {

struct GeneratedTable {
  std::string_view name;
  std::string_view description;
  std::string (*csv)();  ///< with a header
};

/// linear, sines and adding.
const std::vector<GeneratedTable>& generated_tables();

/// The table of that name, or null.
const GeneratedTable* find_generated(std::string_view name);

}  // namespace longhand::data
