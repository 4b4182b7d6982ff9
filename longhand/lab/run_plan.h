// What a comparison makes, in rounds: the runs of a round do not depend on each other, and what the next round is
// depends on their outcomes alone, not on the order in which they came. So every number of workers gives the same.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "longhand/lab/compare_sets.h"
#include "longhand/lab/run_result.h"

namespace longhand::lab {

struct RunRequest {
  Variant variant;
  int64_t seed = 0;         ///< counted from the settings' own
  int64_t until_epoch = 0;  ///< as in RunOrder
  double work = 1.0;        ///< how much there is to train, in a unit that all requests share
};

class RunPlan {
 public:
  virtual ~RunPlan() = default;
  /// The next round; empty when nothing is left to do. Called once all outcomes of the round before were taken.
  virtual std::vector<RunRequest> next() = 0;
  /// The outcome of a run of the present round. Not called for runs that were interrupted.
  virtual void take(size_t index, const ComparedOutcome& outcome) = 0;
  /// The work of the runs of later rounds, a list for each, as far as it is known.
  virtual std::vector<std::vector<double>> later() const { return {}; }
};

/// All seeds of a variant.
class SeedsPlan : public RunPlan {
 public:
  SeedsPlan(Variant variant, int64_t seeds) : variant_(std::move(variant)), outcomes_(static_cast<size_t>(seeds)) {}

  std::vector<RunRequest> next() override;
  void take(size_t index, const ComparedOutcome& outcome) override { outcomes_[index] = outcome; }
  /// What is known so far: without the runs that are missing.
  ComparedVariant result() const;

 private:
  Variant variant_;
  std::vector<std::optional<ComparedOutcome>> outcomes_;  // by seed
  bool asked_ = false;
};

/// Climbs the ladder of learning rates with the first seed, from the rung next to the variant's own rate, until both
/// neighbours are worse; then trains all seeds at the best.
class RatePlan : public RunPlan {
 public:
  RatePlan(Variant variant, int64_t seeds);

  std::vector<RunRequest> next() override;
  void take(size_t index, const ComparedOutcome& outcome) override;
  std::vector<std::vector<double>> later() const override;
  ComparedVariant result() const;

 private:
  Variant at(int rung) const;
  bool climb();

  Variant variant_;
  int64_t seeds_;
  int best_;
  int steps_ = 0;
  std::vector<int> trying_;       // the rungs of the present round
  std::map<int, double> scores_;  // by rung; less is better
  std::optional<SeedsPlan> at_best_;
};

/// What a run is judged by, less is better: the measure of its task on the held-out data, or the training loss.
/// Infinite where it failed, so that any other is better.
double score_of(const ComparedRun& run);

/// The runs of one variant, with a note where units had the same weights. Without those that are missing.
ComparedVariant gather(const Variant& variant, const std::vector<std::optional<ComparedOutcome>>& outcomes);

}  // namespace longhand::lab
