#include "longhand/nn/network.h"

#include "longhand/base/error.h"
#include "longhand/kernels/optimizer.h"
#include "longhand/nn/layers.h"

namespace longhand::nn {
namespace {

constexpr uint32_t kEmbeddingMask = 128;  // its place, between those of the stack's two kinds of masks
constexpr uint32_t kWordMask = 130;       // 129 is the classifier's

}  // namespace

NetworkInput input_of(const data::WordBatch& words, const DropoutKey& masks) {
  return {.steps = words.steps,
          .rows = words.rows,
          .lengths = words.ragged ? words.lengths.data() : nullptr,
          .words = &words,
          .masks = masks};
}

NetworkWorkspace::NetworkWorkspace(const Network& network, Engine used, kernels::Context& of_user)
    : OutputWorkspace(used, of_user), state(network.stack()), stack(network.stack()) {
  if (network.words() != nullptr) words.emplace(*network.words());
}

Network::Network(const NetworkOptions& options)
    : options_(options),
      embedding_(
          has_embedding()
              ? arena_.declare("embedding.weight", {options.symbols, options.embed},
                               weights(options.init, Part::kEmbedding,
                                       {.n_in = options.embed, .n_out = options.symbols, .hidden = options.embed}))
              : 0),
      words_(options.vocabulary != nullptr
                 ? std::optional<WordEncoder>(std::in_place, options.encoder, *options.vocabulary, options.init, arena_)
                 : std::nullopt),
      stack_({.lstm = options.lstm,
              .inputs = inputs(),
              .one_hot = options.symbols > 0 && options.embed == 0,
              .init = options.init},
             arena_) {
  options_.vocabulary = nullptr;
  layers_end_ = arena_.extent();
}

int64_t Network::inputs() const {
  if (words_) return words_->width();
  if (has_embedding()) return options_.embed;
  return options_.symbols > 0 ? options_.symbols : options_.numbers;
}

void Network::add_output(int64_t outputs, bool tied, int64_t inputs) {
  OutputLayerOptions layer{.inputs = inputs > 0 ? inputs : width(),
                           .outputs = outputs,
                           .hidden = options_.lstm.hidden,
                           .init = options_.init};
  if (tied) layer.tied = OutputLayerOptions::Tied{embedding_, options_.embed};
  output_.emplace(layer, arena_);
}

void Network::use_sparse_embedding() {
  LONGHAND_CHECK(words_ || (has_embedding() && !output_->is_tied()));
  words_ ? words_->use_sparse_embedding() : arena_.make_sparse(embedding_);
}

void Network::initialise(uint64_t seed) {
  if (arena_.values().empty()) arena_.allocate();
  arena_.initialise(seed);
  parameters_changed();
  kernels::Context context(1);
  pack(Pass::kInference, context);
}

void Network::parameters_changed() {
  if (words_) words_->parameters_changed();
  weights_.set_values(arena_.values().data());
  output_->parameters_changed();
}

void Network::pack(Pass pass, kernels::Context& context) {
  if (words_) words_->pack(pass, context);
  weights_.pack(pass, context);
  output_->pack(pass, context);
}

StackInput<float> Network::stack_input(const NetworkInput& input, const float* x) const {
  return {.steps = input.steps,
          .batch = input.rows,
          .lengths = input.lengths,
          .x = x,
          .x_stride = padded(inputs()),
          .symbols = input.symbols,
          .masks = input.masks};
}

// (51) Multiplies the row of each symbol of the batch by the symbol's element of the mask.
void Network::scale_symbols(const NetworkInput& input, const NetworkWorkspace& workspace, float* rows) const {
  const int64_t stride = padded(options_.embed);
  for (int64_t row = 0; row < input.steps * input.rows; ++row) {
    const float factor = workspace.symbol_mask[input.symbols[row]];
    for (int64_t j = 0; j < options_.embed; ++j) rows[row * stride + j] *= factor;
  }
}

// (51) likewise for words, of which each in the batch has an element of its own.
void Network::scale_words(const NetworkInput& input, const NetworkWorkspace& workspace, float* rows) const {
  const int64_t stride = padded(inputs());
  for (int64_t row = 0; row < input.steps * input.rows; ++row) {
    for (int64_t j = 0; j < inputs(); ++j) rows[row * stride + j] *= workspace.word_mask[row];
  }
}

// Words, some of which are left out in training. What is left is not scaled up: these words look as they do later, and
// a word that is left out looks like none.
const float* Network::encode_words(const NetworkInput& input, Pass pass, NetworkWorkspace& workspace) const {
  words_->forward(*input.words, pass, workspace.engine, *workspace.words, workspace.context);
  const bool drops = pass == Pass::kTraining && options_.word_dropout > 0.0;
  const int64_t rows = input.steps * input.rows;
  workspace.word_mask.resize(drops ? rows : 0);
  if (drops) {
    Draw<float> draw{.key = input.masks, .p = options_.word_dropout, .hit = 0.0F, .miss = 1.0F};
    draw.key.place += kWordMask;
    draw_mask(draw, workspace.word_mask.data(), 1, rows, rows, workspace.context.pool);
    scale_words(input, workspace, workspace.words->x.data());
  }
  return workspace.words->x.data();
}

// What the layers read, [T, B, padded(inputs())]; null for one-hot input.
const float* Network::embed(const NetworkInput& input, Pass pass, NetworkWorkspace& workspace) const {
  if (words_) return encode_words(input, pass, workspace);
  if (!has_embedding()) return input.x;
  const int64_t rows = input.steps * input.rows, stride = padded(options_.embed);
  workspace.x.resize(rows * stride);
  embedding_gather({.n = rows,
                    .width = options_.embed,
                    .table = arena_.value(embedding_),
                    .symbols = input.symbols,
                    .y = workspace.x.data(),
                    .y_stride = stride},
                   workspace.engine, workspace.context);
  const bool drops = pass == Pass::kTraining && options_.dropout_embedding > 0.0;
  workspace.symbol_mask.resize(drops ? options_.symbols : 0);
  if (drops) {
    DropoutKey key = input.masks;
    key.place += kEmbeddingMask;
    draw_mask(dropout_draw<float>(key, options_.dropout_embedding), workspace.symbol_mask.data(), 1, options_.symbols,
              options_.symbols, workspace.context.pool);
    scale_symbols(input, workspace, workspace.x.data());
  }
  return workspace.x.data();
}

const float* Network::forward(const NetworkInput& input, StackState<float>& state, Pass pass,
                              NetworkWorkspace& workspace) const {
  const float* x = embed(input, pass, workspace);
  return workspace.stack.forward(weights_, state, stack_input(input, x), pass, workspace.engine, workspace.context);
}

const float* Network::forward(const NetworkInput& input, Pass pass, NetworkWorkspace& workspace) const {
  workspace.state.reset(input.rows);
  return forward(input, workspace.state, pass, workspace);
}

GradientPass Network::begin_training(const GradientPass& pass, int64_t predicted, int64_t steps,
                                     NetworkWorkspace& workspace) {
  if (workspace.engine == Engine::kFused) pack(Pass::kTraining, workspace.context);
  GradientPass out = pass;
  if (out.scale == 0.0F) out.scale = 1.0F / static_cast<float>(predicted);
  if (out.penalty_scale == 0.0F) out.penalty_scale = 1.0F / static_cast<float>(steps);
  arena_.allocate_gradients();
  if (!out.add) clear_gradients(workspace.context);
  workspace.ends_update = out.last;
  return out;
}

void Network::clear_gradients(kernels::Context& context) {
  arena_.allocate_gradients();
  kernels::clear_values(arena_.gradients().data(), arena_.touched(), context);
  arena_.forget_touched();
}

size_t Network::first_trained_layer() const {
  size_t first = 0;
  for (const LstmStack::Layer& layer : stack_.layers()) {
    if (!arena_.is_frozen_at(layer.directions[0].offsets.w_ih)) break;
    ++first;
  }
  return first;
}

void Network::backward(const NetworkInput& input, const float* d_output, float penalty_scale,
                       NetworkWorkspace& workspace) {
  const bool wants_dx = words_ ? words_->is_trained() : has_embedding() && !arena_.is_frozen(embedding_);
  const size_t first = wants_dx ? 0 : first_trained_layer();
  if (first == stack_.layers().size()) return;
  const int64_t rows = input.steps * input.rows, stride = padded(inputs());
  if (wants_dx) workspace.dx.resize(rows * stride);
  const float* x = words_ ? workspace.words->x.data() : has_embedding() ? workspace.x.data() : input.x;
  // Parameters are declared from the input to the output, whose gradients are complete.
  const auto say_final = [&](int64_t offset) {
    if (workspace.ends_update) arena_.say_final(offset);
  };
  say_final(layers_end_);
  workspace.stack.backward(weights_, stack_input(input, x),
                           {.d_output = d_output,
                            .dx = wants_dx ? workspace.dx.data() : nullptr,
                            .dx_stride = stride,
                            .first_layer = first,
                            .penalty_scale = penalty_scale,
                            .on_layer = [&](size_t l) { say_final(stack_.layers()[l].directions[0].offsets.w_ih); }},
                           workspace.engine, arena_.gradients().data(), workspace.context);
  if (!wants_dx) return;
  if (words_) {
    if (workspace.word_mask.size() > 0) scale_words(input, workspace, workspace.dx.data());
    words_->backward(*input.words, workspace.dx.data(), workspace.engine, *workspace.words, workspace.context);
  } else {
    touch_rows(arena_, embedding_, input.symbols, input.steps, input.rows, input.lengths);
    if (workspace.symbol_mask.size() > 0) scale_symbols(input, workspace, workspace.dx.data());
    embedding_scatter({.n = rows,
                       .width = options_.embed,
                       .symbols = input.symbols,
                       .dy = workspace.dx.data(),
                       .dy_stride = stride,
                       .dtable = arena_.gradient(embedding_)},
                      arena_.value(embedding_), options_.symbols, workspace.engine, workspace.context);
  }
}

}  // namespace longhand::nn
