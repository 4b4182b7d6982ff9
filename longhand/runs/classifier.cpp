// Classifiers: settings, run, evaluation.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/base/unicode.h"
#include "longhand/io/file.h"
#include "longhand/runs/registry.h"
#include "longhand/runs/task_baselines.h"
#include "longhand/tasks/classifier_task.h"
#include "longhand/tasks/fingerprint.h"
#include "longhand/tasks/linear_part.h"

namespace longhand::runs {
namespace {

class ClassifierSettings : public TaskSettings<ClassifierSettings, tasks::ClassifierOptions> {
 public:
  ClassifierSettings() {
    training.optimizer.learning_rate = 0.001;
    training.optimizer.clip_norm = 5.0;
  }

  data::VectorOptions vectors;
  double unknown_rate = 0.25;
  std::string class_weights = "none";

  void add_to(OptionTable& table) override;
  void check() const override;
};

class ClassifierRun : public Run {
 public:
  ClassifierRun(const ClassifierSettings& settings, Sources& sources);
  std::optional<BaselineFindings> measure_baseline(const std::string& path) override;
  std::string baseline_key() override;

 private:
  Settings& settings() override { return settings_; }
  tasks::Task& task() override { return *task_; }
  void examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) override;
  std::string baseline_advice(const BaselineFindings& /*baseline*/) const override { return kClassifierAdvice; }
  std::optional<baselines::LinearClassifier> fitted_before() const;

