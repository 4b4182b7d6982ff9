#include "longhand/io/picture.h"

#include <fmt/core.h>

#include <algorithm>

#include "longhand/io/chart_axes.h"
#include "longhand/io/file.h"

namespace longhand::io {
namespace {

constexpr double kWidth = 720.0, kLeft = 64.0, kRight = 16.0, kTop = 44.0, kPlot = 270.0, kKeyRow = 20.0;
constexpr size_t kPicturePoints = 240;

// As in the pages.
constexpr const char* kPictureStyle = R"css(text { font: 12px system-ui, sans-serif; fill: #5d6778; }
.title { font-size: 14px; font-weight: 600; fill: #1d2330; } .grid { stroke: #e3e6eb; } .curve { fill: none;
stroke-width: 2; stroke-linejoin: round; } .faint { stroke-width: 1; opacity: .5; } .dashed { stroke-dasharray: 7 4; }
.band { opacity: .14; } .paper { fill: #ffffff; }
@media (prefers-color-scheme: dark) { text { fill: #9aa3b2; } .title { fill: #e8eaee; } .grid { stroke: #2e3542; }
.paper { fill: #14171d; } }
)css";

struct Frame {
  const Axis& x;
  const Axis& y;

  double across(double value) const { return kLeft + x.place(value) / 1000.0 * (kWidth - kLeft - kRight); }
  double down(double value) const { return kTop + kPlot - y.place(value) / 1000.0 * kPlot; }
};

std::string picture_axes(const Frame& frame, const Chart& chart) {
  std::string out;
  for (const Tick& tick : frame.y.ticks) {
    const double at = frame.down(tick.value);
    out += fmt::format("<path class='grid' d='M{} {:.1f}H{}'/><text x='{}' y='{:.1f}' text-anchor='end'>{}</text>\n",
                       kLeft, at, kWidth - kRight, kLeft - 8.0, at + 4.0, tick.label);
  }
  for (const Tick& tick : frame.x.ticks) {
    out += fmt::format("<text x='{:.1f}' y='{}' text-anchor='middle'>{}</text>\n", frame.across(tick.value),
                       kTop + kPlot + 18.0, tick.label);
  }
  out += fmt::format("<text x='{}' y='{}' text-anchor='middle'>{}</text>\n", (kLeft + kWidth - kRight) / 2.0,
                     kTop + kPlot + 36.0, escape_html(chart.x_title + scales_note(frame.x, frame.y)));
  return out + fmt::format("<text class='title' x='{0}' y='18'>{1}</text><text x='{0}' y='35'>{2}</text>\n", kLeft,
                           escape_html(chart.title), escape_html(chart.y_title));
}

std::string picture_curve(const Frame& frame, const Curve& curve) {
  std::string out;
  if (!curve.band.empty()) {
    std::string there, back;
    for (const Interval& i : curve.band) {
      there += fmt::format(" {:.1f},{:.1f}", frame.across(i.x), frame.down(i.high));
      back = fmt::format(" {:.1f},{:.1f}", frame.across(i.x), frame.down(i.low)) + back;
    }
    out += fmt::format("<polygon class='band' style='fill:{}' points='{}{}'/>\n", colour_of(curve.colour),
                       there.substr(1), back);
  }
  std::string points;
  for (const Point& p : thinned(curve.points, kPicturePoints)) {
    points += fmt::format("{}{:.1f},{:.1f}", points.empty() ? "" : " ", frame.across(p.x), frame.down(p.y));
  }
  return out + fmt::format("<polyline class='curve{}{}' style='stroke:{}' points='{}'/>\n", curve.faint ? " faint" : "",
                           is_dashed(curve) ? " dashed" : "", colour_of(curve.colour), points);
}

// The labels of the curves below the plot, as many beside one another as there is room for.
std::string picture_key(const Chart& chart, double& height) {
  std::string out;
  double x = kLeft, y = kTop + kPlot + 60.0;
  for (const Curve& curve : chart.curves) {
    if (!is_in_key(chart, curve)) continue;
    const double width = 34.0 + 6.6 * static_cast<double>(curve.label.size());
    if (x > kLeft && x + width > kWidth) {
      x = kLeft;
      y += kKeyRow;
    }
    out += fmt::format(
        "<path class='curve{}' style='stroke:{}' d='M{:.0f} {:.0f}h18'/><text x='{:.0f}' y='{:.0f}'>{}</text>\n",
        is_dashed(curve) ? " dashed" : "", colour_of(curve.colour), x, y - 4.0, x + 24.0, y, escape_html(curve.label));
    x += width + 12.0;
  }
  height = out.empty() ? kTop + kPlot + 46.0 : y + 12.0;
  return out;
}

// A title as part of a file's name: letters and digits, with dashes between words.
std::string file_name(const std::string& title) {
  std::string out;
  for (const char c : title) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (kept) {
      out += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  return out.substr(0, out.find_last_not_of('-') + 1);
}

}  // namespace

std::string draw_picture(const Chart& asked) {
  const std::optional<ChartWithAxes> with = with_axes(asked);
  if (!with) return "";
  const Frame frame{with->x, with->y};
  double height = 0.0;
  const std::string key = picture_key(with->chart, height);
  std::string body = picture_axes(frame, with->chart);
  for (const Curve& curve : with->chart.curves) body += picture_curve(frame, curve);
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1:.0f}' width='{0}' height='{1:.0f}' role='img' "
      "aria-label='{2}'>\n<style>{3}{6}</style>\n<rect class='paper' width='{0}' height='{1:.0f}'/>\n{4}{5}</svg>\n",
      kWidth, height, escape_html(with->chart.title), kPictureStyle, body, key, kColourStyle);
}

void write_pictures(const std::string& prefix, const std::vector<Chart>& charts) {
  for (const Chart& chart : charts) {
    const std::string picture = draw_picture(chart);
    if (!picture.empty()) write_file(prefix + "-" + file_name(chart.title) + ".svg", picture);
  }
}

}  // namespace longhand::io
