// The part of a report that shows what a classifier confuses.
#include <fmt/core.h>

#include "longhand/base/format.h"
#include "longhand/io/bars.h"
#include "longhand/io/chart.h"
#include "longhand/io/heat_map.h"
#include "longhand/io/page_text.h"
#include "longhand/runs/pages.h"

namespace longhand::runs {
namespace {

constexpr size_t kLongestClassName = 40;
constexpr size_t kOpenBars = 15;

std::string class_name(const std::string& name) { return io::isolated(io::shortened(name, kLongestClassName)); }

std::string wrong_text(const WrongText& wrong) {
  return fmt::format(
      "<li><div class=facts><span>predicted <b>{}</b> {:.1f} %</span><span>gold <b>{}</b> {:.1f} %</span>"
      "<span>line {}</span></div><p>{}</p></li>\n",
      class_name(wrong.predicted), 100.0 * wrong.probability, class_name(wrong.gold), 100.0 * wrong.gold_probability,
      wrong.line, io::isolated(wrong.text));
}

std::string class_bars(const ClassFindings& findings) {
  io::BarChart chart{.title = "Precision, recall and F1 by class",
                     .x_title = "per cent",
                     .series = {{"precision", 0}, {"recall", 2}, {"F1", 1}},
                     .groups = {}};
  for (const ClassFigures& figures : findings.classes) {
    chart.groups.push_back({io::shortened(figures.name, kLongestClassName),
                            format_count(figures.texts, "text"),
                            {figures.precision, figures.recall, figures.f1}});
  }
  // Very many bars are there for those who open them.
  if (chart.groups.size() <= kOpenBars) return io::draw(chart);
  return fmt::format("<details><summary>{} of {} classes</summary>{}</details>\n", chart.title, chart.groups.size(),
                     io::draw(chart));
}

}  // namespace

std::string page_of(const ClassFindings& findings) {
  const ConfusionMatrix& matrix = findings.confusion;
  std::string html = "<h2>Classes</h2>\n";
  html += io::draw(io::HeatMap{.title = "Confusion matrix: texts and per cent of each row",
                               .row_title = "gold class",
                               .column_title = "predicted class",
                               .rows = matrix.rows,
                               .columns = matrix.columns,
                               .counts = matrix.counts});
  if (matrix.merged > 0) {
    html += fmt::format("<p class=soft>The {} most frequent classes have a row each; the other {} share one.</p>\n",
                        matrix.columns.size() - 1, matrix.merged);
  }
  html += class_bars(findings);
  if (findings.most_confident.empty()) return html + "<h2>Errors</h2><p>No text was given a wrong class.</p>\n";
  html += fmt::format(
      "<h2>Most confident errors</h2><p>{} of {} have a wrong class ({:.1f} %). {}</p><ol class=cards>\n",
      format_count(static_cast<double>(findings.wrong)), format_count(findings.texts, "text"),
      100.0 * static_cast<double>(findings.wrong) / static_cast<double>(findings.texts),
      static_cast<int64_t>(findings.most_confident.size()) < findings.wrong
          ? fmt::format("These {} were given theirs with the highest probability.", findings.most_confident.size())
          : "These are all, the most probable first.");
  for (const WrongText& wrong : findings.most_confident) html += wrong_text(wrong);
  return html + "</ol>\n";
}

}  // namespace longhand::runs
