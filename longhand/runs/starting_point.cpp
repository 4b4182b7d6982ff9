#include "longhand/runs/starting_point.h"

#include <fmt/core.h>

#include <utility>

#include "longhand/base/error.h"
#include "longhand/io/file.h"
#include "longhand/tasks/word_vocabulary_file.h"
#include "longhand/train/trainer.h"

namespace longhand::runs {
namespace {

std::optional<tasks::StartingModel> read_start(const std::string& path) {
  if (path.empty()) return std::nullopt;
  return tasks::StartingModel::read(path);
}

}  // namespace

void StartOptions::add_to(OptionTable& table, bool reverse) {
  table.add("from", from,
            reverse ? "model to start from, file or run folder: a language model of words or characters, a tagger or a "
                      "classifier"
                    : "language model to start from, file or run folder");
  if (!reverse) return;
  table.add("from-reverse", from_reverse,
            "language model trained with `reverse`, from which the reverse direction starts");
}

void StartOptions::check(const std::string& vectors) const {
  if (!any() || vectors.empty()) return;
  throw usage_error("`vectors`: cannot be combined with `from` or `from-reverse`",
                    "both set the embeddings; leave one of them out, or train the language model with these vectors' "
                    "words");
}

void follow(const StartOptions& options, bool of_language_model, OptionTable& table) {
  if (!options.any()) return;
  *options.models = {options.from, options.from_reverse, read_start(options.from), read_start(options.from_reverse)};
  const std::optional<tasks::StartingModel>&forward = options.models->forward, &reverse = options.models->reverse;
  const tasks::StartingModels from{forward ? &*forward : nullptr, reverse ? &*reverse : nullptr};
  for (const auto& [name, value] :
       of_language_model ? tasks::options_for_language_model(from) : tasks::options_for_words(from)) {
    const Option* option = table.find(name);
    LONGHAND_CHECK(option != nullptr);
    const bool set = option->given || option->text() != option->default_text;
    if (set && option->text() != value) {
      if (name == "bidirectional" && reverse) {
        throw usage_error("`from-reverse`: cannot be combined with `bidirectional` false",
                          "leave out one of the two: the model is for the reverse direction");
      }
      throw usage_error(fmt::format("`{}`: expected {}, as in {}, found {}", name, value,
                                    forward ? options.from : options.from_reverse, option->text()),
                        fmt::format("leave `{}` out: it follows from the model", name));
    }
    if (!set) table.set(*option, value, "`" + name + "`");
  }
}

StartingPoint::StartingPoint(const StartOptions& options, const std::string& resumed) {
  if (!options.any()) return;
  if (!resumed.empty() && io::exists(train::RunFiles(resumed).model)) {
    own_.emplace(tasks::ModelFile::read(resumed));
    return;
  }
  ReadModels taken = std::exchange(*options.models, {});
  const bool has_both = taken.from == options.from && taken.from_reverse == options.from_reverse;
  forward_ = has_both ? std::move(taken.forward) : read_start(options.from);
  reverse_ = has_both ? std::move(taken.reverse) : read_start(options.from_reverse);
}

tasks::StartingModels StartingPoint::models() const {
  return {forward_ ? &*forward_ : nullptr, reverse_ ? &*reverse_ : nullptr};
}

void StartingPoint::extend(data::WordVocabulary& vocabulary, bool lowercase, int64_t max_words) const {
  if (own_) {
    vocabulary = tasks::read_word_vocabulary(*own_);
  } else {
    tasks::add_known_words(models(), lowercase, max_words, vocabulary);
  }
}

std::string StartingPoint::fill(const tasks::TransferTarget& target) const {
  const tasks::StartingModels from = models();
  return from.any() ? tasks::transfer(from, target) : "";
}

}  // namespace longhand::runs
