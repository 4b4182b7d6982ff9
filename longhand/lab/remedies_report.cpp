// The report of `longhand lab remedies`.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "longhand/lab/remedies.h"

namespace longhand::lab {
namespace {

// The median of one value over the seeds, and its range.
template <class Run>
std::string values_text(const std::vector<Run>& runs, double Run::*value) {
  std::vector<double> all;
  for (const Run& run : runs) all.push_back(run.*value);
  const auto undefined = std::count_if(all.begin(), all.end(), [](double v) { return std::isnan(v); });
  if (undefined > 0)
    return undefined == static_cast<int64_t>(all.size()) ? "diverged"
                                                         : fmt::format("{} of {} diverged", undefined, all.size());
  std::sort(all.begin(), all.end());
  const std::string median = shown(all[all.size() / 2]);
  const std::string low = shown(all.front()), high = shown(all.back());
  return low == high ? median : fmt::format("{} ({} to {})", median, low, high);
}

std::string steps_of(const RemedyResult& row, int64_t RemedyRun::*steps, int64_t reach) {
  std::vector<int64_t> all;
  for (const RemedyRun& run : row.runs) all.push_back(run.*steps < 0 ? reach + 1 : run.*steps);
  std::sort(all.begin(), all.end());
  const auto text = [reach](int64_t n) { return n > reach ? fmt::format("> {}", reach) : fmt::format("{}", n); };
  return all.front() == all.back()
             ? text(all.front())
             : fmt::format("{} ({} to {})", text(all[all.size() / 2]), text(all.front()), text(all.back()));
}

// LSTMs with wrong equations beside a right one.
LabSection equations_section(const RemediesResult& result, const RemediesOptions& options,
                             nlohmann::ordered_json& data) {
  const EquationsOptions& eq = options.equations;
  LabSection out{
      .heading = "Equations that texts get wrong",
      .words = {fmt::format("An LSTM of {} units on the recall task with gap {}, {} updates: chance is 12.5 %. "
                            "Gradient error: how far the first update's gradient of W_hh is from central "
                            "differences of the same network, relative to those.",
                            eq.hidden, eq.gap, eq.updates)},
      .table = {.columns = {"equations", "per cent right", "loss", "gradient error"}}};
  for (const EquationsResult& each : result.equations) {
    out.table.rows.push_back({each.name, values_text(each.runs, &EquationsRun::accuracy),
                              values_text(each.runs, &EquationsRun::loss),
                              values_text(each.runs, &EquationsRun::gradient_error)});
    for (const EquationsRun& run : each.runs) {
      data["equations"].push_back({{"equations", each.name},
                                   {"accuracy", run.accuracy},
                                   {"loss", run.loss},
                                   {"gradient_error", run.gradient_error}});
    }
  }
  return out;
}

}  // namespace

LabReport remedies_report(const RemediesResult& result, const RemediesOptions& options, const std::string& source) {
  LabReport report{.name = "remedies",
                   .title = fmt::format("What helps against vanishing and exploding gradients: {}, {} hidden units",
                                        source, options.hidden)};
  LabSection section{
      .heading = "One change at a time",
      .words =
          {fmt::format("Each row is a training of {} updates by Adam, or by SGD where that is said, with {} seeds: the "
                       "median, and the range in brackets.",
                       options.updates, options.seeds),
           "Factor per step: what each step back multiplies the gradient by. Steps to 1/1000: how far back a "
           "thousandth of the gradient by h is left, before and after the training. Bottom to top: in a stack, the "
           "gradient of the bottom layer's bias over that of the top layer's, before the training. Largest gradient: "
           "the largest norm of an update's gradient before clipping. Loss: nats per symbol on held-out text, in "
           "windows of equal length for all."},
      .table = {.columns = {"remedy", "change", "factor per step", "steps to 1/1000, before", "after", "bottom to top",
                            "largest gradient", "held-out loss"}}};
  report.csv.columns = {"remedy",      "change",        "seed",         "factor", "steps_before",
                        "steps_after", "bottom_to_top", "largest_norm", "loss",   "updates"};
  std::string group;
  for (const RemedyResult& row : result.rows) {
    const bool deep = row.remedy.model.lstm.layers > 1;
    section.table.rows.push_back({row.remedy.group == group ? "" : row.remedy.group, row.remedy.change,
                                  deep ? "" : values_text(row.runs, &RemedyRun::factor),
                                  deep ? "" : steps_of(row, &RemedyRun::steps_before, options.reach.steps),
                                  deep ? "" : steps_of(row, &RemedyRun::steps_after, options.reach.steps),
                                  deep ? values_text(row.runs, &RemedyRun::layers_ratio) : "",
                                  values_text(row.runs, &RemedyRun::largest_norm),
                                  values_text(row.runs, &RemedyRun::loss)});
    group = row.remedy.group;
    for (size_t s = 0; s < row.runs.size(); ++s) {
      const RemedyRun& run = row.runs[s];
      report.csv.rows.push_back(
          {row.remedy.group, row.remedy.change, fmt::format("{}", options.seed + static_cast<int64_t>(s)),
           fmt::format("{}", run.factor), fmt::format("{}", run.steps_before), fmt::format("{}", run.steps_after),
           fmt::format("{}", run.layers_ratio), fmt::format("{}", run.largest_norm), fmt::format("{}", run.loss),
           fmt::format("{}", run.updates)});
      report.data["runs"].push_back({{"remedy", row.remedy.group},
                                     {"change", row.remedy.change},
                                     {"seed", options.seed + static_cast<int64_t>(s)},
                                     {"factor", run.factor},
                                     {"steps_before", run.steps_before},
                                     {"steps_after", run.steps_after},
                                     {"bottom_to_top", run.layers_ratio},
                                     {"largest_norm", run.largest_norm},
                                     {"loss", run.loss},
                                     {"updates", run.updates}});
    }
  }
  report.sections.push_back(section);
  report.sections.push_back(equations_section(result, options, report.data));
  return report;
}

}  // namespace longhand::lab
