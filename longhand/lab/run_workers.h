// Who makes the runs of a comparison: a number of workers, each of which makes one run at a time. Local processes
// (local_workers.h) and the ranks of an MPI job (rank_workers.h) are such workers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace longhand::lab {

/// All that a worker needs to know of a run, besides the task and the settings that all runs share.
struct RunOrder {
  std::vector<std::pair<std::string, std::string>> options;  ///< of the variant, by name
  int64_t seed = 0;
  int64_t until_epoch = 0;  ///< train to the end of this epoch; 0: to the end of the run
  std::string folder;       ///< of the run
  std::string key;          ///< says all that the run is made of
};

/// A text for a message, and back. Reading throws an input error for what is none.
std::string to_text(const RunOrder& order);
RunOrder read_order(const std::string& text);

/// How far a run is.
struct RunPosition {
  double done = 0.0;  ///< fraction of what was ordered
  int64_t epoch = 0;  ///< epochs begun
  int64_t epochs = 0;
  double loss = 0.0;  ///< nats, in this epoch so far
};

/// What a worker says of a run that has ended.
struct RunReport {
  int64_t id = 0;
  std::string failure;       ///< why there is no result; empty if there is one
  bool died = false;         ///< the process ended without a reason of its own
  bool interrupted = false;  ///< it was told to stop, and can be resumed
  std::string result{};      ///< the texts of its result.json
  std::string metrics{};     ///< and metrics.jsonl
};

class RunWorkers {
 public:
  virtual ~RunWorkers() = default;
  /// Runs that can be made at the same time. May grow or shrink, but not below 1.
  virtual int64_t size() const = 0;
  /// Begins a run under a number of the caller's. False: every worker is busy.
  virtual bool start(int64_t id, const RunOrder& order) = 0;
  /// The runs that have ended since the last call. Does not wait.
  virtual std::vector<RunReport> finished() = 0;
  /// The runs that have not, and how far they are.
  virtual std::vector<std::pair<int64_t, RunPosition>> running() = 0;
  /// Tells all runs to stop at a point from which they can be resumed. `finished` reports them.
  virtual void interrupt() = 0;
};

}  // namespace longhand::lab
