// The linear classifier that a classifier is compared with.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longhand/base/format.h"
#include "longhand/base/unicode.h"
#include "longhand/runs/task_baselines.h"

namespace longhand::runs {
namespace {

// As the classifier reads them.
data::Words words_of(const tasks::Classifier& model, const std::string& text) {
  data::Words words = model.tokenizer().words(text);
  if (model.options().words.lowercase) {
    for (std::string& word : words) word = lowercased(word);
  }
  return words;
}

}  // namespace

const char* const kClassifierAdvice =
    "starting from a language model, pretrained word vectors (`vectors`), more dropout and fewer units (`hidden`), or "
    "averaging several seeds";

ClassifierBaseline ClassifierBaseline::fit(const tasks::Classifier& of, const tasks::LabelledCorpus& train) {
  std::vector<data::Words> texts;
  std::vector<int32_t> classes;
  for (int64_t i = 0; i < train.size(); ++i) {
    texts.push_back(words_of(of, train.example(i).text));
    classes.push_back(train.class_of(i));
  }
  std::vector<const data::Words*> pointers;
  for (const data::Words& words : texts) pointers.push_back(&words);
  auto [model, used] =
      baselines::choose_linear_classifier(pointers, classes, static_cast<int64_t>(of.classes().size()));
  ClassifierBaseline out{std::move(model), "", ""};
  out.name = fmt::format("logistic regression on {}", out.model.options().pairs ? "words and pairs" : "words");
  if (used < train.size()) {
    out.note =
        fmt::format("fitted on {} of {}", format_count(static_cast<double>(used)), format_count(train.size(), "text"));
  }
  return out;
}

void ClassifierBaseline::write(const std::string& path, const tasks::Classifier& of) const {
  baselines::BaselineWriter file(baselines::LinearClassifier::kKind);
  file.add("name", name);
  file.add("note", note);
  file.add_texts("names", of.classes());
  model.write(file);
  file.write(path);
}

ClassifierBaseline ClassifierBaseline::read(const std::string& path, const tasks::Classifier& of) {
  const baselines::BaselineFile file = baselines::BaselineFile::read(path);
  file.expect(file.kind() == baselines::LinearClassifier::kKind, "the baseline of a classifier");
  ClassifierBaseline out{baselines::LinearClassifier::read(file), file.text("name"), file.text("note")};
  file.expect(file.texts("names") == of.classes() && out.model.classes() == static_cast<int64_t>(of.classes().size()),
              "the classes of the model beside it");
  return out;
}

BaselineFindings ClassifierBaseline::measure(const tasks::Classifier& of, const tasks::LabelledCorpus& corpus) const {
  tasks::ClassScore score(model.classes());
  std::set<std::string> unseen;
  for (int64_t i = 0; i < corpus.size(); ++i) {
    const std::vector<double> p = model.probabilities(words_of(of, corpus.example(i).text));
    const int32_t gold = corpus.class_of(i);
    score.add(gold, std::max_element(p.begin(), p.end()) - p.begin());
    if (gold < 0) {
      unseen.insert(corpus.example(i).label);
    } else {
      score.total_nats -= std::log(std::max(p[static_cast<size_t>(gold)], 1e-300));
    }
  }
  score.unseen_classes = static_cast<int64_t>(unseen.size());
  return {.name = name, .note = note, .measured = {}, .metrics = score.metrics(), .verdict = {}};
}

}  // namespace longhand::runs
