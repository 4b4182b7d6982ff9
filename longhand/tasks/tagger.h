// The tagger: sentences in, a label for each word out.
//
//   words (embedding, shape, characters) -> recurrent layers, in both directions -> linear -> softmax or CRF
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/data/chunks.h"
#include "longhand/data/columns.h"
#include "longhand/kernels/linear.h"
#include "longhand/nn/crf.h"
#include "longhand/nn/word_stack.h"
#include "longhand/tasks/gradient_pass.h"
#include "longhand/tasks/model_file.h"

namespace longhand::tasks {

/// Everything that makes the model besides its weights and vocabularies; stored in its file.
struct TaggerOptions {
  TaggerOptions();

  data::ColumnOptions columns;   ///< where the training data has its tags; other files are read the same way
  std::string scheme = "auto";   ///< tagging scheme of the data: one of data::scheme_names(), or auto: recognised
  std::string encode = "bioes";  ///< of chunks, inside the model
  data::WordOptions words;
  nn::WordEncoderOptions encoder;
  nn::LstmOptions lstm;
  bool crf = false;  ///< score whole label sequences (Huang et al. 2015), not each label by itself
  nn::InitOptions init;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
};

/// Sentences side by side with their labels.
struct TagBatch {
  data::WordBatch words;
  std::vector<int32_t> labels;  ///< [T, B]; -1 in the padding, and for a label that the model lacks
};

/// One labelling of a sentence.
struct Tagging {
  std::vector<std::string> tags;  ///< in the scheme of the training data
  /// Of all tags together; of chunks, among the taggings that their scheme allows.
  double probability = 0.0;
};

class Tagger {
 public:
  static constexpr const char* kTask = "tagger";

  /// A model with all weights zero; `initialise` or `load` give them values.
  Tagger(const TaggerOptions& options, data::WordVocabulary vocabulary, std::vector<std::string> labels);
  /// Throws an input error for a file that is damaged, or holds something else than a tagger.
  static std::unique_ptr<Tagger> load(const ModelFile& file);
  /// Writes the model with the given values, in the arena's layout.
  void save(const std::string& path, std::span<const float> values) const;
  void initialise(uint64_t seed);
  void parameters_changed();

  const TaggerOptions& options() const { return options_; }
  data::Scheme scheme() const { return scheme_; }
  const data::WordVocabulary& vocabulary() const { return vocabulary_; }
  const std::vector<std::string>& labels() const { return labels_; }
  /// The label's index, or -1.
  int32_t find_label(const std::string& label) const;
  ParameterArena& parameters() { return arena_; }
  const ParameterArena& parameters() const { return arena_; }
  /// Sets the embeddings of these words to pretrained vectors.
  void set_word_vectors(const data::WordVectors& vectors) { stack_.set_word_vectors(vectors); }
  /// Words looked up in this model's vocabulary.
  data::Lexicon lexicon() const { return {vocabulary_, options_.words}; }

  /// Cross-entropy of a batch in nats, summed over its labels (with a CRF, over its sentences), and the gradients as
  /// `training` wants them. All labels are known.
  double run(const TagBatch& batch, const GradientPass& training, nn::Engine engine, kernels::Context& context);

  /// The same loss of the model as it is used, without gradients: of the labels that are known (with a CRF, of the
  /// sentences all of whose labels are). `counted` words were.
  double loss(const TagBatch& batch, int64_t& counted, nn::Engine engine, kernels::Context& context);

  /// Reads a batch; `loss` does so, too.
  void read(const data::WordBatch& batch, nn::Engine engine, kernels::Context& context);
  /// Throws an input error if a sentence of this many words is too long for its `n` best tag sequences.
  void check_length(int64_t words, int64_t n) const;
  /// The `n` best taggings of each sentence of the batch that was last read, best first. Chunks are as their scheme
  /// allows, with a CRF or without. Throws an input error where damaged weights leave none.
  std::vector<std::vector<Tagging>> best(const data::WordBatch& batch, int64_t n) const;

 private:
  enum class Memory { kNow, kLater };
  Tagger(const TaggerOptions& options, data::WordVocabulary vocabulary, std::vector<std::string> labels, Memory memory);

  int64_t K() const { return static_cast<int64_t>(labels_.size()); }
  kernels::LinearForward<float> output_layer(const data::WordBatch& batch, const float* output) const;
  const float* outputs(const data::WordBatch& batch, const nn::DropoutKey& masks, nn::Pass pass, nn::Engine engine,
                       kernels::Context& context);
  void pack_output(bool training, kernels::Context& context);
  double softmax(const TagBatch& batch, const float* output, const GradientPass& training, nn::Engine engine,
                 kernels::Context& context);
  double chain(const TagBatch& batch, const float* output, const GradientPass& training, nn::Engine engine,
               kernels::Context& context);
  nn::CrfLayer<float> crf() const;
  void allow_steps();
  Tagging most_probable(const data::WordBatch& batch, int64_t row) const;
  nn::CrfInput<float> crf_input(const data::WordBatch& batch) const;
  std::vector<std::string> tags(const std::vector<int32_t>& labels) const;

  TaggerOptions options_;
  data::Scheme scheme_ = data::Scheme::kNone;
  data::WordVocabulary vocabulary_;
  std::vector<std::string> labels_;
  std::vector<uint8_t> allowed_;  // steps from label to label; empty: all
  ParameterArena arena_;
  nn::WordStack stack_;
  size_t output_weight_ = 0, output_bias_ = 0;
  size_t transitions_ = 0, start_ = 0, end_ = 0;

  nn::Packed output_packed_ = nn::Packed::kNothing;
  kernels::PackedLinear packed_output_;
  Buffer<float> scores_, d_scores_, d_output_, losses_;
  Buffer<int32_t> rows_;
  std::vector<double> sentence_losses_;
};

}  // namespace longhand::tasks
