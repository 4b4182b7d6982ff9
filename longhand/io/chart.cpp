#include "longhand/io/chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "longhand/base/utf8.h"
#include "longhand/io/chart_axes.h"
#include "longhand/io/page_text.h"

namespace longhand::io {
namespace {

// Text is HTML laid over the SVG, so that it keeps its size while the drawing stretches with the page.
constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5d6778; --line: #e3e6eb; --paper: #ffffff; --panel: #f6f7f9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --soft: #9aa3b2; --line: #2e3542; --paper: #14171d;
  --panel: #1c2129; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0; }
main { max-width: 840px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin-top: 2.2rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .8rem; margin: 1rem 0; }
.figures div { background: var(--panel); border-radius: 6px; padding: .6rem .8rem; }
dt, .soft { color: var(--soft); font-size: .8rem; }
.figures dd { margin: 0; font-size: 1.15rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); column-gap: 2rem; }
figure { margin: 1.5rem 0 0; min-width: 0; } figcaption { font-weight: 600; line-height: 1.6; }
.key { font-weight: 400; font-size: .85rem; margin-right: .6rem; display: inline-block; max-width: 100%;
  overflow-wrap: anywhere; }
.key::before { content: ''; display: inline-block; width: 1rem; height: 3px; background: var(--c); margin-right: .35rem;
  vertical-align: middle; }
.key.best::before { width: .6rem; height: .6rem; border: 2px solid var(--c); border-radius: 50%; background: none; }
.plot { position: relative; height: 17rem; font-size: .75rem; color: var(--soft); font-variant-numeric: tabular-nums;
  margin: .6rem 1.3rem 1.6rem calc(var(--y) * 1ch + .6rem); container-type: inline-size; }
.pair .plot { height: 11rem; }
.plot svg { position: absolute; width: 100%; height: 100%; overflow: visible; }
.plot path, .plot polyline { fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.grid { stroke: var(--line); } .at { stroke: var(--soft); stroke-dasharray: 2 4; }
.plot polyline { stroke-width: 2; } .plot .faint { stroke-width: 1; opacity: .5; } .plot .dashed { stroke-dasharray: 7 4; }
.plot span { position: absolute; line-height: 1; white-space: nowrap; }
.plot .y { right: calc(100% + .5rem); transform: translateY(-50%); }
.plot .x { top: calc(100% + .5rem); transform: translateX(-50%); }
.plot .dot { width: 6px; height: 6px; margin: -3px; border-radius: 50%; background: var(--c); }
.plot .ring { width: 12px; height: 12px; margin: -6px; border-radius: 50%; border: 2px solid var(--c); }
.plot .band { opacity: .14; stroke: none; }
.yaxis { font-size: .75rem; color: var(--soft); margin-top: .4rem; }
.axis { text-align: center; font-size: .75rem; color: var(--soft); margin-top: -.3rem; }
@container (max-width: 400px) { .plot .odd { display: none; } }
pre { background: var(--panel); padding: .8rem 1rem; border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere;
  font-size: .85rem; }
)css";

std::string grid(const Axis& y) {
  std::string path = "M0 1000H1000";
  for (const Tick& tick : y.ticks) path += fmt::format("M0 {:.1f}H1000", 1000.0 - y.place(tick.value));
  return "<path class=grid d='" + path + "'/>";
}

std::string tick_labels(const Axis& x, const Axis& y) {
  std::string out;
  for (const Tick& tick : y.ticks) {
    out += fmt::format("<span class=y style='top:{:.2f}%'>{}</span>", 100.0 - 0.1 * y.place(tick.value), tick.label);
  }
  size_t length = 0;
  for (const Tick& tick : x.ticks) length += tick.label.size() + 2;
  const bool crowded = length > 34;  // on a narrow screen, where every second one is then hidden
  for (size_t i = 0; i < x.ticks.size(); ++i) {
    out += fmt::format("<span class='x{}' style='left:{:.2f}%'>{}</span>", crowded && i % 2 == 1 ? " odd" : "",
                       0.1 * x.place(x.ticks[i].value), x.ticks[i].label);
  }
  return out;
}

std::string dot(const Axis& x, const Axis& y, const Point& at, const char* style, int colour,
                const std::string& title) {
  return fmt::format("<span class={} style='left:{:.2f}%;top:{:.2f}%;--c:{}' title='{}'></span>", style,
                     0.1 * x.place(at.x), 100.0 - 0.1 * y.place(at.y), colour_of(colour), escape_html(title));
}

std::string line(const Axis& x, const Axis& y, const Curve& curve) {
  std::string points;
  for (const Point& p : thinned(curve.points, max_points(curve))) {
    points += fmt::format("{}{:.1f},{:.1f}", points.empty() ? "" : " ", x.place(p.x), 1000.0 - y.place(p.y));
  }
  return fmt::format("<polyline class='{}{}' points='{}' style='stroke:{}'><title>{}</title></polyline>",
                     curve.faint ? "faint" : "", is_dashed(curve) ? " dashed" : "", points, colour_of(curve.colour),
                     escape_html(curve.label));
}

// The area between the ends of a curve's intervals.
std::string band(const Axis& x, const Axis& y, const Curve& curve) {
  if (curve.band.empty()) return "";
  std::string there, back;
  for (const Interval& i : curve.band) {
    there += fmt::format(" {:.1f},{:.1f}", x.place(i.x), 1000.0 - y.place(i.high));
    back = fmt::format(" {:.1f},{:.1f}", x.place(i.x), 1000.0 - y.place(i.low)) + back;
  }
  return fmt::format("<polygon class=band points='{}{}' style='fill:{}'/>", there, back, colour_of(curve.colour));
}

std::string caption(const Chart& chart) {
  std::string out = "<figcaption>" + escape_html(chart.title) + "&ensp;";
  for (const Curve& curve : chart.curves) {
    if (!is_in_key(chart, curve)) continue;
    out += fmt::format(" <span class=key style='--c:{}'>{}</span>", colour_of(curve.colour), escape_html(curve.label));
  }
  if (chart.mark) {
    out += fmt::format(" <span class='key best' style='--c:{}'>{}</span>", colour_of(chart.mark->colour),
                       escape_html(chart.mark->label));
  }
  return out + "</figcaption>";
}

}  // namespace

