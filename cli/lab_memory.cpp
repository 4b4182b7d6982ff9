// longhand lab memory: past which gap each cell learns to remember.
#include "cli/lab.h"
#include "longhand/lab/memory.h"

namespace longhand::cli {
namespace {

struct LabMemory {
  LabControl control{"memory"};
  lab::MemoryOptions options;
  std::string cells = "rnn,rnn-relu,gru,lstm-0,lstm-1,lstm-3", gaps = "5,10,20,30,50,100,200";
  OptionTable table;
  GivenOptions given;

  LabMemory() {
    table.add("task", options.task, "what has to be remembered", one_of(lab::memory_tasks()));
    table.add("gaps", gaps, "numbers of steps to remember over, separated by commas");
    table.add("cells", cells, "cells to train, separated by commas: " + lab::names_of(lab::lab_cells()));
    table.add("seeds", options.seeds, "number of seeds per cell and gap", between(1, 1000));
    table.add("updates", options.updates, "maximum updates of a training", between(1, 1e7));
    table.add("hidden", options.hidden, "hidden units", between(1, 1024));
    table.add("batch", options.rows, "sequences per update", between(1, 4096));
    table.add("lr", options.learning_rate, "learning rate of Adam", more_than(0.0));
    table.add("clip-norm", options.clip_norm, "largest norm of the gradient of an update; 0: no clipping",
              at_least(0.0));
    table.add("seed", options.seed, "first seed", between(0, 1e15));
    control.add_to(table);
  }

  void declare(const Verb& verb) { verb.add_options(table, given); }

  int run() {
    given.apply(table);
    options.cells = lab::parse_cells(cells);
    options.gaps = lab::parse_counts(gaps, 1, 10'000, "`gaps`");
    options.threads = control.threads;
    LabRun watch(control);
    const lab::MemoryResult result = lab::measure_memory(options, watch.watcher());
    if (!result.finished) return watch.interrupted();
    return watch.finish(lab::memory_report(result, options), given);
  }
};

}  // namespace

void declare_lab_memory(const Verb& lab) {
  lab.add_command<LabMemory>("memory", "Train each recurrent cell to remember over longer and longer gaps");
}

}  // namespace longhand::cli
