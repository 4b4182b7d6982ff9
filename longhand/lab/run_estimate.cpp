#include "longhand/lab/run_estimate.h"

#include <algorithm>
#include <queue>

namespace longhand::lab {
namespace {

// A plan as its runs begin and end.
class PlanReplay {
 public:
  explicit PlanReplay(const PlanLoad& load) : load_(load), running_(load.running.size()) { open_round(); }

  std::optional<double> begin() {
    const std::vector<double>* round = this->round();
    if (round == nullptr || begun_ == round->size()) return std::nullopt;
    ++running_;
    return (*round)[begun_++];
  }
  void end() {
    --running_;
    open_round();
  }

 private:
  const std::vector<double>* round() const {
    if (round_ == 0) return &load_.waiting;
    return round_ <= load_.later.size() ? &load_.later[round_ - 1] : nullptr;
  }
  void open_round() {
    while (running_ == 0 && round() != nullptr && begun_ == round()->size()) {
      ++round_;
      begun_ = 0;
    }
  }

  const PlanLoad& load_;
  size_t running_, round_ = 0, begun_ = 0;
};

}  // namespace

double time_to_finish(const std::vector<PlanLoad>& plans, int64_t workers) {
  using End = std::pair<double, size_t>;  // when, and of which plan
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  std::vector<PlanReplay> replays;
  replays.reserve(plans.size());
  for (size_t i = 0; i < plans.size(); ++i) {
    replays.emplace_back(plans[i]);
    for (const double left : plans[i].running) ends.emplace(left, i);
  }
  double now = 0.0;
  size_t first = 0;  // no plan before it has a run to begin until another of its runs has ended
  for (;;) {
    while (static_cast<int64_t>(ends.size()) < workers && first < replays.size()) {
      if (const std::optional<double> seconds = replays[first].begin()) {
        ends.emplace(now + *seconds, first);
      } else {
        ++first;
      }
    }
    if (ends.empty()) return now;
    const auto [when, plan] = ends.top();
    ends.pop();
    now = std::max(now, when);
    replays[plan].end();
    first = std::min(first, plan);
  }
}

void RunSpeeds::saw(int64_t id, const std::string& variant, double work, double seconds) {
  if (work <= 0.0) return;
  Seen& run = runs_[id];
  for (Seen* sum : {&variants_[variant], &all_}) sum->add(work - run.work, seconds - run.seconds);
  run = {work, seconds};
}

std::optional<double> RunSpeeds::seconds_for(const std::string& variant, double work) const {
  const auto found = variants_.find(variant);
  const Seen& seen = found != variants_.end() ? found->second : all_;
  if (seen.work <= 0.0) return std::nullopt;
  return seen.seconds / seen.work * work;
}

}  // namespace longhand::lab
