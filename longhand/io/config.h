// Option tables to and from TOML and JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "longhand/base/options.h"

namespace longhand::io {

/// Sets the options that a TOML file of `name = value` lines holds, and returns their names. Throws a usage error with
/// file and line for a key that no option has (with the nearest that one has), or a value that its option refuses.
std::vector<std::string> read_toml(const std::string& path, OptionTable& table);

/// Every option with its present value, its help as a comment above it. The text reads back to the same values.
std::string to_toml(const OptionTable& table);

/// Parses JSON from a file called `path`. Throws an input error where it is not JSON, is nested more than 16 deep (its
/// readers recurse), or has a name twice in one object (parsers differ in which they keep).
nlohmann::json parse_json(std::string_view text, const std::string& path);

nlohmann::ordered_json to_json(const OptionTable& table);

/// Sets the options that the object holds; those it does not hold keep their defaults, as in files from before they
/// existed. Throws an input error naming `path` for a name that no option has, or a value that its option refuses.
void from_json(const nlohmann::json& object, const std::string& path, OptionTable& table);

}  // namespace longhand::io
