#include "longhand/runs/run.h"

#include <fmt/core.h>

#include "longhand/base/error.h"
#include "longhand/base/format.h"
#include "longhand/io/config.h"

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

RunResult Run::train(const std::string& folder, bool resume, const train::Observer& observer,
                     const std::function<void()>& on_saved) {
  OptionTable table;
  settings().add_to(table);
  train::Trainer trainer(task(), settings().training, folder, context_, observer, fixed_options(table));
  if (resume) trainer.resume();
  RunResult result{.training = {}, .was_complete = resume && trainer.complete(), .findings = {}};
  io::write_file(train::RunFiles(folder).config, io::to_toml(table));
  result.training = trainer.run();
  if (on_saved) on_saved();
  result.findings = examine(folder, result.training);
  write_report(folder, result.findings);
  if (result.training.outcome == train::Outcome::kInterrupted) return result;
  result.findings.test = test(folder);
  if (!result.findings.test.empty()) write_report(folder, result.findings);
  return result;
}

}  // namespace longhand::runs
