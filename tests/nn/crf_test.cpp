// The linear chain: against all label sequences of short sentences, one by one, and against central differences.
#include "longhand/nn/crf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "longhand/base/rng.h"

namespace longhand::nn {
namespace {

constexpr int64_t kSteps = 5, kRows = 4, kLabels = 3, kStride = 16;

struct Problem {
  std::vector<int32_t> lengths{5, 1, 4, 2};
  std::vector<double> scores, transitions, start, end;
  std::vector<uint8_t> allowed;
  std::vector<int32_t> targets;

  explicit Problem(bool constrained) {
    const CounterRng rng(7, 0, RngPlace::kSample);
    uint64_t i = 0;
    const auto draw = [&](std::vector<double>& out, int64_t n) {
      for (int64_t k = 0; k < n; ++k) out.push_back(2.0 * rng.normal(i++));
    };
    draw(scores, kSteps * kRows * kStride);
    draw(transitions, kLabels * kLabels);
    draw(start, kLabels);
    draw(end, kLabels);
    if (constrained) {
      allowed.assign((kLabels + 1) * (kLabels + 1), 1);
      forbid(kLabels, 1);  // 1 may not begin
      forbid(2, kLabels);  // 2 may not end
      forbid(0, 1);
      forbid(2, 2);
    }
    for (int64_t cell = 0; cell < kSteps * kRows; ++cell) targets.push_back(0);
    // Of every row, the first sequence that is allowed and not all zeros, if there is one.
    for (int64_t row = 0; row < kRows; ++row) {
      for (const std::vector<int32_t>& path : paths(row)) {
        if (score(row, path) == -HUGE_VAL) continue;
        for (size_t t = 0; t < path.size(); ++t) targets[t * kRows + static_cast<size_t>(row)] = path[t];
        if (std::count(path.begin(), path.end(), 0) < static_cast<int64_t>(path.size())) break;
      }
    }
  }

  void forbid(int64_t from, int64_t to) { allowed[static_cast<size_t>(from * (kLabels + 1) + to)] = 0; }

  CrfLayer<double> layer() const {
    return {kLabels, transitions.data(), start.data(), end.data(), allowed.empty() ? nullptr : allowed.data()};
  }
  CrfInput<double> input() const { return {kSteps, kRows, lengths.data(), scores.data(), kStride}; }

  // Every label sequence of a row's length, in the order of their numbers.
  std::vector<std::vector<int32_t>> paths(int64_t row) const {
    const auto length = static_cast<size_t>(lengths[static_cast<size_t>(row)]);
    std::vector<std::vector<int32_t>> out;
    for (int64_t n = 0; n < std::llround(std::pow(kLabels, length)); ++n) {
      std::vector<int32_t> path(length);
      int64_t rest = n;
      for (size_t t = length; t-- > 0; rest /= kLabels) path[t] = static_cast<int32_t>(rest % kLabels);
      out.push_back(path);
    }
    return out;
  }

  // What a sequence scores, from the definition.
  double score(int64_t row, const std::vector<int32_t>& path) const {
    double sum = 0.0;
    int64_t before = kLabels;
    for (size_t t = 0; t < path.size(); ++t) {
      const int64_t k = path[t];
      if (!layer().may_follow(before, k)) return -HUGE_VAL;
      sum += scores[(t * kRows + static_cast<size_t>(row)) * kStride + static_cast<size_t>(k)];
      sum += before == kLabels ? start[static_cast<size_t>(k)] : transitions[static_cast<size_t>(before * kLabels + k)];
      before = k;
    }
    return layer().may_follow(before, kLabels) ? sum + end[static_cast<size_t>(before)] : -HUGE_VAL;
  }

  double log_z(int64_t row) const {
    double sum = 0.0;
    for (const auto& path : paths(row)) sum += std::exp(score(row, path));
    return std::log(sum);
  }

  std::vector<int32_t> target(int64_t row) const {
    std::vector<int32_t> out;
    for (int64_t t = 0; t < lengths[static_cast<size_t>(row)]; ++t) {
      out.push_back(targets[static_cast<size_t>(t * kRows + row)]);
    }
    return out;
  }

