#include "cli/compare_control.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/error.h"
#include "longhand/io/grid.h"
#include "longhand/lab/search.h"

namespace longhand::cli {

void CompareControl::add_to(OptionTable& table) {
  table.begin_group("Comparing");
  table.add("grid", grid, "TOML file of options with lists of values or ranges; every combination is trained");
  table.add("search", search,
            "which combinations of `grid` are trained: all; random ones; or random ones of which the worst are stopped "
            "early (successive halving)",
            one_of({"grid", "random", "halving"}));
  table.add("trials", trials, "random, halving: number of combinations that are drawn", between(0, 100'000));
  table.add("search-seed", search_seed, "random, halving: random seed of the combinations", at_least(0));
  table.add("halving-factor", halving_factor,
            "halving: one of so many trials goes on, with so many times the epochs of the rung before",
            between(2, 100));
  table.add("first-epochs", first_epochs,
            "halving: smallest number of epochs before the first trials are stopped; 0: as few as the factor gives",
            at_least(0));
  table.add("seeds", seeds,
            "number of seeds per variant, counted from `seed`; with `search` random and halving 1, if not given",
            between(1, 1000));
  table.add("config", config, "TOML file of options for all variants; command-line options override it");
  table.add("out", out, "folder for the runs and results; by default runs/compare-SET, or named after the grid file");
  table.add("jobs", jobs,
            "number of runs at the same time, on each rank of an MPI job; without `threads`, each has its share of the "
            "processors",
            between(1, 1024));
  table.add("quiet", quiet, "print no progress");
  table.add("json", json, "print the result as a JSON object");
  table.add("pictures", pictures, "write each plot as an SVG file, too");
  table.add("markdown", markdown, "print the table in Markdown");
}

void check_search(const CompareControl& control, const GivenOptions& given, const std::string& name) {
  const std::string advice = "see `" + name + " --help`";
  const auto refuse = [&](const char* option, const char* expected) {
    if (!given.has(option)) return;
    throw usage_error(fmt::format("{}: --{}: expected --search {}, found {}", name, option, expected, control.search),
                      fmt::format("leave out --{}, or choose that search", option));
  };
  if (control.searches() && control.grid.empty()) {
    throw usage_error(fmt::format("{}: --search {}: expected --grid, found none", name, control.search),
                      "give a TOML file with lists of values and ranges to draw from");
  }
  if (!control.searches()) {
    for (const char* option : {"trials", "search-seed"}) refuse(option, "random or halving");
  }
  if (!control.halves()) {
    for (const char* option : {"halving-factor", "first-epochs"}) refuse(option, "halving");
  }
  if (control.searches() && control.trials == 0) {
    throw usage_error(fmt::format("{}: --search {}: expected --trials of at least 1, found none", name, control.search),
                      advice);
  }
}

lab::CompareSet set_of_grid(const CompareControl& control, OptionTable& settings) {
  std::vector<io::GridAxis> axes = io::read_grid(control.grid, settings);
  if (!control.searches()) return lab::grid_set(control.grid, lab::listed(control.grid, std::move(axes)));
  const bool varies_epochs =
      std::any_of(axes.begin(), axes.end(), [](const io::GridAxis& axis) { return axis.option == "epochs"; });
  if (control.halves() && varies_epochs) {
    throw usage_error(control.grid + ": epochs: expected one value with --search halving, found several",
                      "halving itself decides how long a trial is trained; give the epochs of the last rung");
  }
  return {.name = "grid",
          .title = fmt::format("{} of {} combinations from {}",
                               control.halves() ? "Successive halving" : "Random search", control.trials, control.grid),
          .variants = lab::random_trials(control.grid, axes, control.trials, control.search_seed)};
}

std::optional<lab::SearchSummary> summary_of(const CompareControl& control, const std::vector<int64_t>& rungs) {
  if (!control.searches()) return std::nullopt;
  return lab::SearchSummary{.method = control.search,
                            .trials = control.trials,
                            .seed = control.search_seed,
                            .factor = control.halves() ? control.halving_factor : 0,
                            .rung_epochs = rungs};
}

}  // namespace longhand::cli
