#include "longhand/nn/word_encoder.h"

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/nn/layers.h"

namespace longhand::nn {
namespace {

LstmOptions character_options(const WordEncoderOptions& options) {
  LstmOptions out;
  out.hidden = options.hidden_characters;
  out.bidirectional = true;
  return out;
}

}  // namespace

void WordEncoderOptions::add_to(OptionTable& table) {
  table.add("embed", embed, "word embedding size", between(1, 65536));
  table.add("embed-shape", embed_shape, "word-shape embedding size; shapes are such as Xx; 0: no shapes",
            between(0, 65536));
  table.add("embed-characters", embed_characters, "character embedding size", between(1, 65536));
  table.add("hidden-characters", hidden_characters,
            "hidden units per direction of the character LSTM; 0: no characters", between(0, 65536));
}

WordEncoder::WordEncoder(const WordEncoderOptions& options, const data::WordVocabulary& vocabulary,
                         const InitOptions& init, ParameterArena& arena)
    : options_(options),
      arena_(arena),
      word_count_(vocabulary.words.size()),
      shape_count_(vocabulary.shapes.size()),
      character_count_(vocabulary.characters.size()) {
  const auto declare = [&](const char* name, int64_t symbols, int64_t width) {
    return arena.declare(name, {symbols, width},
                         weights(init, Part::kEmbedding, {.n_in = width, .n_out = symbols, .hidden = width}));
  };
  words_ = declare("embedding.weight", word_count_, options.embed);
  if (options.embed_shape > 0) shapes_ = declare("shapes.weight", shape_count_, options.embed_shape);
  if (options.hidden_characters > 0) {
    characters_ = declare("characters.weight", character_count_, options.embed_characters);
    characters_lstm_.emplace(LstmStackOptions{.lstm = character_options(options),
                                              .inputs = options.embed_characters,
                                              .init = init,
                                              .prefix = "characters."},
                             arena);
  }
}

void WordEncoder::set_word_vectors(const data::WordVectors& vectors) {
  float* table = arena_.value(words_);
  for (size_t i = 0; i < vectors.words.size(); ++i) {
    std::copy_n(vectors.values.data() + static_cast<int64_t>(i) * vectors.size, vectors.size,
                table + vectors.words[i] * options_.embed);
  }
}

const float* WordEncoder::forward(const data::WordBatch& batch, Pass pass, Engine engine, kernels::Context& context) {
  const int64_t rows = batch.steps * batch.rows;
  x_.resize(rows * stride());
  embedding_gather({.n = rows,
                    .width = options_.embed,
                    .table = arena_.value(words_),
                    .symbols = batch.words.data(),
                    .y = x_.data(),
                    .y_stride = stride()},
                   engine, context);
  if (options_.embed_shape > 0) {
    embedding_gather({.n = rows,
                      .width = options_.embed_shape,
                      .table = arena_.value(shapes_),
                      .symbols = batch.shapes.data(),
                      .y = x_.data() + options_.embed,
                      .y_stride = stride()},
                     engine, context);
  }
  if (characters_lstm_) {
    const float* of_words = read_characters(batch, pass, engine, context);
    const int64_t width = 2 * options_.hidden_characters, column = options_.embed + options_.embed_shape;
    for (int64_t row = 0; row < rows; ++row) {
      float* to = x_.data() + row * stride() + column;
      const int32_t slot = batch.slots[static_cast<size_t>(row)];
      if (slot < 0) {
        std::fill_n(to, width, 0.0F);
      } else {
        std::copy_n(of_words + slot * padded(width), width, to);
      }
    }
  }
  return x_.data();
}

void WordEncoder::backward(const data::WordBatch& batch, const float* dx, Engine engine, kernels::Context& context) {
  const int64_t rows = batch.steps * batch.rows;
  embedding_scatter({.n = rows,
                     .width = options_.embed,
                     .symbols = batch.words.data(),
                     .dy = dx,
                     .dy_stride = stride(),
                     .dtable = arena_.gradient(words_)},
                    arena_.value(words_), word_count_, engine, context);
  if (options_.embed_shape > 0) {
    embedding_scatter({.n = rows,
                       .width = options_.embed_shape,
                       .symbols = batch.shapes.data(),
                       .dy = dx + options_.embed,
                       .dy_stride = stride(),
                       .dtable = arena_.gradient(shapes_)},
                      arena_.value(shapes_), shape_count_, engine, context);
  }
  if (characters_lstm_) read_characters_backward(batch, dx, engine, context);
}

StackInput<float> WordEncoder::character_input(const data::WordBatch& batch) const {
  return {.steps = batch.character_steps,
          .batch = batch.distinct,
          .lengths = batch.character_lengths.data(),
          .x = character_x_.data(),
          .x_stride = padded(options_.embed_characters),
          .symbols = batch.characters.data(),
          .masks = {}};
}

PoolInput<float> WordEncoder::character_pool(const data::WordBatch& batch, const float* output) const {
  const int64_t width = 2 * options_.hidden_characters;
  return {.kind = PoolKind::kLast,
          .steps = batch.character_steps,
          .batch = batch.distinct,
          .width = width,
          .directions = 2,
          .lengths = batch.character_lengths.data(),
          .x = output,
          .stride = padded(width)};
}

// A vector [W, 2 units] for each distinct word.
const float* WordEncoder::read_characters(const data::WordBatch& batch, Pass pass, Engine engine,
                                          kernels::Context& context) {
  const int64_t cells = batch.character_steps * batch.distinct, stride_x = padded(options_.embed_characters);
  character_x_.resize(cells * stride_x);
  embedding_gather({.n = cells,
                    .width = options_.embed_characters,
                    .table = arena_.value(characters_),
                    .symbols = batch.characters.data(),
                    .y = character_x_.data(),
                    .y_stride = stride_x},
                   engine, context);
  WholeStack<float>& lstm = *characters_lstm_;
  lstm.state.reset(batch.distinct);
  character_output_ = lstm.forward(lstm.state, character_input(batch), pass, engine, context);
  const int64_t stride_y = padded(2 * options_.hidden_characters);
  word_vectors_.resize(batch.distinct * stride_y);
  pool(character_pool(batch, character_output_), word_vectors_.data(), stride_y, kept_, context.pool);
  return word_vectors_.data();
}

void WordEncoder::read_characters_backward(const data::WordBatch& batch, const float* dx, Engine engine,
                                           kernels::Context& context) {
  const int64_t width = 2 * options_.hidden_characters, column = options_.embed + options_.embed_shape;
  const int64_t stride_y = padded(width), stride_x = padded(options_.embed_characters);
  d_word_vectors_.resize(batch.distinct * stride_y);
  d_word_vectors_.fill(0.0F);
  for (int64_t row = 0; row < batch.steps * batch.rows; ++row) {
    const int32_t slot = batch.slots[static_cast<size_t>(row)];
    if (slot < 0) continue;
    const float* from = dx + row * stride() + column;
    float* to = d_word_vectors_.data() + slot * stride_y;
    for (int64_t j = 0; j < width; ++j) to[j] += from[j];
  }
  const int64_t cells = batch.character_steps * batch.distinct;
  d_output_.resize(cells * stride_y);
  pool_backward(character_pool(batch, character_output_), kept_, d_word_vectors_.data(), stride_y, d_output_.data(),
                static_cast<float*>(nullptr), context.pool);
  d_character_x_.resize(cells * stride_x);
  characters_lstm_->backward(character_input(batch),
                             {.d_output = d_output_.data(), .dx = d_character_x_.data(), .dx_stride = stride_x}, engine,
                             arena_.gradients().data(), context);
  embedding_scatter({.n = cells,
                     .width = options_.embed_characters,
                     .symbols = batch.characters.data(),
                     .dy = d_character_x_.data(),
                     .dy_stride = stride_x,
                     .dtable = arena_.gradient(characters_)},
                    arena_.value(characters_), character_count_, engine, context);
}

}  // namespace longhand::nn
