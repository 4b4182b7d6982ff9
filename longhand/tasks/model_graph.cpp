#include "longhand/tasks/model_graph.h"

#include "longhand/base/error.h"
#include "longhand/tasks/graph_file.h"
#include "longhand/tasks/model_graph_tasks.h"
#include "longhand/tasks/regressor_graph.h"

namespace longhand::tasks {
namespace {

template <class Model>
graph::Graph graph_of_file(const ModelFile& file, const ModelGraphOptions& options) {
  graph::Graph out = graph_of(*load_ensemble<Model>(file), file.path(), options);
  out.source = "longhand " + file.task();
  graph::check(out, file.path());
  return out;
}

std::string dumped(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Returns [rows][columns] as JSON; zeros if `values` is null.
template <class T>
nlohmann::json matrix(const T* values, int64_t rows, int64_t columns) {
  nlohmann::json out = nlohmann::json::array();
  for (int64_t i = 0; i < rows; ++i) {
    nlohmann::json row = nlohmann::json::array();
    for (int64_t j = 0; j < columns; ++j) row.push_back(values == nullptr ? T(0) : values[i * columns + j]);
    out.push_back(std::move(row));
  }
  return out;
}

void add_tagger_texts(const ModelFile& file, std::map<std::string, std::string>& texts) {
  const auto model = load_ensemble<Tagger>(file);
  texts["labels"] = dumped(model->labels());
  const nn::CrfLayer<float> crf = model->crf();
  if (crf.transitions == nullptr && crf.allowed == nullptr) return;
  const int64_t K = crf.labels;
  nlohmann::json out = {{"transitions", matrix(crf.transitions, K, K)},
                        {"start", matrix(crf.start, 1, K)[0]},
                        {"end", matrix(crf.end, 1, K)[0]}};
  if (crf.allowed != nullptr) out["allowed"] = matrix(crf.allowed, K + 1, K + 1);
  texts["crf"] = dumped(out);
}

nlohmann::json all_options(const ModelFile& file) {
  if (!file.is_ensemble()) return file.stored_options();
  nlohmann::json out = nlohmann::json::array();
  for (size_t i = 0; i < file.members(); ++i) out.push_back(file.member(i).stored_options());
  return out;
}

}  // namespace

graph::Graph model_graph(const ModelFile& file, const ModelGraphOptions& options) {
  if (file.task() == LanguageModel::kTask) return graph_of_file<LanguageModel>(file, options);
  if (file.task() == Tagger::kTask) return graph_of_file<Tagger>(file, options);
  if (file.task() == Classifier::kTask) return graph_of_file<Classifier>(file, options);
  if (file.task() == Regressor::kTask) return graph_of_file<Regressor>(file, options);
  return read_network(file);
}

std::map<std::string, std::string> model_texts(const ModelFile& file) {
  std::map<std::string, std::string> out{{"task", file.task()}};
  if (file.task() == kNetworkTask) {
    const graph::Graph graph = read_network(file);
    if (graph.sample_rate > 0) out["sample_rate"] = std::to_string(graph.sample_rate);
    if (!graph.symbols.empty()) out["vocabulary"] = dumped({{"symbols", graph.symbols}});
    return out;
  }
  out["options"] = dumped(all_options(file));
  out["vocabulary"] = dumped(file.vocabulary());
  if (file.task() == Tagger::kTask) add_tagger_texts(file, out);
  if (file.task() == Classifier::kTask) out["labels"] = dumped(file.texts("classes"));
  if (file.task() == Regressor::kTask) out.merge(regressor_texts(*load_ensemble<Regressor>(file)));
  return out;
}

}  // namespace longhand::tasks
