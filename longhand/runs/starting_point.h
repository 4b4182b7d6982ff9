// Starting a run from trained models: the options, and what the runs of all tasks do with them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "longhand/base/options.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/language_model.h"
#include "longhand/tasks/tagger.h"
#include "longhand/tasks/transfer.h"

namespace longhand::runs {

/// Models that were read to learn which options follow from them, until a run takes them.
struct ReadModels {
  std::string from, from_reverse;  ///< what was read
  std::optional<tasks::StartingModel> forward, reverse;
};

struct StartOptions {
  std::string from;          ///< a model file or the folder of a run; empty: none
  std::string from_reverse;  ///< the same, for the reverse direction
  /// Shared with copies of these options, so that each model is read once; no option.
  std::shared_ptr<ReadModels> models = std::make_shared<ReadModels>();

  bool any() const { return !from.empty() || !from_reverse.empty(); }
  /// `reverse`: whether a model for the reverse direction can be given.
  void add_to(OptionTable& table, bool reverse);
  /// Throws a usage error where word vectors are given too.
  void check(const std::string& vectors) const;
};

/// Reads the models, and sets the options in the table that follow from them. Throws a usage error for one that was
/// given another value, and what StartingModel::read throws.
void follow(const StartOptions& options, bool of_language_model, OptionTable& table);

/// The models that a run starts from, or the run's own model where it is resumed: the former may be gone by then.
class StartingPoint {
 public:
  /// `resumed` is the folder of a run that is resumed, or empty. Throws what StartingModel::read throws.
  StartingPoint(const StartOptions& options, const std::string& resumed);

  /// Adds the words that the models know, at most `max_words`; see tasks::add_known_words.
  void extend(data::WordVocabulary& vocabulary, bool lowercase, int64_t max_words) const;
  /// Fills the model, which is initialised; see tasks::transfer. Returns lines for the user, or nothing.
  template <class WordModel>
  std::string fill(WordModel& model) const {
    return fill({.model = model,
                 .lstm = model.options().lstm,
                 .words = &model.vocabulary(),
                 .encoder = model.options().encoder});
  }
  std::string fill(tasks::LanguageModel& model) const {
    return fill({.model = model, .lstm = model.options().lstm, .symbols = &model.vocabulary()});
  }

 private:
  std::string fill(const tasks::TransferTarget& target) const;
  tasks::StartingModels models() const;

  std::optional<tasks::StartingModel> forward_, reverse_;
  std::optional<tasks::ModelFile> own_;
};

}  // namespace longhand::runs
