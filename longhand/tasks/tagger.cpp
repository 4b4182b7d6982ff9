#include "longhand/tasks/tagger.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/tasks/token_rules_file.h"
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
  tokens.tokenizer = "auto";
}

void TaggerOptions::add_to(OptionTable& table) {
  columns.add_to(table);
  std::vector<std::string> schemes = data::scheme_names();
  schemes.insert(schemes.begin(), "auto");
  table.add("scheme", scheme, "tagging scheme of the data; auto recognises it; none: tags that do not mark chunks",
            one_of(std::move(schemes)));
  table.add("encode", encode, "tagging scheme inside the model", one_of({"iob1", "iob2", "bioes"}));
  tokens.add_to(table, true);
  words.add_to(table);
  encoder.add_to(table);
  nn::add_word_dropout(table, word_dropout);
  lstm.add_to(table);
  table.add("crf", crf, "use a linear-chain CRF as the output layer");
  init.add_to(table);
}

void TaggerOptions::check() const {
  columns.check();
  lstm.check();
}

std::vector<std::string> TaggerOptions::shared() {
  TaggerOptions options;
  OptionTable table;
  options.columns.add_to(table);
  options.words.add_to(table);
  std::vector<std::string> out = names_of(table);
  out.insert(out.end(), {"scheme", "encode", "tokenizer"});
  return out;
}

Tagger::Tagger(const TaggerOptions& options, data::WordVocabulary vocabulary, std::vector<std::string> labels)
    : EnsembleModel({.lstm = options.lstm,
                     .init = options.init,
                     .vocabulary = &vocabulary,
                     .encoder = options.encoder,
                     .word_dropout = options.word_dropout}),
      options_(options),
      scheme_(data::parse_scheme(options.scheme)),
      tokenizer_(options.tokens),
      vocabulary_(std::move(vocabulary)),
      labels_(std::move(labels)) {
  network_.add_output(K());
  if (!options.crf) return;
  ParameterArena& arena = network_.parameters();
  transitions_ = arena.declare("crf.transitions", {K(), K()}, nn::constant(0.0));
  start_ = arena.declare("crf.start_transitions", {K()}, nn::constant(0.0));
  end_ = arena.declare("crf.end_transitions", {K()}, nn::constant(0.0));
}

void Tagger::allow_steps() {
  if (scheme_ != data::Scheme::kNone) allowed_ = allowed_steps(labels_, data::parse_scheme(options_.encode));
}

std::unique_ptr<Tagger> Tagger::load_member(const ModelFile& file) {
  const auto options = file.options<TaggerOptions>(kTask);
  const auto altered = [&](const char* what) {
    return input_error(file.path() + ": " + what, "the file is damaged; use an intact copy");
  };
  if (options.scheme == "auto") throw altered("expected the scheme of the tags, found 'auto'");
  std::vector<std::string> labels = file.texts("labels");
  if (labels.empty()) throw altered("expected labels, found none");
  if (options.scheme != "none" && labels.size() > kMaxChunkLabels) throw altered("expected fewer labels of chunks");
  auto model = std::make_unique<Tagger>(options, read_word_vocabulary(file), std::move(labels));
  model->set_tokenizer(data::Tokenizer(options.tokens, read_token_rules(file)));
  file.fill(model->network_);
  model->allow_steps();  // only now: a file without the arrays takes no memory
  return model;
}

void Tagger::save(const std::string& path, std::span<const float> values) const {
  nlohmann::json vocabulary = to_json(vocabulary_);
  vocabulary["labels"] = labels_;
  if (!tokenizer_.rules().empty()) vocabulary["tokens"] = to_json(tokenizer_.rules());
  write_model(path, kTask, options_, vocabulary, network_, values);
}

void Tagger::set_tokenizer(data::Tokenizer tokenizer) {
  tokenizer_ = std::move(tokenizer);
  options_.tokens.tokenizer = tokenizer_.name();
}

void Tagger::initialise(uint64_t seed) {
  network_.initialise(seed);
  allow_steps();
}

int32_t Tagger::find_label(const std::string& label) const {
  const auto found = std::find(labels_.begin(), labels_.end(), label);
  return found == labels_.end() ? -1 : static_cast<int32_t>(found - labels_.begin());
}

bool Tagger::is_tag(const std::string& tag) const {
  if (find_label(tag) >= 0) return true;
  const std::vector<std::string> one{tag};
  const std::vector<data::Chunk> found = data::chunks(one);
  if (scheme_ == data::Scheme::kNone || found.empty()) return false;
  return std::any_of(labels_.begin(), labels_.end(), [&](const std::string& label) {
    const std::vector<std::string> other{label};
    const std::vector<data::Chunk> of_label = data::chunks(other);
    return !of_label.empty() && of_label[0].type == found[0].type;
  });
}

