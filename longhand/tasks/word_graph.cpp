#include "longhand/tasks/word_graph.h"

namespace longhand::tasks {
namespace {

graph::Port characters_port(const std::string& name) {
  return {.name = name, .type = graph::ElementType::kInt, .dims = {-1, -1, -1}, .batch_axis = 0, .time_axis = 1};
}

bool has_input(const graph::Graph& graph, const std::string& name) {
  for (const graph::Port& port : graph.inputs) {
    if (port.name == name) return true;
  }
  return false;
}

// Returns [B, T, 2 units]: for each word, the last outputs of both directions over its characters.
std::string add_characters(GraphMaker& maker, const nn::LstmStack& stack, const ParameterArena& arena) {
  const std::string x = maker.embedding(arena, "characters.weight", "characters");
  return maker.last_of(stack, maker.layers(stack, arena, x, "character_mask"));
}

}  // namespace

void add_word_inputs(graph::Graph& graph, const nn::WordEncoderOptions& encoder, const ModelGraphOptions& options) {
  const auto add = [&](const graph::Port& port) {
    if (!has_input(graph, port.name)) graph.inputs.push_back(port);
  };
  add(symbols_port("words"));
  if (encoder.embed_shape > 0) add(symbols_port("shapes"));
  if (encoder.hidden_characters > 0) {
    add(characters_port("characters"));
    add(characters_port("character_mask"));
  }
  if (options.ragged) add(symbols_port("mask"));
}

std::string word_mask(const ModelGraphOptions& options) { return options.ragged ? "mask" : ""; }

std::string add_word_layers(GraphMaker& maker, const nn::Network& network, const ModelGraphOptions& options) {
  const ParameterArena& arena = network.parameters();
  std::vector<std::string> parts{maker.embedding(arena, "embedding.weight", "words")};
  if (network.options().encoder.embed_shape > 0) parts.push_back(maker.embedding(arena, "shapes.weight", "shapes"));
  if (network.words()->characters() != nullptr) {
    parts.push_back(add_characters(maker, *network.words()->characters(), arena));
  }
  const std::string x = parts.size() > 1 ? maker.add("concat", "word_vectors", parts) : parts.front();
  return maker.layers(network.stack(), arena, x, word_mask(options));
}

}  // namespace longhand::tasks
