#include "longhand/lab/remedies.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::lab {
namespace {

constexpr int64_t kDeep = 8;     // layers of the stacks
constexpr double kRadius = 1.3;  // of the explosion made on purpose
constexpr double kSgdRate = 0.1;
constexpr int64_t kTestRows = 128;
constexpr double kMeasure = 100.0;  // updates that take as long as a measurement of reach

SmallModelOptions base_model(const RemediesOptions& options, const LabCell& cell, int64_t layers = 1) {
  SmallModelOptions out{.lstm = cell.options(options.hidden, layers), .init = cell.init(), .rows = options.rows};
  out.optimizer.learning_rate = options.learning_rate;
  return out;
}

RemedyRun try_remedy(const Remedy& remedy, const SequenceTask& task, const SequenceTask& common, uint64_t seed,
                     const RemediesOptions& options, const Advance& advance) {
  SmallModelOptions model_options = remedy.model;
  model_options.seed = seed;
  SmallModel model(model_options, task);
  RemedyRun run;
  const auto go_on = [&advance] { return advance(0.0); };
  const bool deep = model_options.lstm.layers > 1;
  if (deep) {
    const std::vector<double> norms = model.bias_gradient_norms();
    run.layers_ratio = norms.front() / norms.back();
  } else {
    const Reach reach = measure_reach(model, options.reach, go_on);
    run.factor = reach.factor;
    run.steps_before = reach.steps_h;
    for (const Spread10& at : reach.h) run.by_h.push_back(at.median);
  }
  if (!advance(kMeasure)) return run;
  bool diverged = false;
  while (model.updates() < options.updates && !diverged) {
    const double loss = model.update();
    diverged = !std::isfinite(loss);
    run.norms.push_back(model.gradient_norm());
    run.losses.push_back(loss);
    if (!advance(static_cast<double>(model_options.lstm.layers))) return run;
  }
  run.largest_norm = diverged ? INFINITY : *std::max_element(run.norms.begin(), run.norms.end());
  run.loss = diverged ? NAN : model.evaluate(kTestRows, 0, &common).loss;
  if (!deep && !diverged) run.steps_after = measure_reach(model, options.reach, go_on).steps_h;
  return run;
}

}  // namespace

std::vector<Remedy> remedies(const RemediesOptions& options) {
  std::vector<Remedy> out;
  const auto cell = [](const char* name) { return parse_cells(name)[0]; };
  for (const char* name : {"rnn", "lstm-1"}) {
    for (const char* init : {"standard-uniform", "uniform", "normal", "standard-normal", "xavier-uniform",
                             "xavier-normal", "he-uniform", "he-normal", "orthogonal"}) {
      Remedy remedy{"initialiser, " + cell(name).label, init, base_model(options, cell(name))};
      remedy.model.init.init = init;
      out.push_back(remedy);
    }
  }
  for (const char* name : {"rnn", "rnn-relu", "gru", "lstm-0", "lstm-1", "lstm-3", "lstm-1-norm"}) {
    out.push_back({"gates, forget bias, layer normalisation", cell(name).label, base_model(options, cell(name))});
  }
  for (const char* name : {"rnn", "rnn-relu"}) {
    const auto by_sgd = [&](const std::string& change, double radius, double clip) {
      Remedy remedy{fmt::format("explosion and clipping, {} by SGD", cell(name).label), change,
                    base_model(options, cell(name))};
      remedy.model.radius = radius;
      remedy.model.optimizer.optimizer = "sgd";
      remedy.model.optimizer.learning_rate = kSgdRate;
      remedy.model.optimizer.clip_norm = clip;
      out.push_back(remedy);
    };
    by_sgd("weights as drawn", 0.0, 0.0);
    const std::string exploding = fmt::format("radius {}", kRadius);
    by_sgd(exploding, kRadius, 0.0);
    by_sgd(exploding + ", clipped to 1", kRadius, 1.0);
    by_sgd(exploding + ", clipped to 0.1", kRadius, 0.1);
  }
  for (const char* name : {"rnn", "lstm-1"}) {
    for (const bool residual : {false, true}) {
      Remedy remedy{fmt::format("skip connections, {} layers of {}", kDeep, cell(name).label),
                    residual ? "residual" : "none", base_model(options, cell(name), kDeep)};
      remedy.model.lstm.residual = residual;
      out.push_back(remedy);
    }
  }
  for (const int64_t steps : {4, 8, 16, 32, 64, 0}) {
    Remedy remedy{fmt::format("truncated back-propagation, {}, sequences of {}", cell("lstm-1").label, kLongSequence),
                  steps == 0 ? "never" : fmt::format("after {} steps", steps), base_model(options, cell("lstm-1"))};
    remedy.model.truncate = steps;
    remedy.long_sequences = true;
    out.push_back(remedy);
  }
  for (const double dropout : {0.0, 0.2, 0.5}) {
    Remedy remedy{"dropout of the output, " + cell("lstm-1").label,
                  dropout == 0.0 ? "none" : fmt::format("{}", dropout), base_model(options, cell("lstm-1"))};
    remedy.model.lstm.dropout_output = dropout;
    out.push_back(remedy);
  }
  return out;
}

