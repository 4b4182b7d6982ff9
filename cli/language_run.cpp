#include "cli/language_run.h"

#include <fmt/core.h>

#include "cli/text_source.h"
#include "longhand/base/error.h"
#include "longhand/tasks/sampler.h"

namespace longhand::cli {
void LanguageSettings::add_to(OptionTable& table) {
  common.add_data_to(table, "text", "at its end");
  table.add("max-tokens", max_tokens, "use only so many symbols from the beginning; 0: all", at_least(0));
  table.begin_group("Model");
  model.add_to(table);
  common.add_batches_to(table);
  table.add("bptt", bptt, "most steps that gradients flow back, T", between(1, 1 << 20));
  table.add("label-smoothing", common.label_smoothing, "part of each target that is spread over all symbols",
            fraction());
  common.add_training_to(table);
}

void LanguageSettings::check() const {
  model.check();
  model.lstm.engine(common.engine);
  common.check();
}

std::vector<std::string> LanguageSettings::notes() const {
  std::vector<std::string> out = model.lstm.without_effect();
  LanguageSettings mine;
  OptionTable table;
  mine.add_to(table);  // with the defaults
  mine = *this;
  for (std::string& note : common.notes(table)) out.push_back(std::move(note));
  const Option* init = table.find("init-output");
  if (model.tie_weights && init->text() != init->default_text && model.lstm.outputs() == model.embed) {
    out.emplace_back("--init-output does nothing with --tie-weights and no projection");
  }
  if (model.lstm.bidirectional) {
    out.push_back(fmt::format(
        "a bidirectional language model reads the symbol that it is to predict: its training loss says little\n"
        "      (held-out symbols, 2,000 of them at most, are predicted from the {} before each alone)",
        bptt));
  }
  return out;
}

LanguageRun::LanguageRun(const LanguageSettings& settings)
    : settings_(settings), context_(static_cast<int>(settings.common.threads)) {
  settings_.check();
  const data::TextOptions& text = settings_.model.text;
  const std::string raw = data::normalise(load_text(settings_.common.data, text), text, settings_.common.data);
  const std::string_view used = data::truncate(raw, text, settings_.max_tokens);
  data::Vocabulary vocabulary = data::build_vocabulary(used, text);
  const int64_t special = (vocabulary.find(data::kUnknown) >= 0 ? 1 : 0) + (text.lines ? 2 : 0);
  if (vocabulary.size() <= special && text.min_count > 1) {
    throw input_error(fmt::format("{}: no symbol occurs {} times", settings_.common.data, text.min_count),
                      "give a smaller --min-count, or a longer text");
  }
  model_ = std::make_unique<tasks::LanguageModel>(settings_.model, std::move(vocabulary));
  data::Corpus corpus = data::encode(used, text, model_->vocabulary(), data::Unknown::kUnk, settings_.common.data);
  data::Corpus valid = held_out(corpus);
  if (!settings_.common.test.empty()) test_ = other_text(settings_.common.test);
  check_size(corpus);
  model_->initialise(static_cast<uint64_t>(settings_.common.seed));
  task_ = std::make_unique<tasks::LanguageModelTask>(
      *model_, std::move(corpus), std::move(valid),
      tasks::LanguageTaskOptions{.groups = settings_.common.groups(),
                                 .bptt = settings_.bptt,
                                 .label_smoothing = settings_.common.label_smoothing,
                                 .engine = settings_.model.lstm.engine(settings_.common.engine)},
      context_);
  settings_.common.training.check(*task_);
}

RunResult LanguageRun::run(const std::string& folder, bool resume, const train::Observer& observer) {
  LanguageSettings resolved = settings_;
  OptionTable table;
  resolved.add_to(table);
  Finished finished{.test = {}, .sample = [&] { return sample(folder); }};
  if (!test_.symbols.empty()) {
    finished.test = [&]() -> std::vector<tasks::Metric> {
      const std::unique_ptr<tasks::LanguageModel> kept = tasks::LanguageModel::load(folder);
      const int64_t rows = settings_.common.groups().batch;
      const tasks::LanguageScore score =
          kept->evaluate(test_, tasks::evaluation_while_training(*kept, test_, rows, settings_.bptt),
                         settings_.model.lstm.engine(settings_.common.engine), context_);
      return {{"loss", score.nats_per_symbol()}, {"perplexity", score.perplexity()}};
    };
  }
  return train_in_folder(*task_, settings_.common, table, folder, resume, observer, context_, finished);
}

// A text with the vocabulary of the training text.
data::Corpus LanguageRun::other_text(const std::string& source) const {
  const data::TextOptions& text = settings_.model.text;
  const std::string raw = data::normalise(load_text(source, text), text, source);
  const bool knows_unknown = model_->vocabulary().find(data::kUnknown) >= 0;
  data::Corpus corpus;
  try {
    corpus = data::encode(raw, text, model_->vocabulary(), data::Unknown::kUnk, source);
  } catch (const Error& e) {
    if (knows_unknown) throw;
    throw input_error(e.what(), "remove it, or learn <unk> in training: give --min-count 2");
  }
  if (corpus.targets() < 1) {
    throw input_error(source + ": expected a text to measure on, found fewer than 2 symbols", "give a longer one");
  }
  return corpus;
}

data::Corpus LanguageRun::held_out(data::Corpus& corpus) const {
  if (!settings_.common.valid.empty()) return other_text(settings_.common.valid);
  if (settings_.common.valid_fraction == 0.0) return {};
  data::Corpus valid = data::split_off(corpus, settings_.common.valid_fraction, settings_.model.text.lines);
  return valid.targets() < 1 ? data::Corpus() : std::move(valid);
}

void LanguageRun::check_size(const data::Corpus& corpus) const {
  const bool lines = settings_.model.text.lines;
  const int64_t least = lines                         ? 1
                        : settings_.common.batch == 0 ? 2
                                                      : settings_.common.batch * settings_.common.accumulate + 1;
  const auto found = lines ? corpus.sequences() : static_cast<int64_t>(corpus.symbols.size());
  if (found >= least) return;
  throw input_error(fmt::format("{}: too short to train on: expected at least {} {}, found {}", settings_.common.data,
                                least, lines ? "line" : "symbols", found),
                    "give a longer text, a smaller --batch, or less of --accumulate; --max-tokens, --letters-only "
                    "(without --lowercase) and "
                    "--valid-fraction leave less of it");
}

// A few lines from the model that was kept, for the report.
std::string LanguageRun::sample(const std::string& folder) {
  if (settings_.model.lstm.bidirectional) return "";  // it cannot write
  const std::unique_ptr<tasks::LanguageModel> kept = tasks::LanguageModel::load(train::RunFiles(folder).model);
  std::string text;
  tasks::generate(*kept, "", 400, {.temperature = 0.8}, data::Unknown::kSkip, settings_.model.lstm.fastest_engine(),
                  context_, [&](const std::string& piece) {
                    text += piece;
                    return true;
                  });
  return text;
}

}  // namespace longhand::cli
