// Language models: settings, run, evaluation.
#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/runs/language_text.h"
#include "longhand/runs/registry.h"
#include "longhand/runs/task_baselines.h"
#include "longhand/tasks/fingerprint.h"
#include "longhand/tasks/language_model_task.h"

namespace longhand::runs {
namespace {

class LanguageSettings : public TaskSettings<LanguageSettings, tasks::LanguageModelOptions> {
 public:
  int64_t max_tokens = 0;
  int64_t bptt = 64;
  std::string row_starts = "moving";
  double reset_state = 1.0;

  void add_to(OptionTable& table) override;
  void check() const override;
  std::vector<std::string> notes(const OptionTable& table) const override;
  void set_earlier_defaults() override {
    row_starts = "fixed";
    reset_state = 0.0;
  }

 protected:
  bool of_language_model() const override { return true; }
};

class LanguageRun : public Run {
 public:
  LanguageRun(const LanguageSettings& settings, Sources& sources);
  std::optional<BaselineFindings> measure_baseline(const std::string& path) override;
  std::string baseline_key() override;

 private:
  Settings& settings() override { return settings_; }
  tasks::Task& task() override { return *task_; }
  Findings look(const std::string& folder, const train::TrainResult& result) override;
  void examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) override;
  std::string baseline_advice(const BaselineFindings& /*baseline*/) const override { return kLanguageAdvice; }
  data::Corpus other_text(LanguageText& text);
  data::Corpus held_out(data::Corpus& corpus, LanguageText* valid_text);
  void check_size(const data::Corpus& corpus) const;

