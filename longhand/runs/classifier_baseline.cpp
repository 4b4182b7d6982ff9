// The linear classifier that a classifier is compared with.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longhand/base/format.h"
#include "longhand/base/unicode.h"
#include "longhand/runs/task_baselines.h"

namespace longhand::runs {
const char* const kClassifierAdvice =
    "a share of the baseline in the model (`linear-share`), several seeds in one model (`longhand combine`), "
    "pretrained "
    "word vectors (`vectors`), or more dropout";

ClassifierBaseline ClassifierBaseline::of(baselines::ChosenLinearClassifier chosen, int64_t texts) {
  ClassifierBaseline out{std::move(chosen.model), "", ""};
  out.name = fmt::format("logistic regression on {}", out.model.options().pairs ? "words and pairs" : "words");
  if (out.model.options().bayes) out.name += " weighted by naive Bayes";
  if (chosen.texts < texts) {
    out.note =
        fmt::format("fitted on {} of {}", format_count(static_cast<double>(chosen.texts)), format_count(texts, "text"));
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

BaselineFindings ClassifierBaseline::measure(const tasks::LabelledCorpus& corpus) const {
  tasks::ClassScore score(model.classes());
  std::set<std::string> unseen;
  for (int64_t i = 0; i < corpus.size(); ++i) {
    const std::vector<double> p = model.probabilities(corpus.words(i));
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
