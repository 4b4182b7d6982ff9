#include "longhand/lab/run_plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace longhand::lab {
namespace {

constexpr int kMaxSteps = 8;  // of a search, each with up to two new rates

// "0.0003", where the shortest text would be 3e-04.
std::string decimal(double value) { return fmt::format("{}", value); }

std::string& rate_of(Variant& variant) {
  return std::find_if(variant.options.begin(), variant.options.end(),
                      [](const auto& option) { return option.first == "lr"; })
      ->second;
}

}  // namespace

double score_of(const ComparedRun& run) {
  double value = run.valid_loss.value_or(run.train_loss);
  if (run.valid_measure) value = run.measure.more_is_better ? -*run.valid_measure : *run.valid_measure;
  return run.failure.empty() && std::isfinite(value) ? value : HUGE_VAL;
}

ComparedVariant gather(const Variant& variant, const std::vector<std::optional<ComparedOutcome>>& outcomes) {
  ComparedVariant out{.name = variant.name, .options = variant.options, .note = {}, .runs = {}};
  for (const std::optional<ComparedOutcome>& outcome : outcomes) {
    if (!outcome) continue;
    out.runs.push_back(outcome->run);
    if (outcome->distinct_units < outcome->units) {
      out.note = fmt::format("{} hidden units with only {} distinct weight vector{}", outcome->units,
                             outcome->distinct_units, outcome->distinct_units == 1 ? "" : "s");
    }
  }
  return out;
}

std::vector<RunRequest> SeedsPlan::next() {
  std::vector<RunRequest> out;
  if (asked_) return out;
  asked_ = true;
  for (size_t seed = 0; seed < outcomes_.size(); ++seed) {
    out.push_back({.variant = variant_, .seed = static_cast<int64_t>(seed)});
  }
  return out;
}

ComparedVariant SeedsPlan::result() const { return gather(variant_, outcomes_); }

RatePlan::RatePlan(Variant variant, int64_t seeds)
    : variant_(std::move(variant)), seeds_(seeds), best_(nearest_rung(std::stod(rate_of(variant_)))) {}

Variant RatePlan::at(int rung) const {
  Variant out = variant_;
  rate_of(out) = decimal(ladder_rate(rung));
  return out;
}

// Goes to the best rung so far. Returns whether its neighbours are still to be tried.
bool RatePlan::climb() {
  if (scores_.empty()) return true;
  const int before = best_;
  for (const auto& [rung, score] : scores_) {
    if (score < scores_[best_]) best_ = rung;
  }
  return best_ != before && ++steps_ < kMaxSteps;
}

std::vector<RunRequest> RatePlan::next() {
  if (at_best_) return at_best_->next();
  trying_.clear();
  std::vector<RunRequest> out;
  while (out.empty() && climb()) {
    for (const int rung : {best_, best_ + 1, best_ - 1}) {
      if (scores_.contains(rung)) continue;
      trying_.push_back(rung);
      out.push_back({.variant = at(rung)});
    }
  }
  if (!out.empty()) return out;
  at_best_.emplace(at(best_), seeds_);
  return at_best_->next();
}

void RatePlan::take(size_t index, const ComparedOutcome& outcome) {
  if (at_best_) {
    at_best_->take(index, outcome);
  } else {
    scores_[trying_[index]] = score_of(outcome.run);
  }
}

// At least: how far the search will go is not known. The first seed at the best rate is done by then.
std::vector<std::vector<double>> RatePlan::later() const {
  if (at_best_ || seeds_ == 1) return {};
  return {std::vector<double>(static_cast<size_t>(seeds_ - 1), 1.0)};
}

ComparedVariant RatePlan::result() const {
  if (!at_best_) return gather(variant_, {});
  ComparedVariant out = at_best_->result();
  if (!std::isfinite(scores_.at(best_))) return out;
  std::string tried;
  for (const auto& [rung, score] : scores_) tried += (tried.empty() ? "" : ", ") + decimal(ladder_rate(rung));
  out.note = fmt::format("lr {}, the best of {} with the first seed", decimal(ladder_rate(best_)), tried);
  return out;
}

}  // namespace longhand::lab
