// How the weights of a linear-chain CRF are fitted: L-BFGS (liblbfgs) on the likelihood, whose gradients nn/crf.h
// gives.
#include <lbfgs.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <numeric>
#include <set>

#include "longhand/baselines/even_part.h"
#include "longhand/baselines/linear_crf.h"
#include "longhand/baselines/word_features.h"

namespace longhand::baselines {
namespace {

constexpr int64_t kBatch = 64;              // sentences side by side
constexpr double kFewestIterations = 50.0;  // that a large set has to allow

// As many sentences, evenly spread, as the budget allows.
std::vector<const data::TaggedSentence*> affordable(std::span<const data::TaggedSentence> sentences,
                                                    double most_words) {
  double words = 0.0;
  for (const data::TaggedSentence& sentence : sentences) words += static_cast<double>(sentence.words.size());
  std::vector<const data::TaggedSentence*> out;
  for (const size_t i : even_part(sentences.size(), words, most_words)) out.push_back(&sentences[i]);
  return out;
}

std::vector<std::string> labels_of(std::span<const data::TaggedSentence> sentences) {
  std::set<std::string> types;
  for (const data::TaggedSentence& sentence : sentences) {
    for (const data::Chunk& chunk : data::chunks(sentence.tags)) types.emplace(chunk.type);
  }
  std::vector<std::string> out{"O"};
  for (const std::string& type : types) {
    for (const char* letter : {"B", "I"}) out.push_back(type.empty() ? letter : std::string(letter) + "-" + type);
  }
  return out;
}

}  // namespace

class LinearCrfFit {
 public:
  LinearCrfFit(const std::vector<const data::TaggedSentence*>& sentences, LinearCrf& model,
               const LinearCrfOptions& options, ThreadPool& pool)
      : sentences_(sentences), model_(model), options_(options), pool_(pool) {
    read();
    declare_weights();
    make_batches();
  }

  void run(int64_t iterations);
  int64_t words() const { return words_; }

 private:
  // Sentences side by side: their features, and the labels [T, B] that they have.
  struct Batch {
    std::vector<size_t> sentences;
    int64_t steps = 0;
    std::vector<int32_t> lengths, labels;
  };
  void read();
  void declare_weights();
  void make_batches();
  double loss(const double* weights, double* gradient);
  double batch_loss(const Batch& batch, const double* weights, double* gradient);

  const std::vector<const data::TaggedSentence*>& sentences_;
  LinearCrf& model_;
  LinearCrfOptions options_;
  ThreadPool& pool_;
  int64_t words_ = 0;
  std::vector<std::vector<std::vector<int32_t>>> features_;  // of each word of each sentence
  std::vector<std::vector<int32_t>> labels_;                 // likewise
  std::vector<Batch> batches_;
  std::vector<double> scores_, d_scores_, losses_;
  std::exception_ptr error_;  // of an evaluation
};

// Numbers features and labels.
void LinearCrfFit::read() {
  for (const data::TaggedSentence* sentence : sentences_) {
    std::vector<std::vector<int32_t>> features(sentence->words.size());
    for_each_word_feature(sentence->words, [&](size_t t, std::string_view feature) {
      auto at = model_.index_.find(feature);
      if (at == model_.index_.end()) {
        at = model_.index_.emplace(feature, static_cast<int32_t>(model_.index_.size())).first;
      }
      features[t].push_back(at->second);
    });
    std::vector<int32_t> labels;
    for (const std::string& tag : data::chunk_tags(data::chunks(sentence->tags),
                                                   static_cast<int64_t>(sentence->tags.size()), data::Scheme::kIob2)) {
      const auto found = std::find(model_.labels_.begin(), model_.labels_.end(), tag);
      labels.push_back(static_cast<int32_t>(found - model_.labels_.begin()));
    }
    words_ += static_cast<int64_t>(labels.size());
    features_.push_back(std::move(features));
    labels_.push_back(std::move(labels));
  }
}

// A weight for each feature and label that occur together.
void LinearCrfFit::declare_weights() {
  std::vector<std::vector<int32_t>> seen(model_.index_.size());
  for (size_t s = 0; s < features_.size(); ++s) {
    for (size_t t = 0; t < features_[s].size(); ++t) {
      for (const int32_t f : features_[s][t]) {
        std::vector<int32_t>& labels = seen[static_cast<size_t>(f)];
        const auto at = std::lower_bound(labels.begin(), labels.end(), labels_[s][t]);
        if (at == labels.end() || *at != labels_[s][t]) labels.insert(at, labels_[s][t]);
      }
    }
  }
  model_.begin_.assign(1, 0);
  for (const std::vector<int32_t>& labels : seen) {
    model_.label_of_.insert(model_.label_of_.end(), labels.begin(), labels.end());
    model_.begin_.push_back(static_cast<int32_t>(model_.label_of_.size()));
  }
  const size_t K = model_.labels_.size();
  model_.weights_.assign(model_.label_of_.size() + K * K + 2 * K, 0.0);
}

// Sentences of similar lengths.
void LinearCrfFit::make_batches() {
  std::vector<size_t> order(sentences_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return labels_[a].size() < labels_[b].size(); });
  for (size_t begin = 0; begin < order.size(); begin += kBatch) {
    Batch batch;
    const size_t end = std::min(order.size(), begin + kBatch), rows = end - begin;
    batch.sentences.assign(order.begin() + static_cast<std::ptrdiff_t>(begin),
                           order.begin() + static_cast<std::ptrdiff_t>(end));
    batch.steps = static_cast<int64_t>(labels_[batch.sentences.back()].size());
    batch.labels.assign(static_cast<size_t>(batch.steps) * rows, 0);
    for (size_t b = 0; b < rows; ++b) {
      const std::vector<int32_t>& labels = labels_[batch.sentences[b]];
      batch.lengths.push_back(static_cast<int32_t>(labels.size()));
      for (size_t t = 0; t < labels.size(); ++t) batch.labels[t * rows + b] = labels[t];
    }
    batches_.push_back(std::move(batch));
  }
}

