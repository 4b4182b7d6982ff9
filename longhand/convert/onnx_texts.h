// What Longhand says in the metadata of the ONNX files that it writes, beside the graph (docs/export.md), on its way
// back. Files of others may have such keys, too: there they are not read. What does not fit the graph is left out, as
// if it were not said.
#pragma once

#include "longhand/convert/imported.h"
#include "longhand/convert/onnx_file.h"

namespace longhand::convert {

/// The inputs and outputs that carry a state; empty where nothing is said.
std::vector<std::pair<std::string, std::string>> written_states(const OnnxModel& model, const graph::Graph& graph);
/// Gives the states what they begin with, inputs their axis of time, the input its symbols, and the network its sample
/// rate.
void read_written_texts(const OnnxModel& model, graph::Graph& graph);

}  // namespace longhand::convert
