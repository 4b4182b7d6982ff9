// longhand lab remedies: what helps against vanishing and exploding gradients.
#include "cli/lab.h"
#include "cli/sources.h"
#include "longhand/lab/remedies.h"

namespace longhand::cli {
namespace {

struct LabRemedies {
  LabControl control{"remedies"};
  lab::RemediesOptions options;
  std::string data = "tale";
  OptionTable table;
  GivenOptions given;

  LabRemedies() {
    table.add("data", data, "text file or built-in text to train on");
    table.add("only", options.only,
              "groups to try, those whose names contain this: initialiser, gates, explosion, skip, truncated, dropout, "
              "equations; by default all");
    table.add("updates", options.updates,
              "updates of each training (LSTMs with wrong equations have their own settings)", between(1, 1e7));
    table.add("seeds", options.seeds, "number of seeds per training", between(1, 1000));
    table.add("hidden", options.hidden, "hidden units per layer", between(1, 256));
    table.add("window", options.window, "symbols of the sequences to train on", between(1, 10000));
    table.add("batch", options.rows, "sequences per update", between(1, 4096));
    table.add("lr", options.learning_rate, "learning rate of Adam", more_than(0.0));
    table.add("reach", options.reach.steps, "number of steps to go back", between(1, 2000));
    table.add("sequences", options.reach.sequences, "sequences over which medians are taken", between(1, 1000));
    table.add("seed", options.seed, "first seed", between(0, 1e15));
    control.add_to(table);
  }

  void declare(const Verb& verb) { verb.add_options(table, given); }

  int run() {
    given.apply(table);
    options.threads = control.threads;
    const std::string text = sources().text(data), source = shown_name(data);
    LabRun watch(control);
    const lab::RemediesResult result = lab::measure_remedies(text, source, options, watch.watcher());
    if (!result.finished) return watch.interrupted();
    return watch.finish(lab::remedies_report(result, options, source), given);
  }
};

}  // namespace

void declare_lab_remedies(const Verb& lab) {
  lab.add_command<LabRemedies>("remedies", "Measure what helps against vanishing and exploding gradients");
}

}  // namespace longhand::cli
