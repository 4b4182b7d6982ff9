// A chart as an SVG file that stands alone, for a README or a slide: small, and readable in light and dark.
#pragma once

#include <string>
#include <vector>

#include "longhand/io/chart.h"

namespace longhand::io {

/// Draws a chart of 720 x 400 with its key below. Empty where no curve has a finite point.
std::string draw_picture(const Chart& chart);

/// Writes each chart as a file that is named after it: `prefix`-gradient-by-h.svg.
void write_pictures(const std::string& prefix, const std::vector<Chart>& charts);

}  // namespace longhand::io
