// A comparison on one page: the table, the curves of all runs, and what the variants' options were, with nothing to
// fetch, in the style of a run's report.
#pragma once

#include <string>
#include <vector>

#include "longhand/io/chart.h"
#include "longhand/lab/comparison.h"

namespace longhand::lab {

/// The whole HTML page. The loss drawn is the held-out one if any run has it, else that of training.
std::string comparison_page(const RunComparison& comparison);

/// Its charts: losses by epoch and by seconds of training.
std::vector<io::Chart> comparison_charts(const RunComparison& comparison);

}  // namespace longhand::lab
