// The options of `longhand compare` that say what is compared, and how; those of the trainings are the tasks' own.
#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "longhand/lab/compare_sets.h"
#include "longhand/lab/comparison.h"

namespace longhand::cli {

struct CompareControl {
  std::string grid;
  std::string search = "grid";
  int64_t trials = 0;
  int64_t search_seed = 0;
  int64_t halving_factor = 3;
  int64_t first_epochs = 0;
  int64_t seeds = 3;
  int64_t jobs = 1;
  std::string config;
  std::string out;
  bool quiet = false;
  bool json = false;
  bool markdown = false;
  bool pictures = false;

  void add_to(OptionTable& table);
  bool searches() const { return search != "grid"; }
  bool halves() const { return search == "halving"; }
};

/// Throws a usage error for options of a search that are missing, or that the kind of search does not have. `name` is
/// the command's.
void check_search(const CompareControl& control, const GivenOptions& given, const std::string& name);

/// What the grid file says to compare; options that it gives one value are set in `settings`. Throws usage errors.
lab::CompareSet set_of_grid(const CompareControl& control, OptionTable& settings);

/// What a search did, for the table; nothing for other comparisons. `rungs` are those of halving.
std::optional<lab::SearchSummary> summary_of(const CompareControl& control, const std::vector<int64_t>& rungs);

}  // namespace longhand::cli
