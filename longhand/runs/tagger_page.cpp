// The part of a report that shows what a tagger finds and confuses.
#include <fmt/core.h>

#include "longhand/base/format.h"
#include "longhand/io/bars.h"
#include "longhand/io/chart.h"
#include "longhand/io/page_text.h"
#include "longhand/runs/pages.h"

namespace longhand::runs {
namespace {

constexpr size_t kLongestTagName = 40;

std::string tag_name(const std::string& name) { return io::isolated(io::shortened(name, kLongestTagName)); }

std::string type_bars(const TagFindings& findings) {
  io::BarChart chart{.title = std::string("Precision, recall and F1 by ") + (findings.of_chunks ? "type" : "tag"),
                     .x_title = "per cent",
                     .series = {{"precision", 0}, {"recall", 2}, {"F1", 1}},
                     .groups = {}};
  for (const auto& [type, counts] : findings.types) {
    const std::string name = type.empty() ? "(no type)" : io::shortened(type, kLongestTagName);
    chart.groups.push_back({name,
                            format_count(counts.gold, findings.of_chunks ? "chunk" : "word"),
                            {counts.precision(), counts.recall(), counts.f1()}});
  }
  return io::draw(chart);
}

std::string confused_tags(const ConfusedTags& confused, int64_t wrong) {
  std::string html = fmt::format(
      "<li><div class=facts><span>gold <b>{}</b></span><span>predicted <b>{}</b></span><span>{}, {:.1f} % of the "
      "errors</span></div>",
      tag_name(confused.gold), tag_name(confused.found), format_count(confused.count, "word"),
      100.0 * static_cast<double>(confused.count) / static_cast<double>(wrong));
  for (const WordInSentence& example : confused.examples) {
    html += "<p><bdi>" + io::escape_html(example.before) + "<mark>" + io::escape_html(example.word) + "</mark>" +
            io::escape_html(example.after) + "</bdi>";
    if (example.line > 0) html += fmt::format(" <span class=soft>line {}</span>", example.line);
    html += "</p>";
  }
  return html + "</li>\n";
}

}  // namespace

std::string page_of(const TagFindings& findings) {
  std::string html = std::string("<h2>") + (findings.of_chunks ? "Types" : "Tags") + "</h2>\n" + type_bars(findings);
  if (findings.types_left_out > 0) {
    html += fmt::format("<p class=soft>The {} most frequent are shown, {} are not.</p>\n", findings.types.size(),
                        findings.types_left_out);
  }
  if (findings.confused.empty()) return html + "<h2>Errors</h2><p>No word was given a wrong tag.</p>\n";
  html += fmt::format(
      "<h2>Tags most often confused</h2><p>{} of {} have a wrong tag ({:.2f} %). Examples are the first in the data; "
      "the <span class=legend><mark>word</mark></span> is highlighted.</p><ol class=cards>\n",
      format_count(static_cast<double>(findings.wrong)), format_count(findings.words, "word"),
      100.0 * static_cast<double>(findings.wrong) / static_cast<double>(findings.words));
  for (const ConfusedTags& confused : findings.confused) html += confused_tags(confused, findings.wrong);
  return html + "</ol>\n";
}

}  // namespace longhand::runs
