#include "longhand/runs/baseline.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "longhand/io/file.h"
#include "longhand/train/trainer.h"

namespace longhand::runs {
namespace {

// R2 and the Nash-Sutcliffe efficiency are at most 1; what else should be large is in per cent.
bool is_efficiency(const std::string& name) { return name.ends_with("r2") || name.ends_with("nse"); }

std::string with_unit(const tasks::Metric& metric) {
  if (metric.name == "loss" || metric.name.starts_with("nats_per_")) return fmt::format("{:.4f}", metric.value);
  if (metric.more_is_better && !is_efficiency(metric.name)) return fmt::format("{:.2f} %", metric.value);
  return metric.name == "perplexity" ? fmt::format("{:.3f}", metric.value) : fmt::format("{:.5g}", metric.value);
}

}  // namespace

std::string describe_metrics(const std::vector<tasks::Metric>& metrics) {
  const char* nats = tasks::find_metric(metrics, "perplexity") != nullptr ? " nats" : "";
  std::string out;
  for (const tasks::Metric& metric : metrics) {
    if (metric.name.starts_with("cold_")) continue;  // describe_cold has them
    out += fmt::format("{}{} {}{}", out.empty() ? "" : ", ", metric.name, with_unit(metric),
                       metric.name == "loss" ? nats : "");
  }
  return out;
}

std::string describe(const BaselineFindings& baseline) {
  return fmt::format("{}: {}{}{}{}", baseline.name, describe_metrics(baseline.metrics),
                     baseline.measured.empty() ? "" : ", on the " + baseline.measured,
                     baseline.note.empty() ? "" : "; ", baseline.note);
}

void judge(BaselineFindings& baseline, const std::vector<tasks::Metric>& model, const std::string& advice) {
  baseline.verdict.clear();
  if (baseline.metrics.empty()) return;
  const tasks::Metric& simple = baseline.metrics.front();
  const tasks::Metric* ours = tasks::find_metric(model, simple.name);
  std::string name = simple.name;  // as tables have it: "nats per symbol"
  std::replace(name.begin(), name.end(), '_', ' ');
  if (ours == nullptr || !std::isfinite(simple.value)) return;
  const double gained = simple.more_is_better ? ours->value - simple.value : simple.value - ours->value;
  constexpr double kRounding = 1e-4;  // of the value: a difference that is none
  if (gained > kRounding * std::abs(simple.value)) return;
  if (gained >= -kRounding * std::abs(simple.value)) {
    baseline.verdict = fmt::format("the model is as good as the baseline: {} {}", name, with_unit(*ours));
    const bool perfect = simple.more_is_better && simple.value >= (is_efficiency(simple.name) ? 1.0 : 100.0);
    if (!perfect) baseline.verdict += "; what usually helps: " + advice;
    return;
  }
  baseline.verdict = fmt::format("the model is not better than the baseline: {} {} against {}; what usually helps: {}",
                                 name, with_unit(*ours), with_unit(simple), advice);
}

nlohmann::ordered_json to_json(const BaselineFindings& baseline) {
  nlohmann::ordered_json out = {{"name", baseline.name}};
  for (const tasks::Metric& metric : baseline.metrics) out[metric.name] = metric.value;
  if (!baseline.measured.empty()) out["measured_on"] = baseline.measured;
  if (!baseline.note.empty()) out["note"] = baseline.note;
  if (!baseline.verdict.empty()) out["verdict"] = baseline.verdict;
  return out;
}

std::string baseline_beside(const std::string& model_path) {
  const std::filesystem::path path(model_path);
  const std::string folder = path.parent_path().empty() ? "." : path.parent_path().string();
  const train::RunFiles files(folder);
  const bool is_the_runs = path.filename() == std::filesystem::path(files.model).filename();
  return is_the_runs && io::exists(files.baseline) ? files.baseline : "";
}

}  // namespace longhand::runs
