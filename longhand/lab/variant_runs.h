// The runs of a comparison: every variant of a set with several seeds, each run in a process and a folder of its own.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "longhand/lab/compare_sets.h"
#include "longhand/lab/compared_run.h"
#include "longhand/lab/run_scheduler.h"

namespace longhand::lab {

struct VariantRunsOptions {
  std::string folder;            ///< the runs' folders are below it
  int64_t seeds = 3;             ///< of each variant, counted from the settings' own
  bool search_rates = false;     ///< find each variant's learning rate with its first seed
  bool settings_rate = false;    ///< the settings' learning rate replaces the variants' own
  std::vector<int64_t> rungs{};  ///< of successive halving, in epochs; empty: all variants are trained to the end
  int64_t halving_factor = 3;
  bool by_rank = false;  ///< of a search: the best variant first
  RunHooks process{};
  /// Called after each run, with its settings.
  std::function<void(const Variant&, const runs::Settings&, const ComparedOutcome&)> on_run{};
  /// Called when a worker died and its run will be tried again.
  std::function<void(const Variant&, const runs::Settings&, const std::string& failure)> on_retry{};
  std::function<void(const SchedulerState&)> on_state{};
};

class VariantRuns {
 public:
  /// `shared` must outlive it.
  VariantRuns(const ComparedTask& shared, VariantRunsOptions options) : shared_(shared), options_(std::move(options)) {}

  /// Reads the data once, and returns a text that differs where they, the settings or the version are others. Throws
  /// input errors for what is not there, and a usage error for standard input, which cannot be read twice.
  std::string check_data();
  /// Has the workers run all variants, until `process.interrupted` says stop. Runs that are in the folder are used
  /// again. The result does not depend on how many workers there are, but for times.
  std::vector<ComparedVariant> run(const std::vector<Variant>& variants, RunWorkers& workers);
  /// The baselines of the data that the variants were trained on, each fitted once: after `run`.
  std::vector<ComparedBaseline> baselines();
  /// Whether any run did not fail.
  bool any_done() const { return any_done_; }

 private:
  bool interrupted() const { return options_.process.interrupted && options_.process.interrupted(); }
  std::string data_mark(const std::string& source);
  std::string file_marks(const OptionTable& table);
  PreparedRun prepare(const RunRequest& request);
  void schedule(const std::vector<RunPlan*>& plans, RunWorkers& workers);
  void heard(const PreparedRun& run, const ComparedOutcome& outcome);

  ComparedTask shared_;
  VariantRunsOptions options_;
  bool any_done_ = false;
  std::map<std::string, std::string> data_marks_;  // by data source or path
  std::vector<std::string> names_;                 // of the variants, in their order
  // Variants that have the same data: the first one's settings, and the names of all.
  struct SameData {
    std::shared_ptr<const runs::Settings> settings;
    std::set<std::string> variants;
  };
  std::map<std::string, SameData> same_data_;  // by the key of the baseline
};

}  // namespace longhand::lab
