// A small file of every kind of baseline, and how each is read.
#pragma once

#include "longhand/baselines/linear_classifier.h"
#include "longhand/baselines/linear_crf.h"
#include "longhand/baselines/ngram.h"
#include "longhand/baselines/ridge.h"
#include "longhand/baselines/tag_frequency.h"

namespace longhand::baselines {

template <class Model>
BaselineWriter writer_of(const Model& model) {
  BaselineWriter out(Model::kKind);
  model.write(out);
  return out;
}

inline std::vector<BaselineWriter> all_kinds() {
  data::Corpus corpus;
  corpus.symbols = {0, 1, 2, 1, 0, 1, 1, 2};
  corpus.starts = {0, 8};
  const std::vector<data::TaggedSentence> sentences = {{{"in", "Rome", "now"}, {"O", "B-LOC", "O"}, {}}};
  const data::Words a = {"good", "film"}, b = {"bad", "film"};
  const std::vector<const data::Words*> texts = {&a, &b};
  const std::vector<int32_t> classes = {0, 1};
  ThreadPool pool(1);
  const Ridge ridge{.columns = {"a", "b"},
                    .window = 1,
                    .outputs = 1,
                    .penalty = 1.0,
                    .coefficients = {1.0F, 2.0F},
                    .intercept = {0.5F}};
  return {writer_of(fit_ngram(corpus, 3, 3)), writer_of(TagFrequency::fit(sentences)),
          writer_of(LinearCrf::fit(sentences, data::Scheme::kIob2, {}, pool)),
          writer_of(LinearClassifier::fit(texts, classes, 2, {})), writer_of(ridge)};
}

/// Reads a file of any of these, and asks it.
inline void read_and_ask(const BaselineFile& file) {
  if (file.kind() == Ngram::kKind) {
    const Ngram model = Ngram::read(file);
    Ngram::History history(model);
    for (int32_t i = 0; i < 20; ++i) history.next(static_cast<int32_t>(i % model.symbols()));
  }
  if (file.kind() == TagFrequency::kKind) TagFrequency::read(file).tag("Word");
  if (file.kind() == LinearCrf::kKind) LinearCrf::read(file).tag({"in", "Rome", "7"});
  if (file.kind() == LinearClassifier::kKind) LinearClassifier::read(file).probabilities({"a", "film"});
  if (file.kind() == Ridge::kKind) Ridge::read(file);
}

}  // namespace longhand::baselines
