#include "cli/run_settings.h"

#include <fmt/core.h>

#include <algorithm>

#include "cli/progress.h"
#include "longhand/base/error.h"
#include "longhand/io/config.h"

namespace longhand::cli {
namespace {

// With --batch all, so many sequences are read side by side.
constexpr int64_t kWholeSetRows = 32;

// Options that only some rules and schedules read.
struct Use {
  const char* option;
  const char* of;
  std::vector<std::string> values;
};
const std::vector<Use> kUses = {
    {"momentum", "optimizer", {"momentum", "nesterov"}},
    {"beta1", "optimizer", {"adam", "adamw", "nadam"}},
    {"beta2", "optimizer", {"adam", "adamw", "nadam", "rmsprop", "adadelta"}},
    {"epsilon", "optimizer", {"adam", "adamw", "nadam", "rmsprop", "adadelta", "adagrad"}},
    {"average-after", "optimizer", {"asgd"}},
    {"average-trigger", "optimizer", {"asgd"}},
    {"asgd-lambda", "optimizer", {"asgd"}},
    {"lr-factor", "schedule", {"step", "exponential", "plateau"}},
    {"lr-every", "schedule", {"step"}},
    {"lr-after", "schedule", {"step", "exponential"}},
    {"lr-patience", "schedule", {"plateau"}},
    {"lr-threshold", "schedule", {"plateau"}},
    {"lr-cooldown", "schedule", {"plateau"}},
    {"lr-min", "schedule", {"plateau", "cosine"}},
    {"lr-peak-at", "schedule", {"one-cycle"}},
    {"lr-start-divisor", "schedule", {"one-cycle"}},
    {"lr-end-divisor", "schedule", {"one-cycle"}},
};

}  // namespace

void CommonSettings::add_data_to(OptionTable& table, const std::string& noun, const std::string& held_out) {
  table.begin_group("Data");
  table.add("data", data, noun + " to train on: a file, - for standard input, or a name of `longhand data list`");
  table.add("valid", valid, "held-out " + noun + ", a file or a name; otherwise a part of the data is held out");
  table.add("valid-fraction", valid_fraction, "part of the data, " + held_out + ", to hold out", fraction());
  table.add("test", test, noun + " to measure the finished model on, a file or a name");
}

void CommonSettings::add_batches_to(OptionTable& table) {
  OptionCheck sequences = between(1, 1 << 20);
  sequences.also = 0.0;
  sequences.also_called = "all";
  table.begin_group("Training");
  table.add("batch", batch, "sequences side by side, B; all: one update an epoch, from the whole set", sequences);
  table.add("accumulate", accumulate, "make an update of so many batches, in the memory of one", between(1, 1024));
  table.add("batch-every", batch_every, "epochs after which the batch changes, again and again; 0: never", at_least(0));
  table.add("batch-multiply", batch_multiply, "the factor by which it grows then", at_least(1.0));
  table.add("batch-divide", batch_divide, "or the divisor", at_least(1.0));
}

void CommonSettings::add_training_to(OptionTable& table) {
  training.add_to(table);
  table.add("seed", seed, "of the initial weights, the batches and dropout", at_least(0));
  table.begin_group("Running");
  table.add("threads", threads, "processors to use; 0: all. The result is the same for any number", between(0, 1024));
  table.add("engine", engine, "what computes the model", one_of({"fused", "reference", "autograd"}));
}

void CommonSettings::check() const {
  if (batch == 0 && (accumulate > 1 || batch_every > 0)) {
    throw usage_error(
        std::string("--batch all: expected no ") + (accumulate > 1 ? "--accumulate" : "--batch-every") + " beside it",
        "the whole set is one update; leave one of the two out");
  }
}

std::vector<std::string> CommonSettings::notes(const OptionTable& table) const {
  std::vector<std::string> out;
  const auto differs = [&](const char* name) {
    const Option* option = table.find(name);
    return option->text() != option->default_text;
  };
  for (const Use& use : kUses) {
    const std::string& chosen =
        std::string(use.of) == "optimizer" ? training.optimizer.optimizer : training.schedule.schedule;
    const bool used = std::find(use.values.begin(), use.values.end(), chosen) != use.values.end();
    if (!used && differs(use.option)) {
      out.push_back(fmt::format("--{} does nothing with --{} {}", use.option, use.of, chosen));
    }
  }
  const bool changes = batch_multiply != 1.0 || batch_divide != 1.0;
  if (changes && batch_every == 0) out.emplace_back("--batch-multiply and --batch-divide want --batch-every");
  if (!changes && batch_every > 0) out.emplace_back("--batch-every wants --batch-multiply or --batch-divide");
  const train::OptimizerOptions& o = training.optimizer;
  const bool triggered = o.optimizer == "asgd" && o.average_after < 0;
  if (triggered && training.patience > 0 && training.patience <= o.average_trigger + 1) {
    out.push_back(fmt::format("--patience {} may end the run before --average-trigger {} lets it begin to average",
                              training.patience, o.average_trigger));
  }
  if (training.patience > 0 && valid.empty() && valid_fraction == 0.0) {
    out.emplace_back("--patience does nothing where nothing is held out");
  }
  return out;
}

data::GroupOptions CommonSettings::groups() const {
  return {.batch = batch > 0 ? batch : kWholeSetRows,
          .accumulate = accumulate,
          .whole = batch == 0,
          .every = batch_every,
          .factor = batch_multiply / batch_divide,
          .seed = seed_number()};
}

std::string describe_foreign(const std::string& source, int64_t foreign, int64_t all, const std::string& noun) {
  if (foreign == 0) return "";
  if (foreign == all) {
    throw input_error(source + ": expected labels of the training data, found none of them",
                      "check that both files have their labels in the same place");
  }
  return fmt::format("\n{}: {} of {} with labels that the training data lack; they count as wrong", source,
                     format_count(static_cast<double>(foreign)), format_count(all, noun));
}

RunResult train_in_folder(tasks::Task& task, const CommonSettings& settings, const OptionTable& resolved,
                          const std::string& folder, bool resume, const train::Observer& observer,
                          kernels::Context& context, const Finished& finished) {
  train::Trainer trainer(task, settings.training, folder, context, observer);
  if (resume) trainer.resume();
  RunResult result{.training = {}, .was_complete = resume && trainer.complete(), .findings = {}};
  io::write_file(train::RunFiles(folder).config, io::to_toml(resolved));
  result.training = trainer.run();
  if (finished.examine) result.findings = finished.examine(result.training);
  lab::write_report(folder, result.findings);
  if (finished.test && result.training.outcome != train::Outcome::kInterrupted) {
    result.findings.test = finished.test();
    lab::write_report(folder, result.findings);
  }
  return result;
}

}  // namespace longhand::cli
