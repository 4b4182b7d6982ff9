// Drawing symbols from a language model's predictions, and writing text with them.
#pragma once

#include <functional>
#include <string>

#include "longhand/tasks/language_model.h"
#include "longhand/tasks/verse.h"

namespace longhand::tasks {

/// How the next symbol is chosen from its distribution.
struct SamplerOptions {
  double temperature = 1.0;  ///< logits are divided by it
  int64_t top_k = 0;         ///< only the k most probable; 0: all
  double top_p = 1.0;        ///< only the most probable that together reach this probability (Holtzman et al. 2020)
  bool greedy = false;       ///< the most probable
  int64_t seed = 0;
  std::string context;  ///< of a model of a stream: text that is read before the prompt, and not written
  int64_t count = 0;    ///< of a model of lines: so many lines, however long; 0: as long as it may be
  VerseOptions verse;   ///< of a model of lines

  void add_to(OptionTable& table);
};

/// Chooses among the logits. `index` numbers the draws of a text, and with the seed determines the random number. Ties
/// go to the lower index. Symbols with `banned[i]` true are never chosen. Throws an input error for a logit that is not
/// finite.
int32_t sample(std::span<const float> logits, const std::vector<bool>& banned, const SamplerOptions& options,
               uint64_t index);

/// Continues `prompt`, normalised as the model's training text was, by `length` symbols, and calls `emit` with each
/// piece of text as it is drawn; `emit` returns false to stop. The model begins with a zero state (or its trained
/// initial one) and reads the context and the prompt. Where no context is given, a model of a stream reads a line's
/// end, or where it knows none a blank, unless the prompt begins with one of them. With `lines` every <eos> ends a
/// line, and the next begins afresh; so does a poem in a form of verse when that is full, all beginning with the
/// prompt. Throws an input error for a symbol of prompt or context that the model does not know, unless `unknown`
/// allows it, and a usage error for a prompt that is not in the form, for a form or count of a model that was not
/// trained on lines, or for a context of one that was.
void generate(const LanguageModel& model, const std::string& prompt, int64_t length, const SamplerOptions& options,
              data::Unknown unknown, nn::Engine engine, const std::function<bool(const std::string&)>& emit);

}  // namespace longhand::tasks
