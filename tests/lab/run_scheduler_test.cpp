// The scheduling of a comparison's runs: any number of workers, ending in any order, and dying, gives the same.
#include "longhand/lab/run_scheduler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/error.h"
#include "longhand/base/rng.h"
#include "longhand/lab/search.h"

namespace longhand::lab {
namespace {

std::string key_of(const RunOrder& order) {
  std::string out = std::to_string(order.seed);
  for (const auto& [name, value] : order.options) out += " " + name + "=" + value;
  return out;
}

std::string option(const RunOrder& order, const std::string& name) {
  for (const auto& [each, value] : order.options) {
    if (each == name) return value;
  }
  return "";
}

// Best at a rate of 0.03; better with every epoch, and trials with a small `slow` are better later than sooner.
double loss_of(const RunOrder& order, int64_t epoch) {
  const std::string rate = option(order, "lr"), slow = option(order, "hidden");
  const double off = rate.empty() ? 0.0 : std::abs(std::log(std::stod(rate) / 0.03));
  const double late = slow.empty() ? 0.0 : std::stod(slow);
  return 1.0 + off + 0.001 * static_cast<double>(order.seed) + late / static_cast<double>(epoch);
}

// What the process of a run would leave.
RunReport made(int64_t id, const RunOrder& order, int64_t epochs) {
  const int64_t end = order.until_epoch > 0 ? std::min(epochs, order.until_epoch) : epochs;
  std::string metrics;
  for (int64_t epoch = 1; epoch <= end; ++epoch) {
    const double loss = loss_of(order, epoch);
    metrics += nlohmann::json{{"epoch", epoch},
                              {"seconds", epoch},
                              {"train_loss", loss},
                              {"valid_loss", loss},
                              {"tokens_per_second", 1.0}}
                   .dump() +
               "\n";
  }
  const double loss = loss_of(order, end);
  const nlohmann::json result = {
      {"key", key_of(order)},   {"failure", ""},     {"complete", end == epochs}, {"parameters", 5},
      {"epochs", end},          {"best_epoch", end}, {"train_loss", loss},        {"valid_loss", loss},
      {"valid_measure", loss},  {"measure", "loss"}, {"more_is_better", false},   {"tokens_per_second", 1.0},
      {"seconds", double(end)}, {"units", 4},        {"distinct_units", 4},       {"baseline_key", "simple"}};
  return {.id = id, .result = result.dump(), .metrics = metrics};
}

// Workers for tests. Runs end in random order. Each dies `deaths_of_each` times before it succeeds.
class FakeWorkers : public RunWorkers {
 public:
  FakeWorkers(int64_t size, uint64_t seed, int64_t epochs = 9)
      : size_(size), epochs_(epochs), rng_(seed, 0, RngPlace::kSample) {}

  int64_t size() const override { return size_; }
  bool start(int64_t id, const RunOrder& order) override {
    if (static_cast<int64_t>(runs_.size()) == size_) return false;
    for (const auto& [other, running] : runs_) EXPECT_NE(running.folder, order.folder);  // no two in one folder
    runs_.emplace_back(id, order);
    most_ = std::max(most_, static_cast<int64_t>(runs_.size()));
    if (order.until_epoch > 0) trained_[order.folder].push_back(order.until_epoch);
    return true;
  }
  std::vector<RunReport> finished() override {
    std::vector<RunReport> out;
    if (runs_.empty()) return out;
    const size_t which = rng_.below(draws_++, runs_.size());
    const auto [id, order] = runs_[which];
    runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(which));
    if (interrupted_) return {{.id = id, .failure = "interrupted", .interrupted = true}};
    ++ended_;
    if (dies(order)) return {{.id = id, .failure = "ended by signal 9", .died = true}};
    return {made(id, order, epochs_)};
  }
  std::vector<std::pair<int64_t, RunPosition>> running() override {
    std::vector<std::pair<int64_t, RunPosition>> out;
    for (const auto& [id, order] : runs_) out.push_back({id, {.done = 0.5}});
    return out;
  }
  void interrupt() override { interrupted_ = true; }

  int64_t deaths_of_each = 0;
  int64_t ended() const { return ended_; }
  int64_t most() const { return most_; }
  const std::map<std::string, std::vector<int64_t>>& trained() const { return trained_; }

