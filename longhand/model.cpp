#include "longhand/model.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/model_parts.h"
#include "longhand/tasks/graph_file.h"

namespace longhand {
namespace {

// What a regressor reads and writes at a step.
void name_columns(Model::Parts& parts) {
  const tasks::Columns& columns = parts.regressor->columns();
  parts.input_names = columns.inputs;
  for (const std::string& target : columns.targets) {
    if (!parts.regressor->reads_targets()) continue;
    const auto found = std::find(parts.input_names.begin(), parts.input_names.end(), target);
    parts.base_inputs.push_back(static_cast<size_t>(found - parts.input_names.begin()));
    if (found == parts.input_names.end()) parts.input_names.push_back(target);
  }
  const std::vector<double>& scales = parts.regressor->residual_scales();
  for (size_t j = 0; j < scales.size(); ++j) {
    parts.output_scales.push_back(parts.regressor->gain() * static_cast<float>(scales[j]));
  }
  for (int64_t ahead = 0; ahead < parts.regressor->ahead(); ++ahead) {
    parts.output_names.insert(parts.output_names.end(), columns.targets.begin(), columns.targets.end());
  }
}

// "name.0", "name.1", ... for each port; of one port with one number, its name.
std::vector<std::string> numbered(const std::vector<graph::Port>& ports, const std::vector<graph::Plan::View>& views) {
  std::vector<std::string> out;
  for (size_t i = 0; i < ports.size(); ++i) {
    const int64_t n = graph::count(views[i].dims);
    for (int64_t j = 0; j < n; ++j) out.push_back(n == 1 ? ports[i].name : fmt::format("{}.{}", ports[i].name, j));
  }
  return out;
}

void read_layers(const tasks::ModelFile& file, Model::Parts& parts) {
  parts.layers = std::make_shared<const graph::Network>(tasks::read_network(file), file.path());
  const graph::Graph& graph = parts.layers->graph();
  parts.step_shape = graph::step_shape(parts.layers);
  if (!parts.step_shape.why_no_steps.empty()) return;
  const graph::Plan plan(parts.layers, {});
  if (parts.step_shape.symbols == 0) parts.input_names = numbered(graph.inputs, plan.inputs());
  const bool of_symbols = static_cast<int64_t>(graph.symbols.size()) == parts.step_shape.outputs;
  parts.output_names = of_symbols ? graph.symbols : numbered(graph.outputs, plan.outputs());
}

std::unique_ptr<Model::Parts> read_parts(const tasks::ModelFile& file) {
  auto parts = std::make_unique<Model::Parts>();
  if (file.task() == tasks::kNetworkTask) {
    read_layers(file, *parts);
  } else if (file.task() == tasks::Tagger::kTask) {
    parts->tagger = tasks::Tagger::load(file);
    parts->output_names = parts->tagger->labels();
  } else if (file.task() == tasks::Classifier::kTask) {
    parts->classifier = tasks::Classifier::load(file);
    parts->output_names = parts->classifier->classes();
  } else if (file.task() == tasks::Regressor::kTask) {
    parts->regressor = tasks::Regressor::load(file);
    name_columns(*parts);
  } else {
    parts->language_model = tasks::LanguageModel::load(file);
    const data::Vocabulary& vocabulary = parts->language_model->vocabulary();
    for (int32_t s = 0; s < vocabulary.size(); ++s) parts->output_names.push_back(vocabulary.symbol(s));
  }
  return parts;
}

}  // namespace

std::string_view name_of(Task task) {
  switch (task) {
    case Task::kLanguageModel: return "language model";
    case Task::kTagger: return "tagger";
    case Task::kClassifier: return "classifier";
    case Task::kRegressor: return "regressor";
    case Task::kNetwork: return "network";
  }
  return "";
}

const nn::Network& Model::Parts::network() const {
  return with([](const auto& model) -> const nn::Network& { return model.network(); });
}

const nn::StepWeights& Model::Parts::step_weights() const {
  std::call_once(step_weights_made, [&] { step_weights_kept.emplace(network()); });
  return *step_weights_kept;
}

Model::Model(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Model::~Model() = default;

std::shared_ptr<const Model> Model::load(const std::string& path) {
  return std::shared_ptr<const Model>(new Model(read_parts(tasks::ModelFile::read(path))));
}

std::shared_ptr<const Model> Model::load(const std::string& path, Task task) {
  const tasks::ModelFile file = tasks::ModelFile::read(path);
  switch (task) {  // before the model is built
    case Task::kLanguageModel: file.expect_task(tasks::LanguageModel::kTask); break;
    case Task::kTagger: file.expect_task(tasks::Tagger::kTask); break;
    case Task::kClassifier: file.expect_task(tasks::Classifier::kTask); break;
    case Task::kRegressor: file.expect_task(tasks::Regressor::kTask); break;
    case Task::kNetwork: file.expect_task(tasks::kNetworkTask); break;
  }
  return std::shared_ptr<const Model>(new Model(read_parts(file)));
}

std::shared_ptr<const Model> Model::load(std::span<const std::byte> file, const std::string& name) {
  std::string contents(reinterpret_cast<const char*>(file.data()), file.size());
  return std::shared_ptr<const Model>(new Model(read_parts(tasks::ModelFile::parse(name, std::move(contents)))));
}

Task Model::task() const {
  if (parts_->layers) return Task::kNetwork;
  if (parts_->tagger) return Task::kTagger;
  if (parts_->classifier) return Task::kClassifier;
  return parts_->regressor ? Task::kRegressor : Task::kLanguageModel;
}

int64_t Model::parameters() const {
  if (parts_->layers) return parts_->layers->graph().parameters();
  return parts_->with([](const auto& model) { return model.parameter_count(); });
}

int64_t Model::members() const {
  if (parts_->layers) return 1;
  return parts_->with([](const auto& model) { return model.members(); });
}

const std::vector<std::string>& Model::input_names() const { return parts_->input_names; }
const std::vector<std::string>& Model::output_names() const { return parts_->output_names; }

int32_t Model::find_symbol(std::string_view symbol) const noexcept {
  if (parts_->layers) {
    const std::vector<std::string>& symbols = parts_->layers->graph().symbols;
    const auto found = std::find(symbols.begin(), symbols.end(), symbol);
    return found == symbols.end() ? -1 : static_cast<int32_t>(found - symbols.begin());
  }
  return parts_->language_model ? parts_->language_model->vocabulary().find(symbol) : -1;
}

std::string Model::why_no_stream() const {
  if (parts_->layers) return parts_->step_shape.why_no_steps;
  const nn::LstmOptions& lstm = parts_->network().options().lstm;
  if (members() > 1) return fmt::format("an ensemble of {} models has no single state", members());
  if (parts_->tagger || parts_->classifier) return fmt::format("a {} reads whole texts", task_name());
  if (lstm.bidirectional) return "a bidirectional model reads whole sequences, since it also reads them backwards";
  if (parts_->language_model && parts_->language_model->options().text.reverse) {
    return "a model with `reverse` reads whole texts, from their end";
  }
  if (parts_->regressor && !parts_->regressor->unusual().empty()) {
    return "it is a regressor with " + parts_->regressor->unusual();
  }
  if (parts_->regressor && parts_->regressor->reads_whole_windows()) {
    return "its forecast depends on a whole window at once (`residual-of` linear or seasonal, or `normalise` window)";
  }
  if (!lstm.is_lstm()) return "only LSTM layers can be read step by step, and this model has the cell " + lstm.cell;
  return "";
}

void expect_task(const Model* model, Task task) {
  if (model == nullptr) throw usage_error("expected a model, found a null pointer", "load a model first");
  if (model->task() == task) return;
  throw input_error(fmt::format("expected a {}, found a {}", name_of(task), model->task_name()),
                    "load a model that was trained for this task");
}

}  // namespace longhand