nn::OutputRows Tagger::all_rows(const data::WordBatch& batch, const float* output) {
  return {.n = batch.steps * batch.rows, .x = output};
}

double Tagger::train(const TagBatch& batch, const nn::GradientPass& training, Workspace& workspace) {
  const data::WordBatch& words = batch.words;
  const nn::GradientPass pass = network_.begin_training(training, words.tokens, words.tokens, workspace);
  const nn::NetworkInput input = nn::input_of(words, pass.masks);
  const float* output = network_.forward(input, nn::Pass::kTraining, workspace);
  workspace.d_output.resize(words.steps * words.rows * padded(network_.width()));
  const double nats = options_.crf ? chain(batch, output, pass, workspace) : softmax(batch, output, pass, workspace);
  network_.backward(input, workspace.d_output.data(), pass.penalty_scale, workspace);
  return nats;
}

// Each label by itself.
double Tagger::softmax(const TagBatch& batch, const float* output, const nn::GradientPass& training,
                       Workspace& workspace) {
  const data::WordBatch& words = batch.words;
  const int64_t cells = words.steps * words.rows;
  workspace.rows.resize(cells);
  int64_t n = 0;
  for (int64_t cell = 0; cell < cells; ++cell) {
    const bool inside = cell / words.rows < words.lengths[static_cast<size_t>(cell % words.rows)];
    LONGHAND_CHECK(!inside || batch.labels[static_cast<size_t>(cell)] >= 0);
    if (inside) workspace.rows[n++] = static_cast<int32_t>(cell);
  }
  workspace.losses.resize(n);
  return network_.output().softmax({.n = n, .x = output, .rows = workspace.rows.data()},
                                   {.targets = batch.labels.data(),
                                    .losses = workspace.losses.data(),
                                    .scale = training.scale,
                                    .smoothing = training.label_smoothing,
                                    .dx = workspace.d_output.data()},
                                   workspace);
}

// Whole sequences of labels.
double Tagger::chain(const TagBatch& batch, const float* output, const nn::GradientPass& training,
                     Workspace& workspace) {
  const data::WordBatch& words = batch.words;
  const int64_t cells = words.steps * words.rows, stride = padded(K());
  ParameterArena& arena = network_.parameters();
  workspace.scores.resize(cells * stride);
  network_.output().forward(all_rows(words, output), workspace.scores.data(), stride, workspace);
  workspace.d_scores.resize(cells * stride);
  workspace.sentence_losses.resize(static_cast<size_t>(words.rows));
  nn::crf_loss(crf(), crf_input(words, workspace),
               {.targets = batch.labels.data(),
                .loss = workspace.sentence_losses.data(),
                .scale = training.scale,
                .d_scores = workspace.d_scores.data(),
                .d_transitions = arena.gradient(transitions_),
                .d_start = arena.gradient(start_),
                .d_end = arena.gradient(end_)},
               workspace.context.pool);
  network_.output().backward(all_rows(words, output), workspace.d_scores.data(), stride, workspace.d_output.data(),
                             workspace);
  double nats = 0.0;
  for (const double loss : workspace.sentence_losses) nats += loss;
  return nats;
}

// Without a CRF: a chain in which all allowed transitions have the same score.
nn::CrfLayer<float> Tagger::member_crf() const {
  nn::CrfLayer<float> out{.labels = K(), .allowed = allowed_.empty() ? nullptr : allowed_.data()};
  if (options_.crf) {
    out.transitions = network_.parameters().value(transitions_);
    out.start = network_.parameters().value(start_);
    out.end = network_.parameters().value(end_);
  }
  return out;
}

nn::CrfLayer<float> Tagger::crf() const {
  nn::CrfLayer<float> out = member_crf();
  if (is_ensemble()) out.transitions = out.start = out.end = nullptr;
  return out;
}

nn::CrfInput<float> Tagger::crf_input(const data::WordBatch& batch, const Workspace& workspace) const {
  return {.steps = batch.steps,
          .batch = batch.rows,
          .lengths = batch.lengths.data(),
          .scores = workspace.scores.data(),
          .stride = padded(K())};
}

void Tagger::read_member(const data::WordBatch& batch, Workspace& workspace) const {
  const float* output = network_.forward(nn::input_of(batch, {}), nn::Pass::kInference, workspace);
  workspace.scores.resize(batch.steps * batch.rows * padded(K()));
  network_.output().forward(all_rows(batch, output), workspace.scores.data(), padded(K()), workspace);
}

