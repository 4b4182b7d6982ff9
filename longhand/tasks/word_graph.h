// What taggers and classifiers have in common as graphs: the inputs of words, the word encoder and the layers.
#pragma once

#include <string>

#include "longhand/tasks/graph_maker.h"
#include "longhand/tasks/model_graph.h"

namespace longhand::tasks {

/// Adds the inputs of one that reads words with these options.
void add_word_inputs(graph::Graph& graph, const nn::WordEncoderOptions& encoder, const ModelGraphOptions& options);
/// The name of the mask among them; empty: there is none.
std::string word_mask(const ModelGraphOptions& options);
/// The outputs of the recurrent layers [B, T, W].
std::string add_word_layers(GraphMaker& maker, const nn::Network& network, const ModelGraphOptions& options);

}  // namespace longhand::tasks
