// A classifier and its texts, as the trainer drives them; and how classifiers are measured.
#pragma once

#include <algorithm>
#include <map>
#include <utility>

#include "longhand/data/buckets.h"
#include "longhand/tasks/classifier.h"
#include "longhand/tasks/task.h"

namespace longhand::tasks {

struct ClassifierTaskOptions {
  data::GroupOptions groups;   ///< how many texts make an update, and the seed
  double unknown_rate = 0.25;  ///< of data::UnknownMask
  double label_smoothing = 0.0;
  /// Weigh each class by the inverse of its frequency in training, so that all have the same total weight.
  bool balanced = false;
  nn::Engine engine = nn::Engine::kFused;
};

/// The labels that occur, most frequent first.
std::vector<std::string> build_classes(const std::vector<data::LabelledText>& examples);

/// Texts as a model reads them.
class LabelledCorpus {
 public:
  /// Splits every text and looks up its words and its class. The model must outlive this.
  LabelledCorpus(const Classifier& model, std::vector<data::LabelledText> examples);

  int64_t size() const { return static_cast<int64_t>(examples_.size()); }
  const data::LabelledText& example(int64_t i) const { return examples_[static_cast<size_t>(i)]; }
  int32_t class_of(int64_t i) const { return classes_[static_cast<size_t>(i)]; }
  int64_t length(int64_t i) const { return static_cast<int64_t>(entries_[static_cast<size_t>(i)].size()); }
  /// The words of a text as the model knows them; one that it does not know is "<unk>".
  data::Words words(int64_t i) const;
  /// Texts of classes that the model lacks.
  int64_t unseen() const { return std::count(classes_.begin(), classes_.end(), -1); }
  /// Counts the words, for the masking of rare ones.
  void count_words();
  std::vector<int64_t> lengths() const;
  /// Lays these texts side by side.
  void get(std::span<const int64_t> texts, const data::UnknownMask& mask, ClassBatch& batch) const;
  /// A text that differs where texts or labels do.
  std::string fingerprint() const;

 private:
  const Classifier& model_;
  std::vector<data::LabelledText> examples_;
  data::Lexicon lexicon_;
  std::vector<std::vector<int32_t>> entries_;
  std::vector<int32_t> classes_;
};

/// Fits a logistic regression to the words of a model's training data; or returns the one that was fitted to them
/// before.
baselines::ChosenLinearClassifier choose_linear_classifier(
    const Classifier& model, const LabelledCorpus& train,
    std::optional<baselines::LinearClassifier> fitted = std::nullopt);

struct ClassScore {
  explicit ClassScore(int64_t classes) : counts(static_cast<size_t>(classes)), K(classes) {}

  struct Counts {
    int64_t gold = 0;   ///< texts of the class
    int64_t found = 0;  ///< texts that were given the class
    int64_t right = 0;  ///< both
  };
  double total_nats = 0.0;
  int64_t texts = 0;
  int64_t unseen = 0;          ///< texts of classes that the model lacks: always wrong
  int64_t unseen_classes = 0;  ///< how many such classes there are
  std::vector<Counts> counts;  ///< [K]
  /// Texts of a class (first) that were given a class (second), where there are any.
  std::map<std::pair<int64_t, int64_t>, int64_t> confusion;
  int64_t K;

  /// Counts a text of the class `gold`, -1 for one that the model lacks, to which `found` was given.
  void add(int64_t gold, int64_t found);
  double loss() const;      ///< per text with a class that the model has; NaN if there are none
  double accuracy() const;  ///< in per cent
  /// Of one class, in per cent; 0 for 0 / 0.
  double precision(int64_t k) const;
  double recall(int64_t k) const;
  double f1(int64_t k) const;
  /// The mean F1 of the classes that occur, in the data or in the predictions. That of a class which the model lacks
  /// is 0.
  double macro_f1() const;
  /// accuracy, macro_f1, loss
  std::vector<Metric> metrics() const;
};

/// Told what an evaluation finds.
struct ClassObserver {
  /// Of each text, in any order: its number in the corpus, and the probability of each class [K].
  std::function<void(int64_t text, std::span<const double> probabilities)> on_text{};
  OnDone on_done{};  ///< in texts
};

ClassScore evaluate(const Classifier& model, const LabelledCorpus& corpus, Classifier::Workspace& workspace,
                    const ClassObserver& observer = {});

class ClassifierTask final : public Task {
 public:
  /// `valid` may have no texts: then there is no validation.
  ClassifierTask(Classifier& model, std::vector<data::LabelledText> train, std::vector<data::LabelledText> valid,
                 const ClassifierTaskOptions& options, kernels::Context& context);

  ParameterArena& parameters() override { return model_.parameters(); }
  void parameters_changed() override { model_.parameters_changed(); }
  void begin_epoch(int64_t epoch) override { buckets_.begin_epoch(epoch); }
  int64_t steps() const override { return buckets_.size(); }
  int64_t batch() const override { return buckets_.rows(); }
  StepResult train_shard(int64_t index, uint64_t step, data::Shard shard) override;
  bool has_validation() const override { return valid_.size() > 0; }
  const LabelledCorpus& train() const { return train_; }
  const LabelledCorpus& valid() const { return valid_; }
  std::vector<Metric> validate() override;
  std::string fingerprint() const override;
  void save_model(const std::string& path, std::span<const float> values) const override { model_.save(path, values); }

 private:
  Classifier& model_;
  Classifier::Workspace workspace_;
  LabelledCorpus train_;
  LabelledCorpus valid_;
  ClassifierTaskOptions options_;
  data::Buckets buckets_;
  std::vector<float> weights_;  // of the classes, or none
  ClassBatch batch_;
};

}  // namespace longhand::tasks
