// Taggers: settings, run, evaluation.
#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/data/token_learning.h"
#include "longhand/runs/registry.h"
#include "longhand/runs/task_baselines.h"
#include "longhand/tasks/fingerprint.h"
#include "longhand/tasks/tagger_task.h"

namespace longhand::runs {
namespace {

class TaggerSettings : public TaskSettings<TaggerSettings, tasks::TaggerOptions> {
 public:
  TaggerSettings() {
    batch = 16;
    training.optimizer.learning_rate = 0.002;
    training.optimizer.clip_norm = 5.0;
  }

  data::VectorOptions vectors;
  double unknown_rate = 0.25;
  bool strict = false;

  void add_to(OptionTable& table) override;
  void check() const override;
  void set_earlier_defaults() override { model.tokens.tokenizer = "space"; }
};

class TaggerRun : public Run {
 public:
  TaggerRun(const TaggerSettings& settings, Sources& sources);
  std::optional<BaselineFindings> measure_baseline(const std::string& path) override;
  std::string baseline_key() override;

 private:
  Settings& settings() override { return settings_; }
  tasks::Task& task() override { return *task_; }
  void examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) override;
  std::string baseline_advice(const BaselineFindings& /*baseline*/) const override { return kTaggerAdvice; }

  TaggerSettings settings_;
  std::unique_ptr<tasks::Tagger> model_;
  std::vector<data::TaggedSentence> test_;
  std::unique_ptr<tasks::TaggerTask> task_;
};

int64_t words(const std::vector<data::TaggedSentence>& sentences) {
  int64_t count = 0;
  for (const data::TaggedSentence& sentence : sentences) count += static_cast<int64_t>(sentence.words.size());
  return count;
}

void TaggerSettings::add_to(OptionTable& table) {
  add_data_to(table, "sentences", "at its end");
  vectors.add_to(table);
  start.add_to(table, true);
  table.begin_group("Model");
  model.add_to(table);
  table.add("strict", strict,
            "refuse tags that violate their scheme, instead of repairing them as conlleval reads them");
  add_batches_to(table);
  table.add("unknown-rate", unknown_rate,
            "r: a training word that occurs c times is replaced with <unk> with probability r / (r + c)",
            at_least(0.0));
  table.add("label-smoothing", label_smoothing, "label smoothing: fraction of each target that is spread over all tags",
            fraction());
  add_sparse_to(table);
  add_training_to(table);
}

void TaggerSettings::check() const {
  model.check();
  start.check(vectors.vectors);
  Settings::check();
  if (model.crf && label_smoothing > 0.0) {
    throw usage_error("`label-smoothing`: cannot be combined with `crf`",
                      "a CRF scores whole sequences, not single tags; leave one of the two out");
  }
}

// Makes sentences keep the scheme, or with `strict` throws where they do not. Returns a line for the user that begins
// with a newline, or nothing.
std::string keep_scheme(std::vector<data::TaggedSentence>& sentences, data::Scheme scheme, bool strict,
                        const std::string& source) {
  if (strict) {
    data::check_scheme(sentences, scheme, source);
    return "";
  }
  const data::Repairs repairs = data::repair_scheme(sentences, scheme, source);
  if (repairs.first.empty()) return "";
  return fmt::format(
      "\n{}: repaired {} that broke the scheme {}, the first in line {} ({}); `strict` refuses such tags", source,
      format_count(repairs.tags, "tag"), data::scheme_name(scheme), repairs.first_line, visible(repairs.first));
}

TaggerRun::TaggerRun(const TaggerSettings& settings, Sources& sources) : Run(settings), settings_(settings) {
  settings_.check();
  const data::ColumnOptions& columns = settings_.model.columns;
  const auto parse = [&](const std::string& contents, const std::string& source) {
    return data::read_columns(contents, columns, data::ColumnReader::Tags::kWanted, shown_name(source));
  };
  const auto read = [&](const std::string& source) { return parse(sources.file(source), source); };
  const std::string contents = sources.file(settings_.data);
  data::ColumnFile train = parse(contents, settings_.data);
  std::vector<data::TaggedSentence> valid;
  if (!settings_.valid.empty()) valid = read(settings_.valid).sentences;
  if (!settings_.test.empty()) test_ = read(settings_.test).sentences;

  tasks::TaggerOptions options = settings_.model;
  const data::Scheme scheme = options.scheme == "auto"
                                  ? data::recognise_scheme(train.sentences, shown_name(settings_.data))
                                  : data::parse_scheme(options.scheme);
  std::string repairs = keep_scheme(train.sentences, scheme, settings_.strict, shown_name(settings_.data));
  repairs += keep_scheme(valid, scheme, settings_.strict, shown_name(settings_.valid));
  repairs += keep_scheme(test_, scheme, settings_.strict, shown_name(settings_.test));
  options.scheme = data::scheme_name(scheme);
  if (settings_.valid.empty() && settings_.valid_fraction > 0.0) {
    const auto all = static_cast<double>(train.sentences.size());
    const auto kept = static_cast<std::ptrdiff_t>(all - std::floor(all * settings_.valid_fraction));
    valid.assign(train.sentences.begin() + kept, train.sentences.end());
    train.sentences.resize(static_cast<size_t>(kept));
  }
  if (train.sentences.empty()) {
    throw input_error(settings_.data + ": too short to train on: every sentence is held out",
                      "give more sentences, or a smaller `valid-fraction`");
  }

  std::vector<const data::Words*> sentences;
  for (const data::TaggedSentence& sentence : train.sentences) sentences.push_back(&sentence.words);
  const data::Scheme encode = data::parse_scheme(options.encode);
  data::WordVocabulary vocabulary = data::build_word_vocabulary(sentences, options.words);
  const data::WordVectors vectors =
      data::read_word_vectors(settings_.vectors, options.words.lowercase, options.encoder.embed, vocabulary.words);
  const StartingPoint start(settings_.start, settings_.resumed);
  start.extend(vocabulary, options.words.lowercase, settings_.vectors.new_words);
  model_ = std::make_unique<tasks::Tagger>(options, std::move(vocabulary),
                                           tasks::build_labels(train.sentences, scheme, encode));
  const data::TokenizerChoice choice = data::choose_tokenizer(
      options.tokens.tokenizer, data::read_treebank_text(contents, shown_name(settings_.data)), train.sentences);
  model_->set_tokenizer(choice.tokenizer);
  model_->initialise(settings_.seed_number());
  if (settings_.sparse_embedding) model_->use_sparse_embedding();
  model_->set_word_vectors(vectors);
  const std::string started = start.fill(*model_);
  description_ = fmt::format("{}: {}{}\n{} in {}; {} words, {} shapes, {} characters, {} tags known; {} parameters",
                             shown_name(settings_.data), train.description,
                             scheme == data::Scheme::kNone ? "" : fmt::format(", tagging scheme {}", options.scheme),
                             format_count(words(train.sentences), "word"),
                             format_count(static_cast<int64_t>(train.sentences.size()), "sentence"),
                             format_count(static_cast<double>(model_->vocabulary().words.size())),
                             model_->vocabulary().shapes.size(), model_->vocabulary().characters.size(),
                             model_->labels().size(), format_count(static_cast<double>(model_->parameters().count())));
  description_ += repairs + "\n" + choice.description;
  for (const auto& [source, measured] : {std::pair(settings_.valid, &valid), std::pair(settings_.test, &test_)}) {
    if (source.empty()) continue;
    const tasks::TaggedCorpus corpus(*model_, *measured);
    description_ += describe_unseen(shown_name(source), corpus.unseen(), corpus.words(), "word");
  }
  describe(vectors.description);
  describe(started);
  describe(settings_.describe_dense_updates(model_->vocabulary().words.size(), settings_.model.encoder.embed));
  task_ = std::make_unique<tasks::TaggerTask>(*model_, std::move(train.sentences), std::move(valid),
                                              tasks::TaggerTaskOptions{.groups = settings_.groups(),
                                                                       .unknown_rate = settings_.unknown_rate,
                                                                       .label_smoothing = settings_.label_smoothing,
                                                                       .engine = settings_.used_engine()},
                                              context_);
  settings_.training.check(*task_);
}

// Measures, and adds what is found.
tasks::TagScore examine_tags(const tasks::Tagger& model, const tasks::TaggedCorpus& corpus,
                             tasks::Tagger::Workspace& workspace, const tasks::OnDone& on_done, Findings& findings) {
  TagExaminer examiner;
  const tasks::TagScore score = tasks::evaluate(
      model, corpus, workspace,
      {.on_sentence = [&](int64_t number, const auto& found) { examiner.add(number, corpus.sentence(number), found); },
       .on_done = on_done});
  findings.tags = examiner.findings(score.tags, model.scheme() != data::Scheme::kNone);
  return score;
}

void TaggerRun::examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) {
  if (test_.empty() && !task_->has_validation()) return;
  const std::unique_ptr<tasks::Tagger> kept = tasks::Tagger::load(tasks::ModelFile::read(folder));
  tasks::Tagger::Workspace workspace(*kept, settings_.used_engine(), context_);
  if (test_.empty()) {
    findings.examined = "held-out data";
    examine_tags(*kept, task_->valid(), workspace, on_done, findings);
    return;
  }
  findings.examined = "test data";
  findings.test = examine_tags(*kept, tasks::TaggedCorpus(*kept, test_), workspace, on_done, findings)
                      .metrics(kept->scheme() != data::Scheme::kNone);
}

