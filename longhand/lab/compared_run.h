// One run of a comparison, in a process of its own: so that its memory is its own, a crash is a row in the table, and
// nothing of one run is left for the next.
#pragma once

#include <functional>
#include <string>

#include "longhand/lab/comparison.h"
#include "longhand/runs/registry.h"

namespace longhand::lab {

struct ComparedOutcome {
  ComparedRun run;
  bool was_done = false;                  ///< found on the disk
  int64_t units = 0, distinct_units = 0;  ///< of the first layer, after training
  std::string baseline_key{};             ///< what the baseline is made of (runs::Run::baseline_key); empty: none
};

/// What happens beside the training, in the process that is named.
struct ProcessObserver {
  train::Observer training;           ///< in the run's
  std::function<void()> on_saved;     ///< in the run's, once all that it needs is in its folder
  std::function<bool()> interrupted;  ///< in the caller's: then the run is interrupted, too
};

/// Trains with these settings in `folder`, resumes an interrupted run there, or reads a finished one: for
/// the same `key`, a text that says all that the run is made of. A divergence is a result, too; what failed for another
/// reason is tried again the next time. Throws an input error for a folder with another run, and where no process can
/// be started.
ComparedOutcome run_in_process(const runs::TaskRow& task, const runs::Settings& settings, runs::Sources& sources,
                               const std::string& folder, const std::string& key, const ProcessObserver& observer);

/// Fits the baseline of the data that these settings name, in a process of its own, without training, or reads what
/// was found there before: a file of JSON. Nothing where the task has none, or nothing is held out, or it failed.
std::optional<ComparedBaseline> baseline_in_process(const runs::TaskRow& task, const runs::Settings& settings,
                                                    runs::Sources& sources, const std::string& path,
                                                    const ProcessObserver& observer);

}  // namespace longhand::lab
