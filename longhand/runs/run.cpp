#include "longhand/runs/run.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/io/config.h"
#include "longhand/runs/report.h"

namespace longhand::runs {

std::string describe_unseen(const std::string& source, int64_t unseen, int64_t all, const std::string& noun) {
  if (unseen == 0) return "";
  if (unseen == all) {
    throw input_error(source + ": expected labels that occur in the training data, found none",
                      "check that the labels are in the same column or key in both files");
  }
  return fmt::format("\n{}: {} of {} have labels that are not in the training data; they count as errors", source,
                     format_count(static_cast<double>(unseen)), format_count(all, noun));
}

RunResult Run::train(const TrainRequest& request) {
  OptionTable table;
  settings().add_to(table);
  const std::string& folder = request.folder;
  train::Trainer trainer(task(), settings().training, folder, context_, request.observer, fixed_options(table),
                         {.shards = settings().groups().shards, .ranks = request.ranks});
  if (request.resume) trainer.resume();
  const bool is_first = request.ranks == nullptr || request.ranks->is_first();
  RunResult result{.training = {}, .was_complete = request.resume && trainer.complete(), .findings = {}};
  if (is_first) io::write_file(train::RunFiles(folder).config, io::to_toml(table));
  result.training = trainer.run(request.until_epoch);
  if (!is_first) return result;
  if (request.on_saved) request.on_saved();
  result.findings = look(folder, result.training);
  const train::Outcome outcome = result.training.outcome;
  const bool interrupted = outcome == train::Outcome::kInterrupted || outcome == train::Outcome::kPaused;
  // There is a report, should what follows fail.
  result.findings.not_examined = interrupted ? "The run was interrupted: its model is examined once it is complete."
                                             : "The examination of the model was not completed.";
  write_report(folder, result.findings, request.command);
  if (interrupted) return result;
  result.findings.not_examined.clear();
  if (request.on_result) request.on_result(result);
  examine(folder, result.findings, request.on_examined);
  if (result.findings.examined.empty()) {
    result.findings.not_examined =
        "Nothing was held out to examine the model on: give test or validation data, or a fraction to hold out.";
  }
  write_report(folder, result.findings, request.command);
  compare_with_baseline(request, result);
  return result;
}

// The report is there already, should this be interrupted.
void Run::compare_with_baseline(const TrainRequest& request, RunResult& result) {
  if (!settings().baseline || result.findings.examined.empty()) return;
  if (request.on_result) request.on_result(result);
  if (request.on_baseline) request.on_baseline();
  std::optional<BaselineFindings> found = measure_baseline(train::RunFiles(request.folder).baseline);
  if (!found) return;
  judge(*found, result.findings.test.empty() ? result.training.valid : result.findings.test, baseline_advice(*found));
  result.findings.baseline = std::move(found);
  write_report(request.folder, result.findings, request.command, result.training.valid);
}

}  // namespace longhand::runs
