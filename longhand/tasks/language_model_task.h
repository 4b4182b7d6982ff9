// A language model and its corpora, as the trainer drives them.
#pragma once

#include <memory>
#include <optional>

#include "longhand/tasks/language_model.h"
#include "longhand/tasks/task.h"

namespace longhand::tasks {

/// How a corpus is cut for training.
struct LanguageTaskOptions {
  data::GroupOptions groups;  ///< how many sequences make an update, and the seed
  int64_t bptt = 64;
  data::StreamOptions stream;
  double label_smoothing = 0.0;
  nn::Engine engine = nn::Engine::kFused;
};

/// Options for validation during training: as many parallel rows as leave each row long enough; for a bidirectional
/// model, only the preceding symbols as context.
EvaluateOptions evaluation_while_training(const LanguageModel& model, const data::Corpus& corpus, int64_t batch,
                                          int64_t bptt);

/// Whether a text can be read from anywhere with a zero state: not if every line is a sequence, nor if
/// the text is read from both ends.
bool has_cold_start(const LanguageModel& model);
/// Positions of cold starts: as many as do not overlap, at most 200.
int64_t cold_places(const data::Corpus& corpus);

class LanguageModelTask final : public Task {
 public:
  /// `valid` may have no symbols: then there is no validation.
  LanguageModelTask(LanguageModel& model, data::Corpus train, data::Corpus valid, const LanguageTaskOptions& options,
                    kernels::Context& context);

  ParameterArena& parameters() override { return model_.parameters(); }
  void parameters_changed() override { model_.parameters_changed(); }
  void begin_epoch(int64_t epoch) override {
    epoch_ = epoch;
    batches_.begin_epoch(epoch);
  }
  int64_t steps() const override { return batches_.size(); }
  int64_t batch() const override { return batches_.rows(); }
  StepResult train_shard(int64_t index, uint64_t step, data::Shard shard) override;
  const data::Corpus& train() const { return train_; }
  const data::Corpus& valid() const { return valid_; }
  /// The corpus for evaluation: the held-out one, or the training corpus without validation data.
  const data::Corpus& measured() const { return has_validation() ? valid_ : train_; }
  bool has_perplexity() const override { return true; }
  bool has_validation() const override { return !valid_.symbols.empty(); }
  std::vector<Metric> validate() override;
  std::vector<Metric> measure_training() override;
  std::vector<std::pair<std::string, Buffer<float>*>> carried_state(data::Shard shard) override;
  bool carried_state_fits(int64_t index) override;
  std::string fingerprint() const override;
  std::string fingerprint_like(const std::string& other) const override;
  void save_model(const std::string& path, std::span<const float> values) const override { model_.save(path, values); }

 private:
  std::string fingerprint(uint64_t (*hash_of)(uint64_t seed, const data::Symbols& symbols)) const;

  LanguageModel& model_;
  LanguageModel::Workspace workspace_;
  data::Corpus train_;
  data::Corpus valid_;
  LanguageTaskOptions options_;
  data::Batches batches_;
  data::Batch batch_;
  int64_t epoch_ = 0;
  LanguageModel::State& state(int64_t slot, data::Shard shard) {
    return states_[static_cast<size_t>(slot * shard.of + shard.index)];
  }
  std::vector<LanguageModel::State> states_;  // of each part of a group, and of each shard of it
};

}  // namespace longhand::tasks
