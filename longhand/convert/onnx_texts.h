// Reads the metadata that Longhand writes to ONNX files (docs/export.md). Metadata of files from other programs is not
// read. Entries that do not fit the graph are ignored.
#pragma once

#include "longhand/convert/imported.h"
#include "longhand/convert/onnx_file.h"

namespace longhand::convert {

/// Returns the pairs of input and output that carry a state; empty if the metadata names none.
std::vector<std::pair<std::string, std::string>> written_states(const OnnxModel& model, const graph::Graph& graph);
/// Sets the initial values of states, the time axes of inputs, the names of the input's symbols, and the sample rate.
void read_written_texts(const OnnxModel& model, graph::Graph& graph);

}  // namespace longhand::convert
