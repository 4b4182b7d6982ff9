#include "longhand/io/chart_axes.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace longhand::io {
namespace {

constexpr int kColours = 12;

int exponent_of(double value) { return static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9)); }

// The largest numbers would overflow in a difference.
bool drawable(const Point& p) { return std::abs(p.x) < 1e150 && std::abs(p.y) < 1e150; }

Axis x_axis(double low, double high, const Chart& chart) {
  const bool whole = chart.whole_x;
  if (chart.log_x && low > 0.0 && high > 1.5 * low) return {low, high, true, log_ticks(low, high, 8)};
  if (high - low <= 1e-9 * std::abs(high)) {  // a single point is in the middle
    const double room = whole || high == 0.0 ? 1.0 : 0.5 * std::abs(high);
    low -= room;
    high += room;
  }
  return {low, high, false, linear_ticks(low, high, 8, whole)};
}

// Begins at zero if that is near. A little room is left above, and below if it does not begin at zero.
Axis y_axis(double low, double high, double log_beyond) {
  constexpr int kTicks = 7;
  if (low > 0.0 && high > log_beyond * low) {
    const double room = std::pow(high / low, 0.04);
    low /= room;
    high *= room;
    return {low, high, true, log_ticks(low, high, kTicks)};
  }
  const bool flat = high - low <= 1e-9 * std::max(std::abs(low), std::abs(high));
  if (low >= 0.0 && (flat || low < 0.3 * high)) {
    low = 0.0;
    high = high > 0.0 ? (flat ? 1.25 : 1.04) * high : 1.0;
  } else {
    const double room = flat ? 0.5 * std::abs(high) : 0.05 * (high - low);
    low -= room;
    high += room;
  }
  return {low, high, false, linear_ticks(low, high, kTicks, false)};
}

}  // namespace

double Axis::place(double value) const {
  const double part = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return 1000.0 * part;
}

std::string scales_note(const Axis& x, const Axis& y) {
  if (x.log && y.log) return " (both axes: logarithmic)";
  return x.log ? " (logarithmic)" : y.log ? " (vertical axis: logarithmic)" : "";
}

bool is_dashed(const Curve& curve) { return curve.colour >= kColours; }

size_t max_points(const Curve& curve) { return curve.faint ? 200 : 600; }  // there may be many faint ones

bool is_in_key(const Chart& chart, const Curve& curve) {
  const auto in_key = std::count_if(chart.curves.begin(), chart.curves.end(), [](const Curve& c) { return !c.faint; });
  return !curve.faint && in_key > 1;
}

std::optional<ChartWithAxes> with_axes(const Chart& asked) {
  ChartWithAxes out{.chart = asked};
  Chart& chart = out.chart;
  Point low{1e300, 1e300}, high{-1e300, -1e300};
  const auto include = [&](const Point& p) {
    low = {std::min(low.x, p.x), std::min(low.y, p.y)};
    high = {std::max(high.x, p.x), std::max(high.y, p.y)};
  };
  for (Curve& curve : chart.curves) {
    std::erase_if(curve.points, [](const Point& p) { return !drawable(p); });
    std::erase_if(curve.band, [](const Interval& i) { return !drawable({i.x, i.low}) || !drawable({i.x, i.high}); });
    for (const Point& p : curve.points) include(p);
    for (const Interval& i : curve.band) {
      include({i.x, i.low});
      include({i.x, i.high});
    }
  }
  std::erase_if(chart.curves, [](const Curve& curve) { return curve.points.empty(); });
  if (chart.curves.empty()) return std::nullopt;
  for (const double y : chart.y_holds) low.y = std::min(low.y, y), high.y = std::max(high.y, y);
  if (chart.mark && !drawable(chart.mark->at)) chart.mark.reset();
  out.x = x_axis(low.x, high.x, chart);
  out.y = y_axis(low.y, high.y, chart.log_beyond);
  return out;
}

std::string colour_of(int index) { return fmt::format("var(--c{})", index % kColours); }

std::vector<Tick> linear_ticks(double low, double high, int max, bool whole) {
  const double span = high - low;
  int exponent = exponent_of(span / max);
  double step = std::pow(10.0, exponent);
  for (const double factor : {2.0, 2.5, 2.0}) {
    if (span / step <= max * (1.0 + 1e-9)) break;
    step *= factor;
  }
  exponent = exponent_of(step);
  if (whole && step < 1.0) step = 1.0, exponent = 0;
  const double largest = std::max(std::abs(low), std::abs(high));
  std::vector<Tick> ticks;
  const double last = std::floor(high / step + 1e-9);
  for (double i = std::ceil(low / step - 1e-9); i <= last; i += 1.0) {
    const double value = i * step;
    if (i == 0.0) {
      ticks.push_back({0.0, "0"});
    } else if (largest < 1e6 && (exponent >= -4 || largest >= 0.1)) {
      ticks.push_back({value, fmt::format("{:.{}f}", value, std::max(0, -exponent))});
    } else {
      ticks.push_back({value, fmt::format("{:.{}e}", value, std::max(0, exponent_of(largest) - exponent))});
    }
  }
  return ticks;
}

std::vector<Tick> log_ticks(double low, double high, int max) {
  const int first = exponent_of(low), last = exponent_of(high);
  const auto ticks_with = [&](const std::vector<double>& factors, int stride) {
    std::vector<Tick> ticks;
    for (int exponent = first; exponent <= last; exponent += stride) {
      for (const double factor : factors) {
        const double value = factor * std::pow(10.0, exponent);
        if (value < low * (1.0 - 1e-9) || value > high * (1.0 + 1e-9)) continue;
        const bool plain = exponent >= -4 && exponent < 6;
        ticks.push_back(
            {value, plain ? fmt::format("{:.{}f}", value, std::max(0, -exponent)) : fmt::format("{:.0e}", value)});
      }
    }
    return ticks;
  };
  std::vector<Tick> ticks = ticks_with({1.0, 2.0, 5.0}, 1);
  for (int stride = 1; ticks.size() > static_cast<size_t>(max); ++stride) ticks = ticks_with({1.0}, stride);
  return ticks;
}

}  // namespace longhand::io
