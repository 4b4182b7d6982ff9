// What is in a Model: for the sources beside it, and for commands that read files as the model was trained on them.
#pragma once

#include <mutex>
#include <optional>

#include "longhand/graph/stepper.h"
#include "longhand/model.h"
#include "longhand/nn/step.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/regressor.h"
#include "longhand/tasks/tagger.h"

namespace longhand {

struct LONGHAND_LOCAL Model::Parts {
  // One of these five.
  std::unique_ptr<const tasks::LanguageModel> language_model;
  std::unique_ptr<const tasks::Tagger> tagger;
  std::unique_ptr<const tasks::Classifier> classifier;
  std::unique_ptr<const tasks::Regressor> regressor;
  std::shared_ptr<const graph::Network> layers;

  graph::StepShape step_shape;  // of a network of layers

  std::vector<std::string> input_names, output_names;
  std::vector<size_t> base_inputs;   // where a regressor that reads its targets' past finds it in its input
  std::vector<float> output_scales;  // what multiplies a regressor's outputs; empty: ones

  /// Calls `use` with that one; not for a network of layers.
  template <class Use>
  decltype(auto) with(const Use& use) const {
    if (language_model) return use(*language_model);
    if (tagger) return use(*tagger);
    return classifier ? use(*classifier) : use(*regressor);
  }

  /// Of an ensemble, the first member's.
  const nn::Network& network() const;
  /// The weights as single steps read them, packed by whoever asks first.
  const nn::StepWeights& step_weights() const;

  mutable std::once_flag step_weights_made;
  mutable std::optional<nn::StepWeights> step_weights_kept;
};

/// A regressor's numbers, from the data's units to the network's and back. (A language model has none.)
class LONGHAND_LOCAL RegressorUnits {
 public:
  explicit RegressorUnits(const Model& model) : parts_(model.parts()) {}

  /// x: as a stream reads it; z: [inputs of the network]
  void standardise(const float* x, float* z) const noexcept {
    const std::vector<data::Scale>& scales = parts_.regressor->columns().input_scales;
    for (size_t i = 0; i < scales.size(); ++i) z[i] = static_cast<float>(scales[i].apply(static_cast<double>(x[i])));
  }

  /// What a regressor of differences (from the last value) adds to its predictions: bases [targets], standardised.
  void find_bases(const float* x, float* bases) const noexcept {
    for (size_t o = 0; o < parts_.base_inputs.size(); ++o) {
      const data::Scale& scale = parts_.regressor->columns().target_scales[o];
      bases[o] = static_cast<float>(scale.apply(static_cast<double>(x[parts_.base_inputs[o]])));
    }
  }

  /// y: [outputs] standardised, overwritten
  void undo(const float* bases, float* y) const noexcept {
    const std::vector<data::Scale>& scales = parts_.regressor->columns().target_scales;
    const size_t O = scales.size(), n = parts_.output_names.size();
    for (size_t j = 0, o = 0; j < n; ++j, o = o + 1 == O ? 0 : o + 1) {
      if (!parts_.output_scales.empty()) y[j] *= parts_.output_scales[j];
      if (!parts_.base_inputs.empty()) y[j] += bases[o];
      y[j] = static_cast<float>(scales[o].undo(static_cast<double>(y[j])));
    }
  }

 private:
  const Model::Parts& parts_;
};

/// Throws a usage error for a null pointer, and an input error unless the model is for this task.
void expect_task(const Model* model, Task task);

}  // namespace longhand
