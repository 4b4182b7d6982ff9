#include "cli/tagger_run.h"

#include <fmt/core.h>

#include <cmath>

#include "cli/progress.h"
#include "cli/text_source.h"
#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::cli {
namespace {

int64_t words(const std::vector<data::TaggedSentence>& sentences) {
  int64_t count = 0;
  for (const data::TaggedSentence& sentence : sentences) count += static_cast<int64_t>(sentence.words.size());
  return count;
}

}  // namespace

TaggerSettings::TaggerSettings() {
  common.batch = 16;
  common.training.optimizer.learning_rate = 0.002;
  common.training.optimizer.clip_norm = 5.0;
}

void TaggerSettings::add_to(OptionTable& table) {
  common.add_data_to(table, "sentences", "at its end");
  vectors.add_to(table);
  table.begin_group("Model");
  model.add_to(table);
  table.add("strict", strict,
            "refuse tags that violate their scheme, instead of repairing them as conlleval reads them");
  common.add_batches_to(table);
  table.add("unknown-rate", unknown_rate,
            "r: a training word that occurs c times is replaced with <unk> with probability r / (r + c)",
            at_least(0.0));
  table.add("label-smoothing", common.label_smoothing,
            "label smoothing: fraction of each target that is spread over all tags", fraction());
  common.add_training_to(table);
}

void TaggerSettings::check() const {
  model.check();
  model.lstm.engine(common.engine);
  common.check();
  if (model.crf && common.label_smoothing > 0.0) {
    throw usage_error("--label-smoothing: cannot be combined with --crf",
                      "a CRF scores whole sequences, not single tags; leave one of the two out");
  }
}

std::vector<std::string> TaggerSettings::notes() const {
  std::vector<std::string> out = model.lstm.without_effect();
  TaggerSettings mine;
  OptionTable table;
  mine.add_to(table);  // with the defaults
  mine = *this;
  for (std::string& note : common.notes(table)) out.push_back(std::move(note));
  return out;
}

std::string keep_scheme(std::vector<data::TaggedSentence>& sentences, data::Scheme scheme, bool strict,
                        const std::string& source) {
  if (strict) {
    data::check_scheme(sentences, scheme, source);
    return "";
  }
  const data::Repairs repairs = data::repair_scheme(sentences, scheme, source);
  if (repairs.first.empty()) return "";
  return fmt::format(
      "\n{}: repaired {} that broke the scheme {}, the first in line {} ({}); --strict refuses such tags", source,
      format_count(repairs.tags, "tag"), data::scheme_name(scheme), repairs.first_line, visible(repairs.first));
}

TaggerRun::TaggerRun(const TaggerSettings& settings)
    : settings_(settings), context_(static_cast<int>(settings.common.threads)) {
  settings_.check();
  const CommonSettings& common = settings_.common;
  const data::ColumnOptions& columns = settings_.model.columns;
  const auto read = [&](const std::string& source) {
    return data::read_columns(load_file(source), columns, data::ColumnReader::Tags::kWanted, shown_name(source));
  };
  data::ColumnFile train = read(common.data);
  std::vector<data::TaggedSentence> valid;
  if (!common.valid.empty()) valid = read(common.valid).sentences;
  if (!common.test.empty()) test_ = read(common.test).sentences;

  tasks::TaggerOptions options = settings_.model;
  const data::Scheme scheme = options.scheme == "auto"
                                  ? data::recognise_scheme(train.sentences, shown_name(common.data))
                                  : data::parse_scheme(options.scheme);
  std::string repairs = keep_scheme(train.sentences, scheme, settings_.strict, shown_name(common.data));
  repairs += keep_scheme(valid, scheme, settings_.strict, shown_name(common.valid));
  repairs += keep_scheme(test_, scheme, settings_.strict, shown_name(common.test));
  options.scheme = data::scheme_name(scheme);
  if (common.valid.empty() && common.valid_fraction > 0.0) {
    const auto all = static_cast<double>(train.sentences.size());
    const auto kept = static_cast<std::ptrdiff_t>(all - std::floor(all * common.valid_fraction));
    valid.assign(train.sentences.begin() + kept, train.sentences.end());
    train.sentences.resize(static_cast<size_t>(kept));
  }
  if (train.sentences.empty()) {
    throw input_error(common.data + ": too short to train on: every sentence is held out",
                      "give more sentences, or a smaller --valid-fraction");
  }

  std::vector<const data::Words*> sentences;
  for (const data::TaggedSentence& sentence : train.sentences) sentences.push_back(&sentence.words);
  const data::Scheme encode = data::parse_scheme(options.encode);
  data::WordVocabulary vocabulary = data::build_word_vocabulary(sentences, options.words);
  const data::WordVectors vectors =
      data::read_word_vectors(settings_.vectors, options.words.lowercase, options.encoder.embed, vocabulary.words);
  model_ = std::make_unique<tasks::Tagger>(options, std::move(vocabulary),
                                           tasks::build_labels(train.sentences, scheme, encode));
  model_->initialise(common.seed_number());
  model_->set_word_vectors(vectors);
  description_ = fmt::format("{}: {}{}\n{} in {}; {} words, {} shapes, {} characters, {} tags known; {} parameters",
                             shown_name(common.data), train.description,
                             scheme == data::Scheme::kNone ? "" : fmt::format(", tagging scheme {}", options.scheme),
                             format_count(words(train.sentences), "word"),
                             format_count(static_cast<int64_t>(train.sentences.size()), "sentence"),
                             format_count(static_cast<double>(model_->vocabulary().words.size())),
                             model_->vocabulary().shapes.size(), model_->vocabulary().characters.size(),
                             model_->labels().size(), format_count(static_cast<double>(model_->parameters().count())));
  description_ += repairs;
  for (const auto& [source, measured] : {std::pair(common.valid, &valid), std::pair(common.test, &test_)}) {
    if (source.empty()) continue;
    const tasks::TaggedCorpus corpus(*model_, *measured);
    description_ += describe_unseen(shown_name(source), corpus.unseen(), corpus.words(), "word");
  }
  if (!vectors.description.empty()) description_ += "\n" + vectors.description;
  task_ = std::make_unique<tasks::TaggerTask>(*model_, std::move(train.sentences), std::move(valid),
                                              tasks::TaggerTaskOptions{.groups = common.groups(),
                                                                       .unknown_rate = settings_.unknown_rate,
                                                                       .label_smoothing = common.label_smoothing,
                                                                       .engine = options.lstm.engine(common.engine)},
                                              context_);
  common.training.check(*task_);
}

RunResult TaggerRun::run(const std::string& folder, bool resume, const train::Observer& observer) {
  TaggerSettings resolved = settings_;
  OptionTable table;
  resolved.add_to(table);
  Finished finished;
  if (!test_.empty()) {
    finished.test = [&] {
      const std::unique_ptr<tasks::Tagger> kept = tasks::Tagger::load(tasks::ModelFile::read(folder));
      tasks::Tagger::Workspace workspace(*kept, kept->options().lstm.engine(settings_.common.engine), context_);
      return tasks::evaluate(*kept, tasks::TaggedCorpus(*kept, test_), workspace)
          .metrics(kept->scheme() != data::Scheme::kNone);
    };
  }
  return train_in_folder(*task_, settings_.common, table, folder, resume, observer, context_, finished);
}

}  // namespace longhand::cli
