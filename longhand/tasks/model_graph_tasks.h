// The graphs of the tasks, one file per task; model_graph.h documents their inputs and outputs. Internal: only
// model_graph.cpp uses this header.
#pragma once

#include "longhand/tasks/classifier.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/model_graph.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/tagger.h"

namespace longhand::tasks {

// Error messages begin with `path`.
graph::Graph graph_of(const LanguageModel& model, const std::string& path, const ModelGraphOptions& options);
graph::Graph graph_of(const Tagger& model, const std::string& path, const ModelGraphOptions& options);
graph::Graph graph_of(const Classifier& model, const std::string& path, const ModelGraphOptions& options);
graph::Graph graph_of(const Regressor& model, const std::string& path, const ModelGraphOptions& options);

/// Returns the members of an ensemble, or the single model.
template <class Model>
std::vector<const Model*> members_of(const Model& model) {
  std::vector<const Model*> out{&model};
  for (const auto& other : model.others()) out.push_back(other.get());
  return out;
}

}  // namespace longhand::tasks
