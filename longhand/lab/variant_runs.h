// The runs of a comparison: every variant of a set with several seeds, each run in a process and a folder of its own.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "longhand/lab/compare_sets.h"
#include "longhand/lab/compared_run.h"

namespace longhand::lab {

struct VariantRunsOptions {
  std::string folder;          ///< the runs' folders are below it
  int64_t seeds = 3;           ///< of each variant, counted from the settings' own
  bool search_rates = false;   ///< find each variant's learning rate with its first seed
  bool settings_rate = false;  ///< the settings' learning rate replaces the variants' own
  ProcessObserver process;
  /// Called after each run, with its settings.
  std::function<void(const Variant&, const runs::Settings&, const ComparedOutcome&)> on_run;
};

class VariantRuns {
 public:
  /// `task`, `settings` and `sources` must outlive it.
  VariantRuns(const runs::TaskRow& task, const runs::Settings& settings, runs::Sources& sources,
              VariantRunsOptions options)
      : task_(task), settings_(settings), sources_(sources), options_(std::move(options)) {}

  /// Reads the data once. Throws input errors for what is not there, and a usage error for standard input, which cannot
  /// be read twice.
  void check_data();
  /// Runs all variants, until `process.interrupted` says stop. Runs that are in the folder are used again.
  std::vector<ComparedVariant> run(const std::vector<Variant>& variants);
  /// The baselines of the data that the variants were trained on, each fitted once: after `run`.
  std::vector<ComparedBaseline> baselines();
  /// Whether any run did not fail.
  bool any_done() const { return any_done_; }

 private:
  bool interrupted() const { return options_.process.interrupted && options_.process.interrupted(); }
  std::string data_mark(const std::string& source);
  ComparedOutcome one(const Variant& variant, int64_t seed);
  ComparedVariant all_seeds(Variant variant);
  ComparedVariant at_its_rate(Variant variant);

  const runs::TaskRow& task_;
  const runs::Settings& settings_;
  runs::Sources& sources_;
  VariantRunsOptions options_;
  bool any_done_ = false;
  std::map<std::string, std::string> data_marks_;
  // Variants that have the same data: the first one's settings, and the names of all.
  struct SameData {
    std::unique_ptr<runs::Settings> settings;
    std::vector<std::string> variants;
  };
  std::map<std::string, SameData> same_data_;  // by the key of the baseline
};

}  // namespace longhand::lab
