// TOML texts from files that may hold anything. (The parser takes long to compile: for the sources that walk a file.)
#pragma once

#include <toml++/toml.h>

#include <string>

namespace longhand::io {

/// Throws a usage error with `path` and line for what is no TOML, with `advice`, and for what is nested deeper than 16.
toml::table parse_toml(const std::string& text, const std::string& path, const std::string& advice);

}  // namespace longhand::io
