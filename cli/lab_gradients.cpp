// longhand lab gradients: how far back gradients reach.
#include <fmt/format.h>

#include "cli/lab.h"
#include "longhand/lab/gradients.h"
#include "longhand/runs/sources.h"

namespace longhand::cli {
namespace {

struct LabGradients {
  LabControl control{"gradients"};
  lab::GradientsOptions options;
  std::string data = "tale", cells = "rnn,rnn-relu,gru,lstm-0,lstm-1,lstm-3,lstm-1-norm", updates = "0,500",
              depths = "8";
  int64_t window = 64;
  OptionTable table;
  GivenOptions given;

  LabGradients() {
    table.add("data", data, "text file, built-in text, or a memory task: recall, copying, adding");
    table.add("cells", cells, "cells to measure, separated by commas: " + lab::names_of(lab::lab_cells()));
    table.add("updates", updates, "numbers of updates after which to measure, separated by commas");
    table.add("reach", options.reach.steps, "number of steps to go back", between(1, 2000));
    table.add("depths", depths, "numbers of layers of the stacks to measure, separated by commas; 0: none");
    table.add("hidden", options.hidden, "hidden units per layer", between(1, 256));
    table.add("window", window, "steps of the sequences to train on; of a memory task, its gap", between(1, 10000));
    table.add("batch", options.rows, "sequences per update", between(1, 4096));
    table.add("lr", options.learning_rate, "learning rate of Adam", more_than(0.0));
    table.add("clip-norm", options.clip_norm, "largest norm of the gradient of an update; 0: no clipping",
              at_least(0.0));
    table.add("sequences", options.reach.sequences, "sequences over which medians are taken", between(1, 1000));
    table.add("seed", options.seed, "seed of the random numbers", between(0, 1e15));
    control.add_to(table);
  }

  void declare(const Verb& verb) { verb.add_options(table, given); }

  int run() {
    given.apply(table);
    options.cells = lab::parse_cells(cells);
    options.updates = lab::parse_counts(updates, 0, 10'000'000, "`updates`");
    options.depths = depths == "0" ? std::vector<int64_t>() : lab::parse_counts(depths, 2, 64, "`depths`");
    options.threads = control.threads;
    const std::unique_ptr<lab::SequenceTask> task = lab_task(data, window, options.reach.steps);
    LabRun watch(control);
    const lab::GradientsResult result = lab::measure_gradients(*task, options, watch.watcher());
    if (!result.finished) return watch.interrupted();
    return watch.finish(lab::gradients_report(result, options, runs::shown_name(data)), given);
  }
};

}  // namespace

void declare_lab_gradients(const Verb& lab) {
  lab.add_command<LabGradients>("gradients", "Measure how far back gradients reach in each recurrent cell");
}

}  // namespace longhand::cli
