#include "longhand/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace longhand::train {
namespace {

// From `begin` to `end` on half a cosine, for `share` from 0 to 1.
double half_cosine(double begin, double end, double share) {
  return end + (begin - end) * (1.0 + std::cos(std::numbers::pi * share)) / 2.0;
}

}  // namespace

void ScheduleOptions::add_to(OptionTable& table) {
  table.add("schedule", schedule, "learning-rate schedule",
            one_of({"constant", "step", "exponential", "plateau", "cosine", "inverse-sqrt", "one-cycle",
                    "slanted-triangular"}));
  table.add("warmup", warmup, "updates of linear warm-up before the schedule", at_least(0));
  OptionCheck factor_check = between(0.0, 1.0);
  factor_check.open = true;
  table.add("lr-factor", factor, "step, exponential, plateau: factor of each reduction", factor_check);
  table.add("lr-every", every, "step: epochs between reductions", at_least(1));
  table.add("lr-after", after,
            "step: epochs before the first reduction (0: same as `lr-every`); exponential: epochs before the decay",
            at_least(0));
  table.add("lr-patience", patience, "plateau: evaluations without improvement before the rate is reduced",
            at_least(0));
  table.add("lr-threshold", threshold, "plateau: smallest improvement that counts, relative to the best loss",
            fraction());
  table.add("lr-cooldown", cooldown, "plateau: evaluations after a reduction before patience is counted again",
            at_least(0));
  table.add("lr-min", min, "plateau, cosine: smallest learning rate", at_least(0.0));
  table.add("lr-peak-at", peak_at, "one-cycle: fraction of the run at which the rate is highest", factor_check);
  table.add("lr-start-divisor", start_divisor, "one-cycle: `lr` divided by the initial rate", at_least(1.0));
  table.add("lr-end-divisor", end_divisor, "one-cycle: initial rate divided by the final rate", at_least(1.0));
  table.add("lr-cut-fraction", cut_fraction, "slanted-triangular: fraction of the run in which the rate rises",
            factor_check);
  table.add("lr-ratio", ratio, "slanted-triangular: `lr` divided by the first and the last rate", at_least(1.0));
}

double Schedule::rate(const Moment& moment) {
  if (moment.step < options_.warmup) {
    return rate_ * static_cast<double>(moment.step + 1) / static_cast<double>(options_.warmup);
  }
  if (moment.step == options_.warmup) state_.warm_at = moment.done;
  return after_warmup(moment);
}

double Schedule::after_warmup(const Moment& moment) const {
  const ScheduleOptions& o = options_;
  const double done = std::clamp((moment.done - state_.warm_at) / (1.0 - state_.warm_at), 0.0, 1.0);
  if (o.schedule == "step") {
    const int64_t first = o.after > 0 ? o.after : o.every;
    const int64_t reductions = moment.epoch < first ? 0 : (moment.epoch - first) / o.every + 1;
    return rate_ * std::pow(o.factor, static_cast<double>(reductions));
  }
  if (o.schedule == "exponential") {
    return rate_ * std::pow(o.factor, static_cast<double>(std::max<int64_t>(0, moment.epoch - o.after)));
  }
  if (o.schedule == "plateau") return std::max(rate_ * state_.scale, std::min(rate_, o.min));
  if (o.schedule == "cosine") return half_cosine(rate_, std::min(rate_, o.min), done);
  if (o.schedule == "inverse-sqrt") {
    return rate_ *
           std::sqrt(static_cast<double>(std::max<int64_t>(1, o.warmup)) / static_cast<double>(moment.step + 1));
  }
  if (o.schedule == "one-cycle") {
    const double start = rate_ / o.start_divisor;
    if (done < o.peak_at) return half_cosine(start, rate_, done / o.peak_at);
    return half_cosine(rate_, start / o.end_divisor, (done - o.peak_at) / (1.0 - o.peak_at));
  }
  if (o.schedule == "slanted-triangular") {
    const double share = done < o.cut_fraction ? done / o.cut_fraction : (1.0 - done) / (1.0 - o.cut_fraction);
    return rate_ * (1.0 + share * (o.ratio - 1.0)) / o.ratio;
  }
  return rate_;
}

void Schedule::set_state(const State& state, int64_t old_epochs, int64_t epochs) {
  state_ = state;
  if (epochs != old_epochs) state_.warm_at *= static_cast<double>(old_epochs) / static_cast<double>(epochs);
}

void Schedule::observe(double loss) {
  if (options_.schedule != "plateau") return;
  State& s = state_;
  if (loss < s.best * (1.0 - options_.threshold)) {
    s.best = loss;
    s.bad = 0;
  } else {
    ++s.bad;
  }
  if (s.cooling > 0) {
    --s.cooling;
    s.bad = 0;
  }
  if (s.bad <= options_.patience) return;
  s.scale *= options_.factor;
  s.cooling = options_.cooldown;
  s.bad = 0;
}

}  // namespace longhand::train
