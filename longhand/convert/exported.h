// What the exporters of all formats take and give.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "longhand/graph/graph.h"

namespace longhand::convert {

/// A model to export: a network, and what a program must know beside it to use it.
struct ExportModel {
  graph::Graph graph;
  std::string name = "model";  ///< of what is made: of a graph, a class, the prefix of functions
  std::map<std::string, std::string>
      texts{};  ///< by name: the task, and in JSON its vocabulary, its labels, its scaling
};

struct ExportOptions {
  std::string weights = "float";  ///< how matrices are kept: float or int8
  int64_t steps = 0;              ///< of C: time steps of a call; 0: one, of a network that can be read step by step
};

/// Files that belong together, to be written whole or not at all.
struct Exported {
  /// How each file's name ends (".onnx", ".py"), which replaces the ending of the path that the user gave; and its
  /// contents.
  std::vector<std::pair<std::string, std::string>> files;
  std::vector<std::string> notes;  ///< what was made, a short line each
};

}  // namespace longhand::convert
