#include "longhand/tasks/language_model_task.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/tasks/fingerprint.h"

namespace longhand::tasks {
namespace {

// FNV-1a over the symbols' bytes.
uint64_t hash(uint64_t seed, const data::Symbols& symbols) {
  uint64_t h = seed ^ 0xcbf29ce484222325U;
  symbols.for_each_piece([&](std::span<const int32_t> piece) {
    for (const int32_t symbol : piece) {
      for (int shift = 0; shift < 32; shift += 8) {
        h = (h ^ ((static_cast<uint32_t>(symbol) >> shift) & 0xFFU)) * 0x100000001b3U;
      }
    }
  });
  return h;
}

// The same in no time where they are in a file: over its checksums, and where in it they are.
uint64_t quick_hash(uint64_t seed, const data::Symbols& symbols) {
  if (symbols.in_memory()) return hash(seed, symbols);
  TextHash out;
  const data::Symbols::Identity place = symbols.identity();
  out.add(fmt::format("{} {:016x} {} {}", seed, place.content, place.at, place.width));
  return out.value();
}

}  // namespace

LanguageModelTask::LanguageModelTask(LanguageModel& model, data::Corpus train, data::Corpus valid,
                                     const LanguageTaskOptions& options, kernels::Context& context)
    : model_(model),
      workspace_(model, options.engine, context),
      train_(std::move(train)),
      valid_(std::move(valid)),
      options_(options),
      batches_(train_, model.options().text.lines, options.bptt, options.groups, options.stream) {
  const int64_t states = options.groups.accumulate * options.groups.shards;
  for (int64_t i = 0; i < states; ++i) states_.push_back(model_.new_state());
}

StepResult LanguageModelTask::train_shard(int64_t index, uint64_t step, data::Shard shard) {
  const int64_t symbols = batches_.symbols(index);
  const nn::UpdateShard update{.seed = options_.groups.seed,
                               .step = step,
                               .count = symbols,
                               .steps = symbols,
                               .parts = batches_.parts(index),
                               .shard = shard,
                               .smoothing = options_.label_smoothing};
  StepResult result;
  model_.clear_gradients(workspace_.context);
  for (int64_t part = 0; part < update.parts; ++part) {
    batches_.get(index, part, shard, batch_);
    if (batch_.symbols == 0) continue;
    result.loss_sum += model_.train(batch_, state(batch_.slot, shard), nn::pass_of_part(update, part), workspace_);
    result.count += batch_.symbols;
  }
  return result;
}

EvaluateOptions evaluation_while_training(const LanguageModel& model, const data::Corpus& corpus, int64_t batch,
                                          int64_t bptt) {
  if (model.options().lstm.bidirectional) return {.context = bptt, .max = 2000};
  // Each row starts without context; with this many symbols per row that is a small part of the score.
  constexpr int64_t kLeastRow = 1000;
  return {.rows = std::clamp<int64_t>(corpus.targets() / kLeastRow, 1, batch)};
}

bool has_cold_start(const LanguageModel& model) {
  return !model.options().text.lines && !model.options().lstm.bidirectional;
}

int64_t cold_places(const data::Corpus& corpus) {
  return std::clamp<int64_t>(corpus.targets() / ColdScore::kDistance, 1, 200);
}

std::vector<Metric> LanguageModelTask::validate() {
  model_.pack(workspace_.context);
  const LanguageScore score = model_.evaluate(
      valid_, evaluation_while_training(model_, valid_, options_.groups.batch, options_.bptt), workspace_);
  std::vector<Metric> out = {{"loss", score.nats_per_symbol()}, {"perplexity", score.perplexity()}};
  if (has_cold_start(model_)) {
    for (Metric& metric : model_.evaluate_cold(valid_, cold_places(valid_), 0.0, workspace_).metrics()) {
      out.push_back(std::move(metric));
    }
  }
  return out;
}

// A few places, others in every epoch: over epochs they give a curve, and in one they cost little.
std::vector<Metric> LanguageModelTask::measure_training() {
  if (!has_cold_start(model_)) return {};
  constexpr int64_t kShare = 20;  // of an epoch's symbols
  const int64_t places = std::max<int64_t>(1, cold_places(train_) / kShare);
  const double turn = CounterRng(options_.groups.seed, static_cast<uint64_t>(epoch_), RngPlace::kHeldOut).uniform(0);
  model_.pack(workspace_.context);
  return model_.evaluate_cold(train_, places, turn, workspace_).metrics();
}

std::vector<std::pair<std::string, Buffer<float>*>> LanguageModelTask::carried_state(data::Shard shard) {
  std::vector<std::pair<std::string, Buffer<float>*>> out;
  const std::string prefix = shard.of > 1 ? fmt::format("shard.{}.", shard.index) : "";
  for (int64_t slot = 0; slot < options_.groups.accumulate; ++slot) {
    for (Buffer<float>* array : state(slot, shard).arrays()) {
      out.emplace_back(fmt::format("{}state.{}", prefix, out.size()), array);
    }
  }
  return out;
}

bool LanguageModelTask::carried_state_fits(int64_t index) {
  const bool ended = index >= batches_.size();
  if (ended && !batches_.goes_on()) return true;  // the next epoch begins with a new state
  const int64_t update = std::min(index, batches_.size() - 1);
  // With batch all, the parts follow one another.
  const int64_t parts = options_.groups.whole ? 1 : batches_.parts(update);
  for (data::Shard shard{0, options_.groups.shards}; shard.index < shard.of; ++shard.index) {
    for (int64_t part = 0; part < parts; ++part) {
      batches_.get(update, part, shard, batch_);
      const bool needed = batch_.symbols > 0 && (!batch_.fresh || ended);
      if (needed && !state(batch_.slot, shard).fits(batch_.rows)) return false;
    }
  }
  return true;
}

std::string LanguageModelTask::fingerprint() const { return fingerprint(quick_hash); }

// The same symbols in memory and in a file have different fingerprints, of which the former takes time.
std::string LanguageModelTask::fingerprint_like(const std::string& other) const {
  const bool mapped = !train_.symbols.in_memory() || !valid_.symbols.in_memory();
  const std::string quick = fingerprint();
  return mapped && other != quick ? fingerprint(hash) : quick;
}

std::string LanguageModelTask::fingerprint(uint64_t (*hash_of)(uint64_t seed, const data::Symbols& symbols)) const {
  std::vector<int32_t> bytes;
  for (int32_t s = 0; s < model_.vocabulary().size(); ++s) {
    for (const char c : model_.vocabulary().symbol(s)) bytes.push_back(static_cast<unsigned char>(c));
    bytes.push_back(-1);
  }
  const std::string stream =
      options_.stream.moving || options_.stream.reset > 0.0
          ? fmt::format(", rows {}, reset-state {}", options_.stream.moving ? "moving" : "fixed", options_.stream.reset)
          : "";
  return fmt::format(
      "{} training symbols ({:016x}), {} held-out symbols ({:016x}), alphabet {:016x}, {} parameters, bptt {}, "
      "label-smoothing {}{}{}",
      train_.symbols.size(), hash_of(0, train_.symbols), valid_.symbols.size(), hash_of(1, valid_.symbols),
      hash(2, data::Symbols(std::move(bytes))), model_.parameters().count(), options_.bptt, options_.label_smoothing,
      stream, described(options_.groups, model_.options()));
}

}  // namespace longhand::tasks
