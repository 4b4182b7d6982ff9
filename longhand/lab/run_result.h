// What a run of a comparison leaves in its folder: result.json, which says how it ended, and metrics.jsonl, with a line
// for each epoch.
#pragma once

#include <optional>
#include <string>

#include "longhand/base/error.h"
#include "longhand/lab/comparison.h"
#include "longhand/lab/run_workers.h"

namespace longhand::lab {

struct ComparedOutcome {
  ComparedRun run;
  bool was_done = false;                  ///< found on the disk
  int64_t units = 0, distinct_units = 0;  ///< of the first layer, after training
  std::string baseline_key{};             ///< what the baseline is made of (runs::Run::baseline_key); empty: none
};

/// The folder holds a run of something else, which nobody asked to remove.
struct OtherRun : Error {
  explicit OtherRun(const Error& error) : Error(error) {}
};

std::string result_path(const std::string& folder);

/// The outcome of an order from the texts of the two files; nothing where the run has not come so far. A run that has
/// come further is shown as it was at the end of the order's last epoch. Throws OtherRun, and a JSON exception or an
/// Error where somebody altered the files.
std::optional<ComparedOutcome> read_outcome(const RunOrder& order, const std::string& result,
                                            const std::string& metrics);

/// The same from the folder: what was done there before. Where its files are damaged the folder is removed, so that the
/// run is made again.
std::optional<ComparedOutcome> find_outcome(const RunOrder& order);

}  // namespace longhand::lab
