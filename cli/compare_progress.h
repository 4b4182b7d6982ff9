// What `longhand compare` says while its runs are made: a line for each run that ends, and how many remain and when
// they will be done.
#pragma once

#include "cli/progress.h"
#include "longhand/lab/variant_runs.h"

namespace longhand::cli {

class CompareProgress {
 public:
  explicit CompareProgress(bool quiet) : line_(quiet) {}

  void on_run(const lab::Variant& variant, const runs::Settings& settings, const lab::ComparedOutcome& outcome);
  void on_retry(const lab::Variant& variant, const runs::Settings& settings, const std::string& failure);
  void on_state(const lab::SchedulerState& state);
  void clear() { line_.clear(); }

 private:
  LiveLine line_;
};

}  // namespace longhand::cli
