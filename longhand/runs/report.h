// What a run or an evaluation found on one page, with nothing to fetch and nothing that runs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "longhand/runs/findings.h"

namespace longhand::runs {

/// Writes `folder`/report.html from metrics.jsonl and config.toml in the folder: the last figures; by epoch the loss
/// with its best epoch, the perplexity or other metrics (where the rows have them), the losses after a cold start, the
/// learning rate, the gradient norm and, if it changes, the batch; the findings; the configuration; and the command
/// that made it, if it is given. `held_out` are the kept model's figures, for the baseline. Null in a row is a number
/// that is not finite, or was not measured. Throws an input error where a file is missing or damaged.
void write_report(const std::string& folder, const Findings& findings, const std::string& command = "",
                  const std::vector<tasks::Metric>& held_out = {});

/// What an evaluation was of.
struct EvaluationSubject {
  std::string title;                                         ///< "run on test.csv"
  std::string data;                                          ///< what was recognised in the data
  std::vector<std::pair<std::string, std::string>> options;  ///< of the model, with their values
  std::string command;
};

/// Writes the page of an evaluation: its figures (`findings.test`), its findings, its figures as text, the model's
/// options and the command. The file appears complete or not at all.
void write_evaluation_report(const std::string& path, const EvaluationSubject& subject, const Findings& findings,
                             const std::string& text);

}  // namespace longhand::runs
