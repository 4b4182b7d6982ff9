// What the importers of all formats take and give.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "longhand/graph/graph.h"
#include "longhand/io/array.h"

namespace longhand::convert {

/// What a file does not say and the caller does.
struct ImportOptions {
  std::map<std::string, graph::Array> values{};               ///< inputs that become constants
  std::map<std::string, graph::Dims> dims{};                  ///< extents of inputs that the file leaves open
  std::vector<std::pair<std::string, std::string>> states{};  ///< of ONNX: inputs and the outputs that go back in;
                                                              ///< empty: those that are recognised
  bool no_states = false;                                     ///< none, whatever is recognised
  std::string description{};                                  ///< of the layers, in TOML
  std::string description_path{};                             ///< where it is, for errors
  std::string part{};                                         ///< of a file with several state dicts: which
};

/// A network, and what was recognised on the way to it, a short line each.
struct Imported {
  graph::Graph graph;
  std::vector<std::string> notes;
};

/// Numbers as a network has them: floats of floating types, integers of all others. `name` stands for the array in
/// errors. Throws an input error for a number that the type cannot hold, and one that is not finite; but for masks, of
/// infinities and zeros alone.
graph::Array to_graph_array(const io::Array& array, const std::string& name);

}  // namespace longhand::convert