double LinearCrfFit::batch_loss(const Batch& batch, const double* weights, double* gradient) {
  const int64_t K = model_.K(), B = static_cast<int64_t>(batch.sentences.size());
  scores_.assign(static_cast<size_t>(batch.steps * B * K), 0.0);
  d_scores_.resize(scores_.size());
  losses_.resize(static_cast<size_t>(B));
  const auto place = [&](size_t t, int64_t b) { return (static_cast<int64_t>(t) * B + b) * K; };
  for (int64_t b = 0; b < B; ++b) {
    const auto& features = features_[batch.sentences[static_cast<size_t>(b)]];
    for (size_t t = 0; t < features.size(); ++t) {
      model_.add_scores(features[t], weights, scores_.data() + place(t, b));
    }
  }
  double* d_transitions = gradient + model_.label_of_.size();
  nn::crf_loss<double>(
      model_.chain(weights),
      {.steps = batch.steps, .batch = B, .lengths = batch.lengths.data(), .scores = scores_.data(), .stride = K},
      {.targets = batch.labels.data(),
       .loss = losses_.data(),
       .d_scores = d_scores_.data(),
       .d_transitions = d_transitions,
       .d_start = d_transitions + K * K,
       .d_end = d_transitions + K * K + K},
      pool_);
  for (int64_t b = 0; b < B; ++b) {
    const auto& features = features_[batch.sentences[static_cast<size_t>(b)]];
    for (size_t t = 0; t < features.size(); ++t) {
      const double* d = d_scores_.data() + place(t, b);
      for (const int32_t f : features[t]) {
        for (int32_t i = model_.begin_[static_cast<size_t>(f)]; i < model_.begin_[static_cast<size_t>(f) + 1]; ++i) {
          gradient[i] += d[model_.label_of_[static_cast<size_t>(i)]];
        }
      }
    }
  }
  return std::accumulate(losses_.begin(), losses_.end(), 0.0);
}

double LinearCrfFit::loss(const double* weights, double* gradient) {
  if (options_.on_evaluation) options_.on_evaluation();
  double sum = 0.0;
  std::fill_n(gradient, model_.weights_.size(), 0.0);
  for (const Batch& batch : batches_) sum += batch_loss(batch, weights, gradient);
  for (size_t i = 0; i < model_.weights_.size(); ++i) {
    sum += options_.l2 * weights[i] * weights[i];
    gradient[i] += 2.0 * options_.l2 * weights[i];
  }
  return sum;
}

void LinearCrfFit::run(int64_t iterations) {
  lbfgs_parameter_t how;
  ::lbfgs_parameter_init(&how);
  how.max_iterations = static_cast<int>(iterations);
  how.past = 10;
  how.delta = 1e-5;  // the loss fell by less than this share in the last ten iterations
  // No exception may pass through its C. After one, the gradient 0 ends a line search, and `go_on` the iterations.
  const auto evaluate = [](void* self, const lbfgsfloatval_t* weights, lbfgsfloatval_t* gradient, int n,
                           lbfgsfloatval_t) {
    auto& fit = *static_cast<LinearCrfFit*>(self);
    try {
      if (!fit.error_) return fit.loss(weights, gradient);
    } catch (...) {
      fit.error_ = std::current_exception();
    }
    std::fill_n(gradient, n, 0.0);
    return 0.0;
  };
  const auto go_on = [](void* self, const lbfgsfloatval_t*, const lbfgsfloatval_t*, lbfgsfloatval_t, lbfgsfloatval_t,
                        lbfgsfloatval_t, lbfgsfloatval_t, int, int,
                        int) { return static_cast<LinearCrfFit*>(self)->error_ ? 1 : 0; };
  // Its arrays have to be its own: it reads whole vector registers.
  const auto n = static_cast<int>(model_.weights_.size());
  const std::unique_ptr<lbfgsfloatval_t, void (*)(lbfgsfloatval_t*)> weights(::lbfgs_malloc(n), ::lbfgs_free);
  LONGHAND_CHECK(weights);
  std::copy(model_.weights_.begin(), model_.weights_.end(), weights.get());
  // How it ended is of no interest: the weights are the best that it found.
  ::lbfgs(n, weights.get(), nullptr, evaluate, go_on, this, &how);
  if (error_) std::rethrow_exception(error_);
  std::copy_n(weights.get(), model_.weights_.size(), model_.weights_.begin());
}

LinearCrf LinearCrf::fit(std::span<const data::TaggedSentence> sentences, data::Scheme scheme,
                         const LinearCrfOptions& options, ThreadPool& pool) {
  LONGHAND_CHECK(scheme != data::Scheme::kNone);
  LinearCrf out;
  out.scheme_ = scheme;
  out.labels_ = labels_of(sentences);
  out.allow_steps();
  const auto K = static_cast<double>(out.labels_.size());
  const double per_word = 100.0 + 3.0 * K * K;
  const std::vector<const data::TaggedSentence*> used =
      affordable(sentences, options.budget / per_word / kFewestIterations);
  out.sentences_ = static_cast<int64_t>(used.size());
  LinearCrfFit fit(used, out, options, pool);
  if (fit.words() == 0) throw input_error("baseline: expected words with tags, found none", "give more sentences");
  const double most = options.budget / per_word / static_cast<double>(fit.words());
  fit.run(std::max<int64_t>(1, std::min(options.max_iterations, static_cast<int64_t>(most))));
  return out;
}

}  // namespace longhand::baselines
