#include "longhand/tasks/language_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "longhand/base/error.h"
#include "longhand/nn/layers.h"

namespace longhand::tasks {
namespace {

constexpr uint32_t kEmbeddingMask = 128;  // its place, between those of the stack's two kinds of masks

nn::LstmStackOptions stack_options(const LanguageModelOptions& options, int64_t vocabulary) {
  return {.lstm = options.lstm,
          .inputs = options.embed > 0 ? options.embed : vocabulary,
          .one_hot = options.embed == 0,
          .init = options.init};
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
    throw usage_error(std::string(tie_weights ? "--tie-weights" : "--dropout-embedding") +
                          ": expected an embedding, found one-hot input",
                      "give the symbols an embedding, such as --embed 64");
  }
  if (embed == 0 && lstm.dropout_input > 0.0) {
    throw usage_error("--dropout-input: expected 0 with one-hot input, found " + shortest(lstm.dropout_input),
                      "give the symbols an embedding, such as --embed 64, or leave --dropout-input out");
  }
  lstm.check();
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
    : LanguageModel(options, std::move(vocabulary), Memory::kNow) {}

LanguageModel::LanguageModel(const LanguageModelOptions& options, data::Vocabulary vocabulary, Memory memory)
    : options_(options),
      vocabulary_(std::move(vocabulary)),
      embedding_(options.embed > 0
                     ? declare_weights("embedding.weight", nn::Part::kEmbedding,
                                       {.n_in = options.embed, .n_out = vocabulary_.size(), .hidden = options.embed})
                     : 0),
      stack_(stack_options(options, vocabulary_.size()), arena_) {
  const int64_t H = options.lstm.hidden, V = vocabulary_.size();
  if (options.tie_weights && options.lstm.outputs() != options.embed) {
    projection_ = declare_weights("output.projection.weight", nn::Part::kOutput,
                                  {.n_in = options.lstm.outputs(), .n_out = options.embed, .hidden = H});
  }
  output_weight_ = options.tie_weights ? embedding_
                                       : declare_weights("output.weight", nn::Part::kOutput,
                                                         {.n_in = output_inputs(), .n_out = V, .hidden = H});
  output_bias_ = arena_.declare("output.bias", {V}, nn::bias(options.init, H));
  if (memory == Memory::kLater) return;
  arena_.allocate();
  parameters_changed();
}

size_t LanguageModel::declare_weights(const char* name, nn::Part part, const nn::WeightShape& shape) {
  return arena_.declare(name, {shape.n_out, shape.n_in}, nn::weights(options_.init, part, shape));
}

void LanguageModel::initialise(uint64_t seed) {
  arena_.initialise(seed);
  parameters_changed();
}

void LanguageModel::parameters_changed() {
  stack_.weights.set_values(arena_.values().data());
  output_packed_ = nn::Packed::kNothing;
}

void LanguageModel::save(const std::string& path, std::span<const float> values) const {
  LanguageModelOptions options = options_;
  OptionTable table;
  options.add_to(table);
  write_model(path, kTask, table, vocabulary_.to_json(), arena_, values);
}

std::unique_ptr<LanguageModel> LanguageModel::load(const std::string& path) { return load(ModelFile::read(path)); }

std::unique_ptr<LanguageModel> LanguageModel::load(const ModelFile& file) {
  file.expect_task(kTask);
  LanguageModelOptions options;
  OptionTable table;
  options.add_to(table);
  file.read_options(table);
  file.check_options([&] { options.check(); });
  data::Vocabulary vocabulary = data::Vocabulary::from_json(file.vocabulary(), file.path());
  data::check_special_symbols(vocabulary, options.text, file.path());
  std::unique_ptr<LanguageModel> model(new LanguageModel(options, std::move(vocabulary), Memory::kLater));
  file.fill(model->arena_);
  model->parameters_changed();
  return model;
}

nn::StackInput<float> LanguageModel::stack_input(const data::Batch& batch, const float* x,
                                                 const nn::DropoutKey& masks) const {
  return {.steps = batch.steps,
          .batch = batch.rows,
          .lengths = batch.ragged ? batch.lengths.data() : nullptr,
          .x = x,
          .x_stride = padded(options_.embed),
          .symbols = batch.inputs.data(),
          .masks = masks};
}

// (51) Multiplies the row of each symbol of the batch by the symbol's element of the mask.
void LanguageModel::scale_symbols(const data::Batch& batch, float* rows) const {
  const int64_t stride = padded(options_.embed);
  for (int64_t row = 0; row < batch.steps * batch.rows; ++row) {
    const float factor = symbol_mask_[batch.inputs[static_cast<size_t>(row)]];
    for (int64_t j = 0; j < options_.embed; ++j) rows[row * stride + j] *= factor;
  }
}

const float* LanguageModel::embed(const data::Batch& batch, const GradientPass* training, nn::Engine engine,
                                  kernels::Context& context) {
  if (options_.embed == 0) return nullptr;
  const int64_t rows = batch.steps * batch.rows, stride = padded(options_.embed);
  x_.resize(rows * stride);
  const kernels::EmbeddingGather<float> gather{.n = rows,
                                               .width = options_.embed,
                                               .table = arena_.value(embedding_),
                                               .symbols = batch.inputs.data(),
                                               .y = x_.data(),
                                               .y_stride = stride};
  nn::embedding_gather(gather, engine, context);
  if (training != nullptr && options_.dropout_embedding > 0.0) {
    symbol_mask_.resize(vocabulary_.size());
    nn::DropoutKey key = training->masks;
    key.place += kEmbeddingMask;
    nn::draw_mask(nn::dropout_draw<float>(key, options_.dropout_embedding), symbol_mask_.data(), 1, vocabulary_.size(),
                  vocabulary_.size(), context.pool);
    scale_symbols(batch, x_.data());
  }
  return x_.data();
}

void LanguageModel::embed_backward(const data::Batch& batch, nn::Engine engine, kernels::Context& context) {
  if (options_.dropout_embedding > 0.0) scale_symbols(batch, dx_.data());
  const kernels::EmbeddingScatter<float> scatter{.n = batch.steps * batch.rows,
                                                 .width = options_.embed,
                                                 .symbols = batch.inputs.data(),
                                                 .dy = dx_.data(),
                                                 .dy_stride = padded(options_.embed),
                                                 .dtable = arena_.gradient(embedding_)};
  nn::embedding_scatter(scatter, arena_.value(embedding_), vocabulary_.size(), engine, context);
}

void LanguageModel::pack_output(bool training, kernels::Context& context) {
  const nn::Packed wanted = training ? nn::Packed::kTraining : nn::Packed::kInference;
  if (output_packed_ >= wanted) return;
  kernels::pack_linear(arena_.value(output_weight_), vocabulary_.size(), output_inputs(), training, packed_output_,
                       context);
  if (projects()) {
    kernels::pack_linear(arena_.value(*projection_), options_.embed, options_.lstm.outputs(), training,
                         packed_projection_, context);
  }
  output_packed_ = wanted;
}

// Rows of `output`, or those that `rows` names, made as wide as the embedding: [n, embed].
const float* LanguageModel::project(const float* output, const int32_t* rows, int64_t n, nn::Engine engine,
                                    kernels::Context& context) {
  projected_.resize(n * padded(options_.embed));
  const kernels::LinearForward<float> linear{.inputs = options_.lstm.outputs(),
                                             .outputs = options_.embed,
                                             .n = n,
                                             .rows = rows,
                                             .x = output,
                                             .x_stride = padded(options_.lstm.outputs()),
                                             .w = arena_.value(*projection_),
                                             .y = projected_.data(),
                                             .y_stride = padded(options_.embed)};
  nn::linear_forward(linear, packed_projection_, engine, context);
  return projected_.data();
}

void LanguageModel::project_backward(const float* output, const int32_t* rows, int64_t n, nn::Engine engine,
                                     kernels::Context& context) {
  const int64_t stride = padded(options_.lstm.outputs());
  const kernels::LinearBackward<float> linear{.inputs = options_.lstm.outputs(),
                                              .outputs = options_.embed,
                                              .n = n,
                                              .rows = rows,
                                              .x = output,
                                              .x_stride = stride,
                                              .w = arena_.value(*projection_),
                                              .dy = d_projected_.data(),
                                              .dy_stride = padded(options_.embed),
                                              .dx = d_output_.data(),
                                              .dx_stride = stride,
                                              .dw = arena_.gradient(*projection_)};
  nn::linear_backward(linear, packed_projection_, engine, context);
}

// The output layer: the batch's losses, summed, and the gradient of what the stack made of it, in d_output_.
double LanguageModel::softmax(const data::Batch& batch, const float* output, const GradientPass* training,
                              nn::Engine engine, kernels::Context& context) {
  const int64_t rows = batch.steps * batch.rows, stride = padded(options_.lstm.outputs());
  const int32_t* picked = nullptr;
  if (batch.ragged) {
    rows_.resize(rows);
    int64_t count = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t t = row / batch.rows, length = batch.lengths[static_cast<size_t>(row % batch.rows)];
      if (batch.last_only ? t + 1 == length : t < length) rows_[count++] = static_cast<int32_t>(row);
    }
    picked = rows_.data();
  }
  if (engine == nn::Engine::kFused) pack_output(training != nullptr, context);
  losses_.resize(batch.symbols);
  kernels::SoftmaxCrossEntropy<float> head{.output = {.inputs = output_inputs(),
                                                      .outputs = vocabulary_.size(),
                                                      .n = batch.symbols,
                                                      .rows = picked,
                                                      .x = output,
                                                      .x_stride = stride,
                                                      .w = arena_.value(output_weight_),
                                                      .bias = arena_.value(output_bias_)},
                                           .targets = batch.targets.data(),
                                           .loss = losses_.data()};
  if (training != nullptr) {
    d_output_.resize(rows * stride);
    head.scale = training->scale;
    head.smoothing = static_cast<float>(training->label_smoothing);
    head.dx = d_output_.data();
    head.dx_stride = stride;
    head.dw = arena_.gradient(output_weight_);
    head.dbias = arena_.gradient(output_bias_);
  }
  if (projects()) {  // of the picked rows alone; so their targets, too, must stand together
    head.output.x = project(output, picked, batch.symbols, engine, context);
    head.output.x_stride = padded(options_.embed);
    head.output.rows = nullptr;
    targets_.resize(batch.symbols);
    for (int64_t n = 0; n < batch.symbols; ++n) {
      targets_[n] = batch.targets[static_cast<size_t>(picked != nullptr ? picked[n] : n)];
    }
    head.targets = targets_.data();
    d_projected_.resize(batch.symbols * padded(options_.embed));
    head.dx = d_projected_.data();
    head.dx_stride = padded(options_.embed);
  }
  nn::softmax_cross_entropy(head, packed_output_, engine, context);
  if (projects() && training != nullptr) project_backward(output, picked, batch.symbols, engine, context);
  double nats = 0.0;
  for (int64_t n = 0; n < batch.symbols; ++n) nats += static_cast<double>(losses_[n]);
  return nats;
}

double LanguageModel::run(const data::Batch& batch, nn::StackState<float>& state, const GradientPass* training,
                          nn::Engine engine, kernels::Context& context) {
  for (int64_t row = 0; row < batch.steps * batch.rows; ++row) {
    const auto r = static_cast<size_t>(row);
    LONGHAND_CHECK(batch.inputs[r] >= 0 && batch.inputs[r] < vocabulary_.size());
    LONGHAND_CHECK(batch.targets[r] >= 0 && batch.targets[r] < vocabulary_.size());
  }
  LONGHAND_CHECK(training == nullptr || !batch.last_only);
  // The reverse direction begins at the window's end: it has no state to carry.
  if (batch.fresh || options_.lstm.bidirectional) {
    state.reset(batch.rows);
  } else if (!batch.resets.empty()) {
    state.reset_rows(batch.resets);
  }
  const float* x = embed(batch, training, engine, context);
  if (training == nullptr) {
    const float* output = stack_.forward(state, stack_input(batch, x, {}), nn::Pass::kInference, engine, context);
    return softmax(batch, output, nullptr, engine, context);
  }

  GradientPass pass = *training;
  if (pass.scale == 0.0F) pass.scale = 1.0F / static_cast<float>(batch.symbols);
  if (pass.penalty_scale == 0.0F) pass.penalty_scale = pass.scale;
  arena_.allocate_gradients();
  if (!pass.add) std::fill(arena_.gradients().begin(), arena_.gradients().end(), 0.0F);
  const nn::StackInput<float> input = stack_input(batch, x, pass.masks);
  const float* output = stack_.forward(state, input, nn::Pass::kTraining, engine, context);
  const double nats = softmax(batch, output, &pass, engine, context);
  const bool embedded = options_.embed > 0;
  if (embedded) dx_.resize(batch.steps * batch.rows * padded(options_.embed));
  stack_.backward(input,
                  {.d_output = d_output_.data(),
                   .dx = embedded ? dx_.data() : nullptr,
                   .dx_stride = padded(options_.embed),
                   .penalty_scale = pass.penalty_scale},
                  engine, arena_.gradients().data(), context);
  if (embedded) embed_backward(batch, engine, context);
  return nats;
}

LanguageScore LanguageModel::evaluate(const data::Corpus& corpus, const EvaluateOptions& options, nn::Engine engine,
                                      kernels::Context& context) {
  LONGHAND_CHECK(options.context > 0 || !options_.lstm.bidirectional);
  nn::StackState<float> state = new_state();
  LanguageScore score;
  const auto run_all = [&](const auto& batches) {
    data::Batch batch;
    for (int64_t i = 0; i < batches.size(); ++i) {
      batches.get(i, batch);
      score.total_nats += run(batch, state, nullptr, engine, context);
      score.symbols += batch.symbols;
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

ColdScore LanguageModel::evaluate_cold(const data::Corpus& corpus, int64_t places, double turn, nn::Engine engine,
                                       kernels::Context& context) {
  LONGHAND_CHECK(!options_.lstm.bidirectional);
  nn::StackState<float> state = new_state();
  const data::ColdStarts passages(corpus, ColdScore::kDistance, places, turn);
  ColdScore score{.places = passages.places(), .nats = std::vector<double>(static_cast<size_t>(passages.steps()))};
  data::Batch batch;
  for (int64_t i = 0; i < passages.size(); ++i) {
    passages.get(i, batch);
    run(batch, state, nullptr, engine, context);
    for (int64_t n = 0; n < batch.symbols; ++n) {
      score.nats[static_cast<size_t>(n / batch.rows)] += static_cast<double>(losses_[n]);
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
  int64_t total = 0;
  size_t unknowns = 0;
  for (int64_t s = 0; s < corpus.sequences(); ++s) {
    const int64_t start = corpus.starts[static_cast<size_t>(s)];
    for (int64_t i = start; i < corpus.starts[static_cast<size_t>(s) + 1]; ++i) {
      const int32_t symbol = corpus.symbols[static_cast<size_t>(i)];
      int64_t length = lengths[static_cast<size_t>(symbol)];
      if (symbol == unknown) {
        length = unknowns < corpus.unknown_lengths.size() ? corpus.unknown_lengths[unknowns] : 1;
        ++unknowns;
      }
      if (i == start) continue;
      const int32_t before = corpus.symbols[static_cast<size_t>(i) - 1];
      const bool line_begins = (before == end && end >= 0) || (before == begin && begin >= 0);
      total += length + (words && symbol != end && !line_begins ? 1 : 0);
    }
  }
  return total;
}

void LanguageModel::begin_text() {
  LONGHAND_CHECK(!options_.lstm.bidirectional);
  stack_.state.reset(1);
}

std::span<const float> LanguageModel::read(int32_t symbol, nn::Engine engine, kernels::Context& context) {
  LONGHAND_CHECK(symbol >= 0 && symbol < vocabulary_.size());
  one_.steps = 1;
  one_.rows = 1;
  one_.inputs.assign(1, symbol);
  const float* output = stack_.forward(stack_.state, stack_input(one_, embed(one_, nullptr, engine, context), {}),
                                       nn::Pass::kInference, engine, context);
  if (engine == nn::Engine::kFused) pack_output(false, context);
  if (projects()) output = project(output, nullptr, 1, engine, context);
  logits_.resize(padded(vocabulary_.size()));
  const kernels::LinearForward<float> head{.inputs = output_inputs(),
                                           .outputs = vocabulary_.size(),
                                           .n = 1,
                                           .x = output,
                                           .x_stride = padded(output_inputs()),
                                           .w = arena_.value(output_weight_),
                                           .bias = arena_.value(output_bias_),
                                           .y = logits_.data(),
                                           .y_stride = logits_.size()};
  nn::linear_forward(head, packed_output_, engine, context);
  return logits_.span().first(static_cast<size_t>(vocabulary_.size()));
}

}  // namespace longhand::tasks
