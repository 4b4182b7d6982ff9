#include "longhand/tasks/classifier_task.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "longhand/base/error.h"
#include "longhand/tasks/fingerprint.h"

namespace longhand::tasks {
namespace {

double per_cent(int64_t part, int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

}  // namespace

std::vector<std::string> build_classes(const std::vector<data::LabelledText>& examples) {
  std::map<std::string, int64_t> counts;
  for (const data::LabelledText& example : examples) ++counts[example.label];
  std::vector<std::string> out;
  for (const auto& item : counts) out.push_back(item.first);
  std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return counts[a] > counts[b]; });
  return out;
}

LabelledCorpus::LabelledCorpus(const Classifier& model, std::vector<data::LabelledText> examples)
    : model_(model), examples_(std::move(examples)), lexicon_(model.lexicon()) {
  for (const data::LabelledText& example : examples_) {
    std::vector<int32_t> entries;
    for (const std::string& word : model.tokenizer().words(example.text)) {
      entries.push_back(lexicon_.find(word));
    }
    if (entries.empty()) entries.push_back(lexicon_.find(std::string(data::kUnknown)));  // nothing but odd blanks
    entries_.push_back(std::move(entries));
    classes_.push_back(model.find_class(example.label));
  }
}

data::Words LabelledCorpus::words(int64_t i) const {
  data::Words out;
  for (const int32_t entry : entries_[static_cast<size_t>(i)]) {
    out.push_back(model_.vocabulary().words.symbol(lexicon_.entry(entry).word));
  }
  return out;
}

baselines::ChosenLinearClassifier choose_linear_classifier(const Classifier& model, const LabelledCorpus& train,
                                                           std::optional<baselines::LinearClassifier> fitted) {
  std::vector<data::Words> texts;
  std::vector<int32_t> classes;
  for (int64_t i = 0; i < train.size(); ++i) {
    texts.push_back(train.words(i));
    classes.push_back(train.class_of(i));
  }
  std::vector<const data::Words*> pointers;
  for (const data::Words& words : texts) pointers.push_back(&words);
  const auto K = static_cast<int64_t>(model.classes().size());
  if (!fitted) return baselines::choose_linear_classifier(pointers, classes, K);
  return {std::move(*fitted), static_cast<int64_t>(baselines::classifier_texts(pointers, K).size())};
}

void LabelledCorpus::count_words() {
  for (const std::vector<int32_t>& entries : entries_) lexicon_.count(entries);
}

std::vector<int64_t> LabelledCorpus::lengths() const {
  std::vector<int64_t> out;
  for (const std::vector<int32_t>& entries : entries_) out.push_back(static_cast<int64_t>(entries.size()));
  return out;
}

void LabelledCorpus::get(std::span<const int64_t> texts, const data::UnknownMask& mask, ClassBatch& batch) const {
  std::vector<std::span<const int32_t>> rows;
  batch.classes.clear();
  for (const int64_t i : texts) {
    rows.emplace_back(entries_[static_cast<size_t>(i)]);
    batch.classes.push_back(class_of(i));
  }
  data::make_batch(lexicon_, rows, mask, batch.words);
}

std::string LabelledCorpus::fingerprint() const {
  TextHash hash;
  for (const data::LabelledText& example : examples_) {
    hash.add(example.label);
    hash.add(example.text);
  }
  return fmt::format("{} ({:016x})", examples_.size(), hash.value());
}

void ClassScore::add(int64_t gold, int64_t found) {
  ++texts;
  ++counts[static_cast<size_t>(found)].found;
  if (gold < 0) {
    ++unseen;
    return;
  }
  Counts& own = counts[static_cast<size_t>(gold)];
  ++own.gold;
  own.right += found == gold ? 1 : 0;
  ++confusion[{gold, found}];
}

double ClassScore::loss() const { return total_nats / static_cast<double>(texts - unseen); }

double ClassScore::accuracy() const {
  int64_t correct = 0;
  for (const Counts& c : counts) correct += c.right;
  return per_cent(correct, texts);
}

double ClassScore::precision(int64_t k) const {
  const Counts& c = counts[static_cast<size_t>(k)];
  return per_cent(c.right, c.found);
}

double ClassScore::recall(int64_t k) const {
  const Counts& c = counts[static_cast<size_t>(k)];
  return per_cent(c.right, c.gold);
}

double ClassScore::f1(int64_t k) const {
  const double p = precision(k), r = recall(k);
  return p + r > 0.0 ? 2.0 * p * r / (p + r) : 0.0;
}

double ClassScore::macro_f1() const {
  double sum = 0.0;
  int64_t classes = unseen_classes;
  for (int64_t k = 0; k < K; ++k) {
    const Counts& c = counts[static_cast<size_t>(k)];
    if (c.gold + c.found == 0) continue;
    sum += f1(k);
    ++classes;
  }
  return classes > 0 ? sum / static_cast<double>(classes) : 0.0;
}

