// The input and the result of the exporters of all formats.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "longhand/graph/graph.h"

namespace longhand::exporters {

/// A model to export: its graph, and the texts that a program needs to use it.
struct ExportModel {
  graph::Graph graph;
  std::string name = "model";                  ///< name of the exported graph or class, prefix of C functions
  std::map<std::string, std::string> texts{};  ///< by name: the task; vocabulary, labels and scaling as JSON
};

struct ExportOptions {
  std::string weights = "float";  ///< type of stored weight matrices: float or int8
  int64_t steps = 0;              ///< C only: time steps per call; 0: single steps (streaming)
};

/// The exported files of one model.
struct Exported {
  /// By file: the extension (".onnx", ".py"), which replaces the extension of the user's path, and the contents.
  std::vector<std::pair<std::string, std::string>> files;
  std::vector<std::string> notes;  ///< messages for the user, one short line each
};

}  // namespace longhand::exporters
