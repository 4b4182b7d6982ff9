#include "longhand/lab/gradients.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace longhand::lab {
namespace {

constexpr int64_t kHeldOutRows = 128;
constexpr double kMeasuring = 300;  // updates that take as long as a measurement

SmallModelOptions model_options(const GradientsOptions& options, const LabCell& cell, int64_t layers, bool residual) {
  SmallModelOptions out{.lstm = cell.options(options.hidden, layers),
                        .init = cell.init(),
                        .rows = options.rows,
                        .seed = static_cast<uint64_t>(options.seed)};
  out.lstm.residual = residual;
  out.optimizer.learning_rate = options.learning_rate;
  out.optimizer.clip_norm = options.clip_norm;
  return out;
}

// Trains up to each number of updates, and calls measure(updates, diverged).
template <class Measure>
void train_and_measure(SmallModel& model, const std::vector<int64_t>& updates, double work_of_update,
                       double work_of_measuring, const Advance& advance, const Measure& measure) {
  bool diverged = false;
  for (size_t i = 0; i < updates.size(); ++i) {
    while (!diverged && model.updates() < updates[i]) {
      diverged = !std::isfinite(model.update());
      if (!advance(work_of_update)) return;
    }
    measure(i, diverged);
    if (!advance(work_of_measuring)) return;
  }
}

}  // namespace

GradientsResult measure_gradients(const SequenceTask& task, const GradientsOptions& options, const Watcher& watcher) {
  GradientsResult result;
  const size_t times = options.updates.size();
  result.cells.resize(options.cells.size() * times);
  std::vector<Job> jobs;
  for (size_t c = 0; c < options.cells.size(); ++c) {
    const double work = static_cast<double>(options.updates.back()) + kMeasuring * static_cast<double>(times);
    jobs.push_back({work, [&, c](const Advance& advance) {
                      SmallModel model(model_options(options, options.cells[c], 1, false), task);
                      const auto go_on = [&advance] { return advance(0.0); };
                      train_and_measure(model, options.updates, 1.0, kMeasuring, advance, [&](size_t i, bool diverged) {
                        result.cells[c * times + i] = {options.cells[c], options.updates[i],
                                                       diverged ? NAN : model.evaluate(kHeldOutRows).loss,
                                                       diverged ? Reach() : measure_reach(model, options.reach, go_on)};
                      });
                    }});
  }
  // Stacks of the first plain cell and of the first LSTM, at the beginning and in the end.
  std::vector<LabCell> stacked;
  for (const char* cell : {"rnn", "lstm"}) {
    const auto found =
        std::find_if(options.cells.begin(), options.cells.end(), [&](const LabCell& c) { return c.cell == cell; });
    if (found != options.cells.end()) stacked.push_back(*found);
  }
  std::vector<int64_t> ends = {options.updates.front(), options.updates.back()};
  ends.resize(ends[0] == ends[1] ? 1 : 2);
  result.stacks.resize(stacked.size() * options.depths.size() * 2 * ends.size());
  size_t at = 0;
  for (const LabCell& cell : stacked) {
    for (const int64_t layers : options.depths) {
      for (const bool residual : {false, true}) {
        const double per_update = static_cast<double>(layers);
        jobs.push_back({per_update * static_cast<double>(ends.back()),
                        [&, cell, layers, residual, per_update, at](const Advance& advance) {
                          SmallModel model(model_options(options, cell, layers, residual), task);
                          train_and_measure(model, ends, per_update, 0.0, advance, [&](size_t i, bool diverged) {
                            result.stacks[at + i] = {cell,
                                                     layers,
                                                     residual,
                                                     ends[i],
                                                     diverged ? NAN : model.evaluate(kHeldOutRows).loss,
                                                     model.bias_gradient_norms()};
                          });
                        }});
        at += ends.size();
      }
    }
  }
  // The longest first, so that no thread is left with one in the end.
  std::stable_sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.work > b.work; });
  result.finished = run_jobs(jobs, options.threads, watcher);
  return result;
}

}  // namespace longhand::lab