  std::vector<double> losses(ThreadPool& pool) const {
    std::vector<double> out(kRows);
    crf_loss(layer(), input(), {.targets = targets.data(), .loss = out.data()}, pool);
    return out;
  }
};

class Crf : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(FreeAndConstrained, Crf, testing::Bool());

TEST_P(Crf, LossIsThatOfAllPaths) {
  const Problem p(GetParam());
  ThreadPool pool(2);
  const std::vector<double> losses = p.losses(pool);
  for (int64_t row = 0; row < kRows; ++row) {
    EXPECT_NEAR(losses[static_cast<size_t>(row)], p.log_z(row) - p.score(row, p.target(row)), 1e-12) << row;
  }
}

TEST_P(Crf, BestPathsAreTheBestOfAllPaths) {
  const Problem p(GetParam());
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<std::pair<double, std::vector<int32_t>>> all;
    for (const auto& path : p.paths(row)) {
      const double score = p.score(row, path);
      if (score != -HUGE_VAL) all.emplace_back(score - p.log_z(row), path);
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (const int64_t n : {1, 2, 7, 1000}) {
      const std::vector<LabelPath> best = crf_best_paths(p.layer(), p.input(), row, n);
      ASSERT_EQ(best.size(), std::min<size_t>(all.size(), static_cast<size_t>(n)));
      for (size_t i = 0; i < best.size(); ++i) {
        EXPECT_EQ(best[i].labels, all[i].second) << row << ' ' << i;
        EXPECT_NEAR(best[i].log_probability, all[i].first, 1e-12);
      }
    }
  }
}

TEST_P(Crf, MarginalsAreThoseOfAllPaths) {
  const Problem p(GetParam());
  for (int64_t row = 0; row < kRows; ++row) {
    const auto length = static_cast<size_t>(p.lengths[static_cast<size_t>(row)]);
    std::vector<double> expected(length * kLabels);
    for (const auto& path : p.paths(row)) {
      const double probability = std::exp(p.score(row, path) - p.log_z(row));
      for (size_t t = 0; t < length; ++t) expected[t * kLabels + static_cast<size_t>(path[t])] += probability;
    }
    const std::vector<double> marginals = crf_marginals(p.layer(), p.input(), row);
    ASSERT_EQ(marginals.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(marginals[i], expected[i], 1e-12);
  }
}

TEST_P(Crf, GradientsAgreeWithCentralDifferences) {
  Problem p(GetParam());
  ThreadPool pool(1);
  constexpr double kScale = 0.25, kStep = 1e-5;
  std::vector<double> d_scores(p.scores.size(), 9.0), d_transitions(kLabels * kLabels), d_start(kLabels),
      d_end(kLabels), losses(kRows);
  crf_loss(p.layer(), p.input(),
           {.targets = p.targets.data(),
            .loss = losses.data(),
            .scale = kScale,
            .d_scores = d_scores.data(),
            .d_transitions = d_transitions.data(),
            .d_start = d_start.data(),
            .d_end = d_end.data()},
           pool);
  const auto check = [&](std::vector<double>& values, const std::vector<double>& gradient, const char* what) {
    for (size_t i = 0; i < values.size(); ++i) {
      const double kept = values[i];
      const auto total = [&](double at) {
        values[i] = at;
        const std::vector<double> all = p.losses(pool);
        return std::accumulate(all.begin(), all.end(), 0.0);
      };
      const double difference = kScale * (total(kept + kStep) - total(kept - kStep)) / (2.0 * kStep);
      values[i] = kept;
      EXPECT_NEAR(gradient[i], difference, 1e-9) << what << ' ' << i;
    }
  };
  check(p.scores, d_scores, "scores");  // those of the padding, too: zero
  check(p.transitions, d_transitions, "transitions");
  check(p.start, d_start, "start");
  check(p.end, d_end, "end");
}

// The same bits on any number of threads, and gradients are added to.
TEST(CrfThreads, DoNotChangeABit) {
  const Problem p(false);
  std::vector<float> scores(p.scores.begin(), p.scores.end()), transitions(p.transitions.begin(), p.transitions.end()),
      ends(kLabels, 0.5F);
  const auto gradients = [&](int threads) {
    ThreadPool pool(threads);
    std::vector<float> out(kLabels * kLabels, 1.0F), d_scores(scores.size()), d_start(kLabels), d_end(kLabels);
    std::vector<double> losses(kRows);
    crf_loss<float>({kLabels, transitions.data(), ends.data(), ends.data()},
                    {kSteps, kRows, p.lengths.data(), scores.data(), kStride},
                    {.targets = p.targets.data(),
                     .loss = losses.data(),
                     .d_scores = d_scores.data(),
                     .d_transitions = out.data(),
                     .d_start = d_start.data(),
                     .d_end = d_end.data()},
                    pool);
    out.insert(out.end(), d_scores.begin(), d_scores.end());
    return out;
  };
  const std::vector<float> one = gradients(1);
  EXPECT_EQ(one, gradients(3));
  // Each of the pairs' gradients sums to zero over all pairs; they began at one.
  EXPECT_NEAR(std::accumulate(one.begin(), one.begin() + kLabels * kLabels, 0.0), kLabels * kLabels, 1e-5);
}

TEST(CrfImpossible, SequencesHaveProbabilityZero) {
  Problem p(true);
  ThreadPool pool(1);
  p.targets.assign(p.targets.size(), 1);  // which may not begin
  for (const double loss : p.losses(pool)) EXPECT_EQ(loss, HUGE_VAL);
}

}  // namespace
}  // namespace longhand::nn