  LanguageSettings settings_;
  std::unique_ptr<tasks::LanguageModel> model_;
  data::Corpus test_;
  std::unique_ptr<tasks::LanguageModelTask> task_;
};
void LanguageSettings::add_to(OptionTable& table) {
  add_data_to(table, "text", "at its end");
  table.add("max-tokens", max_tokens, "number of symbols to use, from the beginning of the text; 0: all", at_least(0));
  start.add_to(table, false);
  table.begin_group("Model");
  model.add_to(table);
  add_batches_to(table);
  table.add("bptt", bptt, "time steps per window of truncated back-propagation through time", between(1, 1 << 20));
  table.add("row-starts", row_starts,
            "start of the rows of a text in each epoch: moving continues where the last epoch ended, fixed restarts at "
            "the same positions from a zero state",
            one_of({"moving", "fixed"}));
  table.add(
      "reset-state", reset_state,
      "probability of resetting the state of a row at the start of a window, so that the model learns cold starts; "
      "falls to 0 over the last fifth of the run",
      between(0.0, 1.0));
  table.add("label-smoothing", label_smoothing,
            "label smoothing: fraction of each target that is spread over all symbols", fraction());
  add_sparse_to(table);
  add_training_to(table);
}

void LanguageSettings::check() const {
  model.check();
  Settings::check();
  if (sparse_embedding && (model.tie_weights || model.embed == 0)) {
    throw usage_error(std::string("`sparse-embedding`: cannot be combined with ") +
                          (model.tie_weights ? "`tie-weights`" : "`embed` 0"),
                      model.tie_weights
                          ? "every row of tied weights has a gradient at every step; leave one of the two out"
                          : "one-hot input has no embedding; leave one of the two out");
  }
}

std::vector<std::string> LanguageSettings::notes(const OptionTable& table) const {
  std::vector<std::string> out = Settings::notes(table);
  const Option* init = table.find("init-output");
  if (model.tie_weights && init->text() != init->default_text && model.lstm.outputs() == model.embed) {
    out.emplace_back("`init-output` does nothing with `tie-weights` and no projection");
  }
  for (const char* name : {"row-starts", "reset-state"}) {
    const Option* option = table.find(name);
    if (!model.text.lines && !(model.lstm.bidirectional && option->name == "reset-state")) continue;
    if (option->text() == option->default_text) continue;
    out.push_back(fmt::format("`{}` does nothing with {}", name, model.text.lines ? "`lines`" : "`bidirectional`"));
  }
  if (model.lstm.bidirectional) {
    out.push_back(fmt::format(
        "a bidirectional language model reads the symbol that it predicts, so its training loss means little\n"
        "      (validation reads only the {} symbols before each of at most 2,000 targets)",
        bptt));
  }
  return out;
}

LanguageRun::LanguageRun(const LanguageSettings& settings, Sources& sources) : Run(settings), settings_(settings) {
  settings_.check();
  const PrepareOptions how{.text = settings_.model.text, .max_tokens = settings_.max_tokens};
  LanguageText text(settings_.data, how, true, sources);
  std::unique_ptr<LanguageText> valid_text, test_text;
  const auto open = [&](const std::string& source) {
    const PrepareOptions whole{.text = settings_.model.text};
    return source.empty() ? nullptr : std::make_unique<LanguageText>(source, whole, false, sources);
  };
  valid_text = open(settings_.valid);
  test_text = open(settings_.test);
  data::Vocabulary vocabulary = text.vocabulary(false);
  for (LanguageText* other : {valid_text.get(), test_text.get()}) {
    if (other == nullptr || vocabulary.find(data::kUnknown) >= 0) continue;
    if (other->has_unknown(vocabulary)) vocabulary = text.vocabulary(true);
  }
  check_vocabulary(vocabulary, settings_.model.text, text.name());
  model_ = std::make_unique<tasks::LanguageModel>(settings_.model, std::move(vocabulary));
  data::Corpus corpus = text.corpus(model_->vocabulary());
  data::Corpus valid = held_out(corpus, valid_text.get());
  if (test_text) test_ = other_text(*test_text);
  check_size(corpus);
  model_->initialise(settings_.seed_number());
  describe(StartingPoint(settings_.start, settings_.resumed).fill(*model_));
  if (settings_.sparse_embedding) model_->use_sparse_embedding();
  if (!settings_.model.tie_weights) {
    describe(settings_.describe_dense_updates(model_->vocabulary().size(), settings_.model.embed));
  }
  task_ = std::make_unique<tasks::LanguageModelTask>(
      *model_, std::move(corpus), std::move(valid),
      tasks::LanguageTaskOptions{.groups = settings_.groups(),
                                 .bptt = settings_.bptt,
                                 .stream = {.moving = settings_.row_starts == "moving",
                                            .reset = settings_.reset_state,
                                            .epochs = settings_.training.epochs},
                                 .label_smoothing = settings_.label_smoothing,
                                 .engine = settings_.used_engine()},
      context_);
  settings_.training.check(*task_);
}

void LanguageRun::examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) {
  const bool tested = !test_.symbols.empty();
  if (!tested && !task_->has_validation()) return;
  const data::Corpus& corpus = tested ? test_ : task_->measured();
  findings.examined = tested ? "test data" : "held-out data";
  const std::unique_ptr<tasks::LanguageModel> kept = tasks::LanguageModel::load(folder);
  tasks::LanguageModel::Workspace workspace(*kept, settings_.used_engine(), context_);
  tasks::EvaluateOptions options =
      tasks::evaluation_while_training(*kept, corpus, settings_.groups().batch, settings_.bptt);
  options.on_done = on_done;
  const bool whole = options.max == 0 && corpus.targets() <= LineExaminer::kMostTargets;
  std::optional<LineExaminer> lines;
  if (whole) {
    lines.emplace(*kept, corpus);
    options.on_symbol = [&](int64_t place, double nats) { lines->add(place, nats); };
  }
  if (tested || whole) {
    const tasks::LanguageScore score = kept->evaluate(corpus, options, workspace);
    if (tested) findings.test = {{"loss", score.nats_per_symbol()}, {"perplexity", score.perplexity()}};
  }
  if (whole) {
    findings.lines = lines->findings();
    return;
  }
  // Each symbol has a context of its own to read, so that only some can be read in a row; or the text is large.
  const data::Corpus some = beginning_of(corpus, options.max > 0 ? options.max : LineExaminer::kMostTargets);
  LineExaminer first_lines(*kept, some);
  options.max = 0;
  options.on_symbol = [&](int64_t place, double nats) { first_lines.add(place, nats); };
  kept->evaluate(some, options, workspace);
  findings.lines = first_lines.findings();
  findings.lines->of = corpus.targets();
}

std::optional<BaselineFindings> LanguageRun::measure_baseline(const std::string& path) {
  const bool tested = !test_.symbols.empty();
  if (!tested && !task_->has_validation()) return std::nullopt;
  const LanguageBaseline baseline = LanguageBaseline::fit(*model_, task_->train(), task_->valid());
  if (!path.empty()) baseline.write(path, *model_);
  BaselineFindings out = baseline.measure(tested ? test_ : task_->valid());
  out.measured = tested ? "test data" : "held-out data";
  return out;
}

// Their bytes; of those in a file, what is the same where they are.
template <class T>
void add_to(tasks::TextHash& hash, const data::Integers<T>& numbers) {
  if (numbers.in_memory()) {
    const std::vector<T>& all = numbers.memory();
    hash.add({reinterpret_cast<const char*>(all.data()), all.size() * sizeof(T)});
    return;
  }
  const auto place = numbers.identity();
  hash.add(fmt::format("{:016x} {} {} {}", place.content, place.at, place.width, numbers.size()));
}

