#include "longhand/tasks/tagger.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/nn/layers.h"
#include "longhand/tasks/word_vocabulary_file.h"

namespace longhand::tasks {
namespace {

constexpr int64_t kMaxWays = 1 << 26;      // 16 bytes each, that n-best decoding keeps
constexpr size_t kMaxChunkLabels = 10000;  // of which a file can make us keep all pairs

// Which label may follow which; index K is the sentence's beginning and end.
std::vector<uint8_t> allowed_steps(const std::vector<std::string>& labels, data::Scheme scheme) {
  const size_t n = labels.size() + 1;
  std::vector<uint8_t> out(n * n, 1);
  const auto text = [&](size_t i) { return i + 1 < n ? std::string_view(labels[i]) : std::string_view(); };
  for (size_t from = 0; from < n; ++from) {
    for (size_t to = 0; to < n; ++to) out[from * n + to] = data::may_follow(text(from), text(to), scheme) ? 1 : 0;
  }
  return out;
}

}  // namespace

TaggerOptions::TaggerOptions() {
  lstm.hidden = 200;
  lstm.bidirectional = true;
  lstm.dropout = 0.5;
}

void TaggerOptions::add_to(OptionTable& table) {
  columns.add_to(table);
  std::vector<std::string> schemes = data::scheme_names();
  schemes.insert(schemes.begin(), "auto");
  table.add("scheme", scheme, "tagging scheme of the data; auto recognises it; none: tags that do not mark chunks",
            one_of(std::move(schemes)));
  table.add("encode", encode, "tagging scheme inside the model", one_of({"iob1", "iob2", "bioes"}));
  words.add_to(table);
  encoder.add_to(table);
  lstm.add_to(table);
  table.add("crf", crf, "use a linear-chain CRF as the output layer");
  init.add_to(table);
}

void TaggerOptions::check() const {
  columns.check();
  lstm.check();
}

Tagger::Tagger(const TaggerOptions& options, data::WordVocabulary vocabulary, std::vector<std::string> labels)
    : Tagger(options, std::move(vocabulary), std::move(labels), Memory::kNow) {}

Tagger::Tagger(const TaggerOptions& options, data::WordVocabulary vocabulary, std::vector<std::string> labels,
               Memory memory)
    : options_(options),
      scheme_(data::parse_scheme(options.scheme)),
      vocabulary_(std::move(vocabulary)),
      labels_(std::move(labels)),
      stack_(options.encoder, vocabulary_, options.lstm, options.init, arena_) {
  const int64_t H = options.lstm.hidden, inputs = options.lstm.outputs();
  output_weight_ =
      arena_.declare("output.weight", {K(), inputs},
                     nn::weights(options.init, nn::Part::kOutput, {.n_in = inputs, .n_out = K(), .hidden = H}));
  output_bias_ = arena_.declare("output.bias", {K()}, nn::bias(options.init, H));
  if (options.crf) {
    transitions_ = arena_.declare("crf.transitions", {K(), K()}, nn::constant(0.0));
    start_ = arena_.declare("crf.start_transitions", {K()}, nn::constant(0.0));
    end_ = arena_.declare("crf.end_transitions", {K()}, nn::constant(0.0));
  }
  if (memory == Memory::kLater) return;  // until the file was found to have the arrays
  arena_.allocate();
  allow_steps();
  parameters_changed();
}

void Tagger::allow_steps() {
  if (scheme_ != data::Scheme::kNone) allowed_ = allowed_steps(labels_, data::parse_scheme(options_.encode));
}

std::unique_ptr<Tagger> Tagger::load(const ModelFile& file) {
  file.expect_task(kTask);
  TaggerOptions options;
  OptionTable table;
  options.add_to(table);
  file.read_options(table);
  file.check_options([&] { options.check(); });
  const auto altered = [&](const char* what) {
    return input_error(file.path() + ": " + what, "the file is damaged; use an intact copy");
  };
  if (options.scheme == "auto") throw altered("expected the scheme of the tags, found 'auto'");
  std::vector<std::string> labels = file.texts("labels");
  if (labels.empty()) throw altered("expected labels, found none");
  if (options.scheme != "none" && labels.size() > kMaxChunkLabels) throw altered("expected fewer labels of chunks");
  std::unique_ptr<Tagger> model(new Tagger(options, read_word_vocabulary(file), std::move(labels), Memory::kLater));
  file.fill(model->arena_);
  model->allow_steps();
  model->parameters_changed();
  return model;
}

void Tagger::save(const std::string& path, std::span<const float> values) const {
  TaggerOptions options = options_;
  OptionTable table;
  options.add_to(table);
  nlohmann::json vocabulary = to_json(vocabulary_);
  vocabulary["labels"] = labels_;
  write_model(path, kTask, table, vocabulary, arena_, values);
}

void Tagger::initialise(uint64_t seed) {
  arena_.initialise(seed);
  parameters_changed();
}

void Tagger::parameters_changed() {
  stack_.parameters_changed();
  output_packed_ = nn::Packed::kNothing;
}

int32_t Tagger::find_label(const std::string& label) const {
  const auto found = std::find(labels_.begin(), labels_.end(), label);
  return found == labels_.end() ? -1 : static_cast<int32_t>(found - labels_.begin());
}

void Tagger::pack_output(bool training, kernels::Context& context) {
  const nn::Packed wanted = training ? nn::Packed::kTraining : nn::Packed::kInference;
  if (output_packed_ >= wanted) return;
  kernels::pack_linear(arena_.value(output_weight_), K(), options_.lstm.outputs(), training, packed_output_, context);
  output_packed_ = wanted;
}

// What the recurrent layers make of the words: [T, B, D R].
const float* Tagger::outputs(const data::WordBatch& batch, const nn::DropoutKey& masks, nn::Pass pass,
                             nn::Engine engine, kernels::Context& context) {
  if (engine == nn::Engine::kFused) pack_output(pass == nn::Pass::kTraining, context);
  return stack_.forward(batch, masks, pass, engine, context);
}

kernels::LinearForward<float> Tagger::output_layer(const data::WordBatch& batch, const float* output) const {
  return {.inputs = options_.lstm.outputs(),
          .outputs = K(),
          .n = batch.steps * batch.rows,
          .x = output,
          .x_stride = padded(options_.lstm.outputs()),
          .w = arena_.value(output_weight_),
          .bias = arena_.value(output_bias_)};
}

double Tagger::run(const TagBatch& batch, const GradientPass& training, nn::Engine engine, kernels::Context& context) {
  const data::WordBatch& words = batch.words;
  GradientPass pass = training;
  if (pass.scale == 0.0F) pass.scale = 1.0F / static_cast<float>(words.tokens);
  if (pass.penalty_scale == 0.0F) pass.penalty_scale = pass.scale;
  arena_.allocate_gradients();
  if (!pass.add) std::fill(arena_.gradients().begin(), arena_.gradients().end(), 0.0F);

  const float* output = outputs(words, pass.masks, nn::Pass::kTraining, engine, context);
  d_output_.resize(words.steps * words.rows * padded(options_.lstm.outputs()));
  const double nats =
      options_.crf ? chain(batch, output, pass, engine, context) : softmax(batch, output, pass, engine, context);
  stack_.backward(words, pass.masks, d_output_.data(), pass.penalty_scale, engine, context);
  return nats;
}

// Each label by itself.
double Tagger::softmax(const TagBatch& batch, const float* output, const GradientPass& training, nn::Engine engine,
                       kernels::Context& context) {
  const data::WordBatch& words = batch.words;
  const int64_t cells = words.steps * words.rows;
  rows_.resize(cells);
  int64_t n = 0;
  for (int64_t cell = 0; cell < cells; ++cell) {
    const bool inside = cell / words.rows < words.lengths[static_cast<size_t>(cell % words.rows)];
    LONGHAND_CHECK(!inside || batch.labels[static_cast<size_t>(cell)] >= 0);
    if (inside) rows_[n++] = static_cast<int32_t>(cell);
  }
  losses_.resize(n);
  kernels::SoftmaxCrossEntropy<float> head{.output = output_layer(words, output),
                                           .targets = batch.labels.data(),
                                           .loss = losses_.data(),
                                           .scale = training.scale,
                                           .smoothing = static_cast<float>(training.label_smoothing),
                                           .dx = d_output_.data(),
                                           .dx_stride = padded(options_.lstm.outputs()),
                                           .dw = arena_.gradient(output_weight_),
                                           .dbias = arena_.gradient(output_bias_)};
  head.output.n = n;
  head.output.rows = rows_.data();
  nn::softmax_cross_entropy(head, packed_output_, engine, context);
  double nats = 0.0;
  for (int64_t i = 0; i < n; ++i) nats += static_cast<double>(losses_[i]);
  return nats;
}

// Whole sequences of labels.
double Tagger::chain(const TagBatch& batch, const float* output, const GradientPass& training, nn::Engine engine,
                     kernels::Context& context) {
  const data::WordBatch& words = batch.words;
  const int64_t cells = words.steps * words.rows, stride = padded(K());
  scores_.resize(cells * stride);
  kernels::LinearForward<float> linear = output_layer(words, output);
  linear.y = scores_.data();
  linear.y_stride = stride;
  nn::linear_forward(linear, packed_output_, engine, context);

  d_scores_.resize(cells * stride);
  sentence_losses_.resize(static_cast<size_t>(words.rows));
  nn::crf_loss(crf(), crf_input(words),
               {.targets = batch.labels.data(),
                .loss = sentence_losses_.data(),
                .scale = training.scale,
                .d_scores = d_scores_.data(),
                .d_transitions = arena_.gradient(transitions_),
                .d_start = arena_.gradient(start_),
                .d_end = arena_.gradient(end_)},
               context.pool);
  nn::linear_backward({.inputs = linear.inputs,
                       .outputs = K(),
                       .n = cells,
                       .x = output,
                       .x_stride = linear.x_stride,
                       .w = linear.w,
                       .dy = d_scores_.data(),
                       .dy_stride = stride,
                       .dx = d_output_.data(),
                       .dx_stride = linear.x_stride,
                       .dw = arena_.gradient(output_weight_),
                       .dbias = arena_.gradient(output_bias_)},
                      packed_output_, engine, context);
  double nats = 0.0;
  for (const double loss : sentence_losses_) nats += loss;
  return nats;
}

// Without a CRF: a chain in which all allowed transitions have the same score.
nn::CrfLayer<float> Tagger::crf() const {
  nn::CrfLayer<float> out{.labels = K(), .allowed = allowed_.empty() ? nullptr : allowed_.data()};
  if (options_.crf) {
    out.transitions = arena_.value(transitions_);
    out.start = arena_.value(start_);
    out.end = arena_.value(end_);
  }
  return out;
}

nn::CrfInput<float> Tagger::crf_input(const data::WordBatch& batch) const {
  return {.steps = batch.steps,
          .batch = batch.rows,
          .lengths = batch.lengths.data(),
          .scores = scores_.data(),
          .stride = padded(K())};
}

void Tagger::read(const data::WordBatch& batch, nn::Engine engine, kernels::Context& context) {
  const float* output = outputs(batch, {}, nn::Pass::kInference, engine, context);
  scores_.resize(batch.steps * batch.rows * padded(K()));
  kernels::LinearForward<float> linear = output_layer(batch, output);
  linear.y = scores_.data();
  linear.y_stride = padded(K());
  nn::linear_forward(linear, packed_output_, engine, context);
}

double Tagger::loss(const TagBatch& batch, int64_t& counted, nn::Engine engine, kernels::Context& context) {
  const data::WordBatch& words = batch.words;
  read(words, engine, context);
  // Without a chain each word is counted by itself, which is a chain of one step.
  std::vector<int32_t> targets(batch.labels.size());
  std::vector<uint8_t> known(batch.labels.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    known[i] = batch.labels[i] >= 0 ? 1 : 0;
    targets[i] = std::max(batch.labels[i], 0);
  }
  nn::CrfInput<float> input = crf_input(words);
  nn::CrfLayer<float> layer = crf();
  if (!options_.crf) {
    layer.allowed = nullptr;
    input.batch = words.steps * words.rows;
    input.steps = 1;
    input.lengths = nullptr;
  }
  sentence_losses_.resize(static_cast<size_t>(input.batch));
  nn::crf_loss(layer, input, {.targets = targets.data(), .loss = sentence_losses_.data()}, context.pool);
  double nats = 0.0;
  counted = 0;
  for (int64_t row = 0; row < words.rows; ++row) {
    const int64_t length = words.lengths[static_cast<size_t>(row)];
    const auto cell = [&](int64_t t) { return static_cast<size_t>(t * words.rows + row); };
    if (!options_.crf) {
      for (int64_t t = 0; t < length; ++t) {
        if (known[cell(t)] == 0) continue;
        nats += sentence_losses_[cell(t)];
        ++counted;
      }
      continue;
    }
    bool all_known = true;
    for (int64_t t = 0; t < length; ++t) all_known = all_known && known[cell(t)] != 0;
    if (!all_known) continue;
    nats += sentence_losses_[static_cast<size_t>(row)];
    counted += length;
  }
  return nats;
}

std::vector<std::string> Tagger::tags(const std::vector<int32_t>& labels) const {
  std::vector<std::string> out;
  for (const int32_t label : labels) out.push_back(labels_[static_cast<size_t>(label)]);
  if (scheme_ == data::Scheme::kNone) return out;
  return data::chunk_tags(data::chunks(out), static_cast<int64_t>(out.size()), scheme_);
}

// Where no label depends on another, without going through all pairs.
Tagging Tagger::most_probable(const data::WordBatch& batch, int64_t row) const {
  std::vector<int32_t> labels;
  double log_probability = 0.0;
  for (int64_t t = 0; t < batch.lengths[static_cast<size_t>(row)]; ++t) {
    const float* scores = scores_.data() + (t * batch.rows + row) * padded(K());
    const float* best = std::max_element(scores, scores + K());
    double sum = 0.0;
    for (int64_t k = 0; k < K(); ++k) sum += std::exp(static_cast<double>(scores[k]) - static_cast<double>(*best));
    labels.push_back(static_cast<int32_t>(best - scores));
    log_probability -= std::log(sum);
  }
  return {tags(labels), std::exp(log_probability)};
}

void Tagger::check_length(int64_t words, int64_t n) const {
  if (n == 1 || words * K() <= kMaxWays / n) return;
  throw input_error(fmt::format("a sentence of {} words is too long for {} tag sequences", words, n),
                    "ask for fewer with --nbest, or split the sentence");
}

std::vector<std::vector<Tagging>> Tagger::best(const data::WordBatch& batch, int64_t n) const {
  const bool independent = !options_.crf && allowed_.empty();
  std::vector<std::vector<Tagging>> out;
  for (int64_t row = 0; row < batch.rows; ++row) {
    out.emplace_back();
    check_length(batch.lengths[static_cast<size_t>(row)], n);
    if (independent && n == 1) {
      out.back().push_back(most_probable(batch, row));
    } else {
      for (const nn::LabelPath& path : nn::crf_best_paths(crf(), crf_input(batch), row, n)) {
        out.back().push_back({tags(path.labels), std::exp(path.log_probability)});
      }
    }
    if (out.back().empty() || !std::isfinite(out.back().front().probability)) {
      throw input_error("the model gives every tag sequence probability 0", "its weights are damaged; train it again");
    }
  }
  return out;
}

}  // namespace longhand::tasks
