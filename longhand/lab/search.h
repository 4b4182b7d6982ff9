// Searches among the combinations of options that a grid file spans: which are tried, and when one is given up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhand/io/grid.h"
#include "longhand/lab/run_plan.h"

namespace longhand::lab {

/// The values of a range that has a finite number of them, as a list; others as they are. For a grid, which needs every
/// value: throws a usage error for a range without steps.
std::vector<io::GridAxis> listed(const std::string& path, std::vector<io::GridAxis> axes);

/// `trials` different combinations, each axis drawn evenly (Bergstra and Bengio 2012): a function of the seed and of
/// the axes, and the first ones are the same for any number. Throws a usage error where nothing varies, or where the
/// file has fewer combinations.
std::vector<Variant> random_trials(const std::string& path, const std::vector<io::GridAxis>& axes, int64_t trials,
                                   int64_t seed);

/// The epochs to which each rung of successive halving trains, the last one being `epochs`, each (rounded down) the
/// next divided by `factor`: as many rungs as the epochs and the trials allow, or as begin at `first` epochs or above,
/// if that is not 0. Throws a usage error where that is one.
std::vector<int64_t> rung_epochs(int64_t epochs, int64_t trials, int64_t factor, int64_t first);

/// Successive halving (Jamieson and Talwalkar 2016): all variants are trained to the end of the first rung; of those on
/// a rung the best of one in `factor` (by the median of the seeds, best so far on the held-out data) go on to the next,
/// by resuming their runs. A rung is judged when all its runs are done, so that the outcome does not depend on the
/// number of workers.
class HalvingPlan : public RunPlan {
 public:
  HalvingPlan(std::vector<Variant> variants, int64_t seeds, std::vector<int64_t> rungs, int64_t factor);

  std::vector<RunRequest> next() override;
  void take(size_t index, const ComparedOutcome& outcome) override;
  std::vector<std::vector<double>> later() const override;
  /// The variants, the best first: those of later rungs before those that were stopped earlier, on each by their score.
  std::vector<ComparedVariant> result() const;

 private:
  struct Trial {
    Variant variant;
    std::vector<std::optional<ComparedOutcome>> outcomes;  // by seed, of the last rung it was on
    std::vector<ComparedRung> rungs;                       // on which it was judged
    size_t rung = 0;                                       // the last one it was on
  };

  double score(const Trial& trial) const;
  std::vector<size_t> judged() const;
  int64_t left_of(int64_t trials) const;

  std::vector<Trial> trials_;
  std::vector<size_t> on_rung_;  // the trials of the present one
  std::vector<int64_t> rungs_;
  int64_t seeds_, factor_;
  size_t rung_ = 0;
  bool begun_ = false, ended_ = false;
};

/// Variants by the median score of their seeds, the best first; equal ones keep their order.
void sort_by_score(std::vector<ComparedVariant>& variants);

}  // namespace longhand::lab
