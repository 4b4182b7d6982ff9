#include "longhand/tasks/language_model_task.h"

#include <fmt/core.h>

#include <algorithm>

namespace longhand::tasks {
namespace {

// FNV-1a over the symbols' bytes.
uint64_t hash(uint64_t seed, const std::vector<int32_t>& symbols) {
  uint64_t h = seed ^ 0xcbf29ce484222325U;
  for (const int32_t symbol : symbols) {
    for (int shift = 0; shift < 32; shift += 8) {
      h = (h ^ ((static_cast<uint32_t>(symbol) >> shift) & 0xFFU)) * 0x100000001b3U;
    }
  }
  return h;
}

}  // namespace

LanguageModelTask::LanguageModelTask(LanguageModel& model, data::Corpus train, data::Corpus valid,
                                     const LanguageTaskOptions& options, kernels::Context& context)
    : model_(model),
      train_(std::move(train)),
      valid_(std::move(valid)),
      options_(options),
      context_(context),
      batches_(train_, model.options().text.lines,
               {.batch = options.batch, .bptt = options.bptt, .shuffle = true, .seed = options.seed}) {}

StepResult LanguageModelTask::train_step(int64_t index, uint64_t step) {
  batches_.get(index, batch_);
  const nn::DropoutKey masks{options_.seed, step, 0};
  return {model_.run(batch_, true, masks, options_.engine, context_), batch_.symbols};
}

std::vector<Metric> LanguageModelTask::validate() {
  // Each row begins without context; so many symbols in each make that a small part of the score.
  constexpr int64_t kLeastRow = 1000;
  EvaluateOptions how{.rows = std::clamp<int64_t>(valid_.targets() / kLeastRow, 1, options_.batch)};
  if (model_.options().lstm.bidirectional) how = {.context = options_.bptt, .most = 2000};
  const LanguageScore score = model_.evaluate(valid_, how, options_.engine, context_);
  return {{"loss", score.nats_per_symbol()}, {"perplexity", score.perplexity()}};
}

std::vector<std::pair<std::string, Buffer<float>*>> LanguageModelTask::carried_state() {
  std::vector<std::pair<std::string, Buffer<float>*>> out;
  for (Buffer<float>* state : model_.stack().state()) out.emplace_back(fmt::format("state.{}", out.size()), state);
  return out;
}

bool LanguageModelTask::carried_state_fits(int64_t index) {
  if (index >= batches_.size()) return true;  // the next epoch begins with a new state
  batches_.get(index, batch_);
  return batch_.fresh || model_.stack().state_fits(batch_.rows);
}

std::string LanguageModelTask::fingerprint() const {
  std::vector<int32_t> bytes;
  for (int32_t s = 0; s < model_.vocabulary().size(); ++s) {
    for (const char c : model_.vocabulary().symbol(s)) bytes.push_back(static_cast<unsigned char>(c));
    bytes.push_back(-1);
  }
  LanguageModelOptions options = model_.options();
  OptionTable table;
  options.lstm.add_to(table);
  std::string lstm;
  for (const Option& option : table.options()) lstm += fmt::format(", {} {}", option.name, option.text());
  return fmt::format(
      "{} training symbols ({:016x}), {} held-out symbols ({:016x}), alphabet {:016x}, {} parameters, batch {}, bptt "
      "{}, seed {}{}",
      train_.symbols.size(), hash(0, train_.symbols), valid_.symbols.size(), hash(1, valid_.symbols), hash(2, bytes),
      model_.parameters().count(), options_.batch, options_.bptt, options_.seed, lstm);
}

}  // namespace longhand::tasks
