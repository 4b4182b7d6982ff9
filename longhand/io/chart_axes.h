// The axes and colours of a chart, for the two ways to draw one: HTML (chart.cpp) and SVG (picture.cpp).
#pragma once

#include "longhand/io/chart.h"

namespace longhand::io {

/// The colours of curves in CSS, for light and dark.
inline constexpr const char* kColourStyle = R"css(
:root { --c0: #2563c9; --c1: #c2570c; --c2: #16834a; --c3: #8b3fc7; --c4: #c2183f; --c5: #0a7f8a;
  --c6: #8a6400; --c7: #d43fa0; --c8: #5c7a00; --c9: #56606e; --c10: #11151d; --c11: #2d93d1; }
@media (prefers-color-scheme: dark) { :root { --c0: #7aa8f7; --c1: #f0a05a; --c2: #5fcf8a; --c3: #c792f5; --c4: #ff7088; --c5: #45c8d0;
  --c6: #d6b24a; --c7: #ff8fd6; --c8: #b5cf4a; --c9: #a9b2c0; --c10: #ffffff; --c11: #9fdcff; } }
)css";

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
