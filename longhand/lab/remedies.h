// `longhand lab remedies`: what helps against vanishing and exploding gradients, one change at a time.
#pragma once

#include "longhand/lab/cells.h"
#include "longhand/lab/equations.h"
#include "longhand/lab/jobs.h"
#include "longhand/lab/lab_report.h"
#include "longhand/lab/reach.h"
#include "longhand/lab/small_model.h"

namespace longhand::lab {

inline constexpr int64_t kLongSequence = 128;

/// A training that differs from others of its group in one thing.
struct Remedy {
  std::string group;   ///< "initialiser, plain tanh"
  std::string change;  ///< "orthogonal"
  SmallModelOptions model;
  bool long_sequences = false;  ///< of kLongSequence steps, instead of those of the options
};

struct RemedyRun {
  double factor = NAN;                        ///< per step, at initialisation; see Reach
  int64_t steps_before = Reach::kNoGradient;  ///< to a thousandth by h, at initialisation; see Reach
  int64_t steps_after = Reach::kNoGradient;   ///< likewise after the training
  double layers_ratio = NAN;   ///< of stacks: gradient of the bottom layer's bias over the top layer's, initially
  double largest_norm = 0.0;   ///< of an update's gradient, before clipping
  double loss = 0.0;           ///< held out; not a number where the training diverged
  std::vector<double> by_h;    ///< element k: the median of Reach::h at initialisation
  std::vector<double> norms;   ///< of each update's gradient, before clipping
  std::vector<double> losses;  ///< of each update, on what it was trained on
};

struct RemedyResult {
  Remedy remedy;
  std::vector<RemedyRun> runs;  ///< by seed
};

struct RemediesOptions {
  int64_t updates = 300;
  int64_t seeds = 3;
  int64_t hidden = 64;
  int64_t rows = 16;
  int64_t window = 64;
  double learning_rate = 0.003;  ///< of Adam; the explosion is trained by SGD
  ReachOptions reach{.steps = 200, .sequences = 24};
  int64_t seed = 1;
  int64_t threads = 0;
  std::string only;            ///< groups whose names contain this; empty: all
  EquationsOptions equations;  ///< its seeds are those above
};

struct RemediesResult {
  std::vector<RemedyResult> rows;
  std::vector<EquationsResult> equations;
  bool finished = true;
};

/// The group of LSTMs with wrong equations.
inline constexpr const char* kEquationsGroup = "equations that texts get wrong";

/// Everything else that is tried, by group.
std::vector<Remedy> remedies(const RemediesOptions& options);

/// `text` is what is trained on, and `source` its name.
RemediesResult measure_remedies(std::string_view text, const std::string& source, const RemediesOptions& options,
                                const Watcher& watcher);
LabReport remedies_report(const RemediesResult& result, const RemediesOptions& options, const std::string& source);

}  // namespace longhand::lab
