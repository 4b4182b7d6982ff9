// A run on one page: report.html, made from the run's own files, with nothing to fetch.
#pragma once

#include <string>
#include <vector>

#include "longhand/tasks/task.h"

namespace longhand::lab {

/// Writes `folder`/report.html from metrics.jsonl and config.toml in the folder: the last figures; by epoch the loss
/// with its best epoch, the perplexity or other metrics (where the rows have them), the learning rate, the gradient
/// norm and, if it changes, the batch; `sample` (a text the model wrote; may be empty) and the configuration. Null in a
/// row is a number that is not finite, or was not measured. `test` is what the kept model made of a test, or nothing.
/// Throws an input error where a file is missing or damaged.
void write_report(const std::string& folder, const std::vector<tasks::Metric>& test, const std::string& sample);

}  // namespace longhand::lab
