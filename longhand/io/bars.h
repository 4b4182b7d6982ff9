// Horizontal bars in groups, in HTML alone, for a page that `page_start` (chart.h) began with `bars_style`.
#pragma once

#include <string>
#include <vector>

namespace longhand::io {

/// What one bar of each group is of.
struct BarSeries {
  std::string label;
  int colour = 0;  ///< as in `colour_of`
};

struct BarGroup {
  std::string label;
  std::string note;            ///< smaller, below the label
  std::vector<double> values;  ///< [series] 0 to `high`; others than finite ones have no bar
};

struct BarChart {
  std::string title;
  std::string x_title;
  double high = 100.0;  ///< the end of the axis, which begins at 0
  std::vector<BarSeries> series;
  std::vector<BarGroup> groups;
};

/// The chart as an HTML <figure>; empty if there are no groups. All texts are plain; they are escaped here.
std::string draw(const BarChart& chart);

/// The CSS that the charts need.
std::string bars_style();

}  // namespace longhand::io