// The probability of each label of each word of a sentence, [length, K], after read_member.
std::vector<double> Tagger::probabilities(const data::WordBatch& batch, int64_t row, const Workspace& workspace) const {
  if (options_.crf) return nn::crf_marginals(member_crf(), crf_input(batch, workspace), row);
  std::vector<double> out;
  for (int64_t t = 0; t < batch.lengths[static_cast<size_t>(row)]; ++t) {
    const float* scores = workspace.scores.data() + (t * batch.rows + row) * padded(K());
    const auto largest = static_cast<double>(*std::max_element(scores, scores + K()));
    double sum = 0.0;
    for (int64_t k = 0; k < K(); ++k) sum += out.emplace_back(std::exp(static_cast<double>(scores[k]) - largest));
    for (auto p = out.end() - K(); p != out.end(); ++p) *p /= sum;
  }
  return out;
}

void Tagger::read(const data::WordBatch& batch, Workspace& workspace) const {
  read_member(batch, workspace);
  if (!is_ensemble()) return;
  for (size_t i = 0; i < others().size(); ++i) others()[i]->read_member(batch, *workspace.others[i]);
  constexpr double kLeast = 1e-30;  // so that what all members exclude has a finite score
  const auto mean_of_row = [&](int64_t row) {
    std::vector<double> sum = probabilities(batch, row, workspace);
    for (size_t i = 0; i < others().size(); ++i) {
      const std::vector<double> other = others()[i]->probabilities(batch, row, *workspace.others[i]);
      for (size_t j = 0; j < sum.size(); ++j) sum[j] += other[j];
    }
    for (int64_t t = 0; t < batch.lengths[static_cast<size_t>(row)]; ++t) {
      float* scores = workspace.scores.data() + (t * batch.rows + row) * padded(K());
      for (int64_t k = 0; k < K(); ++k) {
        const double mean = sum[static_cast<size_t>(t * K() + k)] / static_cast<double>(members());
        scores[k] = static_cast<float>(std::log(std::max(mean, kLeast)));
      }
    }
  };
  workspace.context.pool.run(
      [&](int part, int parts) {
        const Range rows = split(batch.rows, parts, part);
        for (int64_t row = rows.begin; row < rows.end; ++row) mean_of_row(row);
      },
      batch.rows);
}

double Tagger::loss(const TagBatch& batch, int64_t& counted, Workspace& workspace) const {
  const data::WordBatch& words = batch.words;
  read(words, workspace);
  // Without a chain each word is counted by itself, which is a chain of one step.
  std::vector<int32_t> targets(batch.labels.size());
  std::vector<uint8_t> known(batch.labels.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    known[i] = batch.labels[i] >= 0 ? 1 : 0;
    targets[i] = std::max(batch.labels[i], 0);
  }
  nn::CrfInput<float> input = crf_input(words, workspace);
  nn::CrfLayer<float> layer = crf();
  if (!has_chain()) {
    layer.allowed = nullptr;
    input.batch = words.steps * words.rows;
    input.steps = 1;
    input.lengths = nullptr;
  }
  workspace.sentence_losses.resize(static_cast<size_t>(input.batch));
  nn::crf_loss(layer, input, {.targets = targets.data(), .loss = workspace.sentence_losses.data()},
               workspace.context.pool);
  double nats = 0.0;
  counted = 0;
  for (int64_t row = 0; row < words.rows; ++row) {
    const int64_t length = words.lengths[static_cast<size_t>(row)];
    const auto cell = [&](int64_t t) { return static_cast<size_t>(t * words.rows + row); };
    if (!has_chain()) {
      for (int64_t t = 0; t < length; ++t) {
        if (known[cell(t)] == 0) continue;
        nats += workspace.sentence_losses[cell(t)];
        ++counted;
      }
      continue;
    }
    bool all_known = true;
    for (int64_t t = 0; t < length; ++t) all_known = all_known && known[cell(t)] != 0;
    if (!all_known) continue;
    nats += workspace.sentence_losses[static_cast<size_t>(row)];
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
Tagging Tagger::most_probable(const data::WordBatch& batch, int64_t row, const Workspace& workspace) const {
  std::vector<int32_t> labels;
  double log_probability = 0.0;
  for (int64_t t = 0; t < batch.lengths[static_cast<size_t>(row)]; ++t) {
    const float* scores = workspace.scores.data() + (t * batch.rows + row) * padded(K());
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
                    "ask for fewer with `nbest`, or split the sentence");
}

std::vector<std::vector<Tagging>> Tagger::best(const data::WordBatch& batch, int64_t n,
                                               const Workspace& workspace) const {
  const bool independent = !has_chain() && allowed_.empty();
  std::vector<std::vector<Tagging>> out;
  for (int64_t row = 0; row < batch.rows; ++row) {
    out.emplace_back();
    check_length(batch.lengths[static_cast<size_t>(row)], n);
    if (independent && n == 1) {
      out.back().push_back(most_probable(batch, row, workspace));
    } else {
      for (const nn::LabelPath& path : nn::crf_best_paths(crf(), crf_input(batch, workspace), row, n)) {
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
