#include "longhand/base/error.h"
#include "longhand/tasks/model_graph_tasks.h"
#include "longhand/tasks/word_graph.h"

namespace longhand::tasks {

graph::Graph graph_of(const Tagger& model, const std::string& path, const ModelGraphOptions& options) {
  bool has_crf = false;
  for (const Tagger* member : members_of(model)) has_crf = has_crf || member->options().crf;
  if (model.is_ensemble() && has_crf) {
    throw input_error(path + ": expected one tagger, or taggers without a CRF, found an ensemble with CRFs",
                      "the mean of CRFs needs their marginals, which no graph has; export one of the members");
  }
  graph::Graph out;
  std::vector<std::string> logits;
  for (const Tagger* member : members_of(model)) {
    add_word_inputs(out, member->options().encoder, options);
    GraphMaker maker(out, graph_prefix(logits.size(), model.is_ensemble()));
    logits.push_back(maker.output(member->network(), add_word_layers(maker, member->network(), options), "logits"));
  }
  if (has_crf) {
    out.outputs.push_back({.name = "logits", .dims = {}});
  } else {
    add_probabilities(out, logits);
  }
  return out;
}

}  // namespace longhand::tasks
