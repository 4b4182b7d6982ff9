#include "longhand/tasks/classifier.h"

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/tasks/linear_part.h"
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
  tokens.add_to(table, false);
  words.add_to(table);
  encoder.add_to(table);
  nn::add_word_dropout(table, word_dropout);
  lstm.add_to(table);
  table.add(
      "pool", pool,
      "pooling of the outputs over time; last takes the last step of each direction, concat is last, max and mean side "
      "by side",
      one_of({"last", "mean", "max", "attention", "concat"}));
  table.add("dropout-pooled", dropout_pooled, "dropout probability of the pooled vector", between(0.0, 0.99));
  table.add("linear-share", linear_share,
            "share of a logistic regression of words and pairs in the probabilities, fitted to the training data; the "
            "rest is the network's",
            between(0.0, 1.0));
  init.add_to(table);
}

void ClassifierOptions::check() const { lstm.check(); }

std::vector<std::string> ClassifierOptions::shared() {
  ClassifierOptions options;
  OptionTable table;
  options.columns.add_to(table);
  options.tokens.add_to(table, false);
  options.words.add_to(table);
  std::vector<std::string> out = names_of(table);
  out.emplace_back("linear-share");
  return out;
}

Classifier::Classifier(const ClassifierOptions& options, data::WordVocabulary vocabulary,
                       std::vector<std::string> classes)
    : EnsembleModel({.lstm = options.lstm,
                     .init = options.init,
                     .vocabulary = &vocabulary,
                     .encoder = options.encoder,
                     .word_dropout = options.word_dropout}),
      options_(options),
      pool_(nn::parse_pool(options.pool)),
      tokenizer_(options.tokens),
      vocabulary_(std::move(vocabulary)),
      classes_(std::move(classes)) {
  if (pool_ == nn::PoolKind::kAttention) {
    const nn::WeightShape shape{.n_in = width(), .n_out = 1, .hidden = options.lstm.hidden};
    query_ =
        network_.parameters().declare("pool.query", {width()}, nn::weights(options.init, nn::Part::kOutput, shape));
  }
  network_.add_output(K(), false, pooled_width());
}

std::unique_ptr<Classifier> Classifier::load_member(const ModelFile& file) {
  const auto options = file.options<ClassifierOptions>(kTask);
  std::vector<std::string> classes = file.texts("classes");
  if (classes.empty()) {
    throw input_error(file.path() + ": expected classes, found none", "the file is damaged; use an intact copy");
  }
  auto model = std::make_unique<Classifier>(options, read_word_vocabulary(file), std::move(classes));
  file.fill(model->network_, options.linear_share > 0.0 ? kLinearArrays : 0);
  if (options.linear_share > 0.0) model->set_linear(read_linear_part(file));
  return model;
}

void Classifier::save(const std::string& path, std::span<const float> values) const {
  nlohmann::json vocabulary = to_json(vocabulary_);
  vocabulary["classes"] = classes_;
  if (!linear_) return write_model(path, kTask, options_, vocabulary, network_, values);
  const baselines::LinearClassifier::Parts linear = linear_->parts();
  vocabulary["linear"] = to_json(linear);
  write_model(path, kTask, options_, vocabulary, network_, values, arrays_of(linear));
}

int32_t Classifier::find_class(const std::string& name) const {
  const auto found = std::find(classes_.begin(), classes_.end(), name);
  return found == classes_.end() ? -1 : static_cast<int32_t>(found - classes_.begin());
}

nn::PoolInput<float> Classifier::pool_input(const data::WordBatch& batch, const Workspace& workspace) const {
  return {.kind = pool_,
          .steps = batch.steps,
          .batch = batch.rows,
          .width = width(),
          .directions = options_.lstm.directions(),
          .lengths = batch.lengths.data(),
          .x = workspace.output,
          .stride = padded(width()),
          .query = pool_ == nn::PoolKind::kAttention ? parameters().value(query_) : nullptr};
}

void Classifier::drop(const data::WordBatch& batch, float* rows, Workspace& workspace) const {
  nn::multiply_mask<float>({.x = rows,
                            .x_stride = padded(pooled_width()),
                            .mask = workspace.pooled_mask.data(),
                            .mask_rows = batch.rows,
                            .mask_stride = padded(pooled_width()),
                            .y = rows,
                            .y_stride = padded(pooled_width()),
                            .rows = batch.rows,
                            .width = pooled_width()},
                           workspace.context.pool);
}

