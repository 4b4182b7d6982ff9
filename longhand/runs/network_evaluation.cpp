#include "longhand/runs/network_evaluation.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "longhand/base/format.h"
#include "longhand/runs/sequence_files.h"
#include "longhand/runs/sequence_findings.h"
#include "longhand/tasks/trained_network.h"

namespace longhand::runs {
namespace {

nlohmann::ordered_json json_of(const tasks::SequenceScore& score) {
  nlohmann::ordered_json out;
  for (const tasks::Metric& metric : score.metrics()) {
    out[metric.name] = std::isfinite(metric.value) ? nlohmann::ordered_json(metric.value) : nullptr;
  }
  out["steps"] = score.steps;
  return out;
}

}  // namespace

Evaluation evaluate_network(const tasks::ModelFile& file, const EvaluateOptions& options, Sources& sources) {
  graph::Graph graph = tasks::read_network(file);
  tasks::NetworkScaling scaling = tasks::take_scaling(graph);
  tasks::NetworkPurpose purpose;
  if (const std::string text = file.training(); !text.empty()) {
    purpose = tasks::NetworkPurpose::from_json(nlohmann::json::parse(text, nullptr, false), file.path());
  }
  tasks::TrainedNetwork model(std::move(graph), file.path(), std::move(scaling), purpose);
  check_used({.input = options.input, .group = options.group}, options.data);
  SequenceFileOptions files;
  // Several names are columns of a table, not arrays.
  const bool arrays = format_of(options.data) == SequenceFormat::kArrays;
  if (!arrays || purpose.inputs.size() == 1) files.input = fmt::format("{}", fmt::join(purpose.inputs, ","));
  if (!arrays || purpose.targets.size() == 1) files.target = fmt::format("{}", fmt::join(purpose.targets, ","));
  files.ahead = purpose.ahead;
  files.decimal = purpose.decimal;
  files.group = purpose.group;
  if (!options.group.empty()) files.group = options.group;
  if (!options.input.empty()) files.input = options.input;
  if (!options.target.empty()) files.target = options.target;
  data::RecordingSet set = read_recordings(options.data, files, model.network(), model.classifies(), sources);
  options.on_found(describe_recordings(options.data, set));
  model.scale(set);
  kernels::Context context(static_cast<int>(options.threads));
  graph::TrainingPass<float> pass(model.network(), options.engine, context);
  pass.set_values(model.network().parameters().values().data());
  SequenceExaminer examiner(set);
  tasks::SequenceObserver observer{.on_step = {}, .on_done = options.on_done};
  if (options.examine && !model.classifies()) {
    observer.on_step = [&](const auto&... step) { examiner.add(step...); };
  }
  const tasks::SequenceScore score = tasks::evaluate(model, set, data::whole_recordings(set), pass, observer);
  Evaluation out;
  out.findings.test = score.metrics();
  if (observer.on_step) out.findings.sequences = examiner.findings();
  for (const tasks::Metric& metric : score.metrics())
    out.text += fmt::format("{:<20} {:.6g}\n", metric.name, metric.value);
  out.text += fmt::format("{:<20} {}\n", "steps", format_count(static_cast<double>(score.steps)));
  out.json = json_of(score).dump();
  return out;
}

}  // namespace longhand::runs
