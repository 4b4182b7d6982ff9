// A tagger of chunks without a network: a linear-chain conditional random field (Lafferty et al. 2001) over sparse
// features of words, as named-entity recognisers were before networks. docs/baselines.md lists the features.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "longhand/base/threads.h"
#include "longhand/baselines/baseline_file.h"
#include "longhand/data/chunks.h"
#include "longhand/nn/crf.h"

namespace longhand::baselines {

struct LinearCrfOptions {
  double l2 = 0.1;               ///< of l2 |w|^2, which is added to the sum of the losses
  int64_t max_iterations = 150;  ///< of the solver, L-BFGS
  /// What a fit may cost: iterations times words times (100 + 3 K^2), for K labels; 10^9 take about 13 seconds on a
  /// core. Of large sets only as many sentences are used, evenly spread, as allow 50 iterations.
  double budget = 3e9;
  /// Called before each evaluation of the likelihood. What it throws ends the fit, which throws it.
  std::function<void()> on_evaluation{};
};

class LinearCrf {
 public:
  static constexpr const char* kKind = "linear_crf";

  /// Fits sentences whose tags are of chunks in `scheme`, which is not kNone. The result is the same on any number of
  /// threads. Throws an input error for no words.
  static LinearCrf fit(std::span<const data::TaggedSentence> sentences, data::Scheme scheme,
                       const LinearCrfOptions& options, ThreadPool& pool);

  /// The most probable tags of a sentence, in the scheme of the training data.
  std::vector<std::string> tag(const std::vector<std::string>& words) const;
  /// Sentences that it was fitted on.
  int64_t sentences() const { return sentences_; }
  /// Number of weights.
  int64_t size() const { return static_cast<int64_t>(weights_.size()); }

  void write(BaselineWriter& out) const;
  /// Throws an input error for a file that does not hold such a model.
  static LinearCrf read(const BaselineFile& file);

 private:
  friend class LinearCrfFit;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };

  int64_t K() const { return static_cast<int64_t>(labels_.size()); }
  void allow_steps();
  nn::CrfLayer<double> chain(const double* weights) const;
  std::vector<std::vector<int32_t>> features_of(const std::vector<std::string>& words) const;
  void add_scores(std::span<const int32_t> features, const double* weights, double* scores) const;

  data::Scheme scheme_ = data::Scheme::kNone;
  int64_t sentences_ = 0;
  std::vector<std::string> labels_;  // [K] in the scheme IOB2
  std::vector<uint8_t> allowed_;
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> index_;  // features
  std::vector<int32_t> begin_;     // [F + 1] where the weights of each feature begin
  std::vector<int32_t> label_of_;  // of each of these weights
  std::vector<double> weights_;    // those, then transitions [K, K], start [K] and end [K]
};

}  // namespace longhand::baselines
