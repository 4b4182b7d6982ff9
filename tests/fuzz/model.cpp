// Safetensors files, and models of every task.
#include "longhand/io/file.h"
#include "longhand/nn/step.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/model_file.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/tagger.h"
#include "tests/fuzz/fuzz.h"

namespace longhand::fuzz {

std::vector<std::string> seeds() {
  tasks::LanguageModelOptions options;
  options.lstm.hidden = 2;
  options.embed = 2;
  tasks::LanguageModel model(options, data::Vocabulary({"a", "b"}));
  model.initialise(1);
  const std::string path = "/dev/shm/longhand-fuzz-seed-" + std::to_string(::getpid());
  model.save(path, model.parameters().values());
  std::vector<std::string> out = {io::read_file(path)};
  for (const kernels::WeightType type : {kernels::WeightType::kBf16, kernels::WeightType::kInt8}) {
    tasks::ModelFile::parse("seed", out.front()).write_quantised(path, type);
    out.push_back(io::read_file(path));
  }
  const tasks::ModelFile one = tasks::ModelFile::parse("seed", out.front());
  const std::vector<tasks::ModelFile> two = {one, one};
  tasks::combine<tasks::LanguageModel>(two, path);
  out.push_back(io::read_file(path));
  tasks::RegressorOptions linear;
  linear.residual_of = "linear";
  linear.lstm.hidden = 2;
  tasks::Regressor regressor(
      linear, {.inputs = {"a"}, .targets = {"b"}, .input_scales = {{0.0, 1.0}}, .target_scales = {{0.0, 1.0}}});
  regressor.initialise(1);
  regressor.set_residual(baselines::Ridge{.columns = {"a", "b"},
                                          .window = 1,
                                          .outputs = 1,
                                          .penalty = 1.0,
                                          .coefficients = {1.0F, 2.0F},
                                          .intercept = {0.5F}},
                         {1.5});
  regressor.save(path, regressor.parameters().values());
  out.push_back(io::read_file(path));
  tasks::ClassifierOptions mixed;
  mixed.linear_share = 0.5;
  mixed.lstm.hidden = 2;
  mixed.encoder.embed = 2;
  const data::Words words = {"a", "b"};
  tasks::Classifier classifier(mixed, data::build_word_vocabulary({&words}, {}), {"c", "d"});
  classifier.initialise(1);
  const std::vector<const data::Words*> texts = {&words, &words};
  const std::vector<int32_t> classes = {0, 1};
  classifier.set_linear(baselines::LinearClassifier::fit(texts, classes, 2, {}));
  classifier.save(path, classifier.parameters().values());
  out.push_back(io::read_file(path));
  ::unlink(path.c_str());
  return out;
}

void read(std::string_view bytes) {
  const MemoryFile bytes_file(bytes);
  const tasks::ModelFile file = tasks::ModelFile::read(bytes_file.path());
  const std::string task = file.task();
  if (task == tasks::LanguageModel::kTask) {
    const auto model = tasks::LanguageModel::load(file);
    const nn::LstmOptions& lstm = model->options().lstm;
    if (!lstm.bidirectional && lstm.is_lstm() && !model->is_ensemble()) const nn::StepWeights weights(model->network());
  }
  if (task == tasks::Tagger::kTask) tasks::Tagger::load(file);
  if (task == tasks::Classifier::kTask) tasks::Classifier::load(file);
  if (task == tasks::Regressor::kTask) tasks::Regressor::load(file);
}

}  // namespace longhand::fuzz
