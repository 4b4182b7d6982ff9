// Recipes and grids in TOML, and JSON.
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/io/grid.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  return {"hidden = 12\nname = \"a\"\nrate = 1e-3\non = true\n", "hidden = [1, 2, 3]\n",
          "hidden = {min = 2, max = 8, step = 2}\nrate = {min = 1e-3, max = 1.0, scale = \"log\"}\n",
          "{\"a\": [1, {\"b\": null}]}"};
}

void read(std::string_view bytes) {
  int64_t hidden = 1;
  double rate = 1.0;
  bool on = false;
  std::string name;
  OptionTable table;
  table.add("hidden", hidden, "units", at_least(1));
  table.add("rate", rate, "rate", more_than(0.0));
  table.add("on", on, "on");
  table.add("name", name, "name");
  const MemoryFile file(bytes);
  try {
    io::read_toml(file.path(), table);
  } catch (const Error&) {
  }
  try {
    for (const io::GridAxis& axis : io::read_grid(file.path(), table)) {
      if (!axis.range) continue;
      for (const double place : {0.0, 0.5, 0.999999}) axis.range->at(place);
      if (axis.range->count() < io::GridRange::kMany) axis.range->value(axis.range->count() - 1);
    }
  } catch (const Error&) {
  }
  io::parse_json(bytes, "input");
}

}  // namespace longhand::fuzz