std::vector<Metric> ClassScore::metrics() const {
  return {{"accuracy", accuracy(), true}, {"macro_f1", macro_f1(), true}, {"loss", loss()}};
}

ClassScore evaluate(const Classifier& model, const LabelledCorpus& corpus, Classifier::Workspace& workspace,
                    const ClassObserver& observer) {
  const auto K = static_cast<int64_t>(model.classes().size());
  ClassScore score(K);
  std::set<std::string> unseen;
  data::Buckets buckets(corpus.lengths(), {.batch = 64, .shuffle = false});
  ClassBatch batch;
  for (int64_t i = 0; i < buckets.size(); ++i) {
    corpus.get(buckets.update(i), {}, batch);
    const std::span<const double> probabilities = model.read(batch.words, workspace);
    for (size_t b = 0; b < batch.classes.size(); ++b) {
      const int32_t gold = batch.classes[b];
      const auto row = probabilities.subspan(b * static_cast<size_t>(K), static_cast<size_t>(K));
      const auto found = std::max_element(row.begin(), row.end()) - row.begin();
      score.add(gold, found);
      if (gold < 0) {
        unseen.insert(corpus.example(buckets.update(i)[b]).label);
      } else {
        score.total_nats -= std::log(std::max(row[static_cast<size_t>(gold)], 1e-300));
      }
      if (observer.on_text) observer.on_text(buckets.update(i)[b], row);
    }
    if (observer.on_done) observer.on_done(score.texts, corpus.size());
  }
  score.unseen_classes = static_cast<int64_t>(unseen.size());
  return score;
}

ClassifierTask::ClassifierTask(Classifier& model, std::vector<data::LabelledText> train,
                               std::vector<data::LabelledText> valid, const ClassifierTaskOptions& options,
                               kernels::Context& context)
    : model_(model),
      workspace_(model, options.engine, context),
      train_(model, std::move(train)),
      valid_(model, std::move(valid)),
      options_(options),
      buckets_(train_.lengths(), options.groups) {
  train_.count_words();
  if (valid_.size() > 0 && valid_.unseen() == valid_.size()) {
    throw input_error("held-out texts: expected classes that occur in the training data, found none",
                      "give texts of the same classes, or no validation data");
  }
  if (!options.balanced) return;
  weights_.assign(model.classes().size(), 0.0F);
  for (int64_t i = 0; i < train_.size(); ++i) weights_[static_cast<size_t>(train_.class_of(i))] += 1.0F;
  const auto all = static_cast<float>(train_.size());
  for (float& weight : weights_) weight = all / (weight * static_cast<float>(weights_.size()));
}

StepResult ClassifierTask::train_shard(int64_t index, uint64_t step, data::Shard shard) {
  nn::UpdateShard update{.seed = options_.groups.seed,
                         .step = step,
                         .count = static_cast<int64_t>(buckets_.update(index).size()),
                         .parts = buckets_.parts(index),
                         .shard = shard,
                         .smoothing = options_.label_smoothing};
  double weight = 0.0;  // of the update's texts
  for (const int64_t i : buckets_.update(index)) {
    update.steps += train_.length(i);
    weight += weights_.empty() ? 1.0 : static_cast<double>(weights_[static_cast<size_t>(train_.class_of(i))]);
  }
  StepResult result;
  model_.clear_gradients(workspace_.context);
  for (int64_t part = 0; part < update.parts; ++part) {
    const std::span<const int64_t> texts = buckets_.part(index, part, shard);
    if (texts.empty()) continue;
    nn::GradientPass pass = nn::pass_of_part(update, part);
    pass.scale = static_cast<float>(1.0 / weight);
    train_.get(texts, {.rate = options_.unknown_rate, .seed = pass.masks.seed, .step = pass.masks.step}, batch_);
    result.loss_sum += model_.train(batch_, weights_, pass, workspace_);
    result.count += static_cast<int64_t>(texts.size());
  }
  return result;
}

std::vector<Metric> ClassifierTask::validate() {
  model_.pack(workspace_.context);
  return evaluate(model_, valid_, workspace_).metrics();
}

std::string ClassifierTask::fingerprint() const {
  return fmt::format(
      "training texts {}, held-out texts {}, vocabulary of {}, {} parameters, unknown-rate {}, label-smoothing {}, "
      "balanced {}{}",
      train_.fingerprint(), valid_.fingerprint(), tasks::fingerprint(model_.vocabulary().words),
      model_.parameters().count(), options_.unknown_rate, options_.label_smoothing, options_.balanced,
      described(options_.groups, model_.options()));
}

}  // namespace longhand::tasks
