#include "longhand/io/heat_map.h"

#include <fmt/format.h>

#include <numeric>

#include "longhand/base/error.h"
#include "longhand/io/chart.h"
#include "longhand/io/page_text.h"

namespace longhand::io {
namespace {

constexpr size_t kRoomyColumns = 10;  // with more, shares have no place in the cells
constexpr size_t kLongestLabel = 24;
constexpr double kDeep = 70.0;  // shares from which letters have the colour of the paper, to be read

// A cell is as deep as its share.
constexpr const char* kHeatMapStyle = R"css(
.heat .scroll { overflow-x: auto; margin: .6rem 0; }
.heat table { border-collapse: separate; border-spacing: 1px; font-variant-numeric: tabular-nums; width: auto; }
.heat th { font-weight: 400; font-size: .8rem; line-height: 1.15; padding: .15rem .4rem; border: 0; }
.heat tbody th { text-align: right; white-space: nowrap; position: sticky; left: 0; background: var(--paper); z-index: 1; }
.heat thead th { vertical-align: bottom; text-align: center; }
.heat td { text-align: center; font-size: .85rem; line-height: 1.15; padding: .35rem .3rem; min-width: 3.4rem; border: 0;
  background: color-mix(in srgb, var(--c0) calc(var(--p) * 1%), var(--panel)); }
.heat td.deep { color: var(--paper); } .heat td.right { outline: 1px solid var(--soft); outline-offset: -1px; }
.heat td small { display: block; white-space: nowrap; font-size: .7rem; color: inherit; } .heat td.none { color: var(--soft); }
.heat.small table { margin: 0 auto 0 0; }
.heat.small th { font-size: .68rem; padding: .05rem .25rem; }
.heat.small thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 9rem; }
.heat.small td { font-size: .6rem; padding: .1rem 0; min-width: 1.15rem; height: 1.15rem; }
@media (min-width: 900px) { .wide { width: min(96vw, 1200px); margin-left: calc(50% - min(48vw, 600px)); } }
)css";

std::string cell(const HeatMap& map, size_t row, size_t column, int64_t total, bool roomy) {
  const int64_t count = map.count(row, column);
  const double share = total > 0 ? 100.0 * static_cast<double>(count) / static_cast<double>(total) : 0.0;
  std::string kind = share > kDeep ? "deep" : count == 0 ? "none" : "";
  if (map.rows[row] == map.columns[column]) kind += kind.empty() ? "right" : " right";
  std::string out = fmt::format("<td class='{}' style='--p:{:.1f}'", kind, share);
  if (!roomy) {
    out += fmt::format(" title='{} as {}: {} of {}, {:.1f} %'", escape_html(shortened(map.rows[row], kLongestLabel)),
                       escape_html(shortened(map.columns[column], kLongestLabel)), count, total, share);
    return out + (count > 0 ? fmt::format(">{}</td>", count) : "></td>");
  }
  return out + fmt::format(">{}<small>{:.1f} %</small></td>", fmt::group_digits(count), share);
}

}  // namespace

int64_t HeatMap::total(size_t row) const {
  const auto begin = counts.begin() + static_cast<std::ptrdiff_t>(row * columns.size());
  return std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(columns.size()), int64_t{0});
}

std::string draw(const HeatMap& map) {
  if (map.rows.empty() || map.columns.empty()) return "";
  LONGHAND_CHECK(map.counts.size() == map.rows.size() * map.columns.size());
  const bool roomy = map.columns.size() <= kRoomyColumns;
  const bool wide = map.columns.size() > 30;
  std::string out = fmt::format("<figure class='heat{}{}'><figcaption>{}</figcaption>", roomy ? "" : " small",
                                wide ? " wide" : "", escape_html(map.title));
  out += fmt::format("<div class=soft>rows: {}; columns: {}{}</div>\n", escape_html(map.row_title),
                     escape_html(map.column_title),
                     roomy ? "" : "; shade: per cent of the row, also in the cells' titles");
  out += "<div class=scroll tabindex=0><table><thead><tr><td class=none style='--p:0;background:none'></td>";
  for (const std::string& column : map.columns) {
    out += "<th scope=col><span>" + isolated(shortened(column, kLongestLabel)) + "</span></th>";
  }
  out += "</tr></thead><tbody>\n";
  for (size_t row = 0; row < map.rows.size(); ++row) {
    out += "<tr><th scope=row>" + isolated(shortened(map.rows[row], kLongestLabel)) + "</th>";
    const int64_t total = map.total(row);
    for (size_t column = 0; column < map.columns.size(); ++column) out += cell(map, row, column, total, roomy);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div></figure>\n";
}

std::string heat_map_style() { return kHeatMapStyle; }

}  // namespace longhand::io
