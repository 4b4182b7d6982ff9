// Shared by the graphs of taggers and classifiers: word inputs, word encoder and recurrent layers.
#pragma once

#include <string>

#include "longhand/tasks/graph_maker.h"
#include "longhand/tasks/model_graph.h"

namespace longhand::tasks {

/// Adds the graph inputs that the word encoder reads.
void add_word_inputs(graph::Graph& graph, const nn::WordEncoderOptions& encoder, const ModelGraphOptions& options);
/// Returns the name of the input with the mask; empty: no mask.
std::string word_mask(const ModelGraphOptions& options);
/// Adds word encoder and recurrent layers. Returns the name of their outputs [B, T, W].
std::string add_word_layers(GraphMaker& maker, const nn::Network& network, const ModelGraphOptions& options);

}  // namespace longhand::tasks
