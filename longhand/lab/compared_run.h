// One run of a comparison, in its own process. So its memory is measured separately, a crash becomes a row in the
// table, and runs do not affect one another.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "longhand/lab/comparison.h"
#include "longhand/lab/run_workers.h"
#include "longhand/runs/registry.h"

namespace longhand::lab {

/// What all runs of a comparison share. The members that are references must outlive it.
struct ComparedTask {
  const runs::TaskRow& task;
  const runs::Settings& settings;
  runs::Sources& sources;
};

/// What happens beside the training. All may be null.
struct RunHooks {
  std::function<bool()> interrupted;  ///< in the process of the run and in that of the worker
  std::function<void()> on_saved{};   ///< once all that the run needs is in its folder
  std::function<void(const RunPosition&)> on_step{};
};

/// The settings of a run. Throws a usage error for a value that an option refuses.
std::unique_ptr<runs::Settings> settings_of(const runs::Settings& shared, const RunOrder& order);

/// Trains with these settings in the order's folder, or resumes the run there, and writes result.json. Returns the exit
/// code of the process; where it is `kRunFailed`, the reason is in failure.txt. A divergence is a result, too.
int train_here(const ComparedTask& shared, const RunOrder& order, int64_t threads, const RunHooks& hooks);
inline constexpr int kRunFailed = 3;
std::string failure_path(const std::string& folder);

/// Fits the baseline of the data that these settings name, without training, and writes its figures to `path`: an
/// empty object where the task has none, or nothing is held out.
int measure_here(const runs::TaskRow& task, const runs::Settings& settings, runs::Sources& sources,
                 const std::string& path, const RunHooks& hooks);
/// Reads them; nothing where they are not there, or the object is empty.
std::optional<ComparedBaseline> read_baseline(const std::string& path);

}  // namespace longhand::lab
