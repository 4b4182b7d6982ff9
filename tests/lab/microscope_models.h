// Small models for the microscope's tests.
#pragma once

#include <string>

#include "longhand/lab/microscope.h"
#include "longhand/tasks/language_model.h"
#include "tests/testing.h"

namespace longhand::lab {

inline const std::string kVerse =
    "the cat (a \"small\" one) sat.\nThe dog 7 ran and ran to the cat; the end was near!\n";

// Writes a model with drawn weights, larger than usual, so that units move.
template <class Model>
tasks::ModelFile written(Model& model, const testing::TemporaryFolder& folder,
                         const std::string& name = "model.safetensors") {
  model.initialise(3);
  for (float& value : model.parameters().values()) value *= 3.0F;
  model.save(folder / name, model.parameters().values());
  return tasks::ModelFile::read(folder / name);
}

inline tasks::LanguageModelOptions language_options(int64_t embed) {
  tasks::LanguageModelOptions options;
  options.embed = embed;
  options.lstm.hidden = 7;
  options.lstm.layers = 2;
  return options;
}

inline tasks::ModelFile language_file(const tasks::LanguageModelOptions& options, const std::string& text,
                                      const testing::TemporaryFolder& folder) {
  tasks::LanguageModel model(options, data::build_vocabulary(text, options.text));
  return written(model, folder);
}

inline Microscope look(const tasks::ModelFile& file, const std::string& text, const MicroscopeOptions& options,
                       kernels::Context& context) {
  return examine(language_model_subject(file, text, "text", options, context), options, context);
}

}  // namespace longhand::lab