 private:
  bool dies(const RunOrder& order) {
    return deaths_[key_of(order) + std::to_string(order.until_epoch)]++ < deaths_of_each;
  }

  int64_t size_, epochs_;
  CounterRng rng_;
  uint64_t draws_ = 0;
  std::vector<std::pair<int64_t, RunOrder>> runs_;
  std::map<std::string, int64_t> deaths_;
  std::map<std::string, std::vector<int64_t>> trained_;
  int64_t ended_ = 0, most_ = 0;
  bool interrupted_ = false;
};

SchedulerHooks plain_hooks() {
  return {.prepare = [](const RunRequest& request) {
    PreparedRun run{.request = request};
    run.order = {.options = request.variant.options, .seed = request.seed, .until_epoch = request.until_epoch};
    run.order.key = run.order.folder = key_of(run.order);
    return run;
  }};
}

void carry_out(const std::vector<RunPlan*>& plans, FakeWorkers& workers, SchedulerHooks hooks = plain_hooks()) {
  RunScheduler(workers, std::move(hooks)).run(plans);
}

std::string text_of(const std::vector<ComparedVariant>& variants) {
  const RunComparison comparison{
      .title = "t", .command = "c", .machine = "m", .common = {}, .published = {}, .variants = variants};
  return to_json(comparison).dump() + to_csv(comparison) + to_text(comparison, 100);
}

std::string rates_with(FakeWorkers& workers) {
  RatePlan first({"sgd", {{"optimizer", "sgd"}, {"lr", "1"}}}, 3),
      second({"adam", {{"optimizer", "adam"}, {"lr", "0.003"}}}, 3);
  carry_out({&first, &second}, workers);
  EXPECT_EQ(first.result().note, "lr 0.03, the best of 0.01, 0.03, 0.1, 0.3, 1, 3 with the first seed");
  EXPECT_EQ(second.result().runs.size(), 3U);
  return text_of({first.result(), second.result()});
}

TEST(RunScheduler, ASearchForRatesIsTheSameWithAnyNumberOfWorkers) {
  FakeWorkers one(1, 0);
  const std::string expected = rates_with(one);
  for (const int64_t size : {2, 3, 8}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      FakeWorkers several(size, seed);
      EXPECT_EQ(rates_with(several), expected);
      EXPECT_EQ(several.ended(), one.ended());
      EXPECT_EQ(several.most(), std::min<int64_t>(size, 6));
    }
  }
}

TEST(RunScheduler, ARunWhoseWorkerDiedIsTriedOnceMore) {
  SeedsPlan plan({"a", {{"lr", "0.1"}}}, 4);
  FakeWorkers workers(2, 1);
  workers.deaths_of_each = 1;
  int64_t retries = 0;
  SchedulerHooks hooks = plain_hooks();
  hooks.on_retry = [&](const auto&, const std::string& failure) {
    EXPECT_EQ(failure, "ended by signal 9");
    ++retries;
  };
  carry_out({&plan}, workers, hooks);
  EXPECT_EQ(retries, 4);
  EXPECT_EQ(workers.ended(), 8);
  SeedsPlan untroubled({"a", {{"lr", "0.1"}}}, 4);
  FakeWorkers sound(1, 0);
  carry_out({&untroubled}, sound);
  EXPECT_EQ(text_of({plan.result()}), text_of({untroubled.result()}));
}

TEST(RunScheduler, AWorkerThatDiesTwiceIsAFailingRow) {
  SeedsPlan plan({"a", {}}, 2);
  FakeWorkers workers(2, 1);
  workers.deaths_of_each = 2;
  carry_out({&plan}, workers);
  ASSERT_EQ(plan.result().runs.size(), 2U);
  for (const ComparedRun& run : plan.result().runs) EXPECT_EQ(run.failure, "ended by signal 9, twice");
  EXPECT_EQ(workers.ended(), 4);
}

TEST(RunScheduler, TheSameRunIsNotMadeTwiceAtATime) {
  SeedsPlan first({"a", {{"lr", "0.1"}}}, 2), same({"a", {{"lr", "0.1"}}}, 2);
  FakeWorkers workers(4, 3);  // checks it
  carry_out({&first, &same}, workers);
  EXPECT_EQ(text_of({first.result()}), text_of({same.result()}));
}