std::string LanguageRun::baseline_key() {
  if (test_.symbols.empty() && !task_->has_validation()) return "";
  tasks::TextHash hash;
  for (int32_t v = 0; v < model_->vocabulary().size(); ++v) hash.add(model_->vocabulary().symbol(v));
  for (const data::Corpus* corpus :
       std::initializer_list<const data::Corpus*>{&task_->train(), &task_->valid(), &test_}) {
    add_to(hash, corpus->symbols);
    add_to(hash, corpus->starts);
  }
  return fmt::format("ngram-{:016x}", hash.value());
}

// A text with the vocabulary of the training text.
data::Corpus LanguageRun::other_text(LanguageText& text) {
  data::Corpus corpus = text.corpus(model_->vocabulary());
  if (const auto unknown = static_cast<int64_t>(corpus.unknown_lengths.size()); unknown > 0) {
    description_ +=
        fmt::format("{}{}: {} of {} are not in the training text and are read as <unk>",
                    description_.empty() ? "" : "\n", text.name(), format_count(static_cast<double>(unknown)),
                    format_count(static_cast<int64_t>(corpus.symbols.size()), "symbol"));
  }
  if (corpus.targets() < 1) {
    throw input_error(text.name() + ": expected at least 2 symbols to evaluate on, found fewer", "give a longer text");
  }
  return corpus;
}

data::Corpus LanguageRun::held_out(data::Corpus& corpus, LanguageText* valid_text) {
  if (valid_text != nullptr) return other_text(*valid_text);
  if (settings_.valid_fraction == 0.0) return {};
  data::Corpus valid =
      data::split_off(corpus, settings_.valid_fraction, settings_.model.text.lines, settings_.model.text.reverse);
  return valid.targets() < 1 ? data::Corpus() : std::move(valid);
}

void LanguageRun::check_size(const data::Corpus& corpus) const {
  const bool lines = settings_.model.text.lines;
  const int64_t min = lines ? 1 : settings_.batch == 0 ? 2 : settings_.batch * settings_.accumulate + 1;
  const auto found = lines ? corpus.sequences() : static_cast<int64_t>(corpus.symbols.size());
  if (found >= min) return;
  throw input_error(fmt::format("{}: too short to train on: expected at least {} {}, found {}", settings_.data, min,
                                lines ? "line" : "symbols", found),
                    "give a longer text, or a smaller `batch` or `accumulate`; `max-tokens`, `letters-only` "
                    "(without `lowercase`) and "
                    "`valid-fraction` shorten it");
}

// What the kept model writes, from prompts alone, and how it begins.
Findings LanguageRun::look(const std::string& folder, const train::TrainResult& result) {
  Findings out;
  if (settings_.model.lstm.bidirectional) return out;  // it cannot write, nor begin anywhere
  const std::unique_ptr<tasks::LanguageModel> kept = tasks::LanguageModel::load(train::RunFiles(folder).model);
  const data::Corpus& corpus = task_->measured();
  if (kept->why_not_generate().empty()) out.samples = samples_of(*kept, prompts_from(*kept, corpus));
  if (!tasks::has_cold_start(*kept)) return out;
  tasks::LanguageModel::Workspace workspace(*kept, settings_.used_engine(), context_);
  out.cold = cold_curve_of(*kept, corpus, workspace);
  const tasks::Metric* held_out = tasks::find_metric(result.valid, "loss");
  out.cold->text = held_out != nullptr ? "held-out text" : "training text";
  out.cold->warm_nats = held_out != nullptr ? held_out->value : result.progress.loss();
  return out;
}

