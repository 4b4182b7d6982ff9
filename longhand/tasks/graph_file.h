// Model files of networks of layers (task `network`): nodes in the configuration, arrays under their names.
#pragma once

#include <string>

#include "longhand/graph/graph.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

inline constexpr const char* kNetworkTask = "network";

/// Throws as graph::check does, and where the disk does not take the file. `training` says what the network was trained
/// for (see NetworkPurpose); empty: not known.
void write_network(const std::string& path, const graph::Graph& graph, const std::string& training = "");
/// Throws an input error for a file of another task, and for one that is damaged.
graph::Graph read_network(const ModelFile& file);

}  // namespace longhand::tasks
