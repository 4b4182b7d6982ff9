#include "longhand/tasks/language_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "longhand/base/error.h"

namespace longhand::tasks {
namespace {

nn::NetworkOptions network_options(const LanguageModelOptions& options, int64_t symbols) {
  return {.lstm = options.lstm,
          .init = options.init,
          .symbols = symbols,
          .embed = options.embed,
          .dropout_embedding = options.dropout_embedding};
}

}  // namespace

void LanguageModelOptions::add_to(OptionTable& table) {
  text.add_to(table);
  lstm.add_to(table);
  table.add("embed", embed, "symbol embedding size; 0: one-hot input", between(0, 65536));
  table.add("tie-weights", tie_weights, "share weights between the embedding and the output layer");
  table.add("dropout-embedding", dropout_embedding,
            "dropout probability of whole rows of the embedding, one mask per batch", between(0.0, 0.99));
  init.add_to(table);
}

void LanguageModelOptions::check() const {
  if (embed == 0 && (tie_weights || dropout_embedding > 0.0)) {
    throw usage_error(std::string(tie_weights ? "`tie-weights`" : "`dropout-embedding`") +
                          ": expected an embedding, found one-hot input",
                      "give the symbols an embedding, such as `embed` 64");
  }
  if (embed == 0 && lstm.dropout_input > 0.0) {
    throw usage_error("`dropout-input`: expected 0 with one-hot input, found " + shortest(lstm.dropout_input),
                      "give the symbols an embedding, such as `embed` 64, or leave `dropout-input` out");
  }
  lstm.check();
}

std::vector<std::string> LanguageModelOptions::shared() {
  LanguageModelOptions options;
  OptionTable table;
  options.text.add_to(table);
  std::vector<std::string> out = names_of(table);
  out.emplace_back("bidirectional");
  return out;
}

double LanguageScore::nats_per_symbol() const { return total_nats / static_cast<double>(symbols); }
double LanguageScore::perplexity() const { return std::exp(nats_per_symbol()); }
double LanguageScore::bits_per_character() const {
  return total_nats / std::numbers::ln2 / static_cast<double>(characters);
}

double ColdScore::mean(int64_t first, int64_t last) const {
  last = std::min(last, static_cast<int64_t>(nats.size()));
  double sum = 0.0;
  for (int64_t d = first; d <= last; ++d) sum += nats[static_cast<size_t>(d - 1)];
  return first <= last ? sum / static_cast<double>(last - first + 1) : std::nan("");
}

std::vector<Metric> ColdScore::metrics() const {
  std::vector<Metric> out;
  for (const auto& [first, last] : kBands) {
    if (first <= static_cast<int64_t>(nats.size())) {
      out.push_back({fmt::format("cold_nats_{}_{}", first, last), mean(first, last)});
    }
  }
  return out;
}

LanguageModel::LanguageModel(const LanguageModelOptions& options, data::Vocabulary vocabulary)
    : EnsembleModel(network_options(options, vocabulary.size())),
      options_(options),
      vocabulary_(std::move(vocabulary)) {
  network_.add_output(vocabulary_.size(), options.tie_weights);
}

std::string LanguageModel::why_not_generate() const {
  if (options_.lstm.bidirectional) return "a bidirectional model cannot generate: it also reads each text backwards";
  if (options_.text.reverse) return "a model with `reverse` cannot generate: it predicts what comes before a text";
  return "";
}

void LanguageModel::save(const std::string& path, std::span<const float> values) const {
  write_model(path, kTask, options_, vocabulary_.to_json(), network_, values);
}

std::unique_ptr<LanguageModel> LanguageModel::load(const std::string& path) { return load(ModelFile::read(path)); }

std::unique_ptr<LanguageModel> LanguageModel::load_member(const ModelFile& file) {
  const auto options = file.options<LanguageModelOptions>(kTask);
  data::Vocabulary vocabulary = data::Vocabulary::from_json(file.vocabulary(), file.path());
  data::check_special_symbols(vocabulary, options.text, file.path());
  auto model = std::make_unique<LanguageModel>(options, std::move(vocabulary));
  file.fill(model->network_);
  return model;
}

LanguageModel::State::State(const LanguageModel& model) : nn::StackState<float>(model.network().stack()) {
  for (const auto& other : model.others()) others.emplace_back(*other);
}

nn::NetworkInput LanguageModel::input(const data::Batch& batch, const nn::DropoutKey& masks) const {
  for (int64_t row = 0; row < batch.steps * batch.rows; ++row) {
    const int32_t symbol = batch.inputs[static_cast<size_t>(row)];
    LONGHAND_CHECK(symbol >= 0 && symbol < vocabulary_.size());
  }
  return {.steps = batch.steps,
          .rows = batch.rows,
          .lengths = batch.ragged ? batch.lengths.data() : nullptr,
          .symbols = batch.inputs.data(),
          .masks = masks};
}

// The state from which a batch goes on.
void LanguageModel::begin(const data::Batch& batch, nn::StackState<float>& state) const {
  for (int64_t row = 0; row < batch.steps * batch.rows; ++row) {
    const int32_t target = batch.targets[static_cast<size_t>(row)];
    LONGHAND_CHECK(target >= 0 && target < vocabulary_.size());
  }
  // The reverse direction begins at the window's end: it has no state to carry.
  if (batch.fresh || options_.lstm.bidirectional) {
    state.reset(batch.rows);
  } else if (!batch.resets.empty()) {
    state.reset_rows(batch.resets);
  }
}

// The rows with a target, and room for their losses.
nn::OutputRows LanguageModel::output_rows(const data::Batch& batch, const float* output, Workspace& workspace) {
  workspace.losses.resize(batch.symbols);
  nn::OutputRows out{.n = batch.symbols, .x = output};
  if (!batch.ragged) return out;
  const int64_t rows = batch.steps * batch.rows;
  workspace.rows.resize(rows);
  int64_t count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t t = row / batch.rows, length = batch.lengths[static_cast<size_t>(row % batch.rows)];
    if (batch.last_only ? t + 1 == length : t < length) workspace.rows[count++] = static_cast<int32_t>(row);
  }
  out.rows = workspace.rows.data();
  return out;
}

