#include "longhand/nn/crf.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "longhand/base/error.h"

namespace longhand::nn {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

// log sum exp over 0 .. n-1, where minus infinity is the score of an impossible path.
template <class Term>
double log_sum_exp(int64_t n, const Term& term) {
  double largest = kImpossible;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, term(i));
  if (largest == kImpossible) return kImpossible;
  double sum = 0.0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(term(i) - largest);
  return largest + std::log(sum);
}

// One sequence of a batch and its lattice.
template <class T>
class Chain {
 public:
  Chain(const CrfLayer<T>& crf, const CrfInput<T>& input, int64_t row)
      : crf_(crf), input_(input), row_(row), length_(input.length(row)), K_(crf.labels) {}

  int64_t length() const { return length_; }
  double score(int64_t t, int64_t k) const {
    return static_cast<double>(input_.scores[(t * input_.batch + row_) * input_.stride + k]);
  }
  double transition(int64_t from, int64_t to) const {
    return crf_.may_follow(from, to) ? value(crf_.transitions, from * K_ + to) : kImpossible;
  }
  double start(int64_t k) const { return crf_.may_follow(K_, k) ? value(crf_.start, k) : kImpossible; }
  double end(int64_t k) const { return crf_.may_follow(k, K_) ? value(crf_.end, k) : kImpossible; }

  // (52) alpha_t(k): log of the summed exponentials of all ways that lead to label k at step t.
  void forward() {
    alpha_.resize(static_cast<size_t>(length_ * K_));
    for (int64_t k = 0; k < K_; ++k) alpha(0, k) = start(k) + score(0, k);
    for (int64_t t = 1; t < length_; ++t) {
      for (int64_t k = 0; k < K_; ++k) {
        alpha(t, k) = score(t, k) + log_sum_exp(K_, [&](int64_t i) { return alpha(t - 1, i) + transition(i, k); });
      }
    }
    log_z_ = log_sum_exp(K_, [&](int64_t k) { return alpha(length_ - 1, k) + end(k); });
  }

  // (53) beta_t(k): the same of all ways that lead on from label k at step t.
  void backward() {
    beta_.resize(static_cast<size_t>(length_ * K_));
    for (int64_t k = 0; k < K_; ++k) beta(length_ - 1, k) = end(k);
    for (int64_t t = length_ - 2; t >= 0; --t) {
      for (int64_t k = 0; k < K_; ++k) {
        beta(t, k) = log_sum_exp(K_, [&](int64_t j) { return transition(k, j) + score(t + 1, j) + beta(t + 1, j); });
      }
    }
  }

  double log_z() const { return log_z_; }
  // (54) p(y_t = k), and (55) p(y_t = i, y_t+1 = k).
  double marginal(int64_t t, int64_t k) const { return std::exp(alpha(t, k) + beta(t, k) - log_z_); }
  double pair(int64_t t, int64_t i, int64_t k) const {
    return std::exp(alpha(t, i) + transition(i, k) + score(t + 1, k) + beta(t + 1, k) - log_z_);
  }

 private:
  static double value(const T* weights, int64_t i) {
    return weights == nullptr ? 0.0 : static_cast<double>(weights[i]);
  }
  double& alpha(int64_t t, int64_t k) { return alpha_[static_cast<size_t>(t * K_ + k)]; }
  double alpha(int64_t t, int64_t k) const { return alpha_[static_cast<size_t>(t * K_ + k)]; }
  double& beta(int64_t t, int64_t k) { return beta_[static_cast<size_t>(t * K_ + k)]; }
  double beta(int64_t t, int64_t k) const { return beta_[static_cast<size_t>(t * K_ + k)]; }

  const CrfLayer<T>& crf_;
  const CrfInput<T>& input_;
  int64_t row_;
  int64_t length_;
  int64_t K_;
  std::vector<double> alpha_, beta_;
  double log_z_ = 0.0;
};

}  // namespace

