// What the page of a search shows besides: losses by the options that were drawn, and the rungs of halving. Private to
// the comparison.
#pragma once

#include <string>
#include <vector>

#include "longhand/io/chart.h"
#include "longhand/lab/comparison.h"

namespace longhand::lab {

/// A point for each trial, for each option that is a number and varies; nothing where nothing was searched.
std::vector<io::Chart> search_charts(const RunComparison& comparison);

/// A table with a line for each rung; empty without halving.
std::string rungs_html(const RunComparison& comparison);

}  // namespace longhand::lab