TEST(RunScheduler, AnInterruptionKeepsWhatIsDone) {
  SeedsPlan plan({"a", {}}, 10);
  FakeWorkers workers(2, 5);
  int64_t done = 0;
  SchedulerHooks hooks = plain_hooks();
  hooks.interrupted = [&] { return done >= 3; };
  hooks.on_run = [&](const auto&, const auto&) { ++done; };
  carry_out({&plan}, workers, hooks);
  EXPECT_EQ(plan.result().runs.size(), 3U);
  EXPECT_EQ(workers.running().size(), 0U);
}

TEST(RunScheduler, SaysHowManyRunsRemain) {
  SeedsPlan plan({"a", {}}, 6);
  FakeWorkers workers(2, 5);
  std::vector<int64_t> remaining;
  SchedulerHooks hooks = plain_hooks();
  hooks.on_state = [&](const SchedulerState& state) {
    EXPECT_EQ(state.workers, 2);
    remaining.push_back(state.waiting + static_cast<int64_t>(state.running.size()));
    EXPECT_EQ(remaining.back() + state.done, 6);
  };
  carry_out({&plan}, workers, hooks);
  ASSERT_FALSE(remaining.empty());
  EXPECT_TRUE(std::is_sorted(remaining.rbegin(), remaining.rend()));
}

TEST(RunEstimate, TakesTheNumberOfWorkersIntoAccount) {
  EXPECT_DOUBLE_EQ(time_to_finish({}, 2), 0.0);
  const std::vector<PlanLoad> even = {{.running = {2.0}, .waiting = {4.0, 4.0, 4.0}, .later = {}}};
  EXPECT_DOUBLE_EQ(time_to_finish(even, 1), 14.0);
  EXPECT_DOUBLE_EQ(time_to_finish(even, 2), 8.0);  // 2 then 4; 4 then 4
  EXPECT_DOUBLE_EQ(time_to_finish(even, 9), 4.0);
  // The last rung of halving has one run, however many workers there are.
  const std::vector<PlanLoad> rungs = {{.running = {}, .waiting = {1.0, 1.0, 1.0, 1.0}, .later = {{2.0, 2.0}, {6.0}}}};
  EXPECT_DOUBLE_EQ(time_to_finish(rungs, 1), 4.0 + 4.0 + 6.0);
  EXPECT_DOUBLE_EQ(time_to_finish(rungs, 2), 2.0 + 2.0 + 6.0);
  EXPECT_DOUBLE_EQ(time_to_finish(rungs, 100), 1.0 + 2.0 + 6.0);
  // Another plan fills a gap as soon as there is one, here before the second rung: 2 for the first rung, then 4 by one
  // worker for the second, while the other does the 5, and 6.
  std::vector<PlanLoad> two = rungs;
  two.push_back({.running = {}, .waiting = {5.0}, .later = {}});
  EXPECT_DOUBLE_EQ(time_to_finish(two, 2), 2.0 + 4.0 + 6.0);
}

TEST(RunEstimate, LearnsFromEachVariant) {
  RunSpeeds speeds;
  EXPECT_FALSE(speeds.seconds_for("a", 1.0));
  speeds.saw(0, "a", 1.0, 10.0);
  EXPECT_DOUBLE_EQ(*speeds.seconds_for("b", 2.0), 20.0);  // nothing better is known
  speeds.saw(1, "b", 0.5, 1.0);
  speeds.saw(1, "b", 1.0, 3.0);  // replaces what was said before
  EXPECT_DOUBLE_EQ(*speeds.seconds_for("b", 2.0), 6.0);
  EXPECT_DOUBLE_EQ(*speeds.seconds_for("a", 2.0), 20.0);
  EXPECT_DOUBLE_EQ(*speeds.seconds_for("c", 2.0), 13.0);
}

std::vector<Variant> some_trials() {
  std::vector<Variant> out;
  const char* const rates[] = {"0.001", "0.003", "0.01", "0.03", "0.1", "0.2", "1", "3", "10"};
  for (size_t i = 0; i < 9; ++i) {
    out.push_back({rates[i], {{"lr", rates[i]}, {"hidden", std::to_string(i == 3 ? 40 : 1)}}});
  }
  return out;
}

