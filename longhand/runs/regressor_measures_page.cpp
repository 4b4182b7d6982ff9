// The sections of a report with the measures and the intervals of forecasts.
#include <fmt/core.h>

#include <algorithm>

#include "longhand/base/format.h"
#include "longhand/io/page_text.h"
#include "longhand/runs/pages.h"

namespace longhand::runs {
namespace {

constexpr size_t kMostSeries = 100;
constexpr size_t kLongestSeriesName = 40;
constexpr int kFanColour = 0, kFanActualColour = 9, kDashedFrom = 12;

std::string cell(const std::optional<double>& value, const char* format = "{:.5g}") {
  return "<td>" + (value ? fmt::format(fmt::runtime(format), *value) : std::string("\xE2\x80\x93")) + "</td>";
}

std::string percent_cell(const std::optional<double>& share) {
  return share ? fmt::format("<td>{:.1f} %</td>", 100.0 * *share) : cell({});
}

std::string row_of(const std::string& name, const std::optional<double>& crps, const std::optional<double>& coverage) {
  return crps ? "<tr><th scope=row>" + name + "</th>" + cell(crps) + percent_cell(coverage) + "</tr>\n" : "";
}

// CRPS and coverage of the model and of simpler forecasts.
std::string distribution_table(const ForecastFindings& findings) {
  const tasks::ForecastMeasures& m = *findings.measures;
  std::string html = fmt::format(
      "<div class=scroll tabindex=0><table class=plain><thead><tr><th></th><th>CRPS</th><th>in the {:.3g} % "
      "interval</th></tr></thead><tbody>\n",
      100.0 * m.interval);
  html += row_of(m.coverage ? "forecast" : "forecast (a point: mean absolute error)", m.crps, m.coverage);
  if (findings.ridge)
    html += row_of("Gaussian round the ridge regression", findings.ridge->crps, findings.ridge->coverage);
  html += row_of("Gaussian round the naive forecast", m.naive_crps, m.naive_coverage);
  html += row_of("Gaussian round the seasonal naive forecast", m.seasonal_crps, m.seasonal_coverage);
  return html + "</tbody></table></div>\n";
}

std::string series_table(const tasks::ForecastMeasures& m) {
  if (m.each.size() < 2 || m.each.front().series.empty()) return "";
  const bool many_targets =
      std::any_of(m.each.begin(), m.each.end(), [&](const auto& one) { return one.target != m.each.front().target; });
  std::string html =
      "<h3>Each series</h3>\n<div class=scroll tabindex=0><table class=plain><thead><tr><th></th>"
      "<th>values</th><th>MSE</th><th>MAE</th><th>MASE</th><th>Nash-Sutcliffe</th><th>CRPS</th>"
      "<th>coverage</th></tr></thead><tbody>\n";
  for (size_t i = 0; i < std::min(kMostSeries, m.each.size()); ++i) {
    const tasks::SeriesMeasures& one = m.each[i];
    const std::string name = io::isolated(io::shortened(one.series, kLongestSeriesName)) +
                             (many_targets ? ", " + io::isolated(io::shortened(one.target, kLongestSeriesName)) : "");
    html += "<tr><th scope=row>" + name + "</th>" + fmt::format("<td>{}</td>", one.values) + cell(one.mse) +
            cell(one.mae) + cell(one.mase) + cell(one.nse) + cell(one.crps) + percent_cell(one.coverage) + "</tr>\n";
  }
  html += "</tbody></table></div>\n";
  if (m.each.size() > kMostSeries) {
    html += fmt::format("<p class=soft>Shown are the first {} of {} series.</p>\n", kMostSeries, m.each.size());
  }
  return html;
}

io::Chart fan_chart(const ForecastFan& fan) {
  io::Chart chart{
      .title = io::shortened(fan.series.empty() ? fan.target : fan.series, kLongestSeriesName) + ": the last forecast",
      .x_title = "row of the table",
      .whole_x = true,
      .curves = {},
      .mark = {}};
  for (size_t i = 0; i < fan.intervals.size(); ++i) {
    const int colour = kDashedFrom + static_cast<int>(i) + 2;
    std::vector<io::Point> low, high;
    for (const io::Interval& at : fan.intervals[i]) {
      low.push_back({at.x, at.low});
      high.push_back({at.x, at.high});
    }
    const std::string label = fmt::format("{:.3g} % interval", 100.0 * fan.probabilities[i]);
    chart.curves.push_back({.label = label, .colour = colour, .points = low, .band = fan.intervals[i]});
    chart.curves.push_back({.label = label, .colour = colour, .points = high, .faint = true});
  }
  chart.curves.push_back({.label = "actual", .colour = kFanActualColour, .points = fan.actual});
  chart.curves.push_back({.label = "forecast", .colour = kFanColour, .points = fan.forecast});
  return chart;
}

}  // namespace

std::string measures_page(const ForecastFindings& findings) {
  if (!findings.measures) return "";
  const tasks::ForecastMeasures& m = *findings.measures;
  std::string html = fmt::format("<p>sMAPE {:.4g} %", m.smape);
  if (m.mase) html += fmt::format(", MASE {:.4g}", *m.mase);
  if (m.nse) html += fmt::format(", Nash-Sutcliffe efficiency {:.4g}", *m.nse);
  if (m.nse && m.each.size() > 1) html += fmt::format(" (median {:.4g})", *m.nse_median);
  html +=
      ". The CRPS measures a distribution: less is better, and of a point it is the absolute error. A Gaussian has "
      "the deviation of the errors on earlier rows.</p>\n" +
      distribution_table(findings) + series_table(m);
  if (findings.fans.empty()) return html;
  html += "<h3>Intervals</h3>\n";
  for (const ForecastFan& fan : findings.fans) html += io::draw(fan_chart(fan));
  return html;
}

}  // namespace longhand::runs
