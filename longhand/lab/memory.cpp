#include "longhand/lab/memory.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/lab/comparison.h"

namespace longhand::lab {
namespace {

constexpr int64_t kLookEvery = 25;  // updates
constexpr int64_t kLookRows = 128;
constexpr int64_t kFinalRows = 512;
constexpr double kDone = 99.0;  // per cent

MemoryRun train(const SequenceTask& task, const MemoryOptions& options, const LabCell& cell, int64_t seed,
                double work_of_update, const Advance& advance) {
  SmallModelOptions model_options{.lstm = cell.options(options.hidden),
                                  .init = cell.init(),
                                  .rows = options.rows,
                                  .seed = static_cast<uint64_t>(seed)};
  model_options.optimizer.learning_rate = options.learning_rate;
  model_options.optimizer.clip_norm = options.clip_norm;
  SmallModel model(model_options, task);
  MemoryRun run{.seed = seed};
  while (model.updates() < options.updates) {
    run.diverged = !std::isfinite(model.update());
    if (!advance(work_of_update) || run.diverged) break;
    if (model.updates() % kLookEvery != 0 && model.updates() < options.updates) continue;
    // Two looks, so that luck is no success.
    const auto number = static_cast<uint64_t>(model.updates());
    if (model.evaluate(kLookRows, number).accuracy >= kDone &&
        model.evaluate(kFinalRows, number + 1).accuracy >= kDone) {
      run.done = true;
      break;
    }
  }
  run.updates = model.updates();
  run.accuracy = run.diverged ? 0.0 : model.evaluate(kFinalRows).accuracy;
  return run;
}

std::string range_text(const Spread& spread, const char* unit) {
  return spread.low == spread.high
             ? fmt::format("{:.0f}{}", spread.median, unit)
             : fmt::format("{:.0f}{} ({:.0f} to {:.0f})", spread.median, unit, spread.low, spread.high);
}

std::vector<double> accuracies(const MemoryCell& cell) {
  std::vector<double> out;
  for (const MemoryRun& run : cell.runs) out.push_back(run.accuracy);
  return out;
}

std::string task_words(const MemoryOptions& options) {
  if (options.task == "recall") {
    return "Recall: one of 8 symbols is read, then random other ones, as many as the gap, then a question; the answer "
           "is "
           "the first symbol. A guess is right in 12.5 % of the cases.";
  }
  if (options.task == "copying") {
    return "Copying: ten symbols of 8 are read, then blanks, as many as the gap, then ten questions; the answers are "
           "the "
           "ten symbols in their order. A guess is right in 12.5 % of the cases.";
  }
  return "Adding: numbers of 0 to 1 are read, as many as the gap, two of which are marked, both in the first half; the "
         "answer is their sum. It counts as right within 0.1; always to say 1 is right in 19 % of the cases.";
}

}  // namespace

int64_t MemoryCell::learned() const {
  return std::count_if(runs.begin(), runs.end(), [](const MemoryRun& run) { return run.learned(); });
}

int64_t reach_of(const MemoryResult& result, const std::string& cell) {
  int64_t reach = 0;
  for (const MemoryCell& each : result.cells) {
    if (each.cell.name != cell) continue;
    if (2 * each.learned() <= static_cast<int64_t>(each.runs.size())) break;
    reach = each.gap;
  }
  return reach;
}

MemoryResult measure_memory(const MemoryOptions& options, const Watcher& watcher) {
  MemoryResult result;
  for (const LabCell& cell : options.cells) {
    for (const int64_t gap : options.gaps) result.cells.push_back({cell, gap, {}});
  }
  // Gap by gap, so that a cell which no longer learns is not trained for longer ones.
  double work_before = 0.0, work_of_all = 0.0;
  for (const int64_t gap : options.gaps) work_of_all += static_cast<double>(gap * options.updates);
  const auto all = static_cast<double>(options.cells.size() * static_cast<size_t>(options.seeds));
  for (size_t g = 0; g < options.gaps.size() && result.finished; ++g) {
    const std::unique_ptr<SequenceTask> task = memory_task(options.task, options.gaps[g]);
    const auto work_of_update = static_cast<double>(options.gaps[g]);
    std::vector<Job> jobs;
    for (size_t c = 0; c < options.cells.size(); ++c) {
      MemoryCell& cell = result.cells[c * options.gaps.size() + g];
      if (g > 0 && result.cells[c * options.gaps.size() + g - 1].learned() == 0) continue;
      cell.runs.resize(static_cast<size_t>(options.seeds));
      for (int64_t s = 0; s < options.seeds; ++s) {
        jobs.push_back({work_of_update * static_cast<double>(options.updates), [&, s](const Advance& advance) {
                          cell.runs[static_cast<size_t>(s)] =
                              train(*task, options, cell.cell, options.seed + s, work_of_update, advance);
                        }});
      }
    }
    const double share = jobs.empty() ? 0.0 : all / static_cast<double>(jobs.size());
    Watcher of_gap = watcher;
    if (watcher.on_progress) {
      of_gap.on_progress = [&, share](double done, double) {
        watcher.on_progress((work_before + done * share / all) / work_of_all * 100.0, 100.0);
      };
    }
    result.finished = run_jobs(jobs, options.threads, of_gap);
    work_before += static_cast<double>(options.gaps[g] * options.updates);
  }
  return result;
}

LabReport memory_report(const MemoryResult& result, const MemoryOptions& options) {
  LabReport report{.name = "memory",
                   .title = fmt::format("What cells remember: {}, {} hidden units", options.task, options.hidden)};
  LabSection section{
      .heading = "Accuracy by gap",
      .words = {task_words(options),
                fmt::format(
                    "Each model is trained on {} sequences an update until it answers 99 % of new "
                    "ones, for at most {} updates. Medians over {} seeds, with the range in "
                    "brackets and as an area. A dash: not tried, since no seed learned the gap "
                    "before. In the table, first how many seeds learned the gap: nine of ten answers are right.",
                    options.rows, options.updates, options.seeds)},
      .table = {.columns = {"cell"}}};
  for (const int64_t gap : options.gaps) section.table.columns.push_back(fmt::format("gap {}", gap));
  section.table.columns.emplace_back("learned up to");
  io::Chart accuracy{.title = "Accuracy by gap", .x_title = "gap: steps", .y_title = "per cent right", .log_x = true};
  io::Chart updates{.title = "Updates until 99 % were right",
                    .x_title = "gap: steps",
                    .y_title = "updates, of the seeds that got there",
                    .log_x = true};
  report.csv.columns = {"cell", "gap", "seed", "updates", "accuracy", "done", "diverged"};
  for (size_t c = 0; c < options.cells.size(); ++c) {
    const LabCell& cell = options.cells[c];
    io::Curve right{.label = cell.label, .colour = static_cast<int>(c)}, needed = right;
    std::vector<std::string> row = {cell.label};
    for (size_t g = 0; g < options.gaps.size(); ++g) {
      const MemoryCell& at = result.cells[c * options.gaps.size() + g];
      if (at.runs.empty()) {
        row.emplace_back("-");
        continue;
      }
      const auto x = static_cast<double>(at.gap);
      const Spread accuracy_of_seeds = spread(accuracies(at));
      row.push_back(fmt::format("{}/{}", at.learned(), at.runs.size()) + ": " + range_text(accuracy_of_seeds, " %"));
      right.points.push_back({x, accuracy_of_seeds.median});
      right.band.push_back({x, accuracy_of_seeds.low, accuracy_of_seeds.high});
      std::vector<double> done;
      for (const MemoryRun& run : at.runs) {
        if (run.done) done.push_back(static_cast<double>(run.updates));
        report.csv.rows.push_back({cell.name, fmt::format("{}", at.gap), fmt::format("{}", run.seed),
                                   fmt::format("{}", run.updates), fmt::format("{}", run.accuracy),
                                   run.done ? "true" : "false", run.diverged ? "true" : "false"});
        report.data["runs"].push_back({{"cell", cell.name},
                                       {"gap", at.gap},
                                       {"seed", run.seed},
                                       {"updates", run.updates},
                                       {"accuracy", run.accuracy},
                                       {"done", run.done},
                                       {"diverged", run.diverged}});
      }
      if (done.empty()) continue;
      const Spread took = spread(done);
      needed.points.push_back({x, took.median});
      needed.band.push_back({x, took.low, took.high});
    }
    const int64_t reach = reach_of(result, cell.name);
    const bool all = reach == options.gaps.back();
    row.push_back(reach == 0 ? "none" : all ? fmt::format("{} or more", reach) : fmt::format("{}", reach));
    report.data["learned_up_to"][cell.name] = reach;
    section.table.rows.push_back(row);
    report.summary.push_back(
        reach == 0 ? fmt::format("{}: learned no gap in {} updates.", cell.label, options.updates)
                   : fmt::format("{}: learned gaps up to {}{}.", cell.label, reach, all ? ", the longest tried" : ""));
    accuracy.curves.push_back(right);
    updates.curves.push_back(needed);
  }
  section.charts = {accuracy, updates};
  report.sections.push_back(section);
  return report;
}

}  // namespace longhand::lab
