// One run of a comparison, in a process of its own: so that its memory is its own, a crash is a row in the table, and
// nothing of one run is left for the next.
#pragma once

#include <string>

#include "cli/language_run.h"
#include "longhand/lab/comparison.h"

namespace longhand::cli {

struct ComparedOutcome {
  lab::ComparedRun run;
  bool was_done = false;                  ///< found on the disk
  int64_t units = 0, distinct_units = 0;  ///< of the first layer, after training
};

/// Trains with these settings in `folder`, resumes an interrupted run there, or reads a finished one: for
/// the same `key`, a text that says all that the run is made of. A divergence is a result, too; what failed for another
/// reason is tried again the next time. Progress is shown on a terminal unless `quiet`.
ComparedOutcome run_in_process(const LanguageSettings& settings, const std::string& folder, const std::string& key,
                               bool quiet);

}  // namespace longhand::cli
