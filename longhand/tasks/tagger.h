// The tagger: sentences in, a label for each word out.
//
//   words (embedding, shape, characters) -> recurrent layers, in both directions -> linear -> softmax or CRF
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "longhand/data/chunks.h"
#include "longhand/data/columns.h"
#include "longhand/data/tokenizer.h"
#include "longhand/nn/crf.h"
#include "longhand/tasks/ensemble.h"

namespace longhand::tasks {

/// Everything that makes the model besides its weights and vocabularies; stored in its file.
struct TaggerOptions {
  TaggerOptions();

  data::ColumnOptions columns;    ///< where the training data has its tags; other files are read the same way
  std::string scheme = "auto";    ///< tagging scheme of the data: one of data::scheme_names(), or auto: recognised
  std::string encode = "bioes";   ///< of chunks, inside the model
  data::TokenizerOptions tokens;  ///< how a text as people write it becomes words; auto: chosen for the training data
  data::WordOptions words;
  nn::WordEncoderOptions encoder;
  double word_dropout = 0.0;  ///< a word of a training batch is left out with this probability (Iyyer et al. 2015)
  nn::LstmOptions lstm;
  bool crf = false;  ///< score whole label sequences (Huang et al. 2015), not each label by itself
  nn::InitOptions init;

  void add_to(OptionTable& table);
  /// Throws a usage error for options that cannot be combined.
  void check() const;
  /// Names of the options that say how sentences are read: the members of an ensemble have the same.
  static std::vector<std::string> shared();
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

class Tagger : public EnsembleModel<Tagger> {
 public:
  static constexpr const char* kTask = "tagger";

  /// A model whose parameters have no values: `initialise` or `load` give them some.
  Tagger(const TaggerOptions& options, data::WordVocabulary vocabulary, std::vector<std::string> labels);
  /// Throws an input error for a file that is damaged, or holds something else than a tagger. The model is packed.
  static std::unique_ptr<Tagger> load(const ModelFile& file) { return load_ensemble<Tagger>(file); }
  /// The same for one model, such as a member of an ensemble.
  static std::unique_ptr<Tagger> load_member(const ModelFile& file);
  /// Writes the model with the given values, in the arena's layout.
  void save(const std::string& path, std::span<const float> values) const;
  void initialise(uint64_t seed);

  const TaggerOptions& options() const { return options_; }
  data::Scheme scheme() const { return scheme_; }
  const data::WordVocabulary& vocabulary() const { return vocabulary_; }
  const std::vector<std::string>& labels() const { return labels_; }
  /// Makes words and sentences of texts.
  const data::Tokenizer& tokenizer() const { return tokenizer_; }
  /// The one for texts such as those that the training data were taken from, with its rules.
  void set_tokenizer(data::Tokenizer tokenizer);
  /// The label's index, or -1.
  int32_t find_label(const std::string& label) const;
  /// Whether it is a tag of this model; of chunks, in any scheme.
  bool is_tag(const std::string& tag) const;
  /// Sets the embeddings of these words to pretrained vectors.
  void set_word_vectors(const data::WordVectors& vectors) { network_.set_word_vectors(vectors); }
  /// Words looked up in this model's vocabulary.
  data::Lexicon lexicon() const { return {vocabulary_, options_.words}; }

  struct Workspace : EnsembleWorkspace<Tagger, Workspace> {
    using EnsembleWorkspace::EnsembleWorkspace;

    Buffer<float> scores, d_scores, d_output, losses;
    std::vector<double> sentence_losses;
  };

  /// Cross-entropy of a batch in nats, summed over its labels (with a CRF, over its sentences), and the gradients as
  /// `training` wants them. All labels are known.
  double train(const TagBatch& batch, const nn::GradientPass& training, Workspace& workspace);

  /// The same loss of the model as it is used, without gradients: of the labels that are known (with a CRF, of the
  /// sentences all of whose labels are). `counted` words were. An ensemble's is that of each label by itself.
  double loss(const TagBatch& batch, int64_t& counted, Workspace& workspace) const;

  /// The chain by which label sequences are scored: without a CRF, and of an ensemble, one in which all allowed
  /// transitions have the same score.
  nn::CrfLayer<float> crf() const;

  /// Reads a batch; `loss` does so, too. An ensemble scores a label by the logarithm of the mean of its probabilities,
  /// which are a CRF's marginals (54).
  void read(const data::WordBatch& batch, Workspace& workspace) const;
  /// Throws an input error if a sentence of this many words is too long for its `n` best tag sequences.
  void check_length(int64_t words, int64_t n) const;
  /// The `n` best taggings of each sentence of the batch that the workspace last read, best first. Chunks are as their
  /// scheme allows, with a CRF or without. Throws an input error where damaged weights leave none.
  std::vector<std::vector<Tagging>> best(const data::WordBatch& batch, int64_t n, const Workspace& workspace) const;

 private:
  int64_t K() const { return static_cast<int64_t>(labels_.size()); }
  bool has_chain() const { return options_.crf && !is_ensemble(); }
  void read_member(const data::WordBatch& batch, Workspace& workspace) const;
  std::vector<double> probabilities(const data::WordBatch& batch, int64_t row, const Workspace& workspace) const;
  nn::CrfLayer<float> member_crf() const;
  static nn::OutputRows all_rows(const data::WordBatch& batch, const float* output);
  double softmax(const TagBatch& batch, const float* output, const nn::GradientPass& training, Workspace& workspace);
  double chain(const TagBatch& batch, const float* output, const nn::GradientPass& training, Workspace& workspace);
  void allow_steps();
  Tagging most_probable(const data::WordBatch& batch, int64_t row, const Workspace& workspace) const;
  nn::CrfInput<float> crf_input(const data::WordBatch& batch, const Workspace& workspace) const;
  std::vector<std::string> tags(const std::vector<int32_t>& labels) const;

  TaggerOptions options_;
  data::Scheme scheme_ = data::Scheme::kNone;
  data::Tokenizer tokenizer_;
  data::WordVocabulary vocabulary_;
  std::vector<std::string> labels_;
  std::vector<uint8_t> allowed_;  // steps from label to label; empty: all
  size_t transitions_ = 0, start_ = 0, end_ = 0;
};

}  // namespace longhand::tasks
