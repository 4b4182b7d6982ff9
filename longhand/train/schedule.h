// The learning rate over the course of a run.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "longhand/base/options.h"

namespace longhand::train {

/// constant      the rate
/// step          multiplied by `factor` after `after` epochs, and then every `every` epochs
/// exponential   multiplied by `factor` after each epoch, but for the first `after`
/// plateau       multiplied by `factor` after more than `patience` consecutive evaluations without improvement
/// cosine        half a cosine from the rate down to `min`, over the whole run (Loshchilov and Hutter 2017)
/// inverse-sqrt  times sqrt(w / t) at update t from 1, with w the updates of warm-up, or 1 (Vaswani et al. 2017)
/// one-cycle     half a cosine up from rate / `start_divisor` to the rate in the first `peak_at` of the run, and one
///               down to rate / (`start_divisor` `end_divisor`) (Smith and Topin 2018; as PyTorch has it)
/// slanted-triangular  in a straight line from rate / `ratio` up to the rate in the first `cut_fraction` of the run,
/// and
///               back down in the rest (Howard and Ruder 2018, equation 3)
/// Any of them begins after `warmup` updates, in which the rate grows in proportion to their number. (The epochs of
/// step and exponential are counted from the beginning.)
struct ScheduleOptions {
  std::string schedule = "constant";
  double factor = 0.5;
  int64_t every = 1;
  int64_t after = 0;
  int64_t patience = 2;
  double threshold = 1e-4;  ///< better is below the best times 1 - threshold
  int64_t cooldown = 0;     ///< evaluations after a reduction in which none counts as bad
  double min = 0.0;         ///< of plateau and cosine
  double peak_at = 0.3;
  double start_divisor = 25.0;
  double end_divisor = 1e4;
  double cut_fraction = 0.1;
  double ratio = 32.0;
  int64_t warmup = 0;

  void add_to(OptionTable& table);
};

/// Where an update is in its run.
struct Moment {
  int64_t step = 0;   ///< updates before it
  int64_t epoch = 0;  ///< epochs before its own
  double done = 0.0;  ///< share of the run that lies before it, 0 .. 1
};

class Schedule {
 public:
  Schedule(const ScheduleOptions& options, double rate) : options_(options), rate_(rate) {}

  /// The learning rate of an update. To be asked for each in turn.
  double rate(const Moment& moment);
  /// Hears the loss of each evaluation (plateau).
  void observe(double loss);

  /// What a checkpoint must hold.
  struct State {
    double scale = 1.0;  ///< product of plateau's reductions
    double best = std::numeric_limits<double>::max();
    int64_t bad = 0;       ///< evaluations since the best, or since the last reduction
    int64_t cooling = 0;   ///< evaluations of the cool-down that are left
    double warm_at = 0.0;  ///< share of the run at which the warm-up ended
  };
  const State& state() const { return state_; }
  /// Goes on from the state of a run of `old_epochs`, of which there shall now be `epochs`.
  void set_state(const State& state, int64_t old_epochs, int64_t epochs);

 private:
  double after_warmup(const Moment& moment) const;

  ScheduleOptions options_;
  double rate_;
  State state_;
};

}  // namespace longhand::train
