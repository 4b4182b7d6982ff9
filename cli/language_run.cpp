#include "cli/language_run.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/text_source.h"
#include "longhand/base/error.h"
#include "longhand/io/config.h"
#include "longhand/lab/report.h"
#include "longhand/tasks/sampler.h"

namespace longhand::cli {
namespace {

// With --batch all, so many sequences are read side by side.
constexpr int64_t kWholeSetRows = 32;

// Options that only some rules and schedules read.
struct Use {
  const char* option;
  const char* of;
  std::vector<std::string> values;
};
const std::vector<Use> kUses = {
    {"momentum", "optimizer", {"momentum", "nesterov"}},
    {"beta1", "optimizer", {"adam", "adamw", "nadam"}},
    {"beta2", "optimizer", {"adam", "adamw", "nadam", "rmsprop", "adadelta"}},
    {"epsilon", "optimizer", {"adam", "adamw", "nadam", "rmsprop", "adadelta", "adagrad"}},
    {"average-after", "optimizer", {"asgd"}},
    {"average-trigger", "optimizer", {"asgd"}},
    {"asgd-lambda", "optimizer", {"asgd"}},
    {"lr-factor", "schedule", {"step", "exponential", "plateau"}},
    {"lr-every", "schedule", {"step"}},
    {"lr-after", "schedule", {"step", "exponential"}},
    {"lr-patience", "schedule", {"plateau"}},
    {"lr-threshold", "schedule", {"plateau"}},
    {"lr-cooldown", "schedule", {"plateau"}},
    {"lr-min", "schedule", {"plateau", "cosine"}},
    {"lr-peak-at", "schedule", {"one-cycle"}},
    {"lr-start-divisor", "schedule", {"one-cycle"}},
    {"lr-end-divisor", "schedule", {"one-cycle"}},
};

int64_t rows(const RunSettings& settings) { return settings.batch > 0 ? settings.batch : kWholeSetRows; }

}  // namespace

void RunSettings::add_to(OptionTable& table) {
  table.begin_group("Data");
  table.add("data", data, "text to train on: a file, - for standard input, or a built-in text");
  table.add("valid", valid, "held-out text, a file; otherwise the end of the data is held out");
  table.add("valid-fraction", valid_fraction, "part of the data, at its end, to hold out", fraction());
  table.add("test", test, "text to measure the finished model on, a file");
  table.add("max-tokens", max_tokens, "use only so many symbols from the beginning; 0: all", at_least(0));
  table.begin_group("Model");
  model.add_to(table);
  table.begin_group("Training");
  OptionCheck sequences = between(1, 1 << 20);
  sequences.also = 0.0;
  sequences.also_called = "all";
  table.add("batch", batch, "sequences side by side, B; all: one update an epoch, from the whole set", sequences);
  table.add("accumulate", accumulate, "make an update of so many batches, in the memory of one", between(1, 1024));
  table.add("batch-every", batch_every, "epochs after which the batch changes, again and again; 0: never", at_least(0));
  table.add("batch-multiply", batch_multiply, "the factor by which it grows then", at_least(1.0));
  table.add("batch-divide", batch_divide, "or the divisor", at_least(1.0));
  table.add("bptt", bptt, "most steps that gradients flow back, T", between(1, 1 << 20));
  table.add("label-smoothing", label_smoothing, "part of each target that is spread over all symbols", fraction());
  training.add_to(table);
  table.add("seed", seed, "of the initial weights, the batches and dropout", at_least(0));
  table.begin_group("Running");
  table.add("threads", threads, "processors to use; 0: all. The result is the same for any number", between(0, 1024));
  table.add("engine", engine, "what computes the model", one_of({"fused", "reference", "autograd"}));
}

void RunSettings::check() const {
  model.check();
  model.lstm.engine(engine);
  if (batch == 0 && (accumulate > 1 || batch_every > 0)) {
    throw usage_error(
        std::string("--batch all: expected no ") + (accumulate > 1 ? "--accumulate" : "--batch-every") + " beside it",
        "the whole set is one update; leave one of the two out");
  }
}

std::vector<std::string> RunSettings::notes() const {
  std::vector<std::string> out = model.lstm.without_effect();
  RunSettings defaults, mine = *this;
  OptionTable default_table, my_table;
  defaults.add_to(default_table);
  mine.add_to(my_table);
  const auto differs = [&](const char* name) {
    return my_table.find(name)->text() != default_table.find(name)->text();
  };
  for (const Use& use : kUses) {
    const std::string& chosen =
        std::string(use.of) == "optimizer" ? training.optimizer.optimizer : training.schedule.schedule;
    const bool used = std::find(use.values.begin(), use.values.end(), chosen) != use.values.end();
    if (!used && differs(use.option)) {
      out.push_back(fmt::format("--{} does nothing with --{} {}", use.option, use.of, chosen));
    }
  }
  const bool changes = batch_multiply != 1.0 || batch_divide != 1.0;
  if (changes && batch_every == 0) out.emplace_back("--batch-multiply and --batch-divide want --batch-every");
  if (!changes && batch_every > 0) out.emplace_back("--batch-every wants --batch-multiply or --batch-divide");
  if (model.tie_weights && differs("init-output") && model.lstm.outputs() == model.embed) {
    out.emplace_back("--init-output does nothing with --tie-weights and no projection");
  }
  const train::OptimizerOptions& o = training.optimizer;
  const bool triggered = o.optimizer == "asgd" && o.average_after < 0;
  if (triggered && training.patience > 0 && training.patience <= o.average_trigger + 1) {
    out.push_back(fmt::format("--patience {} may end the run before --average-trigger {} lets it begin to average",
                              training.patience, o.average_trigger));
  }
  if (training.patience > 0 && valid.empty() && valid_fraction == 0.0) {
    out.emplace_back("--patience does nothing where nothing is held out");
  }
  if (model.lstm.bidirectional) {
    out.push_back(fmt::format(
        "a bidirectional language model reads the symbol that it is to predict: its training loss says little\n"
        "      (held-out symbols, 2,000 of them at most, are predicted from the {} before each alone)",
        bptt));
  }
  return out;
}

LanguageRun::LanguageRun(const RunSettings& settings)
    : settings_(settings), context_(static_cast<int>(settings.threads)) {
  settings_.check();
  const data::TextOptions& text = settings_.model.text;
  const std::string raw = data::normalise(load_text(settings_.data, text), text, settings_.data);
  const std::string_view used = data::truncate(raw, text, settings_.max_tokens);
  data::Vocabulary vocabulary = data::build_vocabulary(used, text);
  const int64_t special = (vocabulary.find(data::kUnknown) >= 0 ? 1 : 0) + (text.lines ? 2 : 0);
  if (vocabulary.size() <= special && text.min_count > 1) {
    throw input_error(fmt::format("{}: no symbol occurs {} times", settings_.data, text.min_count),
                      "give a smaller --min-count, or a longer text");
  }
  model_ = std::make_unique<tasks::LanguageModel>(settings_.model, std::move(vocabulary));
  data::Corpus corpus = data::encode(used, text, model_->vocabulary(), data::Unknown::kUnk, settings_.data);
  data::Corpus valid = held_out(corpus);
  if (!settings_.test.empty()) test_ = other_text(settings_.test);
  check_size(corpus);
  model_->initialise(static_cast<uint64_t>(settings_.seed));
  task_ = std::make_unique<tasks::LanguageModelTask>(
      *model_, std::move(corpus), std::move(valid),
      tasks::LanguageTaskOptions{.batch = rows(settings_),
                                 .whole = settings_.batch == 0,
                                 .accumulate = settings_.accumulate,
                                 .batch_every = settings_.batch_every,
                                 .batch_factor = settings_.batch_multiply / settings_.batch_divide,
                                 .bptt = settings_.bptt,
                                 .label_smoothing = settings_.label_smoothing,
                                 .seed = static_cast<uint64_t>(settings_.seed),
                                 .engine = settings_.model.lstm.engine(settings_.engine)},
      context_);
  settings_.training.check(*task_);
}

RunResult LanguageRun::run(const std::string& folder, bool resume, const train::Observer& observer) {
  train::Trainer trainer(*task_, settings_.training, folder, context_, observer);
  if (resume) trainer.resume();
  RunResult result{.training = {}, .was_complete = resume && trainer.complete(), .test = {}};
  RunSettings resolved = settings_;
  OptionTable table;
  resolved.add_to(table);
  io::write_file(train::RunFiles(folder).config, io::to_toml(table));
  result.training = trainer.run();
  lab::write_report(folder, sample(folder));
  if (result.training.outcome != train::Outcome::kInterrupted && !test_.symbols.empty()) {
    const std::unique_ptr<tasks::LanguageModel> kept = tasks::LanguageModel::load(folder);
    result.test = kept->evaluate(test_, tasks::evaluation_while_training(*kept, test_, rows(settings_), settings_.bptt),
                                 settings_.model.lstm.engine(settings_.engine), context_);
  }
  return result;
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
  if (!settings_.valid.empty()) return other_text(settings_.valid);
  if (settings_.valid_fraction == 0.0) return {};
  data::Corpus valid = data::split_off(corpus, settings_.valid_fraction, settings_.model.text.lines);
  return valid.targets() < 1 ? data::Corpus() : std::move(valid);
}

void LanguageRun::check_size(const data::Corpus& corpus) const {
  const bool lines = settings_.model.text.lines;
  const int64_t least = lines ? 1 : settings_.batch == 0 ? 2 : settings_.batch * settings_.accumulate + 1;
  const auto found = lines ? corpus.sequences() : static_cast<int64_t>(corpus.symbols.size());
  if (found >= least) return;
  throw input_error(fmt::format("{}: too short to train on: expected at least {} {}, found {}", settings_.data, least,
                                lines ? "line" : "symbols", found),
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
