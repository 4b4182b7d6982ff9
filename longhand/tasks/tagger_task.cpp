#include "longhand/tasks/tagger_task.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "longhand/base/error.h"
#include "longhand/tasks/fingerprint.h"

namespace longhand::tasks {
namespace {

std::vector<std::string> encoded(const std::vector<std::string>& tags, data::Scheme scheme, data::Scheme encode) {
  if (scheme == data::Scheme::kNone) return tags;
  return data::chunk_tags(data::chunks(tags), static_cast<int64_t>(tags.size()), encode);
}

}  // namespace

std::vector<std::string> build_labels(const std::vector<data::TaggedSentence>& sentences, data::Scheme scheme,
                                      data::Scheme encode) {
  std::vector<std::string> out;
  if (scheme == data::Scheme::kNone) {
    std::map<std::string, int64_t> counts;
    for (const data::TaggedSentence& sentence : sentences) {
      for (const std::string& tag : sentence.tags) ++counts[tag];
    }
    for (const auto& item : counts) out.push_back(item.first);
    std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return counts[a] > counts[b]; });
    return out;
  }
  std::set<std::string> types;
  for (const data::TaggedSentence& sentence : sentences) {
    for (const data::Chunk& chunk : data::chunks(sentence.tags)) types.emplace(chunk.type);
  }
  out.emplace_back("O");
  const std::string prefixes = encode == data::Scheme::kBioes ? "BIES" : "BI";
  for (const std::string& type : types) {
    for (const char prefix : prefixes) {
      out.push_back(type.empty() ? std::string(1, prefix) : fmt::format("{}-{}", prefix, type));
    }
  }
  return out;
}

TaggedCorpus::TaggedCorpus(const Tagger& model, std::vector<data::TaggedSentence> sentences)
    : sentences_(std::move(sentences)), lexicon_(model.lexicon()) {
  const data::Scheme encode = data::parse_scheme(model.options().encode);
  for (const data::TaggedSentence& sentence : sentences_) {
    std::vector<int32_t> entries, labels;
    for (const std::string& word : sentence.words) entries.push_back(lexicon_.find(word));
    for (const std::string& tag : encoded(sentence.tags, model.scheme(), encode)) {
      labels.push_back(model.find_label(tag));
    }
    entries_.push_back(std::move(entries));
    labels_.push_back(std::move(labels));
  }
}

void TaggedCorpus::count_words() {
  for (const std::vector<int32_t>& entries : entries_) lexicon_.count(entries);
}

std::vector<int64_t> TaggedCorpus::lengths() const {
  std::vector<int64_t> out;
  for (const std::vector<int32_t>& entries : entries_) out.push_back(static_cast<int64_t>(entries.size()));
  return out;
}

int64_t TaggedCorpus::words(std::span<const int64_t> sentences) const {
  int64_t count = 0;
  for (const int64_t s : sentences) count += static_cast<int64_t>(entries_[static_cast<size_t>(s)].size());
  return count;
}

int64_t TaggedCorpus::words() const {
  int64_t count = 0;
  for (const std::vector<int32_t>& labels : labels_) count += static_cast<int64_t>(labels.size());
  return count;
}

int64_t TaggedCorpus::unseen() const {
  int64_t count = 0;
  for (const std::vector<int32_t>& labels : labels_) count += std::count(labels.begin(), labels.end(), -1);
  return count;
}

int64_t TaggedCorpus::familiar() const {
  return std::count_if(labels_.begin(), labels_.end(), [](const std::vector<int32_t>& labels) {
    return std::find(labels.begin(), labels.end(), -1) == labels.end();
  });
}

void TaggedCorpus::get(std::span<const int64_t> sentences, const data::UnknownMask& mask, TagBatch& batch) const {
  std::vector<std::span<const int32_t>> rows;
  for (const int64_t s : sentences) rows.emplace_back(entries_[static_cast<size_t>(s)]);
  data::make_batch(lexicon_, rows, mask, batch.words);
  batch.labels.assign(static_cast<size_t>(batch.words.steps * batch.words.rows), -1);
  for (size_t b = 0; b < sentences.size(); ++b) {
    const std::vector<int32_t>& labels = labels_[static_cast<size_t>(sentences[b])];
    for (size_t t = 0; t < labels.size(); ++t) batch.labels[t * sentences.size() + b] = labels[t];
  }
}

std::string TaggedCorpus::fingerprint() const {
  TextHash hash;
  for (const data::TaggedSentence& sentence : sentences_) {
    for (const std::string& word : sentence.words) hash.add(word);
    for (const std::string& tag : sentence.tags) hash.add(tag);
    hash.add("");
  }
  return fmt::format("{} ({:016x})", sentences_.size(), hash.value());
}