RemediesResult measure_remedies(std::string_view text, const std::string& source, const RemediesOptions& options,
                                const Watcher& watcher) {
  RemediesResult result;
  const auto wanted = [&options](const std::string& group) { return group.find(options.only) != std::string::npos; };
  for (const Remedy& remedy : remedies(options)) {
    if (wanted(remedy.group))
      result.rows.push_back({remedy, std::vector<RemedyRun>(static_cast<size_t>(options.seeds))});
  }
  const std::unique_ptr<SequenceTask> task = text_task(text, options.window, source, options.reach.steps);
  // All are measured on the same held-out sequences, however long those are that they were trained on.
  const std::unique_ptr<SequenceTask> long_task =
      text_task(text, std::max(options.window, kLongSequence), source, options.reach.steps);
  std::vector<Job> jobs;
  for (RemedyResult& row : result.rows) {
    const SequenceTask* own = row.remedy.long_sequences ? long_task.get() : task.get();
    const double window =
        row.remedy.long_sequences ? static_cast<double>(kLongSequence) / static_cast<double>(options.window) : 1.0;
    const auto layers = static_cast<double>(row.remedy.model.lstm.layers);
    for (int64_t s = 0; s < options.seeds; ++s) {
      jobs.push_back(
          {kMeasure + layers * window * static_cast<double>(options.updates), [&, s, own](const Advance& advance) {
             row.runs[static_cast<size_t>(s)] =
                 try_remedy(row.remedy, *own, *long_task, static_cast<uint64_t>(options.seed + s), options, advance);
           }});
    }
  }
  EquationsOptions equations = options.equations;
  equations.seeds = options.seeds;
  if (wanted(kEquationsGroup)) result.equations = all_equations(equations);
  if (result.rows.empty() && result.equations.empty()) {
    std::vector<std::string> groups;
    for (const Remedy& remedy : remedies(options)) {
      if (groups.empty() || groups.back() != remedy.group) groups.push_back(remedy.group);
    }
    groups.emplace_back(kEquationsGroup);
    std::string list;
    for (const std::string& group : groups) list += (list.empty() ? "\"" : ", \"") + group + "\"";
    throw usage_error("`only`: expected a part of a group's name, found " + visible(options.only),
                      "the groups are: " + list);
  }
  for (EquationsResult& each : result.equations) {
    for (int64_t s = 0; s < options.seeds; ++s) {
      jobs.push_back({static_cast<double>(equations.updates), [&, s](const Advance& advance) {
                        each.runs[static_cast<size_t>(s)] = train_equations(
                            each.equations, static_cast<uint64_t>(options.seed + s), equations, advance);
                      }});
    }
  }
  std::stable_sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.work > b.work; });
  result.finished = run_jobs(jobs, options.threads, watcher);
  return result;
}

}  // namespace longhand::lab
