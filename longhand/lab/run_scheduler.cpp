#include "longhand/lab/run_scheduler.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"

namespace longhand::lab {
namespace {

constexpr double kEnough = 0.02;  // of a run must be done before its speed counts

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

ComparedOutcome outcome_of(const RunReport& report, const RunOrder& order) {
  ComparedOutcome out;
  out.run.seed = order.seed;
  out.run.failure = report.failure + (report.died || report.interrupted ? ", twice" : "");
  if (!report.failure.empty()) return out;
  try {
    if (std::optional<ComparedOutcome> read = read_outcome(order, report.result, report.metrics)) return *read;
    out.run.failure = order.folder + ": its result is incomplete";
  } catch (const std::exception& e) {
    out.run.failure = e.what();
  }
  return out;
}

}  // namespace

void RunScheduler::run(const std::vector<RunPlan*>& plans) {
  for (RunPlan* plan : plans) {
    plans_.push_back({.plan = plan});
    open_round(plans_.back());
  }
  bool told = false;
  for (;;) {
    const bool stop = interrupted();
    if (stop && !told) workers_.interrupt();
    told = stop;
    const bool began = !stop && hand_out();
    const std::vector<RunReport> reports = workers_.finished();
    for (const RunReport& report : reports) collect(report);
    if (running_.empty() && (interrupted() || first_ == plans_.size())) return;
    tell();
    if (!began && reports.empty() && hooks_.pause) hooks_.pause();
  }
}

void RunScheduler::open_round(PlanState& state) {
  state.round = state.plan->next();
  state.outstanding = state.round.size();
  for (size_t i = 0; i < state.round.size(); ++i) state.waiting.push_back(i);
  waiting_ -= state.later;
  state.later = 0;
  for (const std::vector<double>& round : state.plan->later()) state.later += static_cast<int64_t>(round.size());
  waiting_ += state.later + static_cast<int64_t>(state.outstanding);
}

// Gives what waits to the workers that are free. Returns whether any run was begun or found.
bool RunScheduler::hand_out() {
  bool any = false;
  while (first_ < plans_.size() && plans_[first_].waiting.empty() && plans_[first_].outstanding == 0) ++first_;
  for (size_t plan = first_; plan < plans_.size(); ++plan) {
    // A round that was found completely is followed by the next at once.
    for (size_t tries = plans_[plan].waiting.size(); tries > 0 && !interrupted(); --tries) {
      if (static_cast<int64_t>(running_.size()) >= workers_.size()) return any;
      const size_t index = plans_[plan].waiting.front();
      plans_[plan].waiting.pop_front();
      const int64_t before = done_;
      if (begin(plan, index)) {
        any = true;
        if (done_ != before) tries = plans_[plan].waiting.size() + 1;
      } else {
        plans_[plan].waiting.push_back(index);
      }
    }
  }
  return any;
}

// False: not now, since another worker makes the same run, or all are busy.
bool RunScheduler::begin(size_t plan, size_t index) {
  PreparedRun run = hooks_.prepare(plans_[plan].round[index]);
  if (run.known) {
    --waiting_;
    deliver(plan, index, run, *run.known);
    return true;
  }
  if (folders_.contains(run.order.folder) || !workers_.start(next_id_, run.order)) return false;
  --waiting_;
  folders_.insert(run.order.folder);
  running_.emplace(next_id_++, Running{std::move(run), plan, index, Clock::now()});
  return true;
}

void RunScheduler::deliver(size_t plan, size_t index, const PreparedRun& run, const ComparedOutcome& outcome) {
  ++done_;
  PlanState& state = plans_[plan];
  state.plan->take(index, outcome);
  if (hooks_.on_run) hooks_.on_run(run, outcome);
  if (--state.outstanding > 0) return;
  std::erase_if(retried_, [&](const auto& each) { return each.first == plan; });
  open_round(state);
}

void RunScheduler::collect(const RunReport& report) {
  const auto found = running_.find(report.id);
  LONGHAND_CHECK(found != running_.end());
  const Running ended = std::move(found->second);
  running_.erase(found);
  folders_.erase(ended.run.order.folder);
  if (interrupted() && !report.failure.empty()) return;  // it is resumed the next time
  const bool died = report.died || report.interrupted;   // somebody else may have ended it
  if (died && retried_.emplace(ended.plan, ended.index).second) {
    plans_[ended.plan].waiting.push_back(ended.index);
    ++waiting_;
    if (hooks_.on_retry) hooks_.on_retry(ended.run, report.failure);
    return;
  }
  const ComparedOutcome outcome = outcome_of(report, ended.run.order);
  const RunRequest& request = ended.run.request;
  if (report.failure.empty()) speeds_.saw(report.id, request.variant.name, request.work, seconds_since(ended.since));
  deliver(ended.plan, ended.index, ended.run, outcome);
}

void RunScheduler::tell() {
  if (!hooks_.on_state) return;
  SchedulerState state{.done = done_, .waiting = waiting_, .workers = workers_.size()};
  const auto positions = workers_.running();
  for (const auto& [id, position] : positions) {
    const auto found = running_.find(id);
    if (found == running_.end()) continue;
    const Running& running = found->second;
    state.running.emplace_back(&running.run, position);
    if (position.done < kEnough) continue;
    const RunRequest& request = running.run.request;
    speeds_.saw(id, request.variant.name, request.work * position.done, seconds_since(running.since));
  }
  if (seconds_since(estimated_) >= 1.0) {
    estimated_ = Clock::now();
    seconds_left_ = seconds_left();
  }
  state.seconds_left = seconds_left_;
  hooks_.on_state(state);
}

std::optional<double> RunScheduler::seconds_left() {
  if (!speeds_.seconds_for("", 1.0)) return std::nullopt;
  const auto positions = workers_.running();
  std::vector<PlanLoad> loads;
  for (size_t plan = first_; plan < plans_.size(); ++plan) loads.push_back(load_of(plan, positions));
  return time_to_finish(loads, workers_.size());
}

PlanLoad RunScheduler::load_of(size_t plan, const std::vector<std::pair<int64_t, RunPosition>>& positions) const {
  const auto seconds = [&](const std::string& variant, double work) {
    return speeds_.seconds_for(variant, work).value_or(0.0);
  };
  PlanLoad out;
  for (const auto& [id, position] : positions) {
    const auto found = running_.find(id);
    if (found == running_.end() || found->second.plan != plan) continue;
    const RunRequest& request = found->second.run.request;
    out.running.push_back(seconds(request.variant.name, request.work * (1.0 - position.done)));
  }
  const PlanState& state = plans_[plan];
  for (const size_t index : state.waiting) {
    out.waiting.push_back(seconds(state.round[index].variant.name, state.round[index].work));
  }
  for (const std::vector<double>& round : state.plan->later()) {
    out.later.emplace_back();
    for (const double work : round) out.later.back().push_back(seconds("", work));
  }
  return out;
}

}  // namespace longhand::lab
