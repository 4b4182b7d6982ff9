#include "cli/classifier_run.h"

#include <fmt/core.h>

#include "cli/progress.h"
#include "cli/text_source.h"
#include "longhand/base/error.h"

namespace longhand::cli {

ClassifierSettings::ClassifierSettings() {
  common.training.optimizer.learning_rate = 0.001;
  common.training.optimizer.clip_norm = 5.0;
}

void ClassifierSettings::add_to(OptionTable& table) {
  common.add_data_to(table, "texts", "drawn at random");
  vectors.add_to(table);
  table.begin_group("Model");
  model.add_to(table);
  common.add_batches_to(table);
  table.add("unknown-rate", unknown_rate,
            "r: a training word that occurs c times is replaced with <unk> with probability r / (r + c)",
            at_least(0.0));
  table.add("class-weights", class_weights,
            "weights of the classes in the loss; balanced gives all classes the same total weight",
            one_of({"none", "balanced"}));
  table.add("label-smoothing", common.label_smoothing,
            "label smoothing: fraction of each target that is spread over all classes", fraction());
  common.add_training_to(table);
}

void ClassifierSettings::check() const {
  model.check();
  model.lstm.engine(common.engine);
  common.check();
}

std::vector<std::string> ClassifierSettings::notes() const {
  std::vector<std::string> out = model.lstm.without_effect();
  ClassifierSettings mine;
  OptionTable table;
  mine.add_to(table);  // with the defaults
  mine = *this;
  for (std::string& note : common.notes(table)) out.push_back(std::move(note));
  return out;
}

ClassifierRun::ClassifierRun(const ClassifierSettings& settings)
    : settings_(settings), context_(static_cast<int>(settings.common.threads)) {
  settings_.check();
  const CommonSettings& common = settings_.common;
  tasks::ClassifierOptions options = settings_.model;
  const auto read = [&](const std::string& source) {
    return data::read_labelled(load_file(source), options.columns, data::Labels::kWanted, shown_name(source));
  };
  data::LabelledFile train = read(common.data);
  data::check_labels(train, shown_name(common.data));
  const data::LabelledOptions defaults;
  const bool unnamed = options.columns.label == defaults.label && options.columns.text == defaults.text;
  if (unnamed) options.columns.layout = train.layout;  // other tables without a header have the same
  std::vector<data::LabelledText> valid;
  if (!common.valid.empty()) valid = read(common.valid).examples;
  if (!common.test.empty()) test_ = read(common.test).examples;
  if (common.valid.empty()) valid = hold_out(train.examples, common.valid_fraction);

  const std::vector<std::string> classes = tasks::build_classes(train.examples);
  if (classes.size() < 2) {
    throw input_error(fmt::format("{}: expected texts of at least two classes, found {}", shown_name(common.data),
                                  classes.empty() ? "none" : "'" + classes[0] + "' alone"),
                      "give texts of other classes, or a smaller --valid-fraction");
  }
  std::vector<data::Words> split;
  for (const data::LabelledText& example : train.examples) {
    split.push_back(data::split_words(example.text, options.split));
  }
  std::vector<const data::Words*> texts;
  for (const data::Words& words : split) texts.push_back(&words);
  data::WordVocabulary vocabulary = data::build_word_vocabulary(texts, options.words);
  const data::WordVectors vectors =
      data::read_word_vectors(settings_.vectors, options.words.lowercase, options.encoder.embed, vocabulary.words);
  model_ = std::make_unique<tasks::Classifier>(options, std::move(vocabulary), classes);
  model_->initialise(common.seed_number());
  model_->set_word_vectors(vectors);
  description_ =
      fmt::format("{}: {}\n{}; {} classes: {}; {} words known; {} parameters", shown_name(common.data),
                  train.description, format_count(static_cast<int64_t>(train.examples.size()), "text"), classes.size(),
                  visible(listed(classes, 10)), format_count(static_cast<double>(model_->vocabulary().words.size())),
                  format_count(static_cast<double>(model_->parameters().count())));
  for (const auto& [source, examples] : {std::pair(common.valid, &valid), std::pair(common.test, &test_)}) {
    if (source.empty()) continue;
    const tasks::LabelledCorpus corpus(*model_, *examples);
    description_ += describe_unseen(shown_name(source), corpus.unseen(), corpus.size(), "text");
  }
  if (!vectors.description.empty()) description_ += "\n" + vectors.description;
  task_ = std::make_unique<tasks::ClassifierTask>(
      *model_, std::move(train.examples), std::move(valid),
      tasks::ClassifierTaskOptions{.groups = common.groups(),
                                   .unknown_rate = settings_.unknown_rate,
                                   .label_smoothing = common.label_smoothing,
                                   .balanced = settings_.class_weights == "balanced",
                                   .engine = options.lstm.engine(common.engine)},
      context_);
  common.training.check(*task_);
}

RunResult ClassifierRun::run(const std::string& folder, bool resume, const train::Observer& observer) {
  ClassifierSettings resolved = settings_;
  OptionTable table;
  resolved.add_to(table);
  Finished finished;
  if (!test_.empty()) {
    finished.test = [&] {
      const std::unique_ptr<tasks::Classifier> kept = tasks::Classifier::load(tasks::ModelFile::read(folder));
      tasks::Classifier::Workspace workspace(*kept, kept->options().lstm.engine(settings_.common.engine), context_);
      return tasks::evaluate(*kept, tasks::LabelledCorpus(*kept, test_), workspace).metrics();
    };
  }
  return train_in_folder(*task_, settings_.common, table, folder, resume, observer, context_, finished);
}

}  // namespace longhand::cli
