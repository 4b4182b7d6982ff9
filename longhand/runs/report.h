// A run on one page: report.html, made from the run's own files, with nothing to fetch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "longhand/tasks/task.h"

namespace longhand::runs {

/// A text that the model wrote after a prompt.
struct Sample {
  std::string prompt;
  std::string text;
};

/// How the kept model predicts after a cold start, beside how it does within a text.
struct ColdCurve {
  std::string text;                  ///< which was read: "held-out text"
  std::vector<double> nats;          ///< element d - 1: mean nats of the symbol predicted from the first d
  std::vector<tasks::Metric> bands;  ///< their means over some distances
  double warm_nats = 0.0;            ///< mean nats per symbol within the text
};

/// What was asked of the kept model for the report.
struct Findings {
  std::vector<tasks::Metric> test;  ///< empty: no test
  std::vector<Sample> samples;
  std::optional<ColdCurve> cold;
};

/// Writes `folder`/report.html from metrics.jsonl and config.toml in the folder: the last figures; by epoch the loss
/// with its best epoch, the perplexity or other metrics (where the rows have them), the losses after a cold start, the
/// learning rate, the gradient norm and, if it changes, the batch; the findings; and the configuration. Null in a row
/// is a number that is not finite, or was not measured. Throws an input error where a file is missing or damaged.
void write_report(const std::string& folder, const Findings& findings);

}  // namespace longhand::runs
