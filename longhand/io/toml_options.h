// The keys of a TOML file as options of a table. (For the sources that walk a file: the parser takes long to compile.)
#pragma once

#include <fmt/core.h>

#include <optional>
#include <string>
#include <vector>

#include "longhand/base/error.h"
#include "longhand/base/options.h"
#include "longhand/io/file.h"
#include "longhand/io/toml_text.h"

namespace longhand::io {

/// The value as the command line would give it; nothing for tables, arrays and dates.
std::optional<std::string> scalar_text(const toml::node& node);

/// Sets the option. Throws a usage error that begins with `where` for a value that it refuses.
void set_scalar(OptionTable& table, const Option& option, const toml::node& node, const std::string& where);

/// Calls visit(option, node, where) for each key of a TOML file. Throws a usage error for a key that no option has.
template <class Visit>
void for_each_key(const std::string& path, const OptionTable& table, const Visit& visit) {
  const toml::table parsed =
      parse_toml(read_file(path), path, "write one `name = value` per line, with text in double quotes");
  for (const auto& [key, node] : parsed) {
    const std::string name(key.str());
    const std::string where = fmt::format("{}:{}: {}", path, node.source().begin.line, name);
    const Option* option = table.find(name);
    if (option == nullptr) {
      std::vector<std::string> known;
      for (const Option& each : table.options()) known.push_back(each.name);
      throw usage_error(where + ": not an option that can be set in a file",
                        "remove it or correct it" + did_you_mean(name, known));
    }
    visit(*option, node, where);
  }
}

}  // namespace longhand::io
