// The simple model that each task is compared with: fitted on the training data after a training, kept in a file beside
// the model, and measured on the same data. docs/baselines.md says what they are.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "longhand/tasks/task.h"

namespace longhand::runs {

/// What a baseline gave on some data.
struct BaselineFindings {
  std::string name;                    ///< "5-gram, interpolated Kneser-Ney"
  std::string note;                    ///< what it was fitted on, where that is not all training data; or empty
  std::string measured;                ///< "held-out data", ...
  std::vector<tasks::Metric> metrics;  ///< some of the task's, under the same names; the first is the task's first
  /// Where the model is not better by that one: that it is not, and what usually helps. Empty where it is better.
  std::string verdict;
};

/// Sets the verdict: the model's metric of the same name decides. `advice` is what usually helps.
void judge(BaselineFindings& baseline, const std::vector<tasks::Metric>& model, const std::string& advice);
/// "loss 1.2345 nats, perplexity 3.437", "accuracy 94.51 %, loss 0.2013": losses and metrics in words. Losses after a
/// cold start are left out.
std::string describe_metrics(const std::vector<tasks::Metric>& metrics);
/// "5-gram, interpolated Kneser-Ney: loss 2.1 nats, perplexity 8.2, on the held-out data"
std::string describe(const BaselineFindings& baseline);
/// Name, metrics by name, and note, data and verdict where there are any.
nlohmann::ordered_json to_json(const BaselineFindings& baseline);

/// The file of the baseline beside a model: that of the run's folder where this is the model of one and has any; empty
/// where there is none.
std::string baseline_beside(const std::string& model_path);

}  // namespace longhand::runs