std::optional<BaselineFindings> TaggerRun::measure_baseline(const std::string& path) {
  if (test_.empty() && !task_->has_validation()) return std::nullopt;
  const TaggerBaseline baseline = TaggerBaseline::fit(task_->train().sentences(), model_->scheme(), context_.pool);
  if (!path.empty()) baseline.write(path);
  BaselineFindings out = baseline.measure(test_.empty() ? task_->valid().sentences() : test_);
  out.measured = test_.empty() ? "held-out data" : "test data";
  return out;
}

std::string TaggerRun::baseline_key() {
  if (test_.empty() && !task_->has_validation()) return "";
  tasks::TextHash hash;
  for (const std::string& part : {task_->train().fingerprint(), task_->valid().fingerprint(),
                                  tasks::TaggedCorpus(*model_, test_).fingerprint()}) {
    hash.add(part);
  }
  return fmt::format("tags-{}-{:016x}", data::scheme_name(model_->scheme()), hash.value());
}

void add_chunks(nlohmann::ordered_json& out, const data::ChunkScore& score) {
  out["words"] = score.tokens;
  if (!score.has_chunks()) return;
  const auto figures = [](const data::ChunkCounts& counts) {
    return nlohmann::ordered_json{
        {"precision", counts.precision()}, {"recall", counts.recall()}, {"f1", counts.f1()}, {"gold", counts.gold},
        {"found", counts.found},           {"correct", counts.correct}};
  };
  out.update(figures(score.all));
  for (const auto& [type, counts] : score.types) out["types"][type] = figures(counts);
}

