#include "longhand/tasks/classifier.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/nn/layers.h"
#include "longhand/tasks/word_vocabulary_file.h"

namespace longhand::tasks {
namespace {

constexpr uint32_t kPooledMask = 129;  // its place, beside that of the language model's embedding

}  // namespace

ClassifierOptions::ClassifierOptions() {
  lstm.hidden = 100;
  lstm.bidirectional = true;
  lstm.dropout = 0.0;
  lstm.dropout_input = 0.5;
  encoder.hidden_characters = 0;
  encoder.embed_shape = 0;
}

void ClassifierOptions::add_to(OptionTable& table) {
  columns.add_to(table);
  split.add_to(table);
  words.add_to(table);
  encoder.add_to(table);
  lstm.add_to(table);
  table.add("pool", pool, "pooling of the outputs over time; last takes the last step of each direction",
            one_of({"last", "mean", "max", "attention"}));
  table.add("dropout-pooled", dropout_pooled, "dropout probability of the pooled vector", between(0.0, 0.99));
  init.add_to(table);
}

void ClassifierOptions::check() const { lstm.check(); }

Classifier::Classifier(const ClassifierOptions& options, data::WordVocabulary vocabulary,
                       std::vector<std::string> classes)
    : Classifier(options, std::move(vocabulary), std::move(classes), Memory::kNow) {}

Classifier::Classifier(const ClassifierOptions& options, data::WordVocabulary vocabulary,
                       std::vector<std::string> classes, Memory memory)
    : options_(options),
      pool_(nn::parse_pool(options.pool)),
      vocabulary_(std::move(vocabulary)),
      classes_(std::move(classes)),
      stack_(options.encoder, vocabulary_, options.lstm, options.init, arena_) {
  const int64_t H = options.lstm.hidden;
  const auto weights = [&](int64_t n_out) {
    return nn::weights(options.init, nn::Part::kOutput, {.n_in = width(), .n_out = n_out, .hidden = H});
  };
  if (pool_ == nn::PoolKind::kAttention) query_ = arena_.declare("pool.query", {width()}, weights(1));
  output_weight_ = arena_.declare("output.weight", {K(), width()}, weights(K()));
  output_bias_ = arena_.declare("output.bias", {K()}, nn::bias(options.init, H));
  if (memory == Memory::kLater) return;
  arena_.allocate();
  parameters_changed();
}

std::unique_ptr<Classifier> Classifier::load(const ModelFile& file) {
  file.expect_task(kTask);
  ClassifierOptions options;
  OptionTable table;
  options.add_to(table);
  file.read_options(table);
  file.check_options([&] { options.check(); });
  std::vector<std::string> classes = file.texts("classes");
  if (classes.empty()) {
    throw input_error(file.path() + ": expected classes, found none", "the file is damaged; use an intact copy");
  }
  std::unique_ptr<Classifier> model(
      new Classifier(options, read_word_vocabulary(file), std::move(classes), Memory::kLater));
  file.fill(model->arena_);
  model->parameters_changed();
  return model;
}

void Classifier::save(const std::string& path, std::span<const float> values) const {
  ClassifierOptions options = options_;
  OptionTable table;
  options.add_to(table);
  nlohmann::json vocabulary = to_json(vocabulary_);
  vocabulary["classes"] = classes_;
  write_model(path, kTask, table, vocabulary, arena_, values);
}

void Classifier::initialise(uint64_t seed) {
  arena_.initialise(seed);
  parameters_changed();
}

void Classifier::parameters_changed() {
  stack_.parameters_changed();
  output_packed_ = nn::Packed::kNothing;
}

int32_t Classifier::find_class(const std::string& name) const {
  const auto found = std::find(classes_.begin(), classes_.end(), name);
  return found == classes_.end() ? -1 : static_cast<int32_t>(found - classes_.begin());
}

nn::PoolInput<float> Classifier::pool_input(const data::WordBatch& batch) const {
  return {.kind = pool_,
          .steps = batch.steps,
          .batch = batch.rows,
          .width = width(),
          .directions = options_.lstm.directions(),
          .lengths = batch.lengths.data(),
          .x = output_,
          .stride = padded(width()),
          .query = pool_ == nn::PoolKind::kAttention ? arena_.value(query_) : nullptr};
}

void Classifier::drop(const data::WordBatch& batch, float* rows, kernels::Context& context) {
  nn::multiply_mask<float>({.x = rows,
                            .x_stride = padded(width()),
                            .mask = pooled_mask_.data(),
                            .mask_rows = batch.rows,
                            .mask_stride = padded(width()),
                            .y = rows,
                            .y_stride = padded(width()),
                            .rows = batch.rows,
                            .width = width()},
                           context.pool);
}

// One vector a text: [B, D R].
const float* Classifier::pooled(const data::WordBatch& batch, const nn::DropoutKey& masks, nn::Pass pass,
                                nn::Engine engine, kernels::Context& context) {
  const bool training = pass == nn::Pass::kTraining;
  const nn::Packed wanted = training ? nn::Packed::kTraining : nn::Packed::kInference;
  if (engine == nn::Engine::kFused && output_packed_ < wanted) {
    kernels::pack_linear(arena_.value(output_weight_), K(), width(), training, packed_output_, context);
    output_packed_ = wanted;
  }
  output_ = stack_.forward(batch, masks, pass, engine, context);
  const int64_t stride = padded(width());
  pooled_.resize(batch.rows * stride);
  nn::pool(pool_input(batch), pooled_.data(), stride, kept_, context.pool);
  if (training && options_.dropout_pooled > 0.0) {
    pooled_mask_.resize(batch.rows * stride);
    nn::DropoutKey key = masks;
    key.place += kPooledMask;
    nn::draw_mask(nn::dropout_draw<float>(key, options_.dropout_pooled), pooled_mask_.data(), batch.rows, width(),
                  stride, context.pool);
    drop(batch, pooled_.data(), context);
  }
  return pooled_.data();
}

double Classifier::run(const ClassBatch& batch, std::span<const float> weights, const GradientPass& training,
                       nn::Engine engine, kernels::Context& context) {
  const data::WordBatch& words = batch.words;
  for (const int32_t c : batch.classes) LONGHAND_CHECK(c >= 0 && c < K());
  GradientPass pass = training;
  if (pass.scale == 0.0F) pass.scale = 1.0F / static_cast<float>(words.rows);
  if (pass.penalty_scale == 0.0F) pass.penalty_scale = 1.0F / static_cast<float>(words.tokens);
  arena_.allocate_gradients();
  if (!pass.add) std::fill(arena_.gradients().begin(), arena_.gradients().end(), 0.0F);

  const float* vectors = pooled(words, pass.masks, nn::Pass::kTraining, engine, context);
  const int64_t stride = padded(width());
  d_pooled_.resize(words.rows * stride);
  losses_.resize(words.rows);
  nn::softmax_cross_entropy({.output = {.inputs = width(),
                                        .outputs = K(),
                                        .n = words.rows,
                                        .x = vectors,
                                        .x_stride = stride,
                                        .w = arena_.value(output_weight_),
                                        .bias = arena_.value(output_bias_)},
                             .targets = batch.classes.data(),
                             .loss = losses_.data(),
                             .scale = pass.scale,
                             .weights = weights.empty() ? nullptr : weights.data(),
                             .smoothing = static_cast<float>(pass.label_smoothing),
                             .dx = d_pooled_.data(),
                             .dx_stride = stride,
                             .dw = arena_.gradient(output_weight_),
                             .dbias = arena_.gradient(output_bias_)},
                            packed_output_, engine, context);
  if (options_.dropout_pooled > 0.0) drop(words, d_pooled_.data(), context);
  d_output_.resize(words.steps * words.rows * stride);
  nn::pool_backward(pool_input(words), kept_, d_pooled_.data(), stride, d_output_.data(),
                    pool_ == nn::PoolKind::kAttention ? arena_.gradient(query_) : nullptr, context.pool);
  stack_.backward(words, pass.masks, d_output_.data(), pass.penalty_scale, engine, context);
  double nats = 0.0;
  for (int64_t i = 0; i < words.rows; ++i) nats += static_cast<double>(losses_[i]);
  return nats;
}

std::span<const double> Classifier::read(const data::WordBatch& batch, nn::Engine engine, kernels::Context& context) {
  const float* vectors = pooled(batch, {}, nn::Pass::kInference, engine, context);
  const int64_t stride = padded(K());
  logits_.resize(batch.rows * stride);
  nn::linear_forward({.inputs = width(),
                      .outputs = K(),
                      .n = batch.rows,
                      .x = vectors,
                      .x_stride = padded(width()),
                      .w = arena_.value(output_weight_),
                      .bias = arena_.value(output_bias_),
                      .y = logits_.data(),
                      .y_stride = stride},
                     packed_output_, engine, context);
  probabilities_.clear();
  for (int64_t row = 0; row < batch.rows; ++row) {
    const float* logits = logits_.data() + row * stride;
    const auto largest = static_cast<double>(*std::max_element(logits, logits + K()));
    double sum = 0.0;
    for (int64_t k = 0; k < K(); ++k) sum += std::exp(static_cast<double>(logits[k]) - largest);
    for (int64_t k = 0; k < K(); ++k) {
      probabilities_.push_back(std::exp(static_cast<double>(logits[k]) - largest) / sum);
    }
  }
  return probabilities_;
}

}  // namespace longhand::tasks