double LanguageModel::loss(const data::Batch& batch, State& state, Workspace& workspace) const {
  const double nats = member_loss(batch, state, workspace);
  if (!is_ensemble()) return nats;
  for (size_t i = 0; i < others().size(); ++i) {
    others()[i]->member_loss(batch, state.others[i], *workspace.others[i]);
  }
  double sum = 0.0;
  for (int64_t n = 0; n < batch.symbols; ++n) {
    // Relative to the smallest loss, whose probability is the largest.
    auto least = static_cast<double>(workspace.losses[n]);
    for (const auto& other : workspace.others) least = std::min(least, static_cast<double>(other->losses[n]));
    double share = std::exp(least - static_cast<double>(workspace.losses[n]));
    for (const auto& other : workspace.others) share += std::exp(least - static_cast<double>(other->losses[n]));
    const double mean = least - std::log(share / static_cast<double>(members()));
    workspace.losses[n] = static_cast<float>(mean);
    sum += mean;
  }
  return sum;
}

double LanguageModel::member_loss(const data::Batch& batch, nn::StackState<float>& state, Workspace& workspace) const {
  begin(batch, state);
  const float* output = network_.forward(input(batch, {}), state, nn::Pass::kInference, workspace);
  const nn::OutputRows rows = output_rows(batch, output, workspace);
  return network_.output().softmax_loss(rows, batch.targets.data(), workspace.losses.data(), workspace);
}

double LanguageModel::train(const data::Batch& batch, nn::StackState<float>& state, const nn::GradientPass& training,
                            Workspace& workspace) {
  LONGHAND_CHECK(!batch.last_only);
  begin(batch, state);
  const nn::GradientPass pass = network_.begin_training(training, batch.symbols, batch.symbols, workspace);
  const nn::NetworkInput in = input(batch, pass.masks);
  const float* output = network_.forward(in, state, nn::Pass::kTraining, workspace);
  workspace.d_output.resize(batch.steps * batch.rows * padded(network_.width()));
  const nn::OutputRows rows = output_rows(batch, output, workspace);
  const double nats = network_.output().softmax(rows,
                                                {.targets = batch.targets.data(),
                                                 .losses = workspace.losses.data(),
                                                 .scale = pass.scale,
                                                 .smoothing = pass.label_smoothing,
                                                 .dx = workspace.d_output.data()},
                                                workspace);
  network_.backward(in, workspace.d_output.data(), pass.penalty_scale, workspace);
  return nats;
}

double LanguageModel::penalty(const data::Batch& batch, const Workspace& workspace) const {
  return workspace.stack.penalty(
      {.steps = batch.steps, .batch = batch.rows, .lengths = batch.ragged ? batch.lengths.data() : nullptr});
}

LanguageScore LanguageModel::evaluate(const data::Corpus& corpus, const EvaluateOptions& options,
                                      Workspace& workspace) const {
  LONGHAND_CHECK(options.context > 0 || !options_.lstm.bidirectional);
  State state = new_state();
  LanguageScore score;
  const auto run_all = [&](const auto& batches) {
    const int64_t targets =
        options.context > 0 && options.max > 0 ? std::min(options.max, corpus.targets()) : corpus.targets();
    data::Batch batch;
    for (int64_t i = 0; i < batches.size(); ++i) {
      batches.get(i, batch);
      score.total_nats += loss(batch, state, workspace);
      score.symbols += batch.symbols;
      for (int64_t n = 0; options.on_symbol && n < batch.symbols; ++n) {
        const int64_t row = batch.ragged ? workspace.rows[n] : n;
        const int64_t first = batch.places[static_cast<size_t>(row % batch.rows)];
        options.on_symbol(first + row / batch.rows + 1, static_cast<double>(workspace.losses[n]));
      }
      if (options.on_done) options.on_done(score.symbols, targets);
    }
  };
  if (options.context > 0) {
    run_all(data::ContextBatches(corpus, options.context, options.max));
  } else {
    run_all(data::Batches(corpus, options_.text.lines, 128, {.batch = options.rows, .shuffle = false}));
  }
  score.sequences = options_.text.lines   ? corpus.sequences()
                    : options.context > 0 ? 1
                                          : std::min(options.rows, corpus.targets());
  score.unknown = static_cast<int64_t>(corpus.unknown_lengths.size()) + corpus.skipped;
  score.characters = characters(corpus);
  if (score.symbols < corpus.targets()) score.characters = score.characters * score.symbols / corpus.targets();
  return score;
}