// How well the model's tokenizer finds the words and sentences of the treebank's texts.
void add_agreement(const data::TokenAgreement& found, nlohmann::ordered_json& json, std::string& lines) {
  json["raw_tokens_f1"] = found.tokens.f1();
  json["raw_words_f1"] = found.words.f1();
  json["raw_sentences_f1"] = found.sentences.f1();
  lines += fmt::format("raw text        F1 of tokens {:.2f}, words {:.2f}, sentences {:.2f}\n", found.tokens.f1(),
                       found.words.f1(), found.sentences.f1());
}

Evaluation evaluate_tagger(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources) {
  const std::unique_ptr<tasks::Tagger> model = tasks::Tagger::load(file);
  const std::string name = shown_name(options.data);
  const std::string contents = sources.file(options.data);
  data::ColumnFile sentences =
      data::read_columns(contents, model->options().columns, data::ColumnReader::Tags::kWanted, name);
  const std::string repairs = keep_scheme(sentences.sentences, model->scheme(), options.strict, name);
  options.on_found(fmt::format("{}: {}{}", name, sentences.description, repairs));
  kernels::Context context(static_cast<int>(options.threads));
  tasks::Tagger::Workspace workspace(*model, options.engine, context);
  const tasks::TaggedCorpus corpus(*model, std::move(sentences.sentences));
  const data::TreebankText raw = data::read_treebank_text(contents, name);
  Evaluation out;
  const tasks::TagScore score =
      options.examine ? examine_tags(*model, corpus, workspace, options.on_done, out.findings)
                      : tasks::evaluate(*model, corpus, workspace, {.on_sentence = {}, .on_done = options.on_done});
  const bool chunks = model->scheme() != data::Scheme::kNone;
  nlohmann::ordered_json json = {{"accuracy", score.tags.accuracy()}};
  if (chunks) add_chunks(json, score.tags);
  json["words"] = score.tags.tokens;
  json["sentences"] = score.sentences;
  json["unseen_tags"] = score.unseen;
  json["unknown_words"] = score.unknown;
  json["unknown_accuracy"] = score.unknown_accuracy();
  json["nats_per_word"] = score.loss();
  std::string lines =
      chunks ? score.tags.conlleval() : fmt::format("accuracy        {:.2f} %\n", score.tags.accuracy());
  lines += fmt::format("unknown words   {:.2f} % accuracy, of {} not in the vocabulary\n", score.unknown_accuracy(),
                       format_count(static_cast<double>(score.unknown)));
  if (!raw.paragraphs.empty()) add_agreement(data::compare_tokens(raw.paragraphs, model->tokenizer()), json, lines);
  if (score.unseen > 0) {
    lines += fmt::format("unseen tags     {}: words with tags that are not in the training data, counted as errors\n",
                         score.unseen);
  }
  lines += fmt::format("nats per word   {}\nwords           {}\nsentences       {}\n", format_nats(score.loss()),
                       format_count(static_cast<double>(score.tags.tokens)),
                       format_count(static_cast<double>(score.sentences)));
  out.findings.test = score.metrics(chunks);
  with_baseline(file.path(), out, [&](const std::string& path) {
    BaselineFindings baseline = TaggerBaseline::read(path).measure(corpus.sentences());
    judge(baseline, out.findings.test, kTaggerAdvice);
    lines += fmt::format("baseline        {}\n", describe(baseline));
    add_baseline(std::move(baseline), json, out);
  });
  out.text = std::move(lines);
  out.json = json.dump();
  return out;
}

}  // namespace

