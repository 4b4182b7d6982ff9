#include "longhand/io/bars.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/io/chart.h"
#include "longhand/io/page_text.h"

namespace longhand::io {
namespace {

// Values are written behind the bars, in the room that --room leaves at the right.
constexpr const char* kBarsStyle = R"css(
.bars { --room: 3rem; font-variant-numeric: tabular-nums; }
.bars .group { display: grid; grid-template-columns: minmax(4.5rem, 22%) 1fr; column-gap: .7rem; align-items: center; }
.bars .name { text-align: right; font-size: .85rem; line-height: 1.25; overflow-wrap: anywhere; overflow: hidden; }
.bars .name small { display: block; color: var(--soft); font-size: .72rem; }
.bars .stack { position: relative; padding: .3rem 0; align-self: stretch; display: flex; flex-direction: column;
  justify-content: center; }
.bars .bar { position: relative; display: flex; align-items: center; height: .8rem; }
.bars .bar i { height: .6rem; border-radius: 0 2px 2px 0; background: var(--c); min-width: 1px;
  width: calc((100% - var(--room)) * var(--p)); }
.bars .bar b { font-weight: 400; font-size: .68rem; color: var(--soft); margin-left: .35rem; line-height: 1; }
.bars .line { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--line);
  left: calc((100% - var(--room)) * var(--p)); }
.bars .ticks { position: relative; height: 1.1rem; font-size: .75rem; color: var(--soft); }
.bars .ticks span { position: absolute; transform: translateX(-50%); left: calc((100% - var(--room)) * var(--p)); }
.bars .axis { margin-top: 0; }
)css";

std::string tick_lines(const std::vector<Tick>& ticks, double high) {
  std::string out;
  for (const Tick& tick : ticks) out += fmt::format("<span class=line style='--p:{:.4f}'></span>", tick.value / high);
  return out;
}

std::string group_of_bars(const BarGroup& group, const BarChart& chart, const std::string& lines) {
  std::string out = "<div class=group><span class=name>" + isolated(group.label);
  if (!group.note.empty()) out += "<small>" + escape_html(group.note) + "</small>";
  out += "</span><div class=stack>" + lines;
  for (size_t s = 0; s < std::min(group.values.size(), chart.series.size()); ++s) {
    const double value = group.values[s];
    if (!std::isfinite(value)) continue;
    out += fmt::format("<div class=bar><i style='--p:{:.4f};--c:{}' title='{}'></i><b>{:.1f}</b></div>",
                       std::clamp(value / chart.high, 0.0, 1.0), colour_of(chart.series[s].colour),
                       escape_html(chart.series[s].label), value);
  }
  return out + "</div></div>\n";
}

}  // namespace

std::string draw(const BarChart& chart) {
  if (chart.groups.empty()) return "";
  std::string out = "<figure class=bars><figcaption>" + escape_html(chart.title) + "&ensp;";
  for (const BarSeries& series : chart.series) {
    out +=
        fmt::format(" <span class=key style='--c:{}'>{}</span>", colour_of(series.colour), escape_html(series.label));
  }
  out += "</figcaption>\n";
  const std::vector<Tick> ticks = linear_ticks(0.0, chart.high, 5, false);
  const std::string lines = tick_lines(ticks, chart.high);
  for (const BarGroup& group : chart.groups) out += group_of_bars(group, chart, lines);
  out += "<div class=group><span></span><div class=ticks>";
  for (const Tick& tick : ticks) {
    out += fmt::format("<span style='--p:{:.4f}'>{}</span>", tick.value / chart.high, tick.label);
  }
  return out + "</div></div><div class=axis>" + escape_html(chart.x_title) + "</div></figure>\n";
}

std::string bars_style() { return kBarsStyle; }

}  // namespace longhand::io
