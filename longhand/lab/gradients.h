// `longhand lab gradients`: how far back gradients reach in each recurrent cell, through time and through layers.
#pragma once

#include "longhand/lab/cells.h"
#include "longhand/lab/jobs.h"
#include "longhand/lab/lab_report.h"
#include "longhand/lab/reach.h"
#include "longhand/lab/small_model.h"

namespace longhand::lab {

struct GradientsOptions {
  std::vector<LabCell> cells;
  std::vector<int64_t> updates = {0, 500};  ///< after how many the gradients are measured, in rising order
  std::vector<int64_t> depths = {8};        ///< stacks of so many layers are measured, too; empty: none
  int64_t hidden = 64;
  int64_t rows = 16;  ///< sequences per update
  double learning_rate = 0.003;
  double clip_norm = 1.0;  ///< 0: never
  ReachOptions reach;
  int64_t seed = 1;
  int64_t threads = 0;
};

/// A cell after some updates.
struct MeasuredCell {
  LabCell cell;
  int64_t updates = 0;
  double loss = 0.0;  ///< held out: nats per symbol, or squared error; not a number where the training diverged
  Reach reach;
};

/// A stack of layers.
struct MeasuredStack {
  LabCell cell;
  int64_t layers = 0;
  bool residual = false;
  int64_t updates = 0;
  double loss = 0.0;
  std::vector<double> norms;  ///< SmallModel::bias_gradient_norms
};

struct GradientsResult {
  std::vector<MeasuredCell> cells;  ///< by cell, then by updates
  std::vector<MeasuredStack> stacks;
  bool finished = true;  ///< false: it was stopped
};

/// Trains small models on a task, and measures them.
GradientsResult measure_gradients(const SequenceTask& task, const GradientsOptions& options, const Watcher& watcher);

/// What was measured, as a report; `source` is what was trained on. The caller adds command and machine.
LabReport gradients_report(const GradientsResult& result, const GradientsOptions& options, const std::string& source);

}  // namespace longhand::lab
