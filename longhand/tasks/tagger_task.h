// A tagger and its sentences, as the trainer drives them; and how taggers are measured.
#pragma once

#include "longhand/data/buckets.h"
#include "longhand/tasks/tagger.h"
#include "longhand/tasks/task.h"

namespace longhand::tasks {

struct TaggerTaskOptions {
  data::GroupOptions groups;   ///< how many sentences make an update, and the seed
  double unknown_rate = 0.25;  ///< of data::UnknownMask
  double label_smoothing = 0.0;
  nn::Engine engine = nn::Engine::kFused;
};

/// The labels that a model for these sentences needs, with `O` first where tags are of chunks in a scheme: then each
/// type of chunk has all its labels, even those that never occur.
std::vector<std::string> build_labels(const std::vector<data::TaggedSentence>& sentences, data::Scheme scheme,
                                      data::Scheme encode);

/// Sentences as a model reads them.
class TaggedCorpus {
 public:
  /// Looks every word and tag up. The model must outlive this.
  TaggedCorpus(const Tagger& model, std::vector<data::TaggedSentence> sentences);

  int64_t size() const { return static_cast<int64_t>(sentences_.size()); }
  const data::TaggedSentence& sentence(int64_t i) const { return sentences_[static_cast<size_t>(i)]; }
  std::span<const data::TaggedSentence> sentences() const { return sentences_; }
  /// Counts the words, for the masking of rare ones.
  void count_words();
  std::vector<int64_t> lengths() const;
  int64_t words(std::span<const int64_t> sentences) const;
  /// Words, and those of them with a tag that the model lacks.
  int64_t words() const;
  int64_t unseen() const;
  /// Sentences without such a word.
  int64_t familiar() const;
  /// Lays these sentences side by side.
  void get(std::span<const int64_t> sentences, const data::UnknownMask& mask, TagBatch& batch) const;
  /// A text that differs where words or tags do.
  std::string fingerprint() const;

 private:
  std::vector<data::TaggedSentence> sentences_;
  data::Lexicon lexicon_;
  std::vector<std::vector<int32_t>> entries_;
  std::vector<std::vector<int32_t>> labels_;
};

struct TagScore {
  double total_nats = 0.0;
  int64_t counted = 0;  ///< words that these are of
  int64_t sentences = 0;
  int64_t unseen = 0;           ///< words with tags that the model lacks
  int64_t unknown = 0;          ///< words that the model's vocabulary lacks
  int64_t unknown_correct = 0;  ///< and how many of them were tagged right
  data::ChunkScore tags;

  /// A word; no number where none was counted.
  double loss() const { return total_nats / static_cast<double>(counted); }
  double unknown_accuracy() const;  ///< in per cent
  /// F1, precision, recall (where tags are of chunks), accuracy, loss.
  std::vector<Metric> metrics(bool of_chunks) const;
};

/// Told what an evaluation finds.
struct TagObserver {
  /// Of each sentence, in any order: its number in the corpus, and the tags that the model gives its words.
  std::function<void(int64_t sentence, const std::vector<std::string>& found)> on_sentence{};
  OnDone on_done{};  ///< in words
};

TagScore evaluate(const Tagger& model, const TaggedCorpus& corpus, Tagger::Workspace& workspace,
                  const TagObserver& observer = {});

class TaggerTask final : public Task {
 public:
  /// `valid` may have no sentences: then there is no validation.
  TaggerTask(Tagger& model, std::vector<data::TaggedSentence> train, std::vector<data::TaggedSentence> valid,
             const TaggerTaskOptions& options, kernels::Context& context);

  ParameterArena& parameters() override { return model_.parameters(); }
  void parameters_changed() override { model_.parameters_changed(); }
  void begin_epoch(int64_t epoch) override { buckets_.begin_epoch(epoch); }
  int64_t steps() const override { return buckets_.size(); }
  int64_t batch() const override { return buckets_.rows(); }
  StepResult train_shard(int64_t index, uint64_t step, data::Shard shard) override;
  bool has_validation() const override { return valid_.size() > 0; }
  const TaggedCorpus& train() const { return train_; }
  const TaggedCorpus& valid() const { return valid_; }
  std::vector<Metric> validate() override;
  std::string fingerprint() const override;
  void save_model(const std::string& path, std::span<const float> values) const override { model_.save(path, values); }

 private:
  Tagger& model_;
  Tagger::Workspace workspace_;
  TaggedCorpus train_;
  TaggedCorpus valid_;
  TaggerTaskOptions options_;
  data::Buckets buckets_;
  TagBatch batch_;
};

}  // namespace longhand::tasks
