// What a model reads of a word, as one vector: embeddings of the word and of its shape, and the final outputs of a
// bidirectional LSTM over its characters (Lample et al. 2016, section 4).
//
// T steps, B rows, W distinct words in the batch: the characters of each are read once.
#pragma once

#include <optional>

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

class WordEncoder {
 public:
  /// Declares `embedding.weight`, `shapes.weight`, `characters.weight` and `characters.lstm.*`, as far as there are
  /// any.
  WordEncoder(const WordEncoderOptions& options, const data::WordVocabulary& vocabulary, const InitOptions& init,
              ParameterArena& arena);

  int64_t width() const { return options_.width(); }
  /// The rows' stride of what `forward` returns.
  int64_t stride() const { return padded(width()); }
  /// Gives these words their vectors, which are `embed` wide.
  void set_word_vectors(const data::WordVectors& vectors);
  void parameters_changed() {
    if (characters_lstm_) characters_lstm_->weights.set_values(arena_.values().data());
  }

  /// Returns the vectors [T, B, I], good until the next call.
  const float* forward(const data::WordBatch& batch, Pass pass, Engine engine, kernels::Context& context);
  /// From their gradient, with the same stride: adds to the arena's gradients.
  void backward(const data::WordBatch& batch, const float* dx, Engine engine, kernels::Context& context);

 private:
  const float* read_characters(const data::WordBatch& batch, Pass pass, Engine engine, kernels::Context& context);
  void read_characters_backward(const data::WordBatch& batch, const float* dx, Engine engine,
                                kernels::Context& context);
  StackInput<float> character_input(const data::WordBatch& batch) const;
  PoolInput<float> character_pool(const data::WordBatch& batch, const float* output) const;

  WordEncoderOptions options_;
  ParameterArena& arena_;
  size_t words_ = 0, shapes_ = 0, characters_ = 0;
  int64_t word_count_ = 0, shape_count_ = 0, character_count_ = 0;
  std::optional<WholeStack<float>> characters_lstm_;

  Buffer<float> x_, character_x_, d_character_x_, word_vectors_, d_word_vectors_, d_output_;
  const float* character_output_ = nullptr;
  PoolKept<float> kept_;
};

}  // namespace longhand::nn
