// A graph without its arrays as JSON, as model files hold it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "longhand/graph/graph.h"

namespace longhand::graph {

nlohmann::ordered_json to_json(const Graph& graph);

/// Throws an input error naming `path` for what `to_json` would not write. The arrays are left empty.
Graph from_json(const nlohmann::json& json, const std::string& path);

}  // namespace longhand::graph
