// Arrays of numbers in JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "longhand/graph/array.h"

namespace longhand::convert {

/// Lists within lists, all of one length at each level, as an array. `where` begins the error ("file: layer 'x'").
/// Throws an input error for anything else, numbers that are not finite among it.
graph::Array numbers_of(const nlohmann::json& json, const std::string& where);

/// A member that must be there. Throws an input error naming it, where there is none.
const nlohmann::json& member(const nlohmann::json& object, const char* name, const std::string& where);
/// A whole number from `least` to `most`.
int64_t whole_of(const nlohmann::json& json, int64_t least, int64_t most, const std::string& where);
/// A member's text; `otherwise` where there is none.
std::string text_of(const nlohmann::json& object, const char* name, const std::string& otherwise,
                    const std::string& where);

}  // namespace longhand::convert
