#include "longhand/base/error.h"
#include "longhand/tasks/model_graph_tasks.h"
#include "longhand/tasks/word_graph.h"

namespace longhand::tasks {
namespace {

// Pools the words of each text to one vector [B, V].
std::string add_pooling(GraphMaker& maker, const Classifier& model, const std::string& x, const std::string& mask) {
  std::vector<std::string> inputs{x};
  if (!mask.empty()) inputs.push_back(mask);
  const auto pool = [&](const std::string& kind) {
    GraphMaker::Attributes attributes{{"kind", kind}};
    GraphMaker::Weights weights;
    if (kind == "last" && model.options().lstm.bidirectional) attributes["directions"] = int64_t{2};
    if (kind == "attention") weights["query"] = maker.parameter(model.parameters(), "pool.query");
    return maker.add("pool", "pool_" + kind, inputs, attributes, weights);
  };
  if (model.options().pool != "concat") return pool(model.options().pool);
  std::vector<std::string> parts;
  for (const char* kind : {"last", "max", "mean"}) parts.push_back(pool(kind));
  return maker.add("concat", "pool", parts);
}

}  // namespace

graph::Graph graph_of(const Classifier& model, const std::string& path, const ModelGraphOptions& options) {
  graph::Graph out;
  std::vector<std::string> logits;
  for (const Classifier* member : members_of(model)) {
    if (member->linear()) {
      throw input_error(path + ": expected a classifier of layers alone, found one with a logistic regression of words",
                        "no graph reads words as it does; train the classifier with --linear-share 0");
    }
    add_word_inputs(out, member->options().encoder, options);
    GraphMaker maker(out, graph_prefix(logits.size(), model.is_ensemble()));
    const std::string x = add_word_layers(maker, member->network(), options);
    logits.push_back(maker.output(member->network(), add_pooling(maker, *member, x, word_mask(options)), "logits"));
  }
  add_probabilities(out, logits);
  return out;
}

}  // namespace longhand::tasks
