// The baseline of each task, as a run fits it and an evaluation reads it.
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "longhand/baselines/linear_classifier.h"
#include "longhand/baselines/linear_crf.h"
#include "longhand/baselines/ngram.h"
#include "longhand/baselines/tag_frequency.h"
#include "longhand/runs/baseline.h"
#include "longhand/tasks/classifier_task.h"
#include "longhand/tasks/language_model.h"

namespace longhand::runs {

/// Of a language model: an n-gram model of the same symbols.
struct LanguageBaseline {
  baselines::Ngram model;
  std::string name, note;

  static constexpr int64_t kMostSymbols = 10'000'000;  ///< at order 10 a quarter of a minute, and 1 GiB

  /// The order is chosen on the held-out text, or, where that has no symbols, on the end of the training text. Of that
  /// the first `most` symbols are counted.
  static LanguageBaseline fit(const tasks::LanguageModel& of, const data::Corpus& train, const data::Corpus& held_out,
                              int64_t most = kMostSymbols);
  /// Throws an input error for a file that is damaged, or belongs to a model with another vocabulary.
  static LanguageBaseline read(const std::string& path, const tasks::LanguageModel& of);
  void write(const std::string& path, const tasks::LanguageModel& of) const;
  /// loss, perplexity; of at most kMostSymbols
  BaselineFindings measure(const data::Corpus& corpus) const;
};

/// Of a tagger: a linear-chain CRF where tags are of chunks, else the most frequent tag of each word.
struct TaggerBaseline {
  std::variant<baselines::TagFrequency, baselines::LinearCrf> model;
  std::string name, note;

  static TaggerBaseline fit(std::span<const data::TaggedSentence> train, data::Scheme scheme, ThreadPool& pool);
  static TaggerBaseline read(const std::string& path);
  void write(const std::string& path) const;
  /// f1, precision, recall (where tags are of chunks), accuracy
  BaselineFindings measure(std::span<const data::TaggedSentence> sentences) const;
};

/// Of a classifier: logistic regression on words, or words and pairs.
struct ClassifierBaseline {
  baselines::LinearClassifier model;
  std::string name, note;

  /// What was fitted on some of `texts` texts.
  static ClassifierBaseline of(baselines::ChosenLinearClassifier chosen, int64_t texts);
  /// Throws an input error for a file that is damaged, or belongs to a model with other classes.
  static ClassifierBaseline read(const std::string& path, const tasks::Classifier& of);
  void write(const std::string& path, const tasks::Classifier& of) const;
  /// accuracy, macro_f1, loss
  BaselineFindings measure(const tasks::LabelledCorpus& corpus) const;
};

/// What usually helps a model that is not better than its baseline.
extern const char* const kLanguageAdvice;
extern const char* const kTaggerAdvice;
extern const char* const kClassifierAdvice;

}  // namespace longhand::runs
