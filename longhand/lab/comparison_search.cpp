#include "longhand/lab/comparison_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "longhand/lab/comparison_table.h"

namespace longhand::lab {
namespace {

constexpr double kManyTimes = 20.0;  // then a logarithmic axis shows more
constexpr int kGoesOn = 0, kStopped = 1;

std::optional<double> number_of(const ComparedVariant& variant, const std::string& option) {
  for (const auto& [name, value] : variant.options) {
    if (name != option) continue;
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (end != value.c_str() && *end == '\0' && std::isfinite(number)) return number;
  }
  return std::nullopt;
}

io::Chart chart_of(const RunComparison& comparison, const std::string& option, bool held_out) {
  io::Chart chart{.title = fmt::format("{} loss by {}", held_out ? "Held-out" : "Training", option),
                  .x_title = option,
                  .log_beyond = 30.0,
                  .curves = {},
                  .mark = {}};
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const ComparedVariant& variant : comparison.variants) {
    const std::vector<double> losses = held_out ? valid_losses(variant) : figures(variant, &ComparedRun::train_loss);
    const std::optional<double> x = number_of(variant, option);
    if (losses.empty() || !x) continue;
    low = std::min(low, *x);
    high = std::max(high, *x);
    chart.curves.push_back({.label = one_line(variant.name),
                            .colour = variant.stopped_after > 0 ? kStopped : kGoesOn,
                            .points = {{*x, spread(losses).median}},
                            .faint = true});
  }
  chart.log_x = low > 0.0 && high / low >= kManyTimes;
  return chart;
}

}  // namespace

std::vector<io::Chart> search_charts(const RunComparison& comparison) {
  std::vector<io::Chart> out;
  if (!comparison.search || comparison.variants.empty()) return out;
  for (const auto& [option, value] : comparison.variants.front().options) {
    std::set<double> values;
    for (const ComparedVariant& variant : comparison.variants) {
      if (const std::optional<double> number = number_of(variant, option)) values.insert(*number);
    }
    if (values.size() > 2) out.push_back(chart_of(comparison, option, has_valid_loss(comparison)));
  }
  return out;
}

std::string rungs_html(const RunComparison& comparison) {
  if (!comparison.search || comparison.search->factor == 0) return "";
  std::string html =
      "<h2>Rungs</h2><div class=scroll tabindex=0><table><thead><tr><th scope=col>epochs</th><th scope=col>trials</th>"
      "<th scope=col>stopped here</th></tr></thead><tbody>\n";
  for (const int64_t epochs : comparison.search->rung_epochs) {
    int64_t trials = 0, stopped = 0;
    for (const ComparedVariant& variant : comparison.variants) {
      for (const ComparedRung& rung : variant.rungs) trials += rung.epochs == epochs ? 1 : 0;
      stopped += variant.stopped_after == epochs ? 1 : 0;
    }
    html += fmt::format("<tr><th scope=row>{}</th><td>{}</td><td>{}</td></tr>\n", epochs, trials, stopped);
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace longhand::lab
