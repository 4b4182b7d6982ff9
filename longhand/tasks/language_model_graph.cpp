#include <algorithm>

#include "longhand/base/utf8.h"
#include "longhand/tasks/graph_maker.h"
#include "longhand/tasks/model_graph_tasks.h"

namespace longhand::tasks {
namespace {

// Adds one model. Returns the name of its logits [B, T, V].
std::string add_language_model(GraphMaker& maker, const LanguageModel& model) {
  const ParameterArena& arena = model.parameters();
  const bool one_hot = model.options().embed == 0;
  const std::string x = one_hot ? maker.add("one-hot", "one_hot", {"symbols"}, {{"classes", model.vocabulary().size()}})
                                : maker.embedding(arena, "embedding.weight", "symbols");
  return maker.output(model.network(), maker.layers(model.network().stack(), arena, x, ""), "logits");
}

// Returns the texts of the symbols of a character model; empty for other models, and if a text is not valid UTF-8.
std::vector<std::string> symbol_texts(const LanguageModel& model) {
  std::vector<std::string> out;
  if (model.options().text.level != "char") return out;
  for (int32_t i = 0; i < model.vocabulary().size(); ++i) out.push_back(model.vocabulary().symbol(i));
  if (!std::all_of(out.begin(), out.end(),
                   [](const std::string& text) { return find_invalid_utf8(text) == std::string::npos; }))
    out.clear();
  return out;
}

}  // namespace

graph::Graph graph_of(const LanguageModel& model, const std::string& /*path*/, const ModelGraphOptions& /*options*/) {
  graph::Graph out;
  out.inputs = {symbols_port("symbols")};
  out.symbols = symbol_texts(model);
  std::vector<std::string> logits;
  for (const LanguageModel* member : members_of(model)) {
    GraphMaker maker(out, graph_prefix(logits.size(), model.is_ensemble()));
    logits.push_back(add_language_model(maker, *member));
  }
  add_probabilities(out, logits);
  return out;
}

}  // namespace longhand::tasks
