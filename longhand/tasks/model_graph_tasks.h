// The graphs of the tasks, one file each: model_graph.h says what they have. Not for others than model_graph.cpp.
#pragma once

#include "longhand/tasks/classifier.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/model_graph.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/tagger.h"

namespace longhand::tasks {

// `path` begins the errors.
graph::Graph graph_of(const LanguageModel& model, const std::string& path, const ModelGraphOptions& options);
graph::Graph graph_of(const Tagger& model, const std::string& path, const ModelGraphOptions& options);
graph::Graph graph_of(const Classifier& model, const std::string& path, const ModelGraphOptions& options);
graph::Graph graph_of(const Regressor& model, const std::string& path, const ModelGraphOptions& options);

/// The members of an ensemble, or the only model.
template <class Model>
std::vector<const Model*> members_of(const Model& model) {
  std::vector<const Model*> out{&model};
  for (const auto& other : model.others()) out.push_back(other.get());
  return out;
}

}  // namespace longhand::tasks
