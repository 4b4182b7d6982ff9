// A run of a small model, in as many sittings as a test wants, and what is in its folder then.
#pragma once

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "longhand/data/builtin.h"
#include "longhand/io/safetensors.h"
#include "longhand/tasks/language_model_task.h"
#include "longhand/train/trainer.h"
#include "tests/testing.h"

namespace longhand::train {

struct Recipe {
  tasks::LanguageModelOptions model;
  TrainOptions training;
  std::string text;
  tasks::LanguageTaskOptions how{.groups = {.batch = 4, .seed = 9}, .bptt = 12};
  double valid_fraction = 0.2;
  kernels::Precision precision = kernels::Precision::kFloat;
  bool sparse_embedding = false;
};

inline std::string some_prose(size_t size = 1500) {
  return std::string(data::find_builtin("tale")->text.substr(0, size));
}
inline std::string some_verse(size_t lines = 40) {
  return std::string(data::find_builtin("quatrains")->text.substr(0, 85 * lines));
}

/// One sitting: a fresh model on fresh threads, as a process would have them. Stops after `stop_after` updates in all.
inline TrainResult sitting(const Recipe& recipe, const std::string& folder, bool resume, int threads,
                           int64_t stop_after = INT64_MAX, const std::function<void(const Progress&)>& on_step = {},
                           distributed::Communicator* ranks = nullptr) {
  const data::TextOptions& text = recipe.model.text;
  const data::Vocabulary vocabulary = data::build_vocabulary(recipe.text, text);
  tasks::LanguageModel model(recipe.model, vocabulary);
  data::Corpus corpus = data::encode(recipe.text, text, vocabulary, data::Unknown::kError, "test");
  data::Corpus valid;
  if (recipe.valid_fraction > 0.0) valid = data::split_off(corpus, recipe.valid_fraction, text.lines);
  model.initialise(9);
  if (recipe.sparse_embedding) model.use_sparse_embedding();
  kernels::Context context(threads);
  context.precision = recipe.precision;
  tasks::LanguageModelTask task(model, corpus, valid, recipe.how, context);
  int64_t steps = 0;
  Trainer trainer(task, recipe.training, folder, context,
                  {.on_step =
                       [&](const Progress& p) {
                         steps = p.step;
                         if (on_step) on_step(p);
                       },
                   .on_evaluation = {},
                   .should_stop = [&] { return steps >= stop_after; }},
                  {}, {.shards = recipe.how.groups.shards, .ranks = ranks});
  if (resume) trainer.resume();
  return trainer.run();
}

/// The lines of metrics.jsonl without what is measured in seconds.
inline std::vector<nlohmann::json> metrics(const std::string& folder) {
  std::vector<nlohmann::json> out;
  std::ifstream file(RunFiles(folder).metrics);
  for (std::string line; std::getline(file, line);) {
    out.push_back(nlohmann::json::parse(line));
    out.back().erase("seconds");
    out.back().erase("tokens_per_second");
  }
  return out;
}

/// The arrays of a checkpoint.
inline std::map<std::string, std::vector<float>> arrays(const std::string& folder) {
  const io::Safetensors file = io::Safetensors::read(RunFiles(folder).checkpoint);
  std::map<std::string, std::vector<float>> out;
  for (const auto& [name, tensor] : file.tensors()) {
    out[name].resize(static_cast<size_t>(tensor.shape.at(0)));
    file.copy_floats(name, tensor.shape, out[name]);
  }
  return out;
}

/// Where a checkpoint's run stands, without what is measured in seconds or depends on how long it took.
inline nlohmann::json state(const std::string& folder) {
  nlohmann::json out = nlohmann::json::parse(io::Safetensors::read(RunFiles(folder).checkpoint).text("state"));
  for (const char* name : {"seconds", "epoch_seconds", "metrics_bytes"}) out.erase(name);
  return out;
}

}  // namespace longhand::train
