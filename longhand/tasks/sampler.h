// Drawing symbols from a language model's predictions, and writing text with them.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "longhand/nn/step.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/verse.h"

namespace longhand::tasks {

/// Chooses among the logits. `index` numbers the draws of a text, and with the seed determines the random number. Ties
/// go to the lower index. Symbols with `banned[i]` true are never chosen. Throws an input error for a logit that is not
/// finite.
int32_t sample(std::span<const float> logits, const std::vector<bool>& banned, const SamplerOptions& options,
               uint64_t index);

/// Reads a text symbol by symbol: with single steps where the model is one of LSTM layers and the engine is the fused
/// one, else as a batch of one.
class TextReader {
 public:
  /// The model must outlive it, and so must `steps`, its weights for single steps (null: they are packed here).
  /// Not for bidirectional models, which cannot continue a text.
  TextReader(const LanguageModel& model, nn::Engine engine, const nn::StepWeights* steps = nullptr);

  void reset();
  /// Returns the logits [V] of the next symbol, good until the next call.
  std::span<const float> read(int32_t symbol);

 private:
  const LanguageModel& model_;
  std::optional<nn::StepWeights> own_steps_;
  std::optional<nn::Stepper> stepper_;
  std::vector<float> logits_;
  // Or, without single steps:
  kernels::Context context_{1};  // one symbol at a time leaves nothing to share out
  std::optional<LanguageModel::Workspace> workspace_;
  LanguageModel::State state_;
};

/// Continues `prompt`, normalised as the model's training text was, by `length` symbols, and calls `emit` with each
/// piece of text as it is drawn; `emit` returns false to stop. The model begins with a zero state (or its trained
/// initial one) and reads the context and the prompt. Where no context is given, a model of a stream reads a line's
/// end, or where it knows none a blank, unless the prompt begins with one of them. With `lines` every <eos> ends a
/// line, and the next begins afresh; so does a poem in a form of verse when that is full, all beginning with the
/// prompt. Throws an input error for a symbol of prompt or context that the model does not know, unless `unknown`
/// allows it, and a usage error for a prompt that is not in the form, for a form or count of a model that was not
/// trained on lines, or for a context of one that was. Not for models that have a reason why_not_generate.
void generate(const LanguageModel& model, const std::string& prompt, int64_t length, const SamplerOptions& options,
              data::Unknown unknown, TextReader& reader, const std::function<bool(const std::string&)>& emit);

}  // namespace longhand::tasks
