// What is found when a classifier is measured: which classes it confuses, and where it is most confidently wrong.
// pages.h shows it.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "longhand/tasks/classifier_task.h"

namespace longhand::runs {

/// How many texts of each class (row) were given each class (column).
struct ConfusionMatrix {
  std::vector<std::string> rows, columns;
  std::vector<int64_t> counts;  ///< [rows, columns]
  int64_t merged = 0;           ///< classes that are counted together, in the last column and its row
};

struct WrongText {
  std::string text;  ///< its beginning
  int64_t line = 0;  ///< in its file
  std::string gold, predicted;
  double probability = 0.0;       ///< of the predicted class
  double gold_probability = 0.0;  ///< 0 where the model lacks the class
};

struct ClassFigures {
  std::string name;
  int64_t texts = 0;
  double precision = 0.0, recall = 0.0, f1 = 0.0;  ///< in per cent
};

struct ClassFindings {
  int64_t texts = 0;
  int64_t wrong = 0;
  ConfusionMatrix confusion;
  std::vector<ClassFigures> classes;      ///< in the model's order, as many as the matrix shows
  std::vector<WrongText> most_confident;  ///< of the wrong ones, most probable first
};

/// The matrix of a score, with at most `max` classes by name, in the order of `names` (the model's); the most frequent
/// ones where there are more. Texts of classes that the model lacks have the last row.
ConfusionMatrix confusion_matrix(const tasks::ClassScore& score, const std::vector<std::string>& names, size_t max);

/// Gathers the findings from the texts of an evaluation.
class ClassExaminer {
 public:
  static constexpr size_t kWorst = 20;
  static constexpr size_t kMostClasses = 50;

  /// Both must outlive this.
  ClassExaminer(const tasks::Classifier& model, const tasks::LabelledCorpus& corpus) : model_(model), corpus_(corpus) {}

  /// Text number `text` of the corpus and the probabilities [K] of its classes; in any order.
  void add(int64_t text, std::span<const double> probabilities);
  ClassFindings findings(const tasks::ClassScore& score) const;

 private:
  struct Wrong {
    double probability = 0.0;
    int64_t text = 0;
    int64_t predicted = 0;
    double gold_probability = 0.0;
    /// More probable ones come first; of equals, the earlier text.
    bool operator<(const Wrong& other) const {
      return probability != other.probability ? probability > other.probability : text < other.text;
    }
  };
  const tasks::Classifier& model_;
  const tasks::LabelledCorpus& corpus_;
  std::set<Wrong> worst_;  // at most kWorst
};

}  // namespace longhand::runs
