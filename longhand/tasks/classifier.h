// The classifier: texts in, a class for each out.
//
//   words (embedding, shape, characters) -> recurrent layers, in both directions -> pooling -> linear -> softmax
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/data/labelled.h"
#include "longhand/kernels/linear.h"
#include "longhand/nn/word_stack.h"
#include "longhand/tasks/gradient_pass.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

/// Everything that makes the model besides its weights and vocabularies; stored in its file.
struct ClassifierOptions {
  ClassifierOptions();

  data::LabelledOptions columns;  ///< where the training data has texts and labels; other files are read the same way
  data::SplitOptions split;       ///< how a text becomes words
  data::WordOptions words;
  nn::WordEncoderOptions encoder;
  nn::LstmOptions lstm;
  std::string pool = "max";     ///< of the layers' outputs: last, mean, max or attention
  double dropout_pooled = 0.5;  ///< on what the pooling makes
  nn::InitOptions init;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
};

/// Texts side by side with their classes.
struct ClassBatch {
  data::WordBatch words;
  std::vector<int32_t> classes;  ///< [B]; -1 for one that the model lacks
};

class Classifier {
 public:
  static constexpr const char* kTask = "classifier";

  /// A model with all weights zero; `initialise` or `load` give them values.
  Classifier(const ClassifierOptions& options, data::WordVocabulary vocabulary, std::vector<std::string> classes);
  /// Throws an input error for a file that is damaged, or holds something else than a classifier.
  static std::unique_ptr<Classifier> load(const ModelFile& file);
  /// Writes the model with the given values, in the arena's layout.
  void save(const std::string& path, std::span<const float> values) const;
  void initialise(uint64_t seed);
  void parameters_changed();

  const ClassifierOptions& options() const { return options_; }
  const data::WordVocabulary& vocabulary() const { return vocabulary_; }
  const std::vector<std::string>& classes() const { return classes_; }
  /// The class's index, or -1.
  int32_t find_class(const std::string& name) const;
  ParameterArena& parameters() { return arena_; }
  const ParameterArena& parameters() const { return arena_; }
  /// Sets the embeddings of these words to pretrained vectors.
  void set_word_vectors(const data::WordVectors& vectors) { stack_.set_word_vectors(vectors); }
  data::Lexicon lexicon() const { return {vocabulary_, options_.words}; }

  /// Cross-entropy of a batch in nats, summed over its texts, and the gradients as `training` wants them: of each text
  /// times `weights` [K] of its class, unless these are empty. All classes are known.
  double run(const ClassBatch& batch, std::span<const float> weights, const GradientPass& training, nn::Engine engine,
             kernels::Context& context);

  /// The probability of each class for each text: [B, K], good until the next call.
  std::span<const double> read(const data::WordBatch& batch, nn::Engine engine, kernels::Context& context);

 private:
  enum class Memory { kNow, kLater };
  Classifier(const ClassifierOptions& options, data::WordVocabulary vocabulary, std::vector<std::string> classes,
             Memory memory);

  int64_t K() const { return static_cast<int64_t>(classes_.size()); }
  int64_t width() const { return options_.lstm.outputs(); }
  const float* pooled(const data::WordBatch& batch, const nn::DropoutKey& masks, nn::Pass pass, nn::Engine engine,
                      kernels::Context& context);
  nn::PoolInput<float> pool_input(const data::WordBatch& batch) const;
  void drop(const data::WordBatch& batch, float* rows, kernels::Context& context);

  ClassifierOptions options_;
  nn::PoolKind pool_;
  data::WordVocabulary vocabulary_;
  std::vector<std::string> classes_;
  ParameterArena arena_;
  nn::WordStack stack_;
  size_t query_ = 0, output_weight_ = 0, output_bias_ = 0;

  nn::Packed output_packed_ = nn::Packed::kNothing;
  kernels::PackedLinear packed_output_;
  const float* output_ = nullptr;  // of the stack
  nn::PoolKept<float> kept_;
  Buffer<float> pooled_, d_pooled_, pooled_mask_, d_output_, losses_, logits_;
  std::vector<double> probabilities_;
};

}  // namespace longhand::tasks
