// `longhand lab memory`: past which gap each cell still learns to remember.
#pragma once

#include "longhand/lab/cells.h"
#include "longhand/lab/jobs.h"
#include "longhand/lab/lab_report.h"
#include "longhand/lab/reach.h"
#include "longhand/lab/small_model.h"

namespace longhand::lab {

struct MemoryOptions {
  std::string task = "recall";
  std::vector<LabCell> cells;
  std::vector<int64_t> gaps = {5, 10, 20, 30, 50, 100, 200};  ///< in rising order
  int64_t seeds = 5;
  int64_t updates = 1000;  ///< at most; a model that answers 99 % of new sequences is done
  int64_t hidden = 32;
  int64_t rows = 32;  ///< sequences per update
  double learning_rate = 0.005;
  double clip_norm = 1.0;
  int64_t seed = 1;  ///< the first
  int64_t threads = 0;
};

/// One training.
struct MemoryRun {
  int64_t seed = 0;
  int64_t updates = 0;    ///< that were made
  double accuracy = 0.0;  ///< per cent of new sequences
  bool done = false;      ///< it answered 99 % of new sequences
  bool diverged = false;

  /// Nine of ten answers are right: the model remembers.
  bool learned() const { return accuracy >= 90.0; }
};

struct MemoryCell {
  LabCell cell;
  int64_t gap = 0;
  std::vector<MemoryRun> runs;  ///< one for each seed; empty: not tried, since no seed learned the gap before

  int64_t learned() const;
};

struct MemoryResult {
  std::vector<MemoryCell> cells;  ///< by cell, then by gap
  bool finished = true;
};

/// The largest gap that more than half of the seeds of a cell learned, with all smaller ones; 0: none.
int64_t reach_of(const MemoryResult& result, const std::string& cell);

MemoryResult measure_memory(const MemoryOptions& options, const Watcher& watcher);
LabReport memory_report(const MemoryResult& result, const MemoryOptions& options);

}  // namespace longhand::lab
