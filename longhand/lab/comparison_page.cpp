#include "longhand/lab/comparison_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "longhand/io/chart.h"
#include "longhand/lab/comparison_search.h"
#include "longhand/lab/comparison_table.h"

namespace longhand::lab {
namespace {

constexpr const char* kTableStyle = R"css(
.scroll { overflow-x: auto; margin: 1rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 400; font-size: .8rem; vertical-align: bottom; }
th:first-child { text-align: left; padding-left: .2rem; position: sticky; left: 0; background: var(--paper); }
tbody th { font-weight: 600; min-width: 7.5rem; max-width: 16rem; overflow-wrap: anywhere; }
td { white-space: nowrap; } td.why { text-align: left; white-space: normal; color: var(--soft); }
.why div { max-width: min(34rem, 54vw); overflow-wrap: anywhere; }
small { display: block; color: var(--soft); font-weight: 400; font-size: .75rem; }
.swatch { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; background: var(--c);
  margin-right: .4rem; }
.best > * { background: var(--panel); } .best > th:first-child { background: var(--panel); }
.options { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr)); gap: .8rem;
  margin: 1rem 0; }
.options div { background: var(--panel); border-radius: 6px; padding: .6rem .8rem; overflow-wrap: anywhere; }
.options dt { color: var(--ink); font-weight: 600; font-size: .9rem; } .options dd { margin: .2rem 0 0; font-size: .85rem; }
code { font-family: ui-monospace, monospace; font-size: .95em; white-space: pre-wrap; }
)css";

// Of a search, only the curves of the first are drawn thick and in the key.
constexpr size_t kDrawnThick = 8;

// One loss of a run; infinity where it has none, so that it sorts last.
double loss_of(const ComparedRun& run, bool held_out) {
  const double loss = held_out ? run.valid_loss.value_or(NAN) : run.train_loss;
  return std::isnan(loss) ? std::numeric_limits<double>::infinity() : loss;
}

// The run in the middle (of an even count the better one), which represents the variant.
const ComparedRun* middle_run(const ComparedVariant& variant, bool held_out) {
  std::vector<const ComparedRun*> runs = finished(variant);
  if (runs.empty()) return nullptr;
  std::stable_sort(runs.begin(), runs.end(), [&](const ComparedRun* a, const ComparedRun* b) {
    return loss_of(*a, held_out) < loss_of(*b, held_out);
  });
  return runs[(runs.size() - 1) / 2];
}

std::vector<io::Point> points(const ComparedRun& run, bool held_out, double CurvePoint::*x) {
  std::vector<io::Point> out;
  for (const CurvePoint& p : run.curve) {
    if (held_out && !p.valid_loss) continue;
    out.push_back({p.*x, held_out ? *p.valid_loss : p.train_loss});
  }
  return out;
}

io::Chart loss_chart(const RunComparison& comparison, bool held_out, double CurvePoint::*x, const char* x_title) {
  io::Chart chart{.title = fmt::format("{} loss{} by {}", held_out ? "Held-out" : "Training",
                                       comparison.has_perplexity ? " (nats per symbol)" : "", x_title),
                  .x_title = x_title,
                  .whole_x = x == &CurvePoint::epoch,
                  .log_beyond = 30.0,
                  .curves = {},
                  .mark = {}};
  std::vector<io::Curve> middle;  // drawn last, above the others
  for (size_t i = 0; i < comparison.variants.size(); ++i) {
    const ComparedVariant& variant = comparison.variants[i];
    const ComparedRun* stands_for = middle_run(variant, held_out);
    const bool among_many = comparison.search && i >= kDrawnThick;
    for (const ComparedRun* run : finished(variant)) {
      const bool faint = run != stands_for || among_many;
      const std::string seed = run != stands_for ? fmt::format(", seed {}", run->seed) : "";
      (faint ? chart.curves : middle)
          .push_back({one_line(variant.name) + seed, static_cast<int>(i), points(*run, held_out, x), faint});
    }
  }
  chart.curves.insert(chart.curves.end(), middle.begin(), middle.end());
  return chart;
}

std::string swatch(int variant) {
  return fmt::format("<span class=swatch style='--c:{}'></span>", io::colour_of(variant));
}