// One vector a text: [B, pooled_width()].
nn::OutputRows Classifier::pooled(const nn::NetworkInput& input, nn::Pass pass, Workspace& workspace) const {
  workspace.output = network_.forward(input, pass, workspace);
  const int64_t stride = padded(pooled_width());
  workspace.pooled.resize(input.rows * stride);
  nn::pool(pool_input(*input.words, workspace), workspace.pooled.data(), stride, workspace.kept,
           workspace.context.pool);
  if (pass == nn::Pass::kTraining && options_.dropout_pooled > 0.0) {
    workspace.pooled_mask.resize(input.rows * stride);
    nn::DropoutKey key = input.masks;
    key.place += kPooledMask;
    nn::draw_mask(nn::dropout_draw<float>(key, options_.dropout_pooled), workspace.pooled_mask.data(), input.rows,
                  pooled_width(), stride, workspace.context.pool);
    drop(*input.words, workspace.pooled.data(), workspace);
  }
  return {.n = input.rows, .x = workspace.pooled.data()};
}

double Classifier::train(const ClassBatch& batch, std::span<const float> weights, const nn::GradientPass& training,
                         Workspace& workspace) {
  const data::WordBatch& words = batch.words;
  for (const int32_t c : batch.classes) LONGHAND_CHECK(c >= 0 && c < K());
  const nn::GradientPass pass = network_.begin_training(training, words.rows, words.tokens, workspace);
  const nn::NetworkInput input = nn::input_of(words, pass.masks);
  const nn::OutputRows vectors = pooled(input, nn::Pass::kTraining, workspace);
  const int64_t stride = padded(pooled_width());
  workspace.d_pooled.resize(words.rows * stride);
  workspace.losses.resize(words.rows);
  const double nats = network_.output().softmax(vectors,
                                                {.targets = batch.classes.data(),
                                                 .losses = workspace.losses.data(),
                                                 .weights = weights.empty() ? nullptr : weights.data(),
                                                 .scale = pass.scale,
                                                 .smoothing = pass.label_smoothing,
                                                 .dx = workspace.d_pooled.data()},
                                                workspace);
  if (options_.dropout_pooled > 0.0) drop(words, workspace.d_pooled.data(), workspace);
  workspace.d_output.resize(words.steps * words.rows * padded(width()));
  nn::pool_backward(
      pool_input(words, workspace), workspace.kept, workspace.d_pooled.data(), stride, workspace.d_output.data(),
      pool_ == nn::PoolKind::kAttention ? parameters().gradient(query_) : nullptr, workspace.context.pool);
  network_.backward(input, workspace.d_output.data(), pass.penalty_scale, workspace);
  return nats;
}

// Leaves this member's probabilities [B, K] in the workspace.
void Classifier::read_member(const data::WordBatch& batch, Workspace& workspace) const {
  const nn::OutputRows vectors = pooled(nn::input_of(batch, {}), nn::Pass::kInference, workspace);
  const int64_t stride = padded(K());
  workspace.logits.resize(batch.rows * stride);
  network_.output().forward(vectors, workspace.logits.data(), stride, workspace);
  std::vector<double>& probabilities = workspace.probabilities;
  probabilities.clear();
  for (int64_t row = 0; row < batch.rows; ++row) {
    const float* logits = workspace.logits.data() + row * stride;
    const auto largest = static_cast<double>(*std::max_element(logits, logits + K()));
    double sum = 0.0;
    for (int64_t k = 0; k < K(); ++k) sum += std::exp(static_cast<double>(logits[k]) - largest);
    for (int64_t k = 0; k < K(); ++k) {
      probabilities.push_back(std::exp(static_cast<double>(logits[k]) - largest) / sum);
    }
  }
  if (options_.linear_share > 0.0) {
    LONGHAND_CHECK(linear_);
    add_linear(batch, probabilities);
  }
}

void Classifier::set_linear(baselines::LinearClassifier linear) {
  LONGHAND_CHECK(linear.classes() == K());
  linear_ = std::move(linear);
}

void Classifier::add_linear(const data::WordBatch& batch, std::vector<double>& probabilities) const {
  const double share = options_.linear_share;
  data::Words words;
  for (int64_t row = 0; row < batch.rows; ++row) {
    words.clear();
    for (int64_t t = 0; t < batch.lengths[static_cast<size_t>(row)]; ++t) {
      words.push_back(vocabulary_.words.symbol(batch.words[static_cast<size_t>(t * batch.rows + row)]));
    }
    const std::vector<double> linear = linear_->probabilities(words);
    for (int64_t k = 0; k < K(); ++k) {
      double& p = probabilities[static_cast<size_t>(row * K() + k)];
      p += share * (linear[static_cast<size_t>(k)] - p);
    }
  }
}

std::span<const double> Classifier::read(const data::WordBatch& batch, Workspace& workspace) const {
  read_member(batch, workspace);
  std::vector<double>& mean = workspace.probabilities;
  for (size_t i = 0; i < others().size(); ++i) {
    const std::span<const double> other = others()[i]->read(batch, *workspace.others[i]);
    for (size_t j = 0; j < mean.size(); ++j) mean[j] += other[j];
  }
  if (is_ensemble()) {
    for (double& probability : mean) probability /= static_cast<double>(members());
  }
  return mean;
}

}  // namespace longhand::tasks
