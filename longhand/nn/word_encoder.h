// What a model reads of a word, as one vector: embeddings of the word and of its shape, and the final outputs of a
// bidirectional LSTM over its characters (Lample et al. 2016, section 4).
//
// T steps, B rows, W distinct words in the batch: the characters of each are read once; of words that a user of a
// constant model has met before, not again.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "longhand/data/vectors.h"
#include "longhand/data/words.h"
#include "longhand/nn/lstm_stack.h"
#include "longhand/nn/pooling.h"

namespace longhand::nn {

struct WordEncoderOptions {
  int64_t embed = 100;             ///< E, of a word
  int64_t embed_shape = 10;        ///< 0: shapes are not read
  int64_t embed_characters = 30;   ///< of each character
  int64_t hidden_characters = 50;  ///< units of the characters' LSTM in each direction; 0: characters are not read

  void add_to(OptionTable& table);
  /// I, the width of the vector.
  int64_t width() const { return embed + embed_shape + 2 * hidden_characters; }
};

/// The option `word-dropout` of models that read words: whether a word of a training batch is left out.
void add_word_dropout(OptionTable& table, double& probability);

struct WordWorkspace;

class WordEncoder {
 public:
  /// Declares `embedding.weight`, `shapes.weight`, `characters.weight` and `characters.lstm.*`, as far as there are
  /// any. The arena must outlive the encoder.
  WordEncoder(const WordEncoderOptions& options, const data::WordVocabulary& vocabulary, const InitOptions& init,
              ParameterArena& arena);

  int64_t width() const { return options_.width(); }
  /// The rows' stride of what `forward` returns.
  int64_t stride() const { return padded(width()); }
  /// Gives these words their vectors, which are `embed` wide.
  void set_word_vectors(const data::WordVectors& vectors);
  /// See Network::use_sparse_embedding.
  void use_sparse_embedding() { arena_.make_sparse(words_); }
  /// Whether some parameter of it is not frozen.
  bool is_trained() const;
  void parameters_changed();
  /// Packs the weights for fused passes of this kind, unless that is done.
  void pack(Pass pass, kernels::Context& context);
  /// The characters' layers, or null.
  const LstmStack* characters() const { return lstm_ ? &lstm_->stack : nullptr; }

  /// Returns the vectors [T, B, I], good until the workspace is used again.
  const float* forward(const data::WordBatch& batch, Pass pass, Engine engine, WordWorkspace& workspace,
                       kernels::Context& context) const;
  /// From their gradient, with the same stride: adds to the arena's gradients.
  void backward(const data::WordBatch& batch, const float* dx, Engine engine, WordWorkspace& workspace,
                kernels::Context& context);

 private:
  void read_characters(const data::WordBatch& batch, Pass pass, Engine engine, WordWorkspace& workspace,
                       kernels::Context& context) const;
  void read_new_words(const data::WordBatch& batch, Engine engine, WordWorkspace& workspace,
                      kernels::Context& context) const;
  void read_characters_backward(const data::WordBatch& batch, const float* dx, Engine engine, WordWorkspace& workspace,
                                kernels::Context& context);
  StackInput<float> character_input(const data::WordBatch& batch, const WordWorkspace& workspace) const;
  PoolInput<float> character_pool(const data::WordBatch& batch, const float* output) const;

  WordEncoderOptions options_;
  ParameterArena& arena_;
  size_t words_ = 0, shapes_ = 0, characters_ = 0;
  int64_t word_count_ = 0, shape_count_ = 0, character_count_ = 0;
  struct CharacterLstm {
    CharacterLstm(const LstmStackOptions& options, ParameterArena& arena) : stack(options, arena) {}

    LstmStack stack;
    StackWeights<float> weights{stack};
  };
  std::optional<CharacterLstm> lstm_;
  uint64_t version_ = 0;  // of the parameters
};

/// The vectors of words that were read for inference, by their characters.
struct WordCache {
  static constexpr int64_t kMostWords = 32768;  // then it begins anew

  int64_t words() const { return static_cast<int64_t>(rows.size()); }
  void clear(uint64_t of_version) {
    rows.clear();
    version = of_version;
  }
  /// Finds the rows of a batch's words: new ones for those in `fresh`.
  void find(const data::WordBatch& batch);
  /// Gives the fresh words their vectors, which come after the `known` ones.
  void add(int64_t known, const float* values, int64_t stride);

  uint64_t version = 0;  ///< of the parameters that they were read with
  std::unordered_map<std::string, int32_t> rows;
  Buffer<float> vectors;        ///< [words, padded(2 units)]
  std::vector<int32_t> row_of;  ///< [W] of the batch's words
  data::WordBatch fresh;        ///< the words that are not yet there, with their characters alone
};

/// Memory of one user of an encoder, forward and backward.
struct WordWorkspace {
  explicit WordWorkspace(const WordEncoder& encoder) {
    if (encoder.characters() == nullptr) return;
    state.emplace(*encoder.characters());
    stack.emplace(*encoder.characters());
  }

  std::optional<StackState<float>> state;  ///< of the characters' LSTM
  std::optional<StackWorkspace<float>> stack;
  const float* output = nullptr;
  PoolKept<float> kept;
  WordCache cache;
  Buffer<float> x, character_x, d_character_x, word_vectors, d_word_vectors, d_output;
};

}  // namespace longhand::nn
