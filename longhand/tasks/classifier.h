// The classifier: texts in, a class for each out.
//
//   words (embedding, shape, characters) -> recurrent layers, in both directions -> pooling -> linear -> softmax
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longhand/baselines/linear_classifier.h"
#include "longhand/data/labelled.h"
#include "longhand/data/tokenizer.h"
#include "longhand/tasks/ensemble.h"

namespace longhand::tasks {

/// Everything that makes the model besides its weights and vocabularies; stored in its file.
struct ClassifierOptions {
  ClassifierOptions();

  data::LabelledOptions columns;  ///< where the training data has texts and labels; other files are read the same way
  data::TokenizerOptions tokens;  ///< how a text becomes words
  data::WordOptions words;
  nn::WordEncoderOptions encoder;
  double word_dropout = 0.0;  ///< a word of a training batch is left out with this probability (Iyyer et al. 2015)
  nn::LstmOptions lstm;
  std::string pool = "max";     ///< of the layers' outputs: last, mean, max, attention or concat
  double dropout_pooled = 0.5;  ///< on what the pooling makes
  /// Share of a logistic regression of words and pairs of words in the probabilities; the rest is the network's
  /// (Mesnil et al. 2015 average such models).
  double linear_share = 0.0;
  nn::InitOptions init;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// Names of the options that say how texts are read: the members of an ensemble have the same.
  static std::vector<std::string> shared();
};

/// Texts side by side with their classes.
struct ClassBatch {
  data::WordBatch words;
  std::vector<int32_t> classes;  ///< [B]; -1 for one that the model lacks
};

class Classifier : public EnsembleModel<Classifier> {
 public:
  static constexpr const char* kTask = "classifier";

  /// A model whose parameters have no values: `initialise` or `load` give them some.
  Classifier(const ClassifierOptions& options, data::WordVocabulary vocabulary, std::vector<std::string> classes);
  /// Throws an input error for a file that is damaged, or holds something else than a classifier. The model is packed.
  static std::unique_ptr<Classifier> load(const ModelFile& file) { return load_ensemble<Classifier>(file); }
  /// The same for one model, such as a member of an ensemble.
  static std::unique_ptr<Classifier> load_member(const ModelFile& file);
  /// Writes the model with the given values, in the arena's layout.
  void save(const std::string& path, std::span<const float> values) const;

  const ClassifierOptions& options() const { return options_; }
  const data::WordVocabulary& vocabulary() const { return vocabulary_; }
  const std::vector<std::string>& classes() const { return classes_; }
  /// The class's index, or -1.
  int32_t find_class(const std::string& name) const;
  /// Sets the embeddings of these words to pretrained vectors.
  void set_word_vectors(const data::WordVectors& vectors) { network_.set_word_vectors(vectors); }
  /// The logistic regression, fitted to the network's training data; needed where it has a share.
  void set_linear(baselines::LinearClassifier linear);
  const std::optional<baselines::LinearClassifier>& linear() const { return linear_; }
  /// Makes words of texts.
  const data::Tokenizer& tokenizer() const { return tokenizer_; }
  data::Lexicon lexicon() const { return {vocabulary_, options_.words}; }

  struct Workspace : EnsembleWorkspace<Classifier, Workspace> {
    using EnsembleWorkspace::EnsembleWorkspace;

    const float* output = nullptr;  ///< of the recurrent layers
    nn::PoolKept<float> kept;
    Buffer<float> pooled, d_pooled, pooled_mask, d_output, losses, logits;
    std::vector<double> probabilities;
  };

  /// Cross-entropy of a batch in nats, summed over its texts, and the gradients as `training` wants them: of each text
  /// times `weights` [K] of its class, unless these are empty. All classes are known.
  double train(const ClassBatch& batch, std::span<const float> weights, const nn::GradientPass& training,
               Workspace& workspace);

  /// The probability of each class for each text: [B, K], good until the workspace is used again. Of an ensemble, the
  /// mean of the members' probabilities.
  std::span<const double> read(const data::WordBatch& batch, Workspace& workspace) const;

 private:
  int64_t K() const { return static_cast<int64_t>(classes_.size()); }
  void read_member(const data::WordBatch& batch, Workspace& workspace) const;
  void add_linear(const data::WordBatch& batch, std::vector<double>& probabilities) const;
  int64_t width() const { return network_.width(); }
  int64_t pooled_width() const { return nn::pooled_width(pool_, width()); }
  nn::OutputRows pooled(const nn::NetworkInput& input, nn::Pass pass, Workspace& workspace) const;
  nn::PoolInput<float> pool_input(const data::WordBatch& batch, const Workspace& workspace) const;
  void drop(const data::WordBatch& batch, float* rows, Workspace& workspace) const;

  ClassifierOptions options_;
  nn::PoolKind pool_;
  data::Tokenizer tokenizer_;
  data::WordVocabulary vocabulary_;
  std::vector<std::string> classes_;
  size_t query_ = 0;
  std::optional<baselines::LinearClassifier> linear_;
};

}  // namespace longhand::tasks