ColdScore LanguageModel::evaluate_cold(const data::Corpus& corpus, int64_t places, double turn,
                                       Workspace& workspace) const {
  LONGHAND_CHECK(!options_.lstm.bidirectional);
  State state = new_state();
  const data::ColdStarts passages(corpus, ColdScore::kDistance, places, turn);
  ColdScore score{.places = passages.places(), .nats = std::vector<double>(static_cast<size_t>(passages.steps()))};
  data::Batch batch;
  for (int64_t i = 0; i < passages.size(); ++i) {
    passages.get(i, batch);
    loss(batch, state, workspace);
    for (int64_t n = 0; n < batch.symbols; ++n) {
      score.nats[static_cast<size_t>(n / batch.rows)] += static_cast<double>(workspace.losses[n]);
    }
  }
  for (double& nats : score.nats) nats /= static_cast<double>(score.places);
  return score;
}

// Characters that the targets spell: with the blank before a word, and a line's end as one.
int64_t LanguageModel::characters(const data::Corpus& corpus) const {
  const bool words = options_.text.level == "word";
  const int32_t end = vocabulary_.find(data::kEnd), begin = vocabulary_.find(data::kBegin);
  const int32_t unknown = vocabulary_.find(data::kUnknown);
  std::vector<int64_t> lengths;
  for (int32_t s = 0; s < vocabulary_.size(); ++s) {
    lengths.push_back(s == end ? 1 : data::characters(vocabulary_.symbol(s)));
  }
  int64_t total = 0, at = 0, next_start = 0;
  size_t unknowns = 0, sequence = 0;
  int32_t before = -1;
  corpus.symbols.for_each_piece([&](std::span<const int32_t> piece) {
    for (const int32_t symbol : piece) {
      int64_t length = lengths[static_cast<size_t>(symbol)];
      if (symbol == unknown) {
        length = unknowns < corpus.unknown_lengths.size() ? corpus.unknown_lengths[unknowns] : 1;
        ++unknowns;
      }
      if (at++ == next_start) {  // not predicted
        next_start = corpus.starts[++sequence];
      } else {
        const bool line_begins = (before == end && end >= 0) || (before == begin && begin >= 0);
        total += length + (words && symbol != end && !line_begins ? 1 : 0);
      }
      before = symbol;
    }
  });
  return total;
}

// Leaves the logits in the workspace.
void LanguageModel::read_member(int32_t symbol, nn::StackState<float>& state, Workspace& workspace) const {
  LONGHAND_CHECK(!options_.lstm.bidirectional);
  if (!state.fits(1)) state.reset(1);
  workspace.one.steps = 1;
  workspace.one.rows = 1;
  workspace.one.inputs.assign(1, symbol);
  const float* output = network_.forward(input(workspace.one, {}), state, nn::Pass::kInference, workspace);
  workspace.logits.resize(padded(vocabulary_.size()));
  network_.output().forward({.n = 1, .x = output}, workspace.logits.data(), workspace.logits.size(), workspace);
}

std::span<const float> LanguageModel::read(int32_t symbol, State& state, Workspace& workspace) const {
  read_member(symbol, state, workspace);
  const auto V = static_cast<size_t>(vocabulary_.size());
  const std::span<float> logits = workspace.logits.span().first(V);
  if (!is_ensemble()) return logits;
  std::vector<double> mean(V);
  const auto add = [&](std::span<const float> member) {
    const auto largest = static_cast<double>(*std::max_element(member.begin(), member.end()));
    double sum = 0.0;
    for (const float logit : member) sum += std::exp(static_cast<double>(logit) - largest);
    for (size_t s = 0; s < V; ++s) mean[s] += std::exp(static_cast<double>(member[s]) - largest) / sum;
  };
  add(logits);
  for (size_t i = 0; i < others().size(); ++i) {
    others()[i]->read_member(symbol, state.others[i], *workspace.others[i]);
    add(workspace.others[i]->logits.span().first(V));
  }
  constexpr double kLeast = 1e-300;  // logits are finite
  for (size_t s = 0; s < V; ++s) {
    logits[s] = static_cast<float>(std::log(std::max(mean[s] / static_cast<double>(members()), kLeast)));
  }
  return logits;
}

}  // namespace longhand::tasks