std::string draw(const Chart& asked) {
  const std::optional<ChartWithAxes> with = with_axes(asked);
  if (!with) return "";
  const auto& [chart, x, y] = *with;
  size_t width = 1;
  for (const Tick& tick : y.ticks) width = std::max(width, tick.label.size());
  std::string lines, dots;
  for (const Curve& curve : chart.curves) lines += band(x, y, curve);
  for (const Curve& curve : chart.curves) {
    lines += line(x, y, curve);
    const Point& last = curve.points.back();
    if (curve.faint && curve.points.size() > 1) continue;
    dots += dot(x, y, last, "dot", curve.colour, fmt::format("{}: {:.5g}", curve.label, last.y));
  }
  if (chart.mark) {
    lines = fmt::format("<path class=at d='M{:.1f} 0V1000'/>", x.place(chart.mark->at.x)) + lines;
    dots += dot(x, y, chart.mark->at, "ring", chart.mark->colour, chart.mark->label);
  }
  const std::string y_title = chart.y_title.empty() ? "" : "<div class=yaxis>" + escape_html(chart.y_title) + "</div>";
  return fmt::format(
      "<figure>{}{}<div class=plot style='--y:{}'><svg viewBox='0 0 1000 1000' preserveAspectRatio=none role=img "
      "aria-label='{}'>{}{}</svg>{}{}</div><div class=axis>{}</div></figure>\n",
      caption(chart), y_title, width, escape_html(chart.title), grid(y), lines, tick_labels(x, y), dots,
      escape_html(chart.x_title + scales_note(x, y)));
}

std::vector<Point> thinned(const std::vector<Point>& points, size_t max) {
  if (points.size() <= max) return points;
  const size_t inner = points.size() - 2, stretches = (max - 2) / 2;
  std::vector<Point> out = {points.front()};
  for (size_t i = 0; i < stretches; ++i) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(1 + i * inner / stretches);
    const auto end = points.begin() + static_cast<std::ptrdiff_t>(1 + (i + 1) * inner / stretches);
    auto [lowest, highest] = std::minmax_element(begin, end, [](const Point& a, const Point& b) { return a.y < b.y; });
    if (highest < lowest) std::swap(lowest, highest);
    out.push_back(*lowest);
    if (highest != lowest) out.push_back(*highest);
  }
  out.push_back(points.back());
  return out;
}

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : visible_directions(visible_lines(text))) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out.push_back(c);
    }
  }
  return out;
}

std::string page_start(const std::string& title, const std::string& style) {
  return fmt::format(
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
      "<title>Longhand: {0}</title><style>{1}{2}</style><main><h1>{0}</h1>\n",
      escape_html(title), std::string(kStyle) + kColourStyle, style);
}

std::string head_figure(const std::string& name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(name), escape_html(value));
}

}  // namespace longhand::io