  ClassifierSettings settings_;
  std::unique_ptr<tasks::Classifier> model_;
  std::vector<data::LabelledText> test_;
  std::unique_ptr<tasks::ClassifierTask> task_;
  std::optional<baselines::ChosenLinearClassifier> linear_;  // where it has a share
};

void ClassifierSettings::add_to(OptionTable& table) {
  add_data_to(table, "texts", "drawn at random");
  vectors.add_to(table);
  start.add_to(table, true);
  table.begin_group("Model");
  model.add_to(table);
  add_batches_to(table);
  table.add("unknown-rate", unknown_rate,
            "r: a training word that occurs c times is replaced with <unk> with probability r / (r + c)",
            at_least(0.0));
  table.add("class-weights", class_weights,
            "weights of the classes in the loss; balanced gives all classes the same total weight",
            one_of({"none", "balanced"}));
  table.add("label-smoothing", label_smoothing,
            "label smoothing: fraction of each target that is spread over all classes", fraction());
  add_sparse_to(table);
  add_training_to(table);
}

void ClassifierSettings::check() const {
  model.check();
  start.check(vectors.vectors);
  Settings::check();
}

ClassifierRun::ClassifierRun(const ClassifierSettings& settings, Sources& sources)
    : Run(settings), settings_(settings) {
  settings_.check();
  tasks::ClassifierOptions options = settings_.model;
  const auto read = [&](const std::string& source) {
    return data::read_labelled(sources.file(source), options.columns, data::Labels::kWanted, shown_name(source));
  };
  data::LabelledFile train = read(settings_.data);
  data::check_labels(train, shown_name(settings_.data));
  const data::LabelledOptions defaults;
  const bool unnamed = options.columns.label == defaults.label && options.columns.text == defaults.text;
  if (unnamed) options.columns.layout = train.layout;  // other tables without a header have the same
  std::vector<data::LabelledText> valid;
  if (!settings_.valid.empty()) valid = read(settings_.valid).examples;
  if (!settings_.test.empty()) test_ = read(settings_.test).examples;
  if (settings_.valid.empty()) valid = hold_out(train.examples, settings_.valid_fraction);

  const std::vector<std::string> classes = tasks::build_classes(train.examples);
  if (classes.size() < 2) {
    throw input_error(fmt::format("{}: expected texts of at least two classes, found {}", shown_name(settings_.data),
                                  classes.empty() ? "none" : "'" + classes[0] + "' alone"),
                      "give texts of other classes, or a smaller `valid-fraction`");
  }
  const data::Tokenizer tokenizer(options.tokens);
  std::vector<data::Words> split;
  for (const data::LabelledText& example : train.examples) {
    split.push_back(tokenizer.words(example.text));
  }
  std::vector<const data::Words*> texts;
  for (const data::Words& words : split) texts.push_back(&words);
  data::WordVocabulary vocabulary = data::build_word_vocabulary(texts, options.words);
  const data::WordVectors vectors =
      data::read_word_vectors(settings_.vectors, options.words.lowercase, options.encoder.embed, vocabulary.words);
  const StartingPoint start(settings_.start, settings_.resumed);
  start.extend(vocabulary, options.words.lowercase, settings_.vectors.new_words);
  model_ = std::make_unique<tasks::Classifier>(options, std::move(vocabulary), classes);
  model_->initialise(settings_.seed_number());
  if (settings_.sparse_embedding) model_->use_sparse_embedding();
  model_->set_word_vectors(vectors);
  const std::string started = start.fill(*model_);
  description_ =
      fmt::format("{}: {}\n{}; {} classes: {}; {} words known; {} parameters", shown_name(settings_.data),
                  train.description, format_count(static_cast<int64_t>(train.examples.size()), "text"), classes.size(),
                  visible(listed(classes, 10)), format_count(static_cast<double>(model_->vocabulary().words.size())),
                  format_count(static_cast<double>(model_->parameters().count())));
  for (const auto& [source, examples] : {std::pair(settings_.valid, &valid), std::pair(settings_.test, &test_)}) {
    if (source.empty()) continue;
    const tasks::LabelledCorpus corpus(*model_, *examples);
    description_ += describe_unseen(shown_name(source), corpus.unseen(), corpus.size(), "text");
  }
  describe(vectors.description);
  describe(started);
  describe(settings_.describe_dense_updates(model_->vocabulary().words.size(), settings_.model.encoder.embed));
  task_ = std::make_unique<tasks::ClassifierTask>(
      *model_, std::move(train.examples), std::move(valid),
      tasks::ClassifierTaskOptions{.groups = settings_.groups(),
                                   .unknown_rate = settings_.unknown_rate,
                                   .label_smoothing = settings_.label_smoothing,
                                   .balanced = settings_.class_weights == "balanced",
                                   .engine = settings_.used_engine()},
      context_);
  settings_.training.check(*task_);
  if (options.linear_share > 0.0) {
    linear_ = tasks::choose_linear_classifier(*model_, task_->train(), fitted_before());
    model_->set_linear(linear_->model);
    describe(fmt::format("{} has a share of {} in the probabilities",
                         ClassifierBaseline::of(*linear_, task_->train().size()).name, shortest(options.linear_share)));
  }
}

// The logistic regression of a run that is resumed is in its model. Where that is gone, fitting it again gives the
// same.
std::optional<baselines::LinearClassifier> ClassifierRun::fitted_before() const {
  const std::string& folder = settings_.resumed;
  if (folder.empty() || !io::exists(train::RunFiles(folder).model)) return std::nullopt;
  baselines::LinearClassifier out = tasks::read_linear_part(tasks::ModelFile::read(folder));
  if (out.classes() == static_cast<int64_t>(model_->classes().size())) return out;
  throw input_error(train::RunFiles(folder).model + ": expected a model with the classes of the training data, found " +
                        std::to_string(out.classes()) + " classes",
                    "resume with the data of the run, or start another run");
}

// Measures, and adds what is found.
tasks::ClassScore examine_classes(const tasks::Classifier& model, const tasks::LabelledCorpus& corpus,
                                  tasks::Classifier::Workspace& workspace, const tasks::OnDone& on_done,
                                  Findings& findings) {
  ClassExaminer examiner(model, corpus);
  const tasks::ClassScore score = tasks::evaluate(
      model, corpus, workspace,
      {.on_text = [&](int64_t text, auto probabilities) { examiner.add(text, probabilities); }, .on_done = on_done});
  findings.classes = examiner.findings(score);
  return score;
}

void ClassifierRun::examine(const std::string& folder, Findings& findings, const tasks::OnDone& on_done) {
  if (test_.empty() && !task_->has_validation()) return;
  const std::unique_ptr<tasks::Classifier> kept = tasks::Classifier::load(tasks::ModelFile::read(folder));
  tasks::Classifier::Workspace workspace(*kept, settings_.used_engine(), context_);
  if (test_.empty()) {
    findings.examined = "held-out data";
    examine_classes(*kept, task_->valid(), workspace, on_done, findings);
    return;
  }
  findings.examined = "test data";
  findings.test = examine_classes(*kept, tasks::LabelledCorpus(*kept, test_), workspace, on_done, findings).metrics();
}

std::optional<BaselineFindings> ClassifierRun::measure_baseline(const std::string& path) {
  if (test_.empty() && !task_->has_validation()) return std::nullopt;
  const tasks::LabelledCorpus& train = task_->train();
  const auto baseline =
      ClassifierBaseline::of(linear_ ? *linear_ : tasks::choose_linear_classifier(*model_, train), train.size());
  if (!path.empty()) baseline.write(path, *model_);
  BaselineFindings out =
      test_.empty() ? baseline.measure(task_->valid()) : baseline.measure(tasks::LabelledCorpus(*model_, test_));
  out.measured = test_.empty() ? "held-out data" : "test data";
  return out;
}

std::string ClassifierRun::baseline_key() {
  if (test_.empty() && !task_->has_validation()) return "";
  tasks::TextHash hash;
  for (const std::string& part :
       {task_->train().fingerprint(), task_->valid().fingerprint(), tasks::LabelledCorpus(*model_, test_).fingerprint(),
        model_->options().tokens.tokenizer, std::string(model_->options().words.lowercase ? "lower" : "as it is")}) {
    hash.add(part);
  }
  return fmt::format("texts-{:016x}", hash.value());
}

int64_t confused(const tasks::ClassScore& score, int64_t gold, int64_t found) {
  const auto at = score.confusion.find({gold, found});
  return at == score.confusion.end() ? 0 : at->second;
}

nlohmann::ordered_json class_json(const tasks::ClassScore& score, const std::vector<std::string>& classes) {
  constexpr int64_t kMostInMatrix = 1000;
  nlohmann::ordered_json out = {{"accuracy", score.accuracy()},  {"macro_f1", score.macro_f1()},
                                {"nats_per_text", score.loss()}, {"texts", score.texts},
                                {"unseen_labels", score.unseen}, {"classes", classes}};
  for (int64_t k = 0; k < score.K; ++k) out["f1"].push_back(score.f1(k));
  for (int64_t k = 0; k < score.K && score.K <= kMostInMatrix; ++k) {
    std::vector<int64_t> row;
    for (int64_t j = 0; j < score.K; ++j) row.push_back(confused(score, k, j));
    out["confusion"].push_back(row);
  }
  return out;
}

std::string class_lines(const tasks::ClassScore& score, const std::vector<std::string>& names) {
  std::string out = fmt::format(
      "accuracy        {:.2f} %\nmacro F1        {:.2f} %\nnats per text   {}\ntexts           {}\n", score.accuracy(),
      score.macro_f1(), format_nats(score.loss()), format_count(static_cast<double>(score.texts)));
  if (score.unseen > 0) {
    out += fmt::format("unseen labels   {}: texts of classes that are not in the training data, counted as errors\n",
                       score.unseen);
  }
  std::vector<std::string> classes;
  for (const std::string& name : names) classes.push_back(visible(name));
  size_t width = 5;
  for (const std::string& name : classes) width = std::max(width, display_width(name));
  out += fmt::format("\n{:<{}}  precision  recall      F1   texts\n", "class", width);
  for (int64_t k = 0; k < score.K; ++k) {
    out += fmt::format("{}  {:9.2f} {:7.2f} {:7.2f} {:7}\n", left_aligned(classes[static_cast<size_t>(k)], width),
                       score.precision(k), score.recall(k), score.f1(k), score.counts[static_cast<size_t>(k)].gold);
  }
  constexpr int64_t kMaxShown = 20;
  if (score.K > kMaxShown) return out;
  out += fmt::format("\nconfusion matrix (rows: true class; columns: predicted class)\n{:<{}}", "", width);
  for (const std::string& name : classes) out += " " + right_aligned(cut_to_width(name, 7), 7);
  for (int64_t i = 0; i < score.K; ++i) {
    out += "\n" + left_aligned(classes[static_cast<size_t>(i)], width);
    for (int64_t j = 0; j < score.K; ++j) out += fmt::format(" {:>7}", confused(score, i, j));
  }
  return out + "\n";
}

Evaluation evaluate_classifier(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources) {
  const std::unique_ptr<tasks::Classifier> model = tasks::Classifier::load(file);
  const std::string name = shown_name(options.data);
  const data::LabelledFile texts =
      data::read_labelled(sources.file(options.data), model->options().columns, data::Labels::kWanted, name);
  options.on_found(name + ": " + texts.description);
  kernels::Context context(static_cast<int>(options.threads));
  tasks::Classifier::Workspace workspace(*model, options.engine, context);
  const tasks::LabelledCorpus corpus(*model, texts.examples);
  Evaluation out;
  const tasks::ClassScore score =
      options.examine ? examine_classes(*model, corpus, workspace, options.on_done, out.findings)
                      : tasks::evaluate(*model, corpus, workspace, {.on_text = {}, .on_done = options.on_done});
  out.findings.test = score.metrics();
  nlohmann::ordered_json json = class_json(score, model->classes());
  out.text = class_lines(score, model->classes());
  with_baseline(file.path(), out, [&](const std::string& path) {
    BaselineFindings baseline = ClassifierBaseline::read(path, *model).measure(corpus);
    judge(baseline, out.findings.test, kClassifierAdvice);
    out.text += fmt::format("\nbaseline        {}\n", describe(baseline));
    add_baseline(std::move(baseline), json, out);
  });
  out.json = json.dump();
  return out;
}

}  // namespace

TaskRow classifier_row() {
  return {.verb = "classifier",
          .task = tasks::Classifier::kTask,
          .name = "classifier",
          .help = "Train a classifier on labelled texts",
          .noun = "text",
          .example = "give `data` FILE: CSV, TSV, JSON lines, or `__label__LABEL text` lines",
          .settings = new_settings<ClassifierSettings>,
          .read = &Sources::file,
          .run = new_run<ClassifierRun, ClassifierSettings>,
          .evaluate = evaluate_classifier,
          .summary = summary_of<tasks::Classifier>,
          .combine = tasks::combine<tasks::Classifier>};
}

}  // namespace longhand::runs