template <class T>
void crf_loss(const CrfLayer<T>& crf, const CrfInput<T>& input, const CrfLoss<T>& loss, ThreadPool& pool) {
  const int64_t B = input.batch, K = crf.labels, pairs = K * K;
  const bool gradients = loss.d_scores != nullptr;
  // Each sequence's own sums, so that they can be added in one order: transitions, start, end.
  const int64_t width = pairs + 2 * K;
  std::vector<double> counts(gradients ? static_cast<size_t>(B * width) : 0);
  const auto run = [&](int64_t row) {
    Chain<T> chain(crf, input, row);
    const int64_t length = chain.length();
    const auto target = [&](int64_t t) { return loss.targets[t * B + row]; };
    loss.loss[row] = 0.0;
    if (gradients) {
      for (int64_t t = length; t < input.steps; ++t) {
        std::fill_n(loss.d_scores + (t * B + row) * input.stride, input.stride, T(0));
      }
    }
    if (length == 0) return;
    chain.forward();
    double gold = chain.start(target(0)) + chain.score(0, target(0)) + chain.end(target(length - 1));
    for (int64_t t = 1; t < length; ++t) gold += chain.transition(target(t - 1), target(t)) + chain.score(t, target(t));
    loss.loss[row] = chain.log_z() - gold;
    if (!gradients) return;

    // (56) The gradient by a score is how often it counts among all label sequences, less how often in the right one.
    chain.backward();
    double* d_transitions = counts.data() + row * width;
    double *d_start = d_transitions + pairs, *d_end = d_start + K;
    for (int64_t t = 0; t < length; ++t) {
      T* d_score = loss.d_scores + (t * B + row) * input.stride;
      for (int64_t k = 0; k < K; ++k) {
        const double expected = chain.marginal(t, k);
        const double d = expected - (target(t) == k ? 1.0 : 0.0);
        d_score[k] = static_cast<T>(static_cast<double>(loss.scale) * d);
        if (t == 0) d_start[k] = d;
        if (t == length - 1) d_end[k] = d;
      }
      std::fill(d_score + K, d_score + input.stride, T(0));
      if (t + 1 == length) break;
      for (int64_t i = 0; i < K; ++i) {
        for (int64_t k = 0; k < K; ++k) d_transitions[i * K + k] += chain.pair(t, i, k);
      }
      d_transitions[target(t) * K + target(t + 1)] -= 1.0;
    }
  };
  pool.run(
      [&](int part, int parts) {
        const Range rows = split(B, parts, part);
        for (int64_t row = rows.begin; row < rows.end; ++row) run(row);
      },
      B);
  if (!gradients) return;
  const auto add = [&](T* to, int64_t first, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0.0;
      for (int64_t row = 0; row < B; ++row) sum += counts[static_cast<size_t>(row * width + first + i)];
      to[i] += static_cast<T>(static_cast<double>(loss.scale) * sum);
    }
  };
  add(loss.d_transitions, 0, pairs);
  add(loss.d_start, pairs, K);
  add(loss.d_end, pairs + K, K);
}

template <class T>
std::vector<double> crf_marginals(const CrfLayer<T>& crf, const CrfInput<T>& input, int64_t row) {
  Chain<T> chain(crf, input, row);
  std::vector<double> out;
  if (chain.length() == 0) return out;
  chain.forward();
  chain.backward();
  for (int64_t t = 0; t < chain.length(); ++t) {
    for (int64_t k = 0; k < crf.labels; ++k) out.push_back(chain.marginal(t, k));
  }
  return out;
}

template <class T>
std::vector<LabelPath> crf_best_paths(const CrfLayer<T>& crf, const CrfInput<T>& input, int64_t row, int64_t n) {
  LONGHAND_CHECK(n > 0);
  Chain<T> chain(crf, input, row);
  const int64_t K = crf.labels, length = chain.length();
  if (length == 0) return {LabelPath{}};
  chain.forward();

  // The n best ways to each label at each step: their scores, and which path of the step before they extend.
  struct Way {
    double score;
    int32_t label;  // of the step before
    int32_t rank;   // among its ways
  };
  std::vector<std::vector<Way>> ways(static_cast<size_t>(length * K));
  const auto at = [&](int64_t t, int64_t k) -> std::vector<Way>& { return ways[static_cast<size_t>(t * K + k)]; };
  // Takes the ways to label i one step on, among the n best in `out`, which are in order.
  const auto extend = [&](int64_t t, int64_t i, double by, std::vector<Way>& out) {
    if (by == kImpossible) return;
    int32_t rank = 0;
    for (const Way& way : at(t, i)) {
      const Way longer{way.score + by, static_cast<int32_t>(i), rank++};
      const bool full = static_cast<int64_t>(out.size()) == n;
      if (full && !(longer.score > out.back().score)) return;  // nor is any that is worse
      if (full) out.pop_back();
      out.insert(std::find_if(out.begin(), out.end(), [&](const Way& w) { return longer.score > w.score; }), longer);
    }
  };
  for (int64_t k = 0; k < K; ++k) {
    if (chain.start(k) != kImpossible) at(0, k).push_back({chain.start(k) + chain.score(0, k), -1, 0});
  }
  for (int64_t t = 1; t < length; ++t) {
    for (int64_t k = 0; k < K; ++k) {
      for (int64_t i = 0; i < K; ++i) extend(t - 1, i, chain.transition(i, k) + chain.score(t, k), at(t, k));
    }
  }
  std::vector<Way> last;
  for (int64_t k = 0; k < K; ++k) extend(length - 1, k, chain.end(k), last);

  std::vector<LabelPath> out;
  for (const Way& end : last) {
    LabelPath path{std::vector<int32_t>(static_cast<size_t>(length)), end.score - chain.log_z()};
    Way way = end;
    for (int64_t t = length - 1; t >= 0; --t) {
      path.labels[static_cast<size_t>(t)] = way.label;
      way = at(t, way.label)[static_cast<size_t>(way.rank)];
    }
    out.push_back(std::move(path));
  }
  return out;
}

template void crf_loss(const CrfLayer<float>&, const CrfInput<float>&, const CrfLoss<float>&, ThreadPool&);
template void crf_loss(const CrfLayer<double>&, const CrfInput<double>&, const CrfLoss<double>&, ThreadPool&);
template std::vector<double> crf_marginals(const CrfLayer<float>&, const CrfInput<float>&, int64_t);
template std::vector<double> crf_marginals(const CrfLayer<double>&, const CrfInput<double>&, int64_t);
template std::vector<LabelPath> crf_best_paths(const CrfLayer<float>&, const CrfInput<float>&, int64_t, int64_t);
template std::vector<LabelPath> crf_best_paths(const CrfLayer<double>&, const CrfInput<double>&, int64_t, int64_t);

}  // namespace longhand::nn
