// Arrays of numbers in JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "longhand/graph/array.h"

namespace longhand::convert {

/// Converts nested lists, of equal length at each level, to an array. `where` begins the error ("file: layer 'x'").
/// Throws an input error for anything else, and for numbers that are not finite.
graph::Array numbers_of(const nlohmann::json& json, const std::string& where);

/// Returns a member. Throws an input error that names the member if it is missing.
const nlohmann::json& member(const nlohmann::json& object, const char* name, const std::string& where);
/// A whole number from `least` to `most`.
int64_t whole_of(const nlohmann::json& json, int64_t least, int64_t most, const std::string& where);
/// Returns the text of a member, or `otherwise` if the member is missing.
std::string text_of(const nlohmann::json& object, const char* name, const std::string& otherwise,
                    const std::string& where);

}  // namespace longhand::convert