TagScore evaluate(const Tagger& model, const TaggedCorpus& corpus, Tagger::Workspace& workspace,
                  const TagObserver& observer) {
  TagScore score;
  const int64_t words = corpus.words();
  score.sentences = corpus.size();
  score.unseen = corpus.unseen();
  data::Buckets buckets(corpus.lengths(), {.batch = 64, .shuffle = false});
  TagBatch batch;
  for (int64_t i = 0; i < buckets.size(); ++i) {
    const std::span<const int64_t> sentences = buckets.update(i);
    corpus.get(sentences, {}, batch);
    int64_t counted = 0;
    score.total_nats += model.loss(batch, counted, workspace);
    score.counted += counted;
    const std::vector<std::vector<Tagging>> best = model.best(batch.words, 1, workspace);
    for (size_t b = 0; b < sentences.size(); ++b) {
      const data::TaggedSentence& sentence = corpus.sentence(sentences[b]);
      const std::vector<std::string>& found = best[b].front().tags;
      score.tags.add(sentence.tags, found);
      for (size_t t = 0; t < sentence.words.size(); ++t) {
        if (batch.words.words[t * sentences.size() + b] != 0) continue;
        ++score.unknown;
        score.unknown_correct += found[t] == sentence.tags[t] ? 1 : 0;
      }
      if (observer.on_sentence) observer.on_sentence(sentences[b], found);
    }
    if (observer.on_done) observer.on_done(score.tags.tokens, words);
  }
  return score;
}

TaggerTask::TaggerTask(Tagger& model, std::vector<data::TaggedSentence> train, std::vector<data::TaggedSentence> valid,
                       const TaggerTaskOptions& options, kernels::Context& context)
    : model_(model),
      workspace_(model, options.engine, context),
      train_(model, std::move(train)),
      valid_(model, std::move(valid)),
      options_(options),
      buckets_(train_.lengths(), options.groups) {
  train_.count_words();
  // A chain is measured on whole sentences.
  const int64_t measured = model.options().crf ? valid_.familiar() : valid_.words() - valid_.unseen();
  if (valid_.size() > 0 && measured == 0) {
    throw input_error(
        std::string("held-out sentences: expected tags that occur in the training data, found unseen tags") +
            (model.options().crf ? " in every sentence" : " for every word"),
        "give sentences with the same tags, or no validation data");
  }
}

StepResult TaggerTask::train_shard(int64_t index, uint64_t step, data::Shard shard) {
  const int64_t words = train_.words(buckets_.update(index));
  const nn::UpdateShard update{.seed = options_.groups.seed,
                               .step = step,
                               .count = words,
                               .steps = words,
                               .parts = buckets_.parts(index),
                               .shard = shard,
                               .smoothing = options_.label_smoothing};
  StepResult result;
  model_.clear_gradients(workspace_.context);
  for (int64_t part = 0; part < update.parts; ++part) {
    const std::span<const int64_t> sentences = buckets_.part(index, part, shard);
    if (sentences.empty()) continue;
    const nn::GradientPass pass = nn::pass_of_part(update, part);
    train_.get(sentences, {.rate = options_.unknown_rate, .seed = pass.masks.seed, .step = pass.masks.step}, batch_);
    result.loss_sum += model_.train(batch_, pass, workspace_);
    result.count += train_.words(sentences);
  }
  return result;
}

double TagScore::unknown_accuracy() const {
  return unknown > 0 ? 100.0 * static_cast<double>(unknown_correct) / static_cast<double>(unknown) : 0.0;
}

std::vector<Metric> TagScore::metrics(bool of_chunks) const {
  std::vector<Metric> out;
  const data::ChunkCounts& all = tags.all;
  if (of_chunks) out = {{"f1", all.f1(), true}, {"precision", all.precision(), true}, {"recall", all.recall(), true}};
  out.push_back({"accuracy", tags.accuracy(), true});
  out.push_back({"loss", loss()});
  return out;
}

std::vector<Metric> TaggerTask::validate() {
  model_.pack(workspace_.context);
  return evaluate(model_, valid_, workspace_).metrics(model_.scheme() != data::Scheme::kNone);
}

std::string TaggerTask::fingerprint() const {
  return fmt::format(
      "training sentences {}, held-out sentences {}, vocabulary of {}, {} parameters, unknown-rate {}, label-smoothing "
      "{}{}",
      train_.fingerprint(), valid_.fingerprint(), tasks::fingerprint(model_.vocabulary().words),
      model_.parameters().count(), options_.unknown_rate, options_.label_smoothing,
      described(options_.groups, model_.options()));
}

}  // namespace longhand::tasks
