// Starting a model from trained ones: embeddings by word or character, and layers (Dai and Le 2015). docs/transfer.md
// says what happens to each weight.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "longhand/data/words.h"
#include "longhand/nn/word_encoder.h"
#include "longhand/tasks/network_model.h"

namespace longhand::tasks {

/// A trained model that another one starts from: a language model, a tagger or a classifier.
struct StartingModel {
  /// Reads a model file, or the one in a run's folder. Throws an input error for a file that is damaged, and a usage
  /// error for a model of another task.
  static StartingModel read(const std::string& path);

  /// A language model that reads characters.
  bool of_characters() const { return level == "char"; }
  bool is_language_model() const { return !level.empty(); }
  /// A parameter of the model, or null.
  const Parameter* find(const std::string& name) const;
  const float* values(const Parameter& parameter) const {
    return model->parameters().values().data() + parameter.offset;
  }

  std::string path;
  std::string task;   ///< "language model", "tagger", "classifier"
  std::string level;  ///< of a language model
  bool reverse = false;
  nn::LstmOptions lstm;
  nn::WordEncoderOptions encoder;  ///< of a language model: `embed` alone, and that of its symbols
  data::Vocabulary words;          ///< of a language model: its symbols
  data::Vocabulary shapes, characters;
  /// Names and values of the options that a model of the same kind must share.
  std::vector<std::pair<std::string, std::string>> shared;
  std::shared_ptr<const NetworkModel> model;
};

/// The models that one starts from: both, or one of them; null: none.
struct StartingModels {
  const StartingModel* forward = nullptr;
  const StartingModel* reverse = nullptr;  ///< a language model that reads its text from the end

  bool any() const { return forward != nullptr || reverse != nullptr; }
};

/// Names and values of the options that a tagger or classifier must have to start from these. Throws a usage error
/// where they do not fit each other, or have nothing to give.
std::vector<std::pair<std::string, std::string>> options_for_words(const StartingModels& from);
/// The same of a language model.
std::vector<std::pair<std::string, std::string>> options_for_language_model(const StartingModels& from);

/// Appends the words, shapes and characters that only these models know, at most `max_words` words, in their order.
/// With `lowercase`, words are turned into lower case.
void add_known_words(const StartingModels& from, bool lowercase, int64_t max_words, data::WordVocabulary& vocabulary);

/// What is filled, already initialised.
struct TransferTarget {
  NetworkModel& model;
  const nn::LstmOptions& lstm;
  const data::WordVocabulary* words = nullptr;  ///< of taggers and classifiers, and
  nn::WordEncoderOptions encoder{};
  const data::Vocabulary* symbols = nullptr;  ///< of a language model
};

/// Copies what fits. Where a layer reads more than it did in the model that it comes from, the other weights become
/// zeros, so that it computes the same. Vectors of symbols that the models lack stay as they were drawn, scaled to the
/// spread of the others. Returns lines for the user: what was taken, what not, and what is as drawn. Throws a usage
/// error where sizes do not fit, which `options_for_words` prevents.
std::string transfer(const StartingModels& from, const TransferTarget& target);

}  // namespace longhand::tasks