Evaluation evaluate_language_model(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources) {
  const std::unique_ptr<tasks::LanguageModel> model = tasks::LanguageModel::load(file);
  if (model->options().lstm.bidirectional && options.context == 0) {
    throw usage_error(file.path() + ": a bidirectional model reads the symbol that it predicts",
                      "evaluate it on preceding symbols only, for instance with `context` 64");
  }
  const data::TextOptions& text = model->options().text;
  const std::string name = shown_name(options.data);
  LanguageText source(options.data, {.text = text, .unknown = options.unknown}, false, sources);
  const data::Corpus corpus = source.corpus(model->vocabulary());
  if (corpus.targets() < 1) {
    throw input_error(
        fmt::format("{}: too short to evaluate on: expected at least 2 symbols, found {}", name, corpus.symbols.size()),
        "give a longer text");
  }
  kernels::Context context(static_cast<int>(options.threads));
  // Lines are sequences of their own, so reading many side by side changes nothing but the time.
  const int64_t rows = text.lines ? std::max<int64_t>(options.batch, 64) : options.batch;
  tasks::LanguageModel::Workspace workspace(*model, options.engine, context);
  tasks::EvaluateOptions how{.rows = rows, .context = options.context, .on_done = options.on_done};
  std::optional<LineExaminer> examiner;
  const int64_t shown = std::min(corpus.targets(), LineExaminer::kMostTargets);
  const data::Corpus beginning =
      options.examine && shown < corpus.targets() ? beginning_of(corpus, shown) : data::Corpus();
  if (options.examine) {
    examiner.emplace(*model, beginning.symbols.empty() ? corpus : beginning);
    how.on_symbol = [&](int64_t place, double nats) { examiner->add(place, nats); };
  }
  const tasks::LanguageScore score = model->evaluate(corpus, how, workspace);
  Evaluation out;
  ColdCurve cold;
  if (options.context == 0 && tasks::has_cold_start(*model)) {
    cold = cold_curve_of(*model, corpus, workspace);
    cold.text = "evaluated text";
    cold.warm_nats = score.nats_per_symbol();
    out.findings.cold = cold;
  }
  if (examiner) {
    out.findings.lines = examiner->findings();
    out.findings.lines->of = corpus.targets();
    if (model->why_not_generate().empty()) out.findings.samples = samples_of(*model, prompts_from(*model, corpus));
  }
  out.findings.test = {{"nats_per_symbol", score.nats_per_symbol()},
                       {"perplexity", score.perplexity()},
                       {"bits_per_character", score.bits_per_character()}};
  nlohmann::ordered_json json = {{"nats_per_symbol", score.nats_per_symbol()},
                                 {"perplexity", score.perplexity()},
                                 {"bits_per_character", score.bits_per_character()},
                                 {"symbols", score.symbols},
                                 {"unknown_symbols", score.unknown},
                                 {"sequences", score.sequences},
                                 {"total_nats", score.total_nats},
                                 {"context", options.context}};
  for (const tasks::Metric& metric : cold.bands) json[metric.name] = metric.value;
  std::string lines;
  if (options.context > 0) lines += fmt::format("context             {} symbols before each\n", options.context);
  lines += fmt::format("nats per symbol     {:.6f}\nperplexity          {:.4f}\nbits per character  {:.4f}\n",
                       score.nats_per_symbol(), score.perplexity(), score.bits_per_character());
  lines += fmt::format("symbols             {}\n", format_count(static_cast<double>(score.symbols)));
  if (score.unknown > 0) {
    lines += fmt::format("unknown symbols     {}, {}\n", format_count(static_cast<double>(score.unknown)),
                         corpus.skipped > 0 ? "left out" : "read as <unk>");
  }
  lines += fmt::format("sequences           {}\ntotal nats          {:.2f}\n",
                       format_count(static_cast<double>(score.sequences)), score.total_nats);
  if (!cold.nats.empty()) lines += fmt::format("cold start          {}\n", describe_cold(cold.bands));
  out.note = cold_note(cold.bands, score.nats_per_symbol());
  with_baseline(file.path(), out, [&](const std::string& path) {
    BaselineFindings baseline = LanguageBaseline::read(path, *model).measure(corpus);
    const double nats = baseline.metrics.front().value;
    lines += fmt::format("baseline            {:.6f} nats per symbol, perplexity {:.4f}: {}\n", nats, std::exp(nats),
                         baseline.name);
    baseline.metrics = {{"nats_per_symbol", nats},
                        {"perplexity", std::exp(nats)},
                        {"bits_per_character", score.bits_per_character() * nats / score.nats_per_symbol()}};
    judge(baseline, out.findings.test, kLanguageAdvice);
    add_baseline(std::move(baseline), json, out);
  });
  out.text = std::move(lines);
  out.json = json.dump();
  return out;
}

}  // namespace

TaskRow language_model_row() {
  return {.verb = "lm",
          .task = tasks::LanguageModel::kTask,
          .name = "language model",
          .help = "Train a language model on a text",
          .noun = "symbol",
          .example = "give `data` FILE, or try `data` tale",
          .settings = new_settings<LanguageSettings>,
          .read = &Sources::text_mark,
          .run = new_run<LanguageRun, LanguageSettings>,
          .evaluate = evaluate_language_model,
          .summary = summary_of<tasks::LanguageModel>,
          .combine = tasks::combine<tasks::LanguageModel>};
}

}  // namespace longhand::runs
