// One run of a comparison, in a process of its own: so that its memory is its own, a crash is a row in the table, and
// nothing of one run is left for the next.
#pragma once

#include <string>

#include "cli/language_run.h"
#include "longhand/lab/comparison.h"

namespace longhand::cli {

struct ComparedOutcome {
  lab::ComparedRun run;
  bool was_done = false;  ///< found on the disk
  bool interrupted = false;
  int64_t units = 0, distinct_units = 0;  ///< of the first layer, after training
};

/// Trains with these settings in `folder`, goes on with what was interrupted there, or reads what is done there. The
/// folder's name must be one for these settings and texts alone. Progress is shown on a terminal unless `quiet`.
ComparedOutcome run_in_process(const RunSettings& settings, const std::string& folder, bool quiet);

}  // namespace longhand::cli