std::string row_html(const TableRow& row, size_t columns, int variant) {
  std::string html = row.best ? "<tr class=best><th scope=row>" : "<tr><th scope=row>";
  if (!row.published && !row.baseline) html += swatch(variant);
  html += io::escape_html(row.name) + (row.best ? " *" : "");
  if (row.published) html += "<small>published, on another machine</small>";
  if (row.cells.empty()) {
    return html +
           fmt::format("</th><td class=why colspan={}><div>{}</div></td></tr>\n", columns, io::escape_html(row.remark));
  }
  if (!row.remark.empty()) html += "<small>" + io::escape_html(row.remark) + "</small>";
  html += "</th>";
  for (const TableCell& cell : row.cells) {
    html += "<td>" + io::escape_html(cell.median);
    if (!cell.range.empty()) html += "<small>" + io::escape_html(cell.range) + "</small>";
    html += "</td>";
  }
  return html + "</tr>\n";
}

std::string table_html(const ComparisonTable& table) {
  std::string html = "<div class=scroll tabindex=0><table><thead><tr><th scope=col>variant</th>";
  for (const std::vector<std::string>& heading : table.columns) {
    html += "<th scope=col>" + heading[0] + " " + heading[1] + "</th>";
  }
  html += "</tr></thead><tbody>\n";
  int variant = 0;
  for (const TableRow& row : table.rows) {
    const bool is_variant = !row.published && !row.baseline;
    html += row_html(row, table.columns.size(), is_variant ? variant++ : 0);
  }
  html += "</tbody></table></div>\n<p class=soft>";
  for (const std::string& note : table.notes)
    html += (&note == &table.notes.front() ? "" : "; ") + io::escape_html(note);
  return html + (table.notes.empty() ? "" : ".") + "</p>\n";
}

std::string charts(const RunComparison& comparison) {
  std::string html;
  for (const io::Chart& chart : comparison_charts(comparison)) html += io::draw(chart);
  const bool seeds = std::any_of(comparison.variants.begin(), comparison.variants.end(),
                                 [](const ComparedVariant& variant) { return finished(variant).size() > 1; });
  if (html.empty() || !seeds) return html;
  return html +
         "<p class=soft>Of each variant the run with the median loss is drawn thick, its other seeds thin.</p>\n";
}

std::string variants_html(const RunComparison& comparison) {
  std::string html = "<h2>Variants</h2><dl class=options>";
  for (size_t i = 0; i < comparison.variants.size(); ++i) {
    const ComparedVariant& variant = comparison.variants[i];
    html += "<div><dt>" + swatch(static_cast<int>(i)) + io::escape_html(variant.name) + "</dt>";
    for (const auto& [name, value] : variant.options) {
      html += "<dd><code>" + io::escape_html(name + " = " + value) + "</code></dd>";
    }
    if (variant.options.empty()) html += "<dd class=soft>the common options</dd>";
    if (const std::vector<const ComparedRun*> runs = finished(variant); !runs.empty()) {
      html += fmt::format("<dd class=soft>{} parameters</dd>", fmt::group_digits(runs.front()->parameters));
    }
    html += "</div>";
  }
  return html + "</dl>\n";
}

}  // namespace

std::vector<io::Chart> comparison_charts(const RunComparison& comparison) {
  const bool held_out = has_valid_loss(comparison);
  std::vector<io::Chart> out = {loss_chart(comparison, held_out, &CurvePoint::epoch, "epoch"),
                                loss_chart(comparison, held_out, &CurvePoint::seconds, "seconds of training")};
  for (io::Chart& chart : search_charts(comparison)) out.push_back(std::move(chart));
  return out;
}

std::string comparison_page(const RunComparison& comparison) {
  std::string html = io::page_start(comparison.title.empty() ? "Comparison" : comparison.title, kTableStyle);
  if (!comparison.machine.empty()) html += "<p class=soft>" + io::escape_html(comparison.machine) + "</p>\n";
  if (comparison.variants.empty() && comparison.published.empty()) {
    html += "<p>There is nothing to compare.</p>\n";
  } else {
    html += table_html(make_table(comparison)) + rungs_html(comparison) + charts(comparison);
  }
  if (!comparison.variants.empty()) html += variants_html(comparison);
  if (!comparison.common.empty()) {
    html += "<h2>Options of all variants</h2><pre>";
    for (const auto& [name, value] : comparison.common) html += io::escape_html(name + " = " + value) + "\n";
    html += "</pre>\n";
  }
  if (!comparison.command.empty()) html += "<h2>Made by</h2><pre>" + io::escape_html(comparison.command) + "</pre>\n";
  return html + io::kPageEnd;
}

}  // namespace longhand::lab
