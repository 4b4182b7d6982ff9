// Hands the runs of plans to workers, and tries the run of a worker that died once more.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <set>

#include "longhand/lab/run_estimate.h"
#include "longhand/lab/run_plan.h"
#include "longhand/lab/run_workers.h"
#include "longhand/runs/settings.h"

namespace longhand::lab {

/// A request, made ready for a worker.
struct PreparedRun {
  RunRequest request;
  RunOrder order{};
  std::shared_ptr<const runs::Settings> settings{};
  std::optional<ComparedOutcome> known{};  ///< without training: found on the disk, or its data are missing
};

/// A comparison at one moment.
struct SchedulerState {
  int64_t done = 0;     ///< runs, those included that were found
  int64_t waiting = 0;  ///< at least: a search may add some
  int64_t workers = 0;
  std::optional<double> seconds_left{};  ///< none before anything is known
  std::vector<std::pair<const PreparedRun*, RunPosition>> running{};
};

struct SchedulerHooks {
  /// Looks for a result, so that a run is not made twice.
  std::function<PreparedRun(const RunRequest&)> prepare;
  std::function<bool()> interrupted{};
  std::function<void(const PreparedRun&, const ComparedOutcome&)> on_run{};
  /// A worker died, and its run will be tried again.
  std::function<void(const PreparedRun&, const std::string& failure)> on_retry{};
  std::function<void(const SchedulerState&)> on_state{};  ///< called often
  /// Waits a little for something to happen.
  std::function<void()> pause{};
};

class RunScheduler {
 public:
  RunScheduler(RunWorkers& workers, SchedulerHooks hooks) : workers_(workers), hooks_(std::move(hooks)) {}

  /// Carries out the plans, runs of earlier ones first, until all are done or `interrupted` says stop: then it waits
  /// until the workers have stopped.
  void run(const std::vector<RunPlan*>& plans);

 private:
  using Clock = std::chrono::steady_clock;
  struct PlanState {
    RunPlan* plan;
    std::vector<RunRequest> round{};
    std::deque<size_t> waiting{};
    size_t outstanding = 0;  // of the round, waiting or running
    int64_t later = 0;       // runs of later rounds
  };
  struct Running {
    PreparedRun run;
    size_t plan = 0, index = 0;
    Clock::time_point since{};
  };

  bool hand_out();
  bool begin(size_t plan, size_t index);
  void open_round(PlanState& state);
  void deliver(size_t plan, size_t index, const PreparedRun& run, const ComparedOutcome& outcome);
  void collect(const RunReport& report);
  void tell();
  std::optional<double> seconds_left();
  PlanLoad load_of(size_t plan, const std::vector<std::pair<int64_t, RunPosition>>& positions) const;
  bool interrupted() const { return hooks_.interrupted && hooks_.interrupted(); }

  RunWorkers& workers_;
  SchedulerHooks hooks_;
  std::vector<PlanState> plans_;
  size_t first_ = 0;  // no plan before it has a run that waits
  std::map<int64_t, Running> running_;
  std::set<std::string> folders_;                // of the runs that are being made
  std::set<std::pair<size_t, size_t>> retried_;  // of the present rounds
  int64_t next_id_ = 0;
  int64_t done_ = 0;
  int64_t waiting_ = 0;  // runs of present and later rounds of all plans that have not begun
  RunSpeeds speeds_;
  std::optional<double> seconds_left_;
  Clock::time_point estimated_{};
};

}  // namespace longhand::lab
