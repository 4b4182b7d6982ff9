// Independent pieces of an experiment, each on one thread: what they give does not depend on how many threads there
// are.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace longhand::lab {

/// Who watches an experiment. Both functions are called by one thread at a time, and may be null.
struct Watcher {
  std::function<void(double done, double total)> on_progress;
  std::function<bool()> should_stop;
};

/// What a job calls while it works: so much of its work is done since the last call. Returns whether to go on; false
/// means that the job should return.
using Advance = std::function<bool(double work)>;

struct Job {
  double work = 1.0;  ///< how much it is, in a unit that all jobs share
  std::function<void(const Advance&)> run;
};

/// Runs the jobs, in order as threads become free, on `threads` threads (0: one per processor). Returns whether all
/// were done; false: it was asked to stop. An exception of a job ends them all and is thrown here.
bool run_jobs(const std::vector<Job>& jobs, int64_t threads, const Watcher& watcher);

}  // namespace longhand::lab
