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

void add_word_dropout(OptionTable& table, double& probability) {
  table.add("word-dropout", probability,
            "word dropout probability: in training, all that the layers read of a word is zero (Iyyer et al. 2015)",
            between(0.0, 0.99));
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
    lstm_.emplace(LstmStackOptions{.lstm = character_options(options),
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

bool WordEncoder::is_trained() const {
  const bool characters = lstm_ && (!arena_.is_frozen(characters_) ||
                                    !arena_.is_frozen_at(lstm_->stack.layers()[0].directions[0].offsets.w_ih));
  return !arena_.is_frozen(words_) || (options_.embed_shape > 0 && !arena_.is_frozen(shapes_)) || characters;
}

void WordEncoder::parameters_changed() {
  ++version_;
  if (lstm_) lstm_->weights.set_values(arena_.values().data());
}

void WordEncoder::pack(Pass pass, kernels::Context& context) {
  if (lstm_) lstm_->weights.pack(pass, context);
}

const float* WordEncoder::forward(const data::WordBatch& batch, Pass pass, Engine engine, WordWorkspace& workspace,
                                  kernels::Context& context) const {
  const int64_t rows = batch.steps * batch.rows;
  workspace.x.resize(rows * stride());
  embedding_gather({.n = rows,
                    .width = options_.embed,
                    .table = arena_.value(words_),
                    .symbols = batch.words.data(),
                    .y = workspace.x.data(),
                    .y_stride = stride()},
                   engine, context);
  if (options_.embed_shape > 0) {
    embedding_gather({.n = rows,
                      .width = options_.embed_shape,
                      .table = arena_.value(shapes_),
                      .symbols = batch.shapes.data(),
                      .y = workspace.x.data() + options_.embed,
                      .y_stride = stride()},
                     engine, context);
  }
  if (lstm_) {
    if (pass == Pass::kInference) {
      read_new_words(batch, engine, workspace, context);
    } else {
      read_characters(batch, pass, engine, workspace, context);
    }
    const int64_t width = 2 * options_.hidden_characters, column = options_.embed + options_.embed_shape;
    for (int64_t row = 0; row < rows; ++row) {
      float* to = workspace.x.data() + row * stride() + column;
      const int32_t slot = batch.slots[static_cast<size_t>(row)];
      if (slot < 0) {
        std::fill_n(to, width, 0.0F);
      } else {
        std::copy_n(workspace.word_vectors.data() + slot * padded(width), width, to);
      }
    }
  }
  return workspace.x.data();
}

void WordEncoder::backward(const data::WordBatch& batch, const float* dx, Engine engine, WordWorkspace& workspace,
                           kernels::Context& context) {
  const int64_t rows = batch.steps * batch.rows;
  if (!arena_.is_frozen(words_)) {
    touch_rows(arena_, words_, batch.words.data(), batch.steps, batch.rows, batch.lengths.data());
    embedding_scatter({.n = rows,
                       .width = options_.embed,
                       .symbols = batch.words.data(),
                       .dy = dx,
                       .dy_stride = stride(),
                       .dtable = arena_.gradient(words_)},
                      arena_.value(words_), word_count_, engine, context);
  }
  if (options_.embed_shape > 0) {
    embedding_scatter({.n = rows,
                       .width = options_.embed_shape,
                       .symbols = batch.shapes.data(),
                       .dy = dx + options_.embed,
                       .dy_stride = stride(),
                       .dtable = arena_.gradient(shapes_)},
                      arena_.value(shapes_), shape_count_, engine, context);
  }
  if (lstm_) read_characters_backward(batch, dx, engine, workspace, context);
}

StackInput<float> WordEncoder::character_input(const data::WordBatch& batch, const WordWorkspace& workspace) const {
  return {.steps = batch.character_steps,
          .batch = batch.distinct,
          .lengths = batch.character_lengths.data(),
          .x = workspace.character_x.data(),
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

// Leaves a vector [W, 2 units] for each distinct word in workspace.word_vectors.
void WordEncoder::read_characters(const data::WordBatch& batch, Pass pass, Engine engine, WordWorkspace& workspace,
                                  kernels::Context& context) const {
  const int64_t cells = batch.character_steps * batch.distinct, stride_x = padded(options_.embed_characters);
  workspace.character_x.resize(cells * stride_x);
  embedding_gather({.n = cells,
                    .width = options_.embed_characters,
                    .table = arena_.value(characters_),
                    .symbols = batch.characters.data(),
                    .y = workspace.character_x.data(),
                    .y_stride = stride_x},
                   engine, context);
  workspace.state->reset(batch.distinct);
  workspace.output = workspace.stack->forward(lstm_->weights, *workspace.state, character_input(batch, workspace), pass,
                                              engine, context);
  const int64_t stride_y = padded(2 * options_.hidden_characters);
  workspace.word_vectors.resize(batch.distinct * stride_y);
  pool(character_pool(batch, workspace.output), workspace.word_vectors.data(), stride_y, workspace.kept, context.pool);
}

// The same for inference, from the cache: only words that are not in it are read.
void WordEncoder::read_new_words(const data::WordBatch& batch, Engine engine, WordWorkspace& workspace,
                                 kernels::Context& context) const {
  WordCache& cache = workspace.cache;
  const int64_t W = batch.distinct, stride = padded(2 * options_.hidden_characters);
  if (cache.version != version_ || cache.words() + W > WordCache::kMostWords) cache.clear(version_);
  const int64_t known = cache.words();
  try {
    cache.find(batch);
    if (cache.fresh.distinct > 0) {
      read_characters(cache.fresh, Pass::kInference, engine, workspace, context);
      cache.add(known, workspace.word_vectors.data(), stride);
    }
  } catch (...) {  // some words have no vector
    cache.clear(version_);
    throw;
  }
  workspace.word_vectors.resize(W * stride);
  for (int64_t w = 0; w < W; ++w) {
    std::copy_n(cache.vectors.data() + cache.row_of[static_cast<size_t>(w)] * stride, stride,
                workspace.word_vectors.data() + w * stride);
  }
}

void WordCache::find(const data::WordBatch& batch) {
  const int64_t W = batch.distinct;
  const auto character = [&](int64_t s, int64_t w) { return batch.characters[static_cast<size_t>(s * W + w)]; };
  std::vector<int64_t> columns;  // of the fresh words in the batch
  fresh.character_lengths.clear();
  fresh.character_steps = 0;
  row_of.resize(static_cast<size_t>(W));
  std::string key;
  for (int64_t w = 0; w < W; ++w) {
    const int32_t length = batch.character_lengths[static_cast<size_t>(w)];
    key.clear();
    for (int64_t s = 0; s < length; ++s) {
      const int32_t symbol = character(s, w);
      key.append(reinterpret_cast<const char*>(&symbol), sizeof symbol);
    }
    const auto [at, is_new] = rows.try_emplace(key, static_cast<int32_t>(rows.size()));
    row_of[static_cast<size_t>(w)] = at->second;
    if (!is_new) continue;
    columns.push_back(w);
    fresh.character_lengths.push_back(length);
    fresh.character_steps = std::max<int64_t>(fresh.character_steps, length);
  }
  fresh.distinct = static_cast<int64_t>(columns.size());
  fresh.characters.assign(static_cast<size_t>(fresh.character_steps * fresh.distinct), 0);
  for (int64_t i = 0; i < fresh.distinct; ++i) {
    for (int64_t s = 0; s < fresh.character_lengths[static_cast<size_t>(i)]; ++s) {
      fresh.characters[static_cast<size_t>(s * fresh.distinct + i)] = character(s, columns[static_cast<size_t>(i)]);
    }
  }
}

void WordCache::add(int64_t known, const float* values, int64_t stride) {
  if (const int64_t needed = words() * stride; vectors.size() < needed) {
    Buffer<float> larger(2 * needed);
    std::copy_n(vectors.data(), known * stride, larger.data());
    vectors = std::move(larger);
  }
  std::copy_n(values, fresh.distinct * stride, vectors.data() + known * stride);
}

void WordEncoder::read_characters_backward(const data::WordBatch& batch, const float* dx, Engine engine,
                                           WordWorkspace& workspace, kernels::Context& context) {
  const int64_t width = 2 * options_.hidden_characters, column = options_.embed + options_.embed_shape;
  const int64_t stride_y = padded(width), stride_x = padded(options_.embed_characters);
  workspace.d_word_vectors.resize(batch.distinct * stride_y);
  workspace.d_word_vectors.fill(0.0F);
  for (int64_t row = 0; row < batch.steps * batch.rows; ++row) {
    const int32_t slot = batch.slots[static_cast<size_t>(row)];
    if (slot < 0) continue;
    const float* from = dx + row * stride() + column;
    float* to = workspace.d_word_vectors.data() + slot * stride_y;
    for (int64_t j = 0; j < width; ++j) to[j] += from[j];
  }
  const int64_t cells = batch.character_steps * batch.distinct;
  workspace.d_output.resize(cells * stride_y);
  pool_backward(character_pool(batch, workspace.output), workspace.kept, workspace.d_word_vectors.data(), stride_y,
                workspace.d_output.data(), static_cast<float*>(nullptr), context.pool);
  workspace.d_character_x.resize(cells * stride_x);
  workspace.stack->backward(
      lstm_->weights, character_input(batch, workspace),
      {.d_output = workspace.d_output.data(), .dx = workspace.d_character_x.data(), .dx_stride = stride_x}, engine,
      arena_.gradients().data(), context);
  embedding_scatter({.n = cells,
                     .width = options_.embed_characters,
                     .symbols = batch.characters.data(),
                     .dy = workspace.d_character_x.data(),
                     .dy_stride = stride_x,
                     .dtable = arena_.gradient(characters_)},
                    arena_.value(characters_), character_count_, engine, context);
}

}  // namespace longhand::nn