Evaluation evaluate_predictions(std::string_view text, const std::string& source) {
  TagExaminer examiner;
  int64_t number = 0;
  const data::ChunkScore score = data::score_predictions(
      text, source, [&](const auto& gold, const auto& found) { examiner.add(number++, gold, found); });
  nlohmann::ordered_json json = {{"accuracy", score.accuracy()}};
  add_chunks(json, score);
  Evaluation out{.text = score.conlleval(), .json = json.dump()};
  out.findings.tags = examiner.findings(score, score.has_chunks());
  if (score.has_chunks()) {
    out.findings.test = {
        {"f1", score.all.f1(), true}, {"precision", score.all.precision(), true}, {"recall", score.all.recall(), true}};
  }
  out.findings.test.push_back({"accuracy", score.accuracy(), true});
  return out;
}

TaskRow tagger_row() {
  return {.verb = "tagger",
          .task = tasks::Tagger::kTask,
          .name = "tagger",
          .help = "Train a tagger on sentences with a tag for each word",
          .noun = "word",
          .example = "give `data` FILE, in CoNLL-U or in columns",
          .settings = new_settings<TaggerSettings>,
          .read = &Sources::file,
          .run = new_run<TaggerRun, TaggerSettings>,
          .evaluate = evaluate_tagger,
          .summary = summary_of<tasks::Tagger>,
          .combine = tasks::combine<tasks::Tagger>};
}

}  // namespace longhand::runs
