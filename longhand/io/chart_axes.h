// The axes of a chart, for the two ways to draw one: HTML (chart.cpp) and SVG (picture.cpp).
#pragma once

#include "longhand/io/chart.h"

namespace longhand::io {

/// One axis: values to parts of a thousand.
struct Axis {
  double low = 0.0;
  double high = 1.0;
  bool log = false;
  std::vector<Tick> ticks;

  double place(double value) const;
};

/// A chart without points that cannot be drawn, and without curves that have no others; and its axes.
struct ChartWithAxes {
  Chart chart;
  Axis x, y;
};

/// Nothing where no curve has a finite point.
std::optional<ChartWithAxes> with_axes(const Chart& chart);

/// What is to be said of the axes' scales behind the title of x: " (vertical axis: logarithmic)"; or nothing.
std::string scales_note(const Axis& x, const Axis& y);

/// Curves of a chart with more colours than there are begin again, drawn dashed.
bool is_dashed(const Curve& curve);
/// Most points of a curve: a screen shows no more.
size_t max_points(const Curve& curve);
/// The curves in the key: those that are not faint, if there are two or more.
bool is_in_key(const Chart& chart, const Curve& curve);

}  // namespace longhand::io
