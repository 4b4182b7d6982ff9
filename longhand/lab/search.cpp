#include "longhand/lab/search.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "longhand/base/error.h"
#include "longhand/base/rng.h"

namespace longhand::lab {
namespace {

constexpr auto kPlace = static_cast<RngPlace>(0x7000'0000);  // of what a search draws
constexpr int64_t kMaxDraws = 100'000;                       // for one trial that is not there yet

int64_t count_of(const io::GridAxis& axis) {
  return axis.range ? axis.range->count() : static_cast<int64_t>(axis.values.size());
}

// The number of combinations, at most that many.
int64_t combinations(const std::vector<io::GridAxis>& axes) {
  int64_t out = 1;
  for (const io::GridAxis& axis : axes) {
    out = out > io::GridRange::kMany / count_of(axis) ? io::GridRange::kMany : out * count_of(axis);
  }
  return out;
}

std::string draw(const io::GridAxis& axis, double place) {
  if (axis.range) return axis.range->at(place);
  const size_t n = axis.values.size();
  return axis.values[std::min(n - 1, static_cast<size_t>(place * static_cast<double>(n)))];
}

double median_score(const std::vector<ComparedRun>& runs, size_t seeds) {
  std::vector<double> scores;
  for (const ComparedRun& run : runs) scores.push_back(score_of(run));
  scores.resize(seeds, HUGE_VAL);
  return spread(scores).median;
}

}  // namespace

std::vector<io::GridAxis> listed(const std::string& path, std::vector<io::GridAxis> axes) {
  for (io::GridAxis& axis : axes) {
    if (!axis.range) continue;
    const bool finite = axis.range->step > 0.0 || (axis.range->whole && !axis.range->logarithmic);
    const int64_t n = axis.range->count();
    if (!finite || n > kMaxVariants) {
      throw usage_error(fmt::format("{}: {}: expected a list, or a range with steps, found a range with {}", path,
                                    axis.option, finite ? "too many values" : "no end of values"),
                        "give a step, or draw from it with --search random or --search halving");
    }
    for (int64_t i = 0; i < n; ++i) axis.values.push_back(axis.range->value(i));
    axis.range.reset();
  }
  return axes;
}

std::vector<Variant> random_trials(const std::string& path, const std::vector<io::GridAxis>& axes, int64_t trials,
                                   int64_t seed) {
  if (axes.empty()) {
    throw usage_error(path + ": expected an option with a list of values or a range, found none",
                      "write `lr = {min = 1e-4, max = 1e-2, scale = \"log\"}`, or `hidden = [64, 128]`");
  }
  if (const int64_t all = combinations(axes); trials > all) {
    throw usage_error(fmt::format("--trials {}: expected at most the {} combinations of {}", trials, all, path),
                      "give fewer, or leave out --search: a grid tries every combination");
  }
  std::vector<Variant> out;
  std::set<std::vector<std::string>> drawn;
  for (int64_t trial = 0; trial < trials; ++trial) {
    const CounterRng rng(static_cast<uint64_t>(seed), static_cast<uint64_t>(trial), kPlace);
    std::vector<std::string> values;
    for (int64_t attempt = 0; values.empty(); ++attempt) {
      if (attempt == kMaxDraws) {
        throw usage_error(
            fmt::format("--trials {}: {} has hardly more than {} combinations that differ", trials, path, trial),
            "give fewer");
      }
      for (size_t i = 0; i < axes.size(); ++i) {
        const auto at = static_cast<uint64_t>(attempt) * axes.size() + i;
        values.push_back(draw(axes[i], rng.uniform_double(at)));
      }
      if (!drawn.insert(values).second) values.clear();
    }
    Variant variant;
    for (size_t i = 0; i < axes.size(); ++i) add_option(variant, axes[i].option, values[i]);
    out.push_back(std::move(variant));
  }
  return out;
}

std::vector<int64_t> rung_epochs(int64_t epochs, int64_t trials, int64_t factor, int64_t first) {
  std::vector<int64_t> out = {epochs};
  int64_t divisor = factor;
  while (trials / divisor >= 1 && epochs / divisor >= std::max<int64_t>(1, first)) {
    out.push_back(epochs / divisor);
    divisor *= factor;
  }
  std::reverse(out.begin(), out.end());
  if (out.size() > 1) return out;
  const std::string advice = "give more of both, or a smaller --halving-factor, or use --search random";
  if (trials < factor) {
    throw usage_error(
        fmt::format("--search halving: expected at least {} --trials, the --halving-factor, found {}", factor, trials),
        advice);
  }
  throw usage_error(fmt::format("--search halving: expected at least {} --epochs, the --halving-factor{}, found {}",
                                factor * std::max<int64_t>(1, first), first > 1 ? " times --first-epochs" : "", epochs),
                    advice);
}

HalvingPlan::HalvingPlan(std::vector<Variant> variants, int64_t seeds, std::vector<int64_t> rungs, int64_t factor)
    : rungs_(std::move(rungs)), seeds_(seeds), factor_(factor) {
  for (Variant& variant : variants) {
    on_rung_.push_back(trials_.size());
    trials_.push_back({std::move(variant), {}, {}});
    trials_.back().outcomes.resize(static_cast<size_t>(seeds));
  }
}

double HalvingPlan::score(const Trial& trial) const {
  return median_score(gather(trial.variant, trial.outcomes).runs, static_cast<size_t>(seeds_));
}

// The trials of the present rung, the best first.
std::vector<size_t> HalvingPlan::judged() const {
  std::vector<size_t> out = on_rung_;
  std::stable_sort(out.begin(), out.end(), [&](size_t a, size_t b) { return score(trials_[a]) < score(trials_[b]); });
  return out;
}

int64_t HalvingPlan::left_of(int64_t trials) const { return std::max<int64_t>(1, trials / factor_); }

std::vector<RunRequest> HalvingPlan::next() {
  if (ended_) return {};
  if (begun_) {
    std::vector<size_t> best = judged();
    for (size_t i = 0; i < best.size(); ++i) {
      trials_[best[i]].rungs.push_back(
          {.epochs = rungs_[rung_], .rank = static_cast<int64_t>(i) + 1, .of = static_cast<int64_t>(best.size())});
    }
    ended_ = ++rung_ == rungs_.size();
    best.resize(std::min(best.size(), static_cast<size_t>(left_of(static_cast<int64_t>(best.size())))));
    std::erase_if(best, [&](size_t trial) { return !std::isfinite(score(trials_[trial])); });
    ended_ = ended_ || best.empty();
    if (ended_) return {};
    std::sort(best.begin(), best.end());
    on_rung_ = best;
  }
  begun_ = true;
  const int64_t before = rung_ > 0 ? rungs_[rung_ - 1] : 0;
  std::vector<RunRequest> out;
  for (const size_t trial : on_rung_) {
    trials_[trial].rung = rung_;
    std::fill(trials_[trial].outcomes.begin(), trials_[trial].outcomes.end(), std::nullopt);
    for (int64_t seed = 0; seed < seeds_; ++seed) {
      out.push_back({.variant = trials_[trial].variant,
                     .seed = seed,
                     .until_epoch = rungs_[rung_],
                     .work = static_cast<double>(rungs_[rung_] - before)});
    }
  }
  return out;
}

void HalvingPlan::take(size_t index, const ComparedOutcome& outcome) {
  const auto seeds = static_cast<size_t>(seeds_);
  trials_[on_rung_[index / seeds]].outcomes[index % seeds] = outcome;
}

std::vector<std::vector<double>> HalvingPlan::later() const {
  std::vector<std::vector<double>> out;
  auto trials = static_cast<int64_t>(on_rung_.size());
  for (size_t rung = rung_ + 1; rung < rungs_.size() && !ended_; ++rung) {
    trials = left_of(trials);
    out.emplace_back(static_cast<size_t>(trials * seeds_), static_cast<double>(rungs_[rung] - rungs_[rung - 1]));
  }
  return out;
}

std::vector<ComparedVariant> HalvingPlan::result() const {
  std::vector<const Trial*> order;
  for (const Trial& trial : trials_) order.push_back(&trial);
  std::stable_sort(order.begin(), order.end(), [&](const Trial* a, const Trial* b) {
    if (a->rung != b->rung) return a->rung > b->rung;
    return score(*a) < score(*b);
  });
  std::vector<ComparedVariant> out;
  for (const Trial* trial : order) {
    out.push_back(gather(trial->variant, trial->outcomes));
    out.back().rungs = trial->rungs;
    const bool judged = trial->rungs.size() == trial->rung + 1;
    if (judged && trial->rung + 1 < rungs_.size()) out.back().stopped_after = rungs_[trial->rung];
  }
  return out;
}

void sort_by_score(std::vector<ComparedVariant>& variants) {
  std::stable_sort(variants.begin(), variants.end(), [](const ComparedVariant& a, const ComparedVariant& b) {
    return median_score(a.runs, a.runs.size()) < median_score(b.runs, b.runs.size());
  });
}

}  // namespace longhand::lab
