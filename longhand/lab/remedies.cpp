#include "longhand/lab/remedies.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "longhand/base/error.h"
#include "longhand/base/utf8.h"

namespace longhand::lab {
namespace {

constexpr int64_t kDeep = 8;     // layers of the stacks
constexpr double kRadius = 1.3;  // of the explosion made on purpose
constexpr double kSgdRate = 0.5;
constexpr int64_t kTestRows = 128;
constexpr double kMeasure = 100.0;  // updates that take as long as a measurement of reach

SmallModelOptions base_model(const RemediesOptions& options, const LabCell& cell, int64_t layers = 1) {
  SmallModelOptions out{.lstm = cell.options(options.hidden, layers), .init = cell.init(), .rows = options.rows};
  out.optimizer.learning_rate = options.learning_rate;
  return out;
}

// The gradient of the bottom layer's bias over that of the top layer's.
double ratio_of_layers(SmallModel& model) {
  model.compute_gradients(model.task().draw(64, CounterRng(0, 0, RngPlace::kHeldOut), true));
  const ParameterArena& arena = model.parameters();
  double first = 0.0, last = 0.0;
  for (const Parameter& p : arena.parameters()) {
    if (p.name.find(".bias_ih_l") == std::string::npos) continue;
    const auto gradient = arena.gradients().subspan(static_cast<size_t>(p.offset), static_cast<size_t>(p.size));
    last = norm(Vector(gradient.begin(), gradient.end()));
    if (p.name.ends_with("_l0")) first = last;
  }
  return first / last;
}

RemedyRun try_remedy(const Remedy& remedy, const SequenceTask& task, const SequenceTask& common, uint64_t seed,
                     const RemediesOptions& options, JobProgress& progress) {
  SmallModelOptions model_options = remedy.model;
  model_options.seed = seed;
  SmallModel model(model_options, task);
  RemedyRun run;
  const bool deep = model_options.lstm.layers > 1;
  if (deep) {
    run.layers_ratio = ratio_of_layers(model);
  } else {
    const Reach reach = measure_reach(model, options.reach);
    run.factor = reach.factor;
    run.steps_before = reach.steps_h;
    for (const Spread10& at : reach.h) run.by_h.push_back(at.median);
  }
  if (!progress.advance(kMeasure)) return run;
  bool diverged = false;
  while (model.updates() < options.updates && !diverged) {
    const double loss = model.update();
    diverged = !std::isfinite(loss);
    run.norms.push_back(model.gradient_norm());
    run.losses.push_back(loss);
    if (!progress.advance(static_cast<double>(model_options.lstm.layers))) return run;
  }
  run.largest_norm = diverged ? INFINITY : *std::max_element(run.norms.begin(), run.norms.end());
  run.loss = diverged ? NAN : model.evaluate(kTestRows, 0, &common).loss;
  if (!deep) run.steps_after = diverged ? -2 : measure_reach(model, options.reach).steps_h;
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
    for (const double clip : {0.0, 1.0, 0.1}) {
      Remedy remedy{fmt::format("clipping, {} of spectral radius {}, SGD", cell(name).label, kRadius),
                    clip == 0.0 ? "none" : fmt::format("to norm {}", clip), base_model(options, cell(name))};
      remedy.model.radius = kRadius;
      remedy.model.optimizer.optimizer = "sgd";
      remedy.model.optimizer.learning_rate = kSgdRate;
      remedy.model.optimizer.clip_norm = clip;
      out.push_back(remedy);
    }
  }
  for (const char* name : {"rnn", "lstm-1"}) {
    for (const bool residual : {false, true}) {
      Remedy remedy{fmt::format("skip connections, {} layers of {}", kDeep, cell(name).label),
                    residual ? "residual" : "none", base_model(options, cell(name), kDeep)};
      remedy.model.lstm.residual = residual;
      out.push_back(remedy);
    }
  }
  for (const int64_t window : {8, 16, 32, 64, 128}) {
    out.push_back({"truncated back-propagation, " + cell("lstm-1").label, fmt::format("after {} steps", window),
                   base_model(options, cell("lstm-1")), window});
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
  std::map<int64_t, std::unique_ptr<SequenceTask>> tasks;
  const auto wanted = [&options](const std::string& group) { return group.find(options.only) != std::string::npos; };
  for (Remedy& remedy : remedies(options)) {
    if (!wanted(remedy.group)) continue;
    if (remedy.window == 0) remedy.window = options.window;
    std::unique_ptr<SequenceTask>& task = tasks[remedy.window];
    if (task == nullptr) task = text_task(text, remedy.window, source);
    result.rows.push_back({remedy, std::vector<RemedyRun>(static_cast<size_t>(options.seeds))});
  }
  // All are measured on the same held-out sequences, however long those are that they were trained on.
  const std::unique_ptr<SequenceTask> common = text_task(text, std::max<int64_t>(options.window, 128), source);
  std::vector<Job> jobs;
  for (RemedyResult& row : result.rows) {
    const double window = static_cast<double>(row.remedy.window) / static_cast<double>(options.window);
    const auto layers = static_cast<double>(row.remedy.model.lstm.layers);
    for (int64_t s = 0; s < options.seeds; ++s) {
      jobs.push_back({kMeasure + layers * window * static_cast<double>(options.updates), [&, s](JobProgress& progress) {
                        row.runs[static_cast<size_t>(s)] =
                            try_remedy(row.remedy, *tasks.at(row.remedy.window), *common,
                                       static_cast<uint64_t>(options.seed + s), options, progress);
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
    throw usage_error("`only`: expected a part of a group's name, found " + visible(options.only),
                      "the groups are: " + listed(groups, groups.size()));
  }
  for (EquationsResult& each : result.equations) {
    for (int64_t s = 0; s < options.seeds; ++s) {
      jobs.push_back({static_cast<double>(equations.updates), [&, s](JobProgress& progress) {
                        each.runs[static_cast<size_t>(s)] = train_equations(
                            each.equations, static_cast<uint64_t>(options.seed + s), equations, progress);
                      }});
    }
  }
  std::stable_sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.work > b.work; });
  result.finished = run_jobs(jobs, options.threads, watcher);
  return result;
}

}  // namespace longhand::lab
