// A network of layers as a table: what each node is, what it makes, and how many weights it has.
#pragma once

#include <string>

#include "longhand/graph/graph.h"

namespace longhand::cli {

void print_network(const graph::Graph& graph, const std::string& path);
void print_network_json(const graph::Graph& graph);

}  // namespace longhand::cli