std::string halving_with(FakeWorkers& workers) {
  HalvingPlan plan(some_trials(), 2, {1, 3, 9}, 3);
  carry_out({&plan}, workers);
  return text_of(plan.result());
}

TEST(Halving, TheBestThirdGoesOnByResuming) {
  HalvingPlan plan(some_trials(), 2, {1, 3, 9}, 3);
  FakeWorkers workers(1, 0);
  carry_out({&plan}, workers);
  const std::vector<ComparedVariant> found = plan.result();
  ASSERT_EQ(found.size(), 9U);
  // The best rate starts slowly here, and is stopped at once: that is what halving risks.
  const std::pair<const char*, int64_t> expected[] = {{"0.01", 0}, {"0.1", 3}, {"0.2", 3}, {"0.003", 1}, {"0.001", 1},
                                                      {"1", 1},    {"3", 1},   {"10", 1},  {"0.03", 1}};
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(found[i].name, expected[i].first) << i;
    EXPECT_EQ(found[i].stopped_after, expected[i].second) << i;
  }
  ASSERT_EQ(found[0].rungs.size(), 3U);
  EXPECT_EQ(found[0].rungs[1].epochs, 3);
  EXPECT_EQ(found[0].rungs[1].rank, 1);
  EXPECT_EQ(found[0].rungs[1].of, 3);
  EXPECT_EQ(found[0].runs[0].epochs, 9);
  EXPECT_EQ(found[8].rungs.back().rank, 9);
  // Each run is in one folder, and is ordered to longer and longer ends.
  EXPECT_EQ(workers.ended(), 2 * (9 + 3 + 1));
  int64_t on_last = 0;
  for (const auto& [run, ends] : workers.trained()) {
    EXPECT_TRUE(std::is_sorted(ends.begin(), ends.end()));
    on_last += ends.back() == 9 ? 1 : 0;
  }
  EXPECT_EQ(on_last, 2);
}

TEST(Halving, IsTheSameWithAnyNumberOfWorkersAndDeaths) {
  FakeWorkers one(1, 0);
  const std::string expected = halving_with(one);
  for (const int64_t size : {2, 5, 30}) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      FakeWorkers several(size, seed);
      several.deaths_of_each = seed % 2 == 0 ? 0 : 1;
      EXPECT_EQ(halving_with(several), expected);
    }
  }
}

TEST(Halving, FailuresAreNeverTheBest) {
  HalvingPlan plan(some_trials(), 1, {1, 3, 9}, 3);
  FakeWorkers workers(3, 0);
  SchedulerHooks hooks = plain_hooks();
  const auto prepare = hooks.prepare;
  hooks.prepare = [&](const RunRequest& request) {
    PreparedRun run = prepare(request);
    if (request.variant.name != "10") {
      run.known.emplace();
      run.known->run.failure = "diverged";
    }
    return run;
  };
  carry_out({&plan}, workers, hooks);
  EXPECT_EQ(plan.result()[0].name, "10");
  EXPECT_EQ(plan.result()[0].runs[0].epochs, 9);
  EXPECT_EQ(plan.result()[1].stopped_after, 1);
}

TEST(Halving, RungsEndAtTheEpochsAskedFor) {
  using Rungs = std::vector<int64_t>;
  EXPECT_EQ(rung_epochs(27, 27, 3, 0), (Rungs{1, 3, 9, 27}));
  EXPECT_EQ(rung_epochs(27, 9, 3, 0), (Rungs{3, 9, 27}));
  EXPECT_EQ(rung_epochs(20, 16, 2, 0), (Rungs{1, 2, 5, 10, 20}));
  EXPECT_EQ(rung_epochs(27, 27, 3, 2), (Rungs{3, 9, 27}));
  EXPECT_EQ(rung_epochs(10, 1000, 3, 0), (Rungs{1, 3, 10}));
  EXPECT_EQ(rung_epochs(2, 2, 2, 0), (Rungs{1, 2}));
  EXPECT_THROW(rung_epochs(1, 27, 3, 0), Error);
  EXPECT_THROW(rung_epochs(27, 2, 3, 0), Error);
  EXPECT_THROW(rung_epochs(27, 9, 3, 10), Error);
}

}  // namespace
}  // namespace longhand::lab
